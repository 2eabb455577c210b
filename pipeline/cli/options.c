#include "pipeline/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/suggest.h"

bool option_applies(const struct option *option, const char *command)
{
    char padded[64];

    if (!option->commands)
        return true;
    if (!command[0])
        return !option->commands[0];
    snprintf(padded, sizeof padded, " %s ", command);
    return strstr(option->commands, padded) != NULL;
}

/* The command's own row where the name has two. */
static const struct option *find_name(const char *name, size_t length, const char *command)
{
    const struct option *found = NULL;

    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options_all[i];

        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0 &&
            (!found || option_applies(o, command)))
            found = o;
    }
    return found;
}

static const struct option *find_letter(char letter)
{
    for (size_t i = 0; i < options_count; i++)
        if (options_all[i].letter && options_all[i].letter == letter)
            return &options_all[i];
    return NULL;
}

static int unknown(const char *typed, const char *command, struct error *e)
{
    struct suggestion s = {.word = typed};

    for (size_t i = 0; i < options_count; i++)
        if (option_applies(&options_all[i], command))
            suggest_offer(&s, options_all[i].name);
    if (s.best)
        return error_set(e, ERROR_USAGE, "there is no option --%s: did you mean --%s?", typed,
                         s.best);
    return error_set(e, ERROR_USAGE, "there is no option --%s: see auteur-pipe help %s", typed,
                     command);
}

static int set_int(const struct option *o, const char *value, int *field, struct error *e)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(value, &end, 10);
    if (end == value || *end || errno || n < o->min || n > o->max)
        return error_set(e, ERROR_USAGE, "--%s takes a whole number from %d to %d, not '%s'",
                         o->name, o->min, o->max, value);
    *field = (int)n;
    return 0;
}

static int set_number(const struct option *o, const char *value, double *field, struct error *e)
{
    char *end;
    double x = strtod(value, &end);

    if (end == value || *end || !(x >= o->min && x <= o->max))
        return error_set(e, ERROR_USAGE, "--%s takes a number from %d to %d, not '%s'", o->name,
                         o->min, o->max, value);
    *field = x;
    return 0;
}

static int set_choice(const struct option *o, const char *value, const char **field,
                      struct error *e)
{
    struct suggestion s = {.word = value};
    char list[200] = "";

    for (size_t i = 0; o->choices[i]; i++) {
        size_t used = strlen(list);

        if (strcmp(o->choices[i], value) == 0) {
            *field = o->choices[i];
            return 0;
        }
        suggest_offer(&s, o->choices[i]);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", o->choices[i]);
    }
    if (s.best)
        return error_set(e, ERROR_USAGE, "--%s cannot be '%s': did you mean %s? (one of %s)",
                         o->name, value, s.best, list);
    return error_set(e, ERROR_USAGE, "--%s cannot be '%s': one of %s", o->name, value, list);
}

/* value is NULL where none was given. */
static int set(struct options *out, const struct option *o, const char *value, struct error *e)
{
    void *field = (char *)out + o->offset;

    if (o->type == OPTION_FLAG) {
        if (value)
            return error_set(e, ERROR_USAGE, "--%s takes no value", o->name);
        *(bool *)field = true;
        return 0;
    }
    if (!value)
        return error_set(e, ERROR_USAGE, "--%s needs a value: --%s %s", o->name, o->name,
                         o->argument);
    if (o->type == OPTION_INT)
        return set_int(o, value, field, e);
    if (o->type == OPTION_NUMBER)
        return set_number(o, value, field, e);
    if (o->type == OPTION_CHOICE)
        return set_choice(o, value, field, e);
    if (!value[0])
        return error_set(e, ERROR_USAGE, "--%s needs a value, not an empty one", o->name);
    *(const char **)field = value;
    return 0;
}

int options_memory(const struct options *o, const char **out, struct error *e)
{
    if (o->no_offload && o->memory[0] && strcmp(o->memory, "speed") != 0)
        return error_set(e, ERROR_USAGE,
                         "--no-offload means --memory speed: it cannot stand beside "
                         "--memory %s",
                         o->memory);
    *out = o->no_offload ? "speed" : o->memory;
    return 0;
}

static void set_initial(struct options *out)
{
    *out = (struct options){0};
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options_all[i];
        void *field = (char *)out + o->offset;

        if (o->type == OPTION_INT)
            *(int *)field = atoi(o->initial);
        else if (o->type == OPTION_NUMBER)
            *(double *)field = atof(o->initial);
        else if (o->type != OPTION_FLAG)
            *(const char **)field = o->initial;
    }
}

/* One word of the line that begins with a dash; *used is how many words it took. */
static int parse_option(struct options *out, const char *command, const char *word,
                        const char *next, int *used, struct error *e)
{
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *o = is_long ? find_name(name, length, command) : find_letter(name[0]);
    const char *value = equals ? equals + 1 : NULL;

    *used = 1;
    if (!o) {
        char typed[64];

        if (!is_long)
            return error_set(e, ERROR_USAGE, "there is no option -%c: see auteur-pipe help %s",
                             name[0], command);
        snprintf(typed, sizeof typed, "%.*s", (int)(length < 60 ? length : 60), name);
        return unknown(typed, command, e);
    }
    if (!option_applies(o, command))
        return error_set(e, ERROR_USAGE, "%s%s does not take --%s: see auteur-pipe help %s",
                         command[0] ? "auteur-pipe " : "auteur-pipe without a command", command,
                         o->name, command);
    if (!is_long && name[1]) /* -j4 */
        value = name + 1;
    if (o->type != OPTION_FLAG && !value && next) {
        value = next;
        *used = 2;
    }
    return set(out, o, value, e);
}

int options_parse(struct options *out, const char *command, int argc, char *const *argv,
                  struct error *e)
{
    bool options = true;

    set_initial(out);
    for (int i = 0; i < argc;) {
        const char *word = argv[i];
        int used = 1;

        if (options && strcmp(word, "--") == 0) {
            options = false;
        } else if (options && word[0] == '-' && word[1]) {
            if (parse_option(out, command, word, i + 1 < argc ? argv[i + 1] : NULL, &used, e) != 0)
                return -1;
        } else if (out->operand_count == OPERANDS) {
            return error_set(e, ERROR_USAGE, "too many words: what is '%s'?", word);
        } else {
            out->operands[out->operand_count++] = word;
        }
        i += used;
    }
    return 0;
}
