/* Walking a small YAML document with errors that name file, line and column. For lexicon.c. */
#ifndef AUTEUR_PROMPTS_LEXICON_YAML_H
#define AUTEUR_PROMPTS_LEXICON_YAML_H

#include <stddef.h>
#include <yaml.h>

#include "kernels/base/error.h"

struct yaml_file {
    const char *path;
    yaml_document_t document;
    int loaded;
};

int yaml_file_open(const char *path, struct yaml_file *out, struct error *e);
void yaml_file_close(struct yaml_file *f); /* a zeroed one too */

yaml_node_t *yaml_file_root(struct yaml_file *f);
/* "file:line:column: message"; returns -1. */
int yaml_complain(const struct yaml_file *f, const yaml_node_t *at, struct error *e,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Children by place; the checks have been made by the two functions below. */
yaml_node_t *yaml_key(struct yaml_file *f, const yaml_node_t *map, size_t i);
yaml_node_t *yaml_value(struct yaml_file *f, const yaml_node_t *map, size_t i);
yaml_node_t *yaml_item(struct yaml_file *f, const yaml_node_t *list, size_t i);

/* The node must be a mapping with scalar keys / a list / a text; *count of its children. */
int yaml_map(struct yaml_file *f, const yaml_node_t *node, size_t *count, struct error *e);
int yaml_list(struct yaml_file *f, const yaml_node_t *node, size_t *count, struct error *e);
int yaml_text(struct yaml_file *f, const yaml_node_t *node, const char **text, struct error *e);

/* Fills values[] with the children that have the keys names[], NULL where absent; any other key, or
 * one twice, is an error. The first `required` ones must be there. */
int yaml_fields(struct yaml_file *f, const yaml_node_t *map, const char *const *names, int count,
                int required, yaml_node_t **values, struct error *e);

#endif
