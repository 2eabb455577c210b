#include "storyboards/values.h"

#include <string.h>

#include "kernels/base/file.h"
#include "storyboards/problems.h"

enum { EXCERPT_SIZE = 48, EXPECTS_SIZE = 200 };

void complain(struct reader *r, const struct node *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!problems_add(r->problems, at->line, at->column, false, format, args))
        r->no_memory = true;
    va_end(args);
}

void caution(struct reader *r, const struct node *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!problems_add(r->problems, at->line, at->column, true, format, args))
        r->no_memory = true;
    va_end(args);
}

bool parse_whole(const char *s, uint64_t *out)
{
    uint64_t value = 0;

    if (!*s)
        return false;
    for (; *s; s++) {
        uint64_t digit = (uint64_t)*s - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool parse_number(const char *s, double *out)
{
    int64_t digits = 0, scale = 1;
    int count = 0;
    bool minus = *s == '-', point = false;

    for (s += *s == '-' || *s == '+'; *s; s++) {
        if (*s == '.' && !point) {
            point = true;
        } else if (*s >= '0' && *s <= '9' && count < 15) {
            digits = digits * 10 + (*s - '0');
            scale *= point ? 10 : 1;
            count++;
        } else {
            return false;
        }
    }
    if (!count)
        return false;
    *out = (double)(minus ? -digits : digits) / (double)scale;
    return true;
}

/* A value as a message quotes it: what it is, or its first characters. */
static const char *excerpt(const struct node *n, char out[EXCERPT_SIZE])
{
    size_t length = n->count;

    if (n->kind == NODE_LIST)
        return "a list";
    if (n->kind == NODE_MAP)
        return "a mapping";
    if (length <= EXCERPT_SIZE - 8) {
        snprintf(out, EXCERPT_SIZE, "'%s'", n->text);
        return out;
    }
    for (length = EXCERPT_SIZE - 8; length && (n->text[length] & 0xC0) == 0x80; length--)
        ;
    snprintf(out, EXCERPT_SIZE, "'%.*s...'", (int)length, n->text);
    return out;
}

static bool refuse(struct reader *r, const struct field *field, const struct node *n)
{
    char expects[EXPECTS_SIZE], quoted[EXCERPT_SIZE];

    field_expects(field, expects, sizeof expects);
    if (node_is_null(n) && field->type == FIELD_COLOR)
        complain(r, n, "'%s' has no value: # begins a comment; write \"#ffcc00\" in quotes",
                 field->name);
    else if (node_is_null(n))
        complain(r, n, "'%s' has no value; it must be %s", field->name, expects);
    else
        complain(r, n, "'%s' must be %s; it is %s", field->name, expects, excerpt(n, quoted));
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* NULs and other control characters have no picture; tabs and line ends are layout. */
static bool check_characters(struct reader *r, const struct field *field, const struct node *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        unsigned char c = (unsigned char)n->text[i];
        unsigned char after = (unsigned char)n->text[i + 1];

        if (c == 0xC2 && after < 0xA0 && after != 0x85)
            c = after;
        else if ((c >= 0x20 && c != 0x7F) || is_space((char)c))
            continue;
        complain(r, n, "'%s' holds the control character U+%04X; take it out", field->name, c);
        return false;
    }
    return true;
}

static bool check_length(struct reader *r, const struct field *field, const struct node *n,
                         size_t length)
{
    if (!length && field->min > 0)
        complain(r, n, "'%s' is empty", field->name);
    else if ((double)length > field->max)
        complain(r, n, "'%s' is too long: %zu bytes, at most %.0f are read", field->name, length,
                 field->max);
    else
        return true;
    return false;
}

/* Trims the ends; FIELD_PROSE also folds white space inside to one space. */
static bool read_text(struct reader *r, const struct field *field, const struct node *n,
                      const char **out)
{
    const char *from = n->text, *end = from + n->count;
    char *copy, *to;

    while (from < end && is_space(*from))
        from++;
    while (from < end && is_space(end[-1]))
        end--;
    if (!check_length(r, field, n, (size_t)(end - from)))
        return false;
    copy = to = arena_strndup(r->arena, from, (size_t)(end - from));
    if (!copy) {
        r->no_memory = true;
        return false;
    }
    if (field->type == FIELD_PROSE) {
        for (; from < end; from++)
            if (!is_space(*from))
                *to++ = *from;
            else if (!is_space(from[1]))
                *to++ = ' ';
        *to = '\0';
    }
    *out = copy;
    return true;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_id(struct reader *r, const struct field *field, const struct node *n,
                    const char **out)
{
    char quoted[EXCERPT_SIZE];
    bool good = n->count && is_alnum(n->text[0]) && n->count <= field->max;

    for (uint32_t i = 0; i < n->count; i++) {
        char c = n->text[i];

        if (c == '/' || c == '\\' || (c == '.' && n->text[i + 1] == '.')) {
            complain(r, n, "'%s' names files, so it cannot hold '%s': %s", field->name,
                     c == '/'    ? "/"
                     : c == '\\' ? "\\"
                                 : "..",
                     excerpt(n, quoted));
            return false;
        }
        good &= is_alnum(c) || c == '.' || c == '_' || c == '-';
    }
    if (!good)
        return refuse(r, field, n);
    *out = arena_strndup(r->arena, n->text, n->count);
    r->no_memory |= !*out;
    return *out;
}

static bool read_path(struct reader *r, const struct field *field, const struct node *n,
                      const char **out)
{
    if (!n->count || n->count >= 4096) {
        complain(r, n, n->count ? "'%s' is too long for a path" : "'%s' is empty", field->name);
        return false;
    }
    *out = path_join(r->arena, r->dir, n->text);
    r->no_memory |= !*out;
    return *out;
}

static int read_choice(struct reader *r, const struct field *field, const struct node *n)
{
    char quoted[EXCERPT_SIZE], expects[EXPECTS_SIZE];
    const char *near;
    int count = 0;

    for (; field->choices[count]; count++)
        if (!strcmp(field->choices[count], n->text))
            return count;
    near = suggest(n->text, field->choices, (size_t)count);
    field_expects(field, expects, sizeof expects);
    if (near)
        complain(r, n, "'%s' cannot be %s; did you mean '%s'? (%s)", field->name,
                 excerpt(n, quoted), near, expects);
    else
        refuse(r, field, n);
    return -1;
}

static bool in_range(const struct field *field, double value)
{
    return value >= field->min && value <= field->max;
}

static bool read_color(const char *s, uint32_t *out)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    uint32_t value = 0;

    if (*s++ != '#' || strlen(s) != 6)
        return false;
    for (; *s; s++) {
        const char *at = strchr(digits, *s);

        if (!at)
            return false;
        value = value << 4 | (uint32_t)((at - digits) % 16);
    }
    *out = value;
    return true;
}

/* "416x240" or [416, 240]. */
static bool size_numbers(const struct node *n, uint64_t size[2])
{
    char left[16];
    const char *by;

    if (n->kind == NODE_LIST) {
        const struct node *w = n->first ? node_value(n->first) : NULL;
        const struct node *h = n->count == 2 ? node_value(n->first->next) : NULL;

        return h && w->kind == NODE_SCALAR && h->kind == NODE_SCALAR &&
               parse_whole(w->text, &size[0]) && parse_whole(h->text, &size[1]);
    }
    by = strpbrk(n->text, "xX");
    if (!by || (size_t)(by - n->text) >= sizeof left)
        return false;
    memcpy(left, n->text, (size_t)(by - n->text));
    left[by - n->text] = '\0';
    return parse_whole(left, &size[0]) && parse_whole(by + 1, &size[1]);
}

static bool read_size(struct reader *r, const struct field *field, const struct node *n, int out[2])
{
    uint64_t size[2];

    if (!size_numbers(n, size) || !in_range(field, (double)size[0]) ||
        !in_range(field, (double)size[1]))
        return refuse(r, field, n);
    if (size[0] % 2 || size[1] % 2) {
        complain(r, n, "'%s' must be even both ways, for video halves its colour; write %dx%d",
                 field->name, (int)(size[0] + size[0] % 2), (int)(size[1] + size[1] % 2));
        return false;
    }
    out[0] = (int)size[0];
    out[1] = (int)size[1];
    return true;
}

static bool read_number(struct reader *r, const struct field *field, const struct node *n,
                        void *place)
{
    uint64_t whole;
    double number;

    switch (field->type) {
    case FIELD_WHOLE:
        if (!parse_whole(n->text, &whole) || !in_range(field, (double)whole))
            return refuse(r, field, n);
        *(int *)place = (int)whole;
        return true;
    case FIELD_SEED:
        return parse_whole(n->text, place) || refuse(r, field, n);
    case FIELD_TIME:
        if (!time_parse(n->text, r->fps, &number) || !in_range(field, number))
            return refuse(r, field, n);
        *(double *)place = number;
        return true;
    default:
        if (!parse_number(n->text, &number) || !in_range(field, number))
            return refuse(r, field, n);
        *(double *)place = number;
        return true;
    }
}

static bool read_choices(struct reader *r, const struct field *field, const struct node *n,
                         struct choices *out)
{
    const struct node *item = n->kind == NODE_LIST ? n->first : n;
    struct choices read = {0};

    for (; item; item = n->kind == NODE_LIST ? item->next : NULL) {
        const struct node *value = node_value(item);
        int choice;

        if (value->kind != NODE_SCALAR || node_is_null(value))
            return refuse(r, field, value);
        if (!check_characters(r, field, value))
            return false;
        choice = read_choice(r, field, value);
        if (choice < 0)
            return false;
        for (int i = 0; i < read.count; i++)
            if (read.items[i] == choice) {
                complain(r, value, "'%s' has %s twice", field->name, field->choices[choice]);
                return false;
            }
        read.items[read.count++] = choice; /* each once: there are at most CHOICES_MOST */
    }
    if (!read.count)
        return refuse(r, field, n);
    *out = read;
    return true;
}

bool value_read(struct reader *r, const struct field *field, const struct node *n, void *object)
{
    void *place = (char *)object + field->offset;
    int choice;

    if (field->type == FIELD_SIZE && n->kind == NODE_LIST)
        return read_size(r, field, n, place);
    if (field->type == FIELD_CHOICES)
        return read_choices(r, field, n, place);
    if (n->kind != NODE_SCALAR || node_is_null(n))
        return refuse(r, field, n);
    if (!check_characters(r, field, n))
        return false;
    switch (field->type) {
    case FIELD_ID:
        return read_id(r, field, n, place);
    case FIELD_TEXT:
    case FIELD_PROSE:
        return read_text(r, field, n, place);
    case FIELD_PATH:
        return read_path(r, field, n, place);
    case FIELD_WORD:
    case FIELD_CHOICE:
        choice = read_choice(r, field, n);
        if (choice >= 0 && field->type == FIELD_WORD)
            *(const char **)place = field->choices[choice];
        else if (choice >= 0)
            *(int *)place = choice;
        return choice >= 0;
    case FIELD_RATE:
        return rational_parse(n->text, place) || refuse(r, field, n);
    case FIELD_SIZE:
        return read_size(r, field, n, place);
    case FIELD_COLOR:
        return read_color(n->text, place) || refuse(r, field, n);
    default:
        return read_number(r, field, n, place);
    }
}
