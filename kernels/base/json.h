/* JSON settings files (config.json, scheduler_config.json ...), read with jansson and with messages
 * that name the file and the key. Errors are ERROR_MODEL: these files come with checkpoints. */
#ifndef AUTEUR_BASE_JSON_H
#define AUTEUR_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/base/error.h"

/* Reads a file whose top level is an object, at most 64 MiB. Caller: json_decref(*root). Whole
 * numbers are read as reals, because some published files hold ones of thirty digits: take them
 * out with json_get_int(). */
int json_read(const char *path, json_t **root, struct error *e);

/* The value of a key into *value. A key that is absent or null leaves *value as it was; when that
 * is out of range (or NULL for a string) the key was required, and the error says that it is
 * missing. `path` is for messages. A string lives as long as root. */
int json_get_int(const json_t *root, const char *path, const char *name, int low, int high,
                 int *value, struct error *e);
int json_get_number(const json_t *root, const char *path, const char *name, double low, double high,
                    double *value, struct error *e);
int json_get_bool(const json_t *root, const char *path, const char *name, bool *value,
                  struct error *e);
int json_get_string(const json_t *root, const char *path, const char *name, const char **value,
                    struct error *e);

#endif
