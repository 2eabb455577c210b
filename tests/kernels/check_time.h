/* Timing of operations at sizes of published models, for check_time*.c. */
#ifndef AUTEUR_TESTS_KERNELS_CHECK_TIME_H
#define AUTEUR_TESTS_KERNELS_CHECK_TIME_H

#include "tests/kernels/check.h"

struct bench {
    struct device *d;
    struct arena memory;
    const char *only;               /* names with this alone; NULL: all */
    double copy_rate, product_rate; /* bytes/s, FLOP/s: measured first */
    double f8_rate;                 /* FLOP/s of the first product in FP8 */
};
/* Whether a case is not asked for. */
bool skips(const struct bench *b, const char *name);
typedef void bench_fn(struct bench *b, void *job);

/* Seconds for one call: the median of seven runs of a few calls each; 0: it failed, and was told.
 */
double seconds(struct bench *b, const char *name, bench_fn *run, void *job);
/* A line: GB/s, or TFLOP/s where flop > 0. */
void tell(struct bench *b, const char *name, double s, double bytes, double flop);
/* Random activations. */
struct tensor big(struct bench *b, int rank, const int64_t *shape);
#define BIG(...)                                                                                   \
    big(b, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                              \
        (const int64_t[]){__VA_ARGS__})

void time_attention(struct bench *b);

#endif
