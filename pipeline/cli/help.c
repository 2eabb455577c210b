#include "pipeline/cli/help.h"

#include <string.h>

#include "pipeline/progress/show.h"

enum { WIDTH = 80, NARROWEST = 40, OPTION_COLUMN = 24, SUMMARY_COLUMN = 38 };

int help_width(FILE *out)
{
    int columns = show_columns(out);

    return columns > WIDTH ? WIDTH : columns < NARROWEST ? NARROWEST : columns;
}

void help_wrap(FILE *out, const char *text, int indent, int at, int width)
{
    int column = at;

    for (const char *p = text; *p;) {
        size_t word = strcspn(p, " \n");

        if (column > indent && column + 1 + (int)word > width) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column < indent) {
            fprintf(out, "%*s", indent - column, "");
            column = indent;
        } else if (column > indent && word) {
            fputc(' ', out);
            column++;
        }
        fwrite(p, 1, word, out);
        column += (int)word;
        p += word;
        if (p[0] == '\n' && p[1] == '\n') {
            fprintf(out, "\n\n%*s", indent, "");
            column = indent;
        }
        p += strspn(p, " \n");
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const struct option *o)
{
    char choices[200] = "";
    int n = fprintf(out, "  ");

    n += o->letter ? fprintf(out, "-%c, ", o->letter) : fprintf(out, "    ");
    n += fprintf(out, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    if (n >= OPTION_COLUMN)
        n = fprintf(out, "\n") * 0;
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s%s",
                 i ? ", " : " One of ", o->choices[i]);
    if (o->choices) {
        char text[600];

        snprintf(text, sizeof text, "%s%s.", o->help, choices);
        help_wrap(out, text, OPTION_COLUMN, n, help_width(out));
    } else {
        help_wrap(out, o->help, OPTION_COLUMN, n, help_width(out));
    }
}

void help_overview(FILE *out)
{
    fprintf(out, "auteur-pipe turns a storyboard into finished video shots.\n\n"
                 "usage: auteur-pipe COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < commands_count; i++) {
        int n = fprintf(out, "  %-10s%s", commands_all[i].name, commands_all[i].operands);

        help_wrap(out, commands_all[i].summary, SUMMARY_COLUMN, n, help_width(out));
    }
    fprintf(out, "\n");
    for (size_t i = 0; i < options_count; i++)
        if (option_applies(&options_all[i], ""))
            print_option(out, &options_all[i]);
    fprintf(out, "\nauteur-pipe help COMMAND tells the rest.\n");
}

void help_command(FILE *out, const struct command *c)
{
    fprintf(out, "usage: auteur-pipe %s%s%s [OPTIONS]\n\n", c->name, c->operands[0] ? " " : "",
            c->operands);
    help_wrap(out, c->detail[0] ? c->detail : c->summary, 0, 0, help_width(out));
    fprintf(out, "\n");
    for (size_t i = 0; i < options_count; i++)
        if (option_applies(&options_all[i], c->name))
            print_option(out, &options_all[i]);
}
