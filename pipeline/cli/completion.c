#include <string.h>

#include "pipeline/cli/help.h"
#include "stages/forecast/machine.h"

static void options_of(FILE *out, const char *command)
{
    for (size_t i = 0; i < options_count; i++)
        if (option_applies(&options_all[i], command)) {
            fprintf(out, " --%s", options_all[i].name);
            if (options_all[i].letter)
                fprintf(out, " -%c", options_all[i].letter);
        }
}

static void choices_of(FILE *out, const struct option *o, const char *before)
{
    for (size_t i = 0; o->choices[i]; i++)
        fprintf(out, "%s%s", i ? " " : before, o->choices[i]);
}

/* What may follow a command that takes a word rather than a file. */
static void words_after(FILE *out, const char *command)
{
    if (strcmp(command, "journal") == 0)
        fprintf(out, "dump check salvage");
    else if (strcmp(command, "models") == 0)
        fprintf(out, "inspect");
    else if (strcmp(command, "help") == 0) {
        for (size_t i = 0; i < commands_count; i++)
            fprintf(out, "%s ", commands_all[i].name);
        fprintf(out, "storyboard");
    } else if (strcmp(command, "bench") == 0) {
        fprintf(out, "vae");
    }
}

static bool takes_word(const char *command)
{
    return strcmp(command, "journal") == 0 || strcmp(command, "models") == 0 ||
           strcmp(command, "help") == 0 || strcmp(command, "bench") == 0;
}

/* GPUs by name, for --gpu: others are described. */
static void gpus_of(FILE *out, const char *before)
{
    for (int i = 0; machine_word(i); i++)
        fprintf(out, "%s%s", i ? " " : before, machine_word(i));
}

static bool takes_gpu(const struct option *o)
{
    return strcmp(o->name, "gpu") == 0;
}

/* What bash sees before the word: the option after a command that takes this row of it. */
static void bash_pattern(FILE *out, const struct option *o)
{
    const char *between = "    ";

    for (size_t i = 0; i <= commands_count; i++) {
        const char *command = i < commands_count ? commands_all[i].name : "";
        const char *seen = command[0] ? command : "*";

        if (!option_applies(o, command))
            continue;
        fprintf(out, "%s%s,--%s", between, seen, o->name);
        between = "|";
        if (o->letter)
            fprintf(out, "|%s,-%c", seen, o->letter);
    }
    fprintf(out, ") ");
}

static void bash(FILE *out)
{
    /* "--tier=f" comes as three words, for "=" breaks words in bash. */
    fprintf(out, "_auteur_pipe() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    COMPREPLY=()\n"
                 "    if [ \"$word\" = = ]; then\n"
                 "        word=\n"
                 "    elif [ \"$last\" = = ]; then\n"
                 "        last=${COMP_WORDS[COMP_CWORD-2]}\n"
                 "    fi\n"
                 "    case ${COMP_WORDS[1]},$last in\n");
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options_all[i];

        if (o->type == OPTION_FLAG)
            continue;
        bash_pattern(out, o);
        if (o->type == OPTION_CHOICE) {
            choices_of(out, o, "COMPREPLY=($(compgen -W \"");
            fprintf(out, "\" -- \"$word\")); ");
        } else if (takes_gpu(o)) {
            gpus_of(out, "COMPREPLY=($(compgen -W \"");
            fprintf(out, "\" -- \"$word\")); ");
        } else if (o->type == OPTION_DIR) {
            fprintf(out, "COMPREPLY=($(compgen -d -- \"$word\")); ");
        }
        fprintf(out, "return ;;\n");
    }
    fprintf(out, "    esac\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                 "        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; i < commands_count; i++)
        fprintf(out, "%s ", commands_all[i].name);
    options_of(out, "");
    fprintf(out, "\" -- \"$word\"))\n        return\n    fi\n    local options=\n"
                 "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < commands_count; i++) {
        fprintf(out, "    %s) options=\"", commands_all[i].name);
        options_of(out, commands_all[i].name);
        fprintf(out, "\" ;;\n");
    }
    fprintf(out,
            "    esac\n    case $word in\n"
            "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")); return ;;\n    esac\n"
            "    case $COMP_CWORD,${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < commands_count; i++) {
        if (!takes_word(commands_all[i].name))
            continue;
        fprintf(out, "    2,%s) COMPREPLY=($(compgen -W \"", commands_all[i].name);
        words_after(out, commands_all[i].name);
        fprintf(out, "\" -- \"$word\")) ;;\n");
    }
    fprintf(out, "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n}\n"
                 "complete -o filenames -F _auteur_pipe auteur-pipe\n");
}

/* The first sentence, without its full stop, inside single quotes: `quote` stands for one of
 * those, `special` are characters that want a backslash. */
static void description(FILE *out, const char *text, const char *quote, const char *special)
{
    for (const char *p = text; *p && strcmp(p, ".") != 0 && strncmp(p, ". ", 2) != 0; p++) {
        if (strchr(special, *p))
            fputc('\\', out);
        if (*p == '\'')
            fputs(quote, out);
        else
            fputc(*p, out);
    }
}

static void describe_zsh(FILE *out, const char *text)
{
    description(out, text, "'\\''", "[]:\\");
}

static void describe_fish(FILE *out, const char *text)
{
    description(out, text, "\\'", "\\");
}

static void zsh(FILE *out)
{
    fprintf(out, "#compdef auteur-pipe\nlocal -a commands\ncommands=(\n");
    for (size_t i = 0; i < commands_count; i++) {
        fprintf(out, "    '%s:", commands_all[i].name);
        describe_zsh(out, commands_all[i].summary);
        fprintf(out, "'\n");
    }
    fprintf(out, ")\nif (( CURRENT == 2 )); then\n    _describe command commands\n    return\nfi\n"
                 "case $words[2] in\n");
    for (size_t i = 0; i < commands_count; i++) {
        fprintf(out, "%s)\n    _arguments", commands_all[i].name);
        for (size_t k = 0; k < options_count; k++) {
            const struct option *o = &options_all[k];

            if (!option_applies(o, commands_all[i].name))
                continue;
            fprintf(out, " \\\n        '--%s[", o->name);
            describe_zsh(out, o->help);
            fprintf(out, "]");
            if (o->type == OPTION_CHOICE) {
                fprintf(out, ":%s:", o->argument);
                choices_of(out, o, "(");
                fprintf(out, ")");
            } else if (takes_gpu(o)) {
                fprintf(out, ":%s:", o->argument);
                gpus_of(out, "(");
                fprintf(out, ")");
            } else if (o->type != OPTION_FLAG) {
                fprintf(out, ":%s:%s", o->argument, o->type == OPTION_DIR ? "_files -/" : " ");
            }
            fprintf(out, "'");
        }
        if (takes_word(commands_all[i].name)) {
            fprintf(out, " \\\n        '2:word:(");
            words_after(out, commands_all[i].name);
            fprintf(out, ")'");
        }
        fprintf(out, " \\\n        '*:file:_files'\n    ;;\n");
    }
    fprintf(out, "esac\n");
}

static void fish(FILE *out)
{
    for (size_t i = 0; i < commands_count; i++) {
        fprintf(out, "complete -c auteur-pipe -n __fish_use_subcommand -a %s -d '",
                commands_all[i].name);
        describe_fish(out, commands_all[i].summary);
        fprintf(out, "'\n");
        if (!takes_word(commands_all[i].name))
            continue;
        fprintf(out, "complete -c auteur-pipe -n '__fish_seen_subcommand_from %s' -f -a '",
                commands_all[i].name);
        words_after(out, commands_all[i].name);
        fprintf(out, "'\n");
    }
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options_all[i];

        fprintf(out, "complete -c auteur-pipe");
        if (o->commands && o->commands[0])
            fprintf(out, " -n '__fish_seen_subcommand_from%.*s'", (int)strlen(o->commands) - 1,
                    o->commands);
        else if (o->commands)
            fprintf(out, " -n __fish_use_subcommand");
        fprintf(out, " -l %s", o->name);
        if (o->letter)
            fprintf(out, " -s %c", o->letter);
        if (o->type == OPTION_CHOICE) {
            choices_of(out, o, " -x -a '");
            fprintf(out, "'");
        } else if (takes_gpu(o)) {
            gpus_of(out, " -x -a '");
            fprintf(out, "'");
        } else if (o->type == OPTION_DIR) {
            fprintf(out, " -x -a '(__fish_complete_directories)'");
        } else if (o->type != OPTION_FLAG) {
            fprintf(out, " -x");
        }
        fprintf(out, " -d '");
        describe_fish(out, o->help);
        fprintf(out, "'\n");
    }
}

int help_completion(FILE *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        bash(out);
    else if (strcmp(shell, "zsh") == 0)
        zsh(out);
    else
        fish(out);
    return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
