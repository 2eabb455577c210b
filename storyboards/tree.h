/* A YAML document as a tree of nodes, each with its place. Reads libyaml's events, so that aliases
 * stay references and nothing is expanded in memory.
 *
 * Bounds, so that a hostile file costs little: nesting (counted through aliases) and the number of
 * values (aliased ones counted at every use). Both are checked while the tree is built; whoever
 * walks it may recurse.
 */
#ifndef AUTEUR_STORYBOARDS_TREE_H
#define AUTEUR_STORYBOARDS_TREE_H

#include "storyboards/board.h"

enum { TREE_DEPTH_LIMIT = 64, TREE_NODE_LIMIT = 2000000 };

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP, NODE_ALIAS };

struct node {
    uint8_t kind;   /* enum node_kind */
    uint8_t height; /* 1 for a scalar */
    bool quoted;    /* a scalar in quotes, a block or tagged !!str: never a null, never a merge */
    int line, column;
    uint32_t count;  /* bytes of a scalar, children of a list or map (a pair is two children) */
    uint32_t weight; /* nodes in the whole expansion, itself counted */
    union {
        const char *text; /* NUL-terminated; may hold NULs */
        const struct node *first;
        const struct node *target; /* never an alias */
    };
    const struct node *next; /* sibling; in a map key, value, key, value */
};

/* The root; NULL when a problem was added or *no_memory is set. */
const struct node *tree_read(const char *bytes, size_t size, struct arena *arena,
                             struct board_problems *problems, bool *no_memory);

/* What an alias stands for; any other node itself. */
static inline const struct node *node_value(const struct node *n)
{
    return n->kind == NODE_ALIAS ? n->target : n;
}

/* An unquoted "null", "~" or nothing at all. */
bool node_is_null(const struct node *n);

#endif
