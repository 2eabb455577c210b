#include "storyboards/problems.h"

#include <stdlib.h>
#include <string.h>

#include <unistr.h>

#include "kernels/base/suggest.h"

/* Messages quote the board: what a terminal might obey, and a character cut in half, become
       '?'. */
static void make_printable(char *text)
{
    const uint8_t *bad;

    while ((bad = u8_check((const uint8_t *)text, strlen(text))))
        text[(const char *)bad - text] = '?';
    for (unsigned char *c = (unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7F)
            *c = '?';
        else if (*c == 0xC2 && c[1] < 0xA0) /* U+0080 to U+009F */
            c[0] = c[1] = '?';
}

bool problems_add(struct board_problems *p, int line, int column, bool warning, const char *format,
                  va_list args)
{
    char text[1000];
    struct board_problem *grown;

    p->errors += !warning;
    if (p->count == PROBLEMS_KEPT) {
        p->dropped++;
        return true;
    }
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 4 : 16;

        grown = arena_array(&p->arena, room, sizeof *grown);
        if (!grown)
            return false;
        if (p->count)
            memcpy(grown, p->items, p->count * sizeof *grown);
        p->items = grown;
        p->room = room;
    }
    vsnprintf(text, sizeof text, format, args);
    make_printable(text);
    p->items[p->count] = (struct board_problem){line, column, NULL, warning};
    p->items[p->count].message = arena_strdup(&p->arena, text);
    return p->items[p->count].message && ++p->count;
}

static int compare(const void *left, const void *right)
{
    const struct board_problem *a = left, *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return strcmp(a->message, b->message);
}

void problems_sort(struct board_problems *p)
{
    size_t kept = 0;

    if (!p->count)
        return;
    qsort(p->items, p->count, sizeof *p->items, compare);
    for (size_t i = 1; i < p->count; i++)
        if (compare(&p->items[kept], &p->items[i]) != 0)
            p->items[++kept] = p->items[i];
        else
            p->errors -= !p->items[i].warning;
    p->count = kept + 1;
}

int board_problems_add(struct board_problems *problems, int line, int column, bool warning,
                       struct error *e, const char *format, ...)
{
    va_list args;
    bool added;

    va_start(args, format);
    added = problems_add(problems, line, column, warning, format, args);
    va_end(args);
    if (!added)
        return error_memory(e);
    problems_sort(problems);
    return 0;
}

static bool same_warning(const struct board_problem *a, const struct board_problem *b)
{
    return a->warning && b->warning && strcmp(a->message, b->message) == 0;
}

/* Of warnings that say the same the first, with how many more there are. */
static void print_problem(const struct board_problems *problems, size_t at, const char *path,
                          FILE *out)
{
    const struct board_problem *all = problems->items, *p = &all[at];
    size_t more = 0;

    for (size_t i = 0; i < at; i++)
        if (same_warning(&all[i], p))
            return;
    for (size_t i = at + 1; i < problems->count; i++)
        more += same_warning(&all[i], p);
    fprintf(out, "%s:%d:%d: %s%s", path, p->line, p->column, p->warning ? "warning: " : "",
            p->message);
    if (more)
        fprintf(out, " (and %zu more such)", more);
    fputc('\n', out);
}

void board_problems_print(const struct board_problems *problems, const char *path, FILE *out)
{
    for (size_t i = 0; i < problems->count; i++)
        print_problem(problems, i, path, out);
    if (problems->dropped)
        fprintf(out, "%s: and %zu more\n", path, problems->dropped);
}

void board_problems_free(struct board_problems *problems)
{
    if (!problems)
        return;
    arena_free(&problems->arena);
    *problems = (struct board_problems){0};
}

const char *suggest(const char *word, const char *const *words, size_t count)
{
    struct suggestion s = {.word = word};

    for (size_t i = 0; i < count; i++)
        suggest_offer(&s, words[i]);
    return s.best;
}
