/* Every row of the option table is parsed, bounded and suggested; rows agree with themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/cli/options.h"
#include "kernels/base/suggest.h"

/* Parses words up to NULL for a command. */
static int parse(struct options *o, struct error *e, const char *command, const char *const *words)
{
    char *argv[16];
    int argc = 0;

    *e = (struct error){0};
    while (words[argc]) {
        argv[argc] = (char *)(uintptr_t)words[argc];
        argc++;
    }
    return options_parse(o, command, argc, argv, e);
}
#define PARSE(o, e, command, ...) parse(o, e, command, (const char *const[]){__VA_ARGS__, NULL})

/* The first command that takes the option; "" for options without a command. */
static void a_command(const struct option *o, char out[32])
{
    out[0] = '\0';
    if (o->commands && o->commands[0])
        sscanf(o->commands, "%31s", out);
}

static void each_long_option_reaches_its_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *o = &options_all[i];
        const char *value = o->type == OPTION_INT      ? "9"
                            : o->type == OPTION_NUMBER ? "7"
                            : o->type == OPTION_CHOICE ? o->choices[0]
                                                       : "thing";
        struct options apart, joined;
        char command[32], dashed[64], equals[96];
        struct error e;

        a_command(o, command);
        snprintf(dashed, sizeof dashed, "--%s", o->name);
        snprintf(equals, sizeof equals, "--%s=%s", o->name, value);
        if (o->type == OPTION_FLAG) {
            assert_int_equal(PARSE(&apart, &e, command, dashed), 0);
            assert_true(*(bool *)((char *)&apart + o->offset));
            assert_int_equal(PARSE(&joined, &e, command, equals), -1);
            assert_non_null(strstr(e.text, "takes no value"));
            continue;
        }
        assert_int_equal(PARSE(&apart, &e, command, dashed, value), 0);
        assert_int_equal(PARSE(&joined, &e, command, equals), 0);
        if (o->type == OPTION_INT) {
            assert_int_equal(*(int *)((char *)&apart + o->offset), 9);
            assert_int_equal(*(int *)((char *)&joined + o->offset), 9);
        } else if (o->type == OPTION_NUMBER) {
            assert_true(*(double *)((char *)&apart + o->offset) == 7);
            assert_true(*(double *)((char *)&joined + o->offset) == 7);
        } else {
            assert_string_equal(*(const char **)((char *)&apart + o->offset), value);
            assert_string_equal(*(const char **)((char *)&joined + o->offset), value);
        }
        assert_int_equal(PARSE(&apart, &e, command, dashed), -1);
        assert_int_equal(e.code, ERROR_USAGE);
        assert_non_null(strstr(e.text, "needs a value"));
    }
}

static bool share_a_command(const struct option *a, const struct option *b)
{
    char words[200], *at = words;

    snprintf(words, sizeof words, "%s", a->commands);
    for (char *command; (command = strtok_r(at, " ", &at));)
        if (option_applies(b, command))
            return true;
    return false;
}

/* One name, two rows: each command has the choices of its own. */
static void a_command_takes_its_own_row(void **state)
{
    struct options o;
    struct error e;

    (void)state;
    assert_int_equal(PARSE(&o, &e, "run", "--precision", "fp8"), 0);
    assert_string_equal(o.precision, "fp8");
    assert_int_equal(PARSE(&o, &e, "run", "--precision", "f16"), 0);
    assert_string_equal(o.precision, "f16");
    assert_int_equal(PARSE(&o, &e, "run", "--precision", "f32"), 0);
    assert_int_equal(PARSE(&o, &e, "run", "--precision", "f64"), -1);
    assert_string_equal(e.text, "--precision cannot be 'f64': one of f32, bf16, f16, fp8");
    assert_int_equal(PARSE(&o, &e, "parity", "--precision", "bf16"), 0);
    assert_string_equal(o.precision, "bf16");
}

static void each_letter_means_its_option(void **state)
{
    struct options o;
    struct error e;

    (void)state;
    assert_int_equal(PARSE(&o, &e, "run", "-o", "there", "-j", "3", "b.yaml"), 0);
    assert_string_equal(o.output, "there");
    assert_int_equal(o.jobs, 3);
    assert_string_equal(o.operands[0], "b.yaml");
    assert_int_equal(PARSE(&o, &e, "run", "-j12", "-othere"), 0);
    assert_int_equal(o.jobs, 12);
    assert_string_equal(o.output, "there");
    assert_int_equal(PARSE(&o, &e, "run", "-q"), -1);
    for (size_t i = 0; i < options_count; i++)
        for (size_t k = i + 1; k < options_count; k++) {
            if (strcmp(options_all[i].name, options_all[k].name) == 0)
                assert_false(share_a_command(&options_all[i], &options_all[k]));
            if (options_all[i].letter)
                assert_int_not_equal(options_all[i].letter, options_all[k].letter);
        }
}

static void numbers_keep_their_range(void **state)
{
    struct options o;
    struct error e;

    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *row = &options_all[i];
        char command[32], dashed[64], low[16], high[16], below[16], above[16];

        if (row->type != OPTION_INT)
            continue;
        a_command(row, command);
        snprintf(dashed, sizeof dashed, "--%s", row->name);
        snprintf(low, sizeof low, "%d", row->min);
        snprintf(high, sizeof high, "%d", row->max);
        snprintf(below, sizeof below, "%d", row->min - 1);
        snprintf(above, sizeof above, "%d", row->max + 1);
        assert_int_equal(PARSE(&o, &e, command, dashed, low), 0);
        assert_int_equal(PARSE(&o, &e, command, dashed, high), 0);
        assert_int_equal(PARSE(&o, &e, command, dashed, below), -1);
        assert_int_equal(PARSE(&o, &e, command, dashed, above), -1);
        assert_int_equal(PARSE(&o, &e, command, dashed, "3x"), -1);
        assert_int_equal(PARSE(&o, &e, command, dashed, ""), -1);
        assert_int_equal(PARSE(&o, &e, command, dashed, "99999999999999999999"), -1);
        assert_non_null(strstr(e.text, high));
    }
}

static void choices_are_closed_and_suggested(void **state)
{
    struct options o;
    struct error e;

    (void)state;
    assert_int_equal(PARSE(&o, &e, "run", "--tier", "flagship"), 0);
    assert_string_equal(o.tier, "flagship");
    assert_int_equal(PARSE(&o, &e, "run", "--tier", "flagshp"), -1);
    assert_non_null(strstr(e.text, "did you mean flagship?"));
    assert_int_equal(PARSE(&o, &e, "run", "--tier", "zzz"), -1);
    assert_non_null(strstr(e.text, "one of previs, validator"));
}

static void a_slip_is_answered_with_the_nearest(void **state)
{
    struct options o;
    struct error e;

    (void)state;
    assert_int_equal(PARSE(&o, &e, "run", "--ouptut", "x"), -1);
    assert_non_null(strstr(e.text, "did you mean --output?"));
    assert_int_equal(PARSE(&o, &e, "run", "--out", "x"), -1);
    assert_non_null(strstr(e.text, "did you mean --output?"));
    assert_int_equal(PARSE(&o, &e, "run", "--xyzzy"), -1);
    assert_null(strstr(e.text, "did you mean"));
    assert_int_equal(PARSE(&o, &e, "status", "--tier", "previs"), -1);
    assert_non_null(strstr(e.text, "does not take --tier"));
}

static void operands_and_the_end_of_options(void **state)
{
    char *words[OPERANDS + 1];
    struct options o;
    struct error e;

    (void)state;
    assert_int_equal(PARSE(&o, &e, "run", "--json", "--", "--odd.yaml"), 0);
    assert_true(o.json);
    assert_int_equal(o.operand_count, 1);
    assert_string_equal(o.operands[0], "--odd.yaml");
    assert_int_equal(PARSE(&o, &e, "run", "-"), 0);
    assert_string_equal(o.operands[0], "-");
    for (int i = 0; i < OPERANDS; i++)
        words[i] = "a";
    words[OPERANDS] = "d";
    assert_int_equal(options_parse(&o, "run", OPERANDS, words, &e), 0);
    assert_int_equal(options_parse(&o, "run", OPERANDS + 1, words, &e), -1);
    assert_non_null(strstr(e.text, "'d'"));
    assert_int_equal(PARSE(&o, &e, "parity", "dir"), 0);
    assert_string_equal(o.device, "");
    assert_string_equal(o.golden, "");
}

static void distances(void **state)
{
    char longest[80];

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("resmue", "resume"), 1);
    assert_int_equal(suggest_distance("statsu", "status"), 1);
    assert_int_equal(suggest_distance(longest, "a"), UINT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_long_option_reaches_its_field),
        cmocka_unit_test(a_command_takes_its_own_row),
        cmocka_unit_test(each_letter_means_its_option),
        cmocka_unit_test(numbers_keep_their_range),
        cmocka_unit_test(choices_are_closed_and_suggested),
        cmocka_unit_test(a_slip_is_answered_with_the_nearest),
        cmocka_unit_test(operands_and_the_end_of_options),
        cmocka_unit_test(distances),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
