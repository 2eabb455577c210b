/* From nodes of the tree to values in structs, one row of the table at a time. */
#ifndef AUTEUR_STORYBOARDS_VALUES_H
#define AUTEUR_STORYBOARDS_VALUES_H

#include "storyboards/fields.h"
#include "storyboards/tree.h"

/* What reading one board needs everywhere. */
struct reader {
    struct board_problems *problems;
    struct arena *arena;   /* the board's: what stays */
    struct arena *scratch; /* gone when the board is read */
    const char *dir;       /* relative paths start here */
    struct rational fps;   /* for timecodes */
    int handles;           /* of every shot */
    const struct board_sound *sound;
    bool no_memory;
};

/* An error at a node's place. */
void complain(struct reader *r, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void caution(struct reader *r, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Digits only, no sign; false on overflow. */
bool parse_whole(const char *s, uint64_t *out);
/* "-0.25": at most 15 digits and no exponent, so that the result is correctly rounded without
 * strtod() and its locale. */
bool parse_number(const char *s, double *out);

/* Reads a row that is neither FIELD_OBJECT nor FIELD_LIST into its place in `object`. False: a
 * complaint was added and the place is as before. */
bool value_read(struct reader *r, const struct field *field, const struct node *n, void *object);

/* The fields that a mapping gives, its own first and then those of its merge keys ("<<"), earlier
 * merges before later ones: https://yaml.org/type/merge.html. */
struct slots {
    const struct node *value[FIELDS_LIMIT]; /* by row; NULL when not given; never an alias */
};
/* False: not a mapping at all. Unknown, repeated and (unless as_defaults) missing keys are
 * complained of, and the rest is still collected. */
bool slots_collect(struct reader *r, const struct table *table, const struct node *n,
                   bool as_defaults, struct slots *slots);

/* Fills a table's struct with what holds when nothing is given. */
void object_defaults(struct reader *r, const struct table *table, void *object);
/* Reads every given row but objects and lists. The rows that failed, as bits. */
uint32_t object_read(struct reader *r, const struct table *table, const struct slots *slots,
                     void *object);

#endif
