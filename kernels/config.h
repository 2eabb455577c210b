/* A model's config.json: typed values with errors that name the file and the key (ERROR_MODEL). */
#ifndef AUTEUR_KERNELS_CONFIG_H
#define AUTEUR_KERNELS_CONFIG_H

#include "kernels/base/arena.h"
#include "kernels/base/json.h"

struct config {
    struct arena arena;
    const char *path;
    json_t *root;
};

/* Reads DIR/config.json. `class_name`: what "_class_name" must be; NULL for any. A zeroed config
 * may be closed. */
int config_open(const char *dir, const char *class_name, struct config *out, struct error *e);
void config_close(struct config *c);

/* A key that is absent or null leaves *value alone; it was required when *value is out of range. */
int config_int(const struct config *c, const char *name, int low, int high, int *value,
               struct error *e);
int config_number(const struct config *c, const char *name, double low, double high, double *value,
                  struct error *e);
int config_bool(const struct config *c, const char *name, bool *value, struct error *e);
/* The string must be one of this; absent is fine. */
int config_expect(const struct config *c, const char *name, const char *value, struct error *e);
/* Fails unless the key is absent, null, false or an empty list: what is not supported. */
int config_refuse(const struct config *c, const char *name, struct error *e);

/* Lists: *count is the length found, 1..max. A list that is absent leaves both alone when *count
 * is > 0 (the default), and is an error when it is 0. */
int config_ints(const struct config *c, const char *name, int low, int high, int max, int *values,
                int *count, struct error *e);
int config_numbers(const struct config *c, const char *name, int max, double *values, int *count,
                   struct error *e);
int config_bools(const struct config *c, const char *name, int max, bool *values, int *count,
                 struct error *e);

#endif
