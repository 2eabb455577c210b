#include <string.h>

#include "pipeline/cli/help.h"
#include "pipeline/version.h"

/* roff reads a leading dot or quote as a request, and a backslash everywhere. */
static void roff(FILE *out, const char *text)
{
    bool line_start = true;

    for (const char *p = text; *p; p++) {
        if (p[0] == '\n' && p[1] == '\n') {
            fputs("\n.PP\n", out);
            p++;
            line_start = true;
            continue;
        }
        if (line_start && (*p == '.' || *p == '\''))
            fputs("\\&", out);
        if (*p == '\\')
            fputs("\\e", out);
        else if (*p == '-')
            fputs("\\-", out);
        else
            fputc(*p, out);
        line_start = *p == '\n';
    }
    fputc('\n', out);
}

static void option_entry(FILE *out, const struct option *o)
{
    fprintf(out, ".TP\n\\fB");
    if (o->letter)
        fprintf(out, "\\-%c\\fR, \\fB", o->letter);
    fprintf(out, "\\-\\-%s\\fR", o->name);
    fprintf(out, o->argument ? " \\fI%s\\fR\n" : "%s\n", o->argument ? o->argument : "");
    roff(out, o->help);
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        fprintf(out, "%s%s%s", i ? ", " : "One of ", o->choices[i], o->choices[i + 1] ? "" : ".\n");
    if (o->commands && o->commands[0])
        fprintf(out, "(%.*s)\n", (int)strlen(o->commands) - 2, o->commands + 1);
}

int help_man(FILE *out)
{
    fprintf(out,
            ".TH AUTEUR\\-PIPE 1 \"\" \"auteur-pipe %s\" \"User Commands\"\n"
            ".SH NAME\nauteur\\-pipe \\- turn a storyboard into finished video shots\n"
            ".SH SYNOPSIS\n.B auteur\\-pipe\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH COMMANDS\n",
            AUTEUR_VERSION);
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = &commands_all[i];

        fprintf(out, ".SS %s %s\n", c->name, c->operands);
        roff(out, c->detail[0] ? c->detail : c->summary);
    }
    fprintf(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < options_count; i++)
        option_entry(out, &options_all[i]);
    fprintf(
        out,
        ".SH EXIT STATUS\n"
        ".IP 0\nevery shot is delivered\n"
        ".IP 1\nthe command line is wrong, or a file could not be read or written\n"
        ".IP 2\nthe storyboard is wrong\n"
        ".IP 3\nsome shots failed\n"
        ".IP 4\nthe journal is in use by another process, or damaged\n"
        ".IP 130\ninterrupted\n"
        ".SH ENVIRONMENT\n"
        ".IP AUTEUR_MODELS\nwhere checkpoints are, when \\-\\-models is not given\n"
        ".IP AUTEUR_DATA\nwhere the program's own data files are\n"
        ".IP AUTEUR_CUDA\nthe CUDA object, when it is not beside the program\n"
        ".IP AUTEUR_CACHE\nwhere what was tuned for a GPU and what voices said is kept; otherwise "
        "auteur\\-pipe in XDG_CACHE_HOME or ~/.cache. It may be deleted: the next run does it "
        "again\n"
        ".IP AUTEUR_GRAPHS\n0: sampler steps and VAE tiles are not recorded as CUDA graphs\n"
        ".IP AUTEUR_FUSED_GLU\n0: gated linear layers and their gates in two passes\n"
        ".IP AUTEUR_CUDNN\n0: as if cuDNN were not installed\n"
        ".IP NO_COLOR\nno colours, whatever the terminal can do\n"
        ".SH FILES\n"
        ".IP \\fIDIR\\fR/shots/\\fIID\\fR/\nthe delivered files of a shot\n"
        ".IP \\fIDIR\\fR/.auteur/\nthe journal and what unfinished and later work needs; "
        "deleting it costs only time\n");
    return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
