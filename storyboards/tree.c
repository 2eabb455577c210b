#include "storyboards/tree.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>
#include <yaml.h>

#include "storyboards/problems.h"

struct anchor {
    const char *name;
    const struct node *node; /* NULL while it is being defined */
};

struct level {
    struct node *node, *last;
    struct anchor *anchor;
};

struct builder {
    struct arena *arena;
    struct board_problems *problems;
    const char *bytes;
    size_t size;
    void *anchors; /* a tsearch() tree of struct anchor */
    struct level levels[TREE_DEPTH_LIMIT];
    int depth;
    uint64_t weight; /* of everything read so far */
    struct node *root;
    bool failed, no_memory;
};

static void fail(struct builder *b, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fail(struct builder *b, int line, int column, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!problems_add(b->problems, line, column, false, format, args))
        b->no_memory = true;
    va_end(args);
    b->failed = true;
}

static int mark_line(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

static int mark_column(yaml_mark_t mark)
{
    return (int)mark.column + 1;
}

/* The place of a byte, for errors that libyaml and u8_check() give by offset. */
static void place_of(const char *bytes, size_t offset, int *line, int *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool crlf = c == '\r' && i + 1 < offset && bytes[i + 1] == '\n';

        if ((c == '\n' || c == '\r') && !crlf) {
            ++*line;
            *column = 1;
        } else if ((c & 0xC0) != 0x80 && !crlf) {
            ++*column;
        }
    }
}

/* libyaml would follow a UTF-16 mark; an editor's accident is better told. */
static bool check_encoding(struct builder *b)
{
    const uint8_t *bytes = (const uint8_t *)b->bytes, *bad;
    int line, column;

    if (b->size >= 2 &&
        ((bytes[0] == 0xFF && bytes[1] == 0xFE) || (bytes[0] == 0xFE && bytes[1] == 0xFF))) {
        fail(b, 1, 1, "the file is UTF-16; save it as UTF-8");
        return false;
    }
    bad = u8_check(bytes, b->size);
    if (!bad)
        return true;
    place_of(b->bytes, (size_t)(bad - bytes), &line, &column);
    fail(b, line, column, "byte 0x%02X is not UTF-8 text; save the file as UTF-8", *bad);
    return false;
}

/* Whether the character at libyaml's mark is a tab: it says only "cannot start any token". */
static bool is_tab(const struct builder *b, yaml_mark_t mark)
{
    const char *at = b->bytes, *end = b->bytes + b->size;

    for (size_t line = 0; line < mark.line; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return false;
        at++;
    }
    return (size_t)(end - at) > mark.column && at[mark.column] == '\t';
}

/* libyaml speaks to those who know its grammar; what people trip over is said in their words. */
static const char *plainly(const char *problem)
{
    static const char *const words[][2] = {
        {"mapping values are not allowed in this context",
         "a ':' where no value can begin; check the indentation, and quote a text that holds ': '"},
        {"did not find expected <document start>", "more text after the end of the storyboard"},
        {"did not find expected key", "expected a key here; look at the indentation and quotes"},
        {"found character that cannot start any token",
         "a text cannot begin with this character; put it in quotes"},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(problem, words[i][0]))
            return words[i][1];
    return problem;
}

static void syntax_error(struct builder *b, const yaml_parser_t *parser)
{
    yaml_mark_t mark = parser->problem_mark, context = parser->context_mark;
    const char *problem = parser->problem ? plainly(parser->problem) : "not YAML";
    int line, column;

    if (parser->error == YAML_MEMORY_ERROR) {
        b->no_memory = true;
    } else if (parser->error == YAML_READER_ERROR) {
        place_of(b->bytes, parser->problem_offset, &line, &column);
        fail(b, line, column, "%s (U+%04X)", problem, (unsigned)parser->problem_value);
    } else if (is_tab(b, mark)) {
        fail(b, mark_line(mark), mark_column(mark), "a tab; YAML is indented with spaces");
    } else if (parser->context && context.line != mark.line) {
        fail(b, mark_line(mark), mark_column(mark), "%s, %s that began on line %d", problem,
             parser->context, mark_line(context));
    } else {
        fail(b, mark_line(mark), mark_column(mark), "%s", problem);
    }
}

static int compare_anchors(const void *a, const void *b)
{
    return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

/* A name may be given anew: aliases mean the last one before them. */
static struct anchor *anchor_define(struct builder *b, const char *name)
{
    struct anchor *anchor = arena_alloc(b->arena, sizeof *anchor), **slot;

    if (anchor)
        anchor->name = arena_strdup(b->arena, name);
    slot = anchor && anchor->name ? tsearch(anchor, &b->anchors, compare_anchors) : NULL;
    if (!slot) {
        b->no_memory = b->failed = true;
        return NULL;
    }
    return *slot = anchor;
}

static const struct anchor *anchor_find(struct builder *b, const char *name)
{
    struct anchor wanted = {.name = name}, **slot;

    slot = tfind(&wanted, &b->anchors, compare_anchors);
    return slot ? *slot : NULL;
}

static void keep(void *anchor)
{
    (void)anchor; /* the arena's */
}

/* Takes a finished node into its parent. */
static void attach(struct builder *b, struct node *n)
{
    struct level *up = b->depth ? &b->levels[b->depth - 1] : NULL;

    if (!up) {
        b->root = n;
        return;
    }
    if (up->last)
        up->last->next = n;
    else
        up->node->first = n;
    up->last = n;
    up->node->count++;
    up->node->weight += n->weight;
    if (n->height >= up->node->height)
        up->node->height = n->height + 1;
}

static struct node *node_new(struct builder *b, enum node_kind kind, yaml_mark_t mark,
                             uint32_t weight)
{
    struct node *n = arena_alloc(b->arena, sizeof *n);

    if (!n) {
        b->no_memory = b->failed = true;
        return NULL;
    }
    n->kind = (uint8_t)kind;
    n->height = 1;
    n->weight = weight;
    n->line = mark_line(mark);
    n->column = mark_column(mark);
    b->weight += weight;
    if (b->weight > TREE_NODE_LIMIT) {
        fail(b, n->line, n->column,
             "more than %d values, those of aliases counted at every use; a storyboard is smaller",
             TREE_NODE_LIMIT);
        return NULL;
    }
    return n;
}

static bool check_depth(struct builder *b, int height, yaml_mark_t mark)
{
    if (b->depth + height <= TREE_DEPTH_LIMIT)
        return true;
    fail(b, mark_line(mark), mark_column(mark), "nested more than %d deep", TREE_DEPTH_LIMIT);
    return false;
}

static bool check_tag(struct builder *b, const yaml_char_t *tag, yaml_mark_t mark)
{
    const char *t = (const char *)tag;

    if (!t || !strcmp(t, "!") || !strncmp(t, "tag:yaml.org,2002:", 18))
        return true;
    fail(b, mark_line(mark), mark_column(mark), "the tag %.60s means nothing in a storyboard", t);
    return false;
}

static void on_alias(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *anchor = anchor_find(b, name);
    struct node *n;

    if (!anchor || !anchor->node) {
        fail(b, mark_line(event->start_mark), mark_column(event->start_mark),
             anchor ? "*%.60s is used inside its own definition"
                    : "*%.60s names no anchor; define it before with &%.60s",
             name, name);
        return;
    }
    if (!check_depth(b, anchor->node->height, event->start_mark))
        return;
    n = node_new(b, NODE_ALIAS, event->start_mark, anchor->node->weight);
    if (!n)
        return;
    n->height = anchor->node->height;
    n->target = anchor->node;
    attach(b, n);
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.scalar.anchor;
    const char *tag = (const char *)event->data.scalar.tag;
    struct node *n;

    if (!check_depth(b, 1, event->start_mark) ||
        !check_tag(b, event->data.scalar.tag, event->start_mark))
        return;
    n = node_new(b, NODE_SCALAR, event->start_mark, 1);
    if (!n)
        return;
    n->quoted =
        event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (tag && !strcmp(tag, YAML_STR_TAG));
    n->count = (uint32_t)event->data.scalar.length;
    n->text = arena_strndup(b->arena, (const char *)event->data.scalar.value, n->count);
    if (!n->text) {
        b->no_memory = b->failed = true;
        return;
    }
    if (name) {
        struct anchor *anchor = anchor_define(b, name);

        if (!anchor)
            return;
        anchor->node = n;
    }
    attach(b, n);
}

static void on_start(struct builder *b, const yaml_event_t *event, enum node_kind kind)
{
    bool map = kind == NODE_MAP;
    const yaml_char_t *tag = map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    const yaml_char_t *name =
        map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    struct node *n;
    struct anchor *anchor = NULL;

    if (!check_depth(b, 1, event->start_mark) || !check_tag(b, tag, event->start_mark))
        return;
    n = node_new(b, kind, event->start_mark, 1);
    if (n && name)
        anchor = anchor_define(b, (const char *)name);
    if (!b->failed)
        b->levels[b->depth++] = (struct level){.node = n, .anchor = anchor};
}

static void on_end(struct builder *b)
{
    struct level *level = &b->levels[--b->depth];

    if (level->anchor)
        level->anchor->node = level->node;
    attach(b, level->node);
}

static void on_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->root)
            fail(b, mark_line(event->start_mark), mark_column(event->start_mark),
                 "a second document begins here; a storyboard is one document");
        break;
    case YAML_ALIAS_EVENT:
        on_alias(b, event);
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(b, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_start(b, event, NODE_LIST);
        break;
    case YAML_MAPPING_START_EVENT:
        on_start(b, event, NODE_MAP);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_end(b);
        break;
    default:
        break;
    }
}

static void build(struct builder *b)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool end = false;

    if (!yaml_parser_initialize(&parser)) {
        b->no_memory = true;
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)b->bytes, b->size);
    while (!end && !b->failed) {
        if (!yaml_parser_parse(&parser, &event)) {
            syntax_error(b, &parser);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        on_event(b, &event);
        yaml_event_delete(&event);
    }
    if (end && !b->root)
        fail(b, 1, 1, "the file is empty; a storyboard holds at least a list of shots");
    yaml_parser_delete(&parser);
}

const struct node *tree_read(const char *bytes, size_t size, struct arena *arena,
                             struct board_problems *problems, bool *no_memory)
{
    size_t bom = size >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3) ? 3 : 0;
    struct builder b = {
        .arena = arena, .problems = problems, .bytes = bytes + bom, .size = size - bom};

    if (check_encoding(&b))
        build(&b);
    tdestroy(b.anchors, keep);
    *no_memory = b.no_memory;
    return b.failed || b.no_memory || problems->errors ? NULL : b.root;
}

bool node_is_null(const struct node *n)
{
    return n->kind == NODE_SCALAR && !n->quoted &&
           (n->count == 0 || !strcmp(n->text, "~") || !strcmp(n->text, "null") ||
            !strcmp(n->text, "Null") || !strcmp(n->text, "NULL"));
}
