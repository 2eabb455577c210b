/* Comparing a device's operations with the reference: numbers that live on both, and limits. */
#ifndef AUTEUR_TESTS_CHECK_H
#define AUTEUR_TESTS_CHECK_H

#include "kernels/device.h"

/* The same numbers in the reference's memory (F32) and on the device that is checked, where they
 * may be halves: then the host's are rounded likewise. */
struct pair {
    struct tensor host, device;
};

struct check {
    struct device *reference, *tested;
    struct arena host, device; /* emptied after each case */
    enum dtype dtype;          /* of activations */
    enum dtype attention;      /* F8_E4M3: of long ones */
    uint64_t state;            /* of the random numbers */
    const char *only;          /* the one operation to look at; NULL: all */
    bool first;                /* the first round: of what is looked at once */
    bool small;                /* few, short cases: for slow checkers of memory */
    bool blind;                /* nothing is compared: the numbers mean nothing (tests/cuda) */
    int compared, failed;
};

enum number_kind { ACTIVATIONS_, VECTORS_ }; /* the device's dtype, F32 */

/* from..to, both included */
int64_t between(struct check *c, int64_t from, int64_t to);
float random_float(struct check *c); /* -1..1 */
/* Sizes that are often a multiple of 8, sometimes odd. */
int64_t random_size(struct check *c, int64_t most);
enum number_kind either(struct check *c);

/* Numbers of about this size in rows `gap` numbers longer than the shape says, `offset` numbers
 * into their memory; every axis but the last may be strided so. */
struct pair numbers(struct check *c, enum number_kind kind, int rank, const int64_t *shape,
                    int64_t gap, int64_t offset, float scale);
#define NUMBERS(c, kind, gap, scale, ...)                                                          \
    numbers((c), (kind), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                \
            (const int64_t[]){__VA_ARGS__}, (gap), 0, (scale))
/* The host's numbers, changed by the caller, to the device, and rounded as it rounds them. */
void settle(struct check *c, struct pair *p);
/* Memory full of NaN, to be written. */
void poison(struct check *c, struct pair *p);

/* Reads the device's side and holds it against the host's. `text` says which case it was. */
void compare(struct check *c, const char *op, const struct pair *got, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool wanted(const struct check *c, const char *op);

/* A weight as a checkpoint stores it: F32, halves, or FP8, in host memory. */
struct tensor stored_weight(struct check *c, int rank, const int64_t *shape, float scale);

void check_matrices(struct check *c); /* linear */
void check_attention(struct check *c);
void check_rows(struct check *c);     /* norms, elements, RoPE, tables, copies */
void check_fused(struct check *c);    /* FP8, and operations that are several in one */
void check_pictures(struct check *c); /* convolutions, patches */
void check_graphs(struct check *c);   /* recorded and replayed */
void check_large(struct check *c);    /* more numbers than 32 bits count */
/* Large shapes against what the chip can do. */
void time_operations(struct device *d, const char *only); /* NULL: all; else names with this */

#endif
