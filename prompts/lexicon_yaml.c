#include "prompts/lexicon_yaml.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"

enum { FILE_BYTES_MAX = 4 << 20 };

int yaml_file_open(const char *path, struct yaml_file *out, struct error *e)
{
    char *bytes;
    size_t size;
    yaml_parser_t parser;
    *out = (struct yaml_file){.path = path};
    if (file_read(path, FILE_BYTES_MAX, &bytes, &size, e) != 0)
        return -1;
    if (!yaml_parser_initialize(&parser)) {
        free(bytes);
        return error_memory(e);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
    if (yaml_parser_load(&parser, &out->document))
        out->loaded = 1;
    else
        error_set(e, ERROR_INPUT, "%s:%zu:%zu: %s", path, parser.problem_mark.line + 1,
                  parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
    if (out->loaded && !yaml_document_get_root_node(&out->document)) {
        yaml_file_close(out);
        error_set(e, ERROR_INPUT, "%s:1:1: the file is empty", path);
    }
    yaml_parser_delete(&parser);
    free(bytes);
    return out->loaded ? 0 : -1;
}

void yaml_file_close(struct yaml_file *f)
{
    if (f->loaded)
        yaml_document_delete(&f->document);
    f->loaded = 0;
}

yaml_node_t *yaml_file_root(struct yaml_file *f)
{
    return yaml_document_get_root_node(&f->document);
}

int yaml_complain(const struct yaml_file *f, const yaml_node_t *at, struct error *e,
                  const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(e, ERROR_INPUT, "%s:%zu:%zu: %s", f->path, at->start_mark.line + 1,
                     at->start_mark.column + 1, text);
}

yaml_node_t *yaml_key(struct yaml_file *f, const yaml_node_t *map, size_t i)
{
    return yaml_document_get_node(&f->document, map->data.mapping.pairs.start[i].key);
}

yaml_node_t *yaml_value(struct yaml_file *f, const yaml_node_t *map, size_t i)
{
    return yaml_document_get_node(&f->document, map->data.mapping.pairs.start[i].value);
}

yaml_node_t *yaml_item(struct yaml_file *f, const yaml_node_t *list, size_t i)
{
    return yaml_document_get_node(&f->document, list->data.sequence.items.start[i]);
}

int yaml_map(struct yaml_file *f, const yaml_node_t *node, size_t *count, struct error *e)
{
    if (node->type != YAML_MAPPING_NODE)
        return yaml_complain(f, node, e, "must be a mapping (key: value)");
    *count = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    for (size_t i = 0; i < *count; i++) {
        yaml_node_t *key = yaml_key(f, node, i);
        if (key->type != YAML_SCALAR_NODE)
            return yaml_complain(f, key, e, "a key must be a word");
    }
    return 0;
}

int yaml_list(struct yaml_file *f, const yaml_node_t *node, size_t *count, struct error *e)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_complain(f, node, e, "must be a list");
    *count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    return 0;
}

int yaml_text(struct yaml_file *f, const yaml_node_t *node, const char **text, struct error *e)
{
    if (node->type != YAML_SCALAR_NODE)
        return yaml_complain(f, node, e, "must be a text");
    *text = (const char *)node->data.scalar.value;
    if (strlen(*text) != node->data.scalar.length)
        return yaml_complain(f, node, e, "holds a NUL character");
    return 0;
}

int yaml_fields(struct yaml_file *f, const yaml_node_t *map, const char *const *names, int count,
                int required, yaml_node_t **values, struct error *e)
{
    size_t have;
    if (yaml_map(f, map, &have, e) != 0)
        return -1;
    for (int k = 0; k < count; k++)
        values[k] = NULL;
    for (size_t i = 0; i < have; i++) {
        yaml_node_t *key = yaml_key(f, map, i);
        const char *name = (const char *)key->data.scalar.value;
        int k = 0;
        while (k < count && strcmp(names[k], name) != 0)
            k++;
        if (k == count)
            return yaml_complain(f, key, e, "unknown key \"%s\"", name);
        if (values[k])
            return yaml_complain(f, key, e, "\"%s\" stands here twice", name);
        values[k] = yaml_value(f, map, i);
    }
    for (int k = 0; k < required; k++)
        if (!values[k])
            return yaml_complain(f, map, e, "\"%s\" is missing", names[k]);
    return 0;
}
