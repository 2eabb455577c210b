#include <stdio.h>
#include <string.h>

#include "pipeline/cli/help.h"
#include "kernels/base/suggest.h"
#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"

int command_failed(const struct error *e)
{
    fflush(stdout);
    fprintf(stderr, "auteur-pipe: %s\n", e->text);
    return (int)exit_code_for(e->code);
}

static int print_json(json_t *root, size_t form, struct error *e)
{
    int rc = root ? json_dumpf(root, stdout, form | JSON_REAL_PRECISION(15)) : -1;

    json_decref(root);
    putchar('\n');
    if (rc == 0 || ferror(stdout))
        return 0;
    return error_set(e, ERROR_USAGE,
                     "this cannot be told as JSON: a file's name is not UTF-8, or memory has run "
                     "out");
}

int command_json(json_t *root, struct error *e)
{
    return print_json(root, JSON_INDENT(2), e);
}

int command_json_line(json_t *line, struct error *e)
{
    int rc = print_json(line, JSON_COMPACT, e);

    fflush(stdout);
    return rc;
}

static int no_command(int argc, char *const *argv)
{
    struct options o;
    struct error e = {0};

    if (options_parse(&o, "", argc, argv, &e) != 0)
        return command_failed(&e);
    if (o.version)
        return command_version(&o);
    if (o.man)
        return help_man(stdout) == 0 ? EXIT_DELIVERED : EXIT_USAGE;
    if (o.completion[0])
        return help_completion(stdout, o.completion) == 0 ? EXIT_DELIVERED : EXIT_USAGE;
    help_overview(o.help ? stdout : stderr);
    return o.help ? EXIT_DELIVERED : EXIT_USAGE;
}

int command_unknown(const char *name)
{
    struct suggestion s = {.word = name};
    struct error e = {0};

    for (size_t i = 0; i < commands_count; i++)
        suggest_offer(&s, commands_all[i].name);
    if (s.best)
        error_set(&e, ERROR_USAGE, "there is no command '%s': did you mean %s?", name, s.best);
    else
        error_set(&e, ERROR_USAGE, "there is no command '%s': see auteur-pipe help", name);
    return command_failed(&e);
}

int command_line(int argc, char *const *argv)
{
    const struct command *c;
    struct options o;
    struct error e = {0};

    if (argc < 2 || argv[1][0] == '-')
        return no_command(argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
    c = command_find(argv[1]);
    if (!c)
        return command_unknown(argv[1]);
    if (options_parse(&o, c->name, argc - 2, argv + 2, &e) != 0)
        return command_failed(&e);
    if (o.help) {
        help_command(stdout, c);
        return EXIT_DELIVERED;
    }
    if (o.version)
        return command_version(&o);
    if (o.operand_count < c->min_operands || o.operand_count > c->max_operands) {
        error_set(&e, ERROR_USAGE, "%s: auteur-pipe %s %s (%s)",
                  o.operand_count < c->min_operands ? "something is missing" : "too many words",
                  c->name, c->operands, c->summary);
        return command_failed(&e);
    }
    return c->run(&o);
}
