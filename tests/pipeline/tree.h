/* Comparing production directories: which files are there, and whether they say the same. A shot's
 * sheet is compared without its "timings". */
#ifndef AUTEUR_TESTS_PIPELINE_TREE_H
#define AUTEUR_TESTS_PIPELINE_TREE_H

#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"

static inline bool tree_same_sheet(const char *a, const char *b)
{
    json_t *x = json_load_file(a, 0, NULL), *y = json_load_file(b, 0, NULL);
    bool same = x && y && json_object_del(x, "timings") == json_object_del(y, "timings") &&
                json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return same;
}

static inline bool tree_same_file(const char *a, const char *b)
{
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    struct error e = {0};
    size_t length = strlen(a);
    bool same;

    if (length > 5 && strcmp(a + length - 5, ".json") == 0)
        return tree_same_sheet(a, b);
    same = file_read(a, 1u << 28, &x, &n, &e) == 0 && file_read(b, 1u << 28, &y, &m, &e) == 0 &&
           n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

/* Every file below `dir` is below `reference` too, and the same, or (unless NULL) below `or_else`;
 * prints the first that is not. -1: a difference; else how many files there are. */
static inline int tree_within(const char *dir, const char *reference, const char *or_else)
{
    struct dirent *entry;
    DIR *d = opendir(dir);
    int count = 0;

    while (d && (entry = readdir(d)) && count >= 0) {
        char path[512], other[512], third[512];
        struct stat st;
        int inside;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        snprintf(other, sizeof other, "%s/%s", reference, entry->d_name);
        snprintf(third, sizeof third, "%s/%s", or_else ? or_else : "", entry->d_name);
        if (stat(path, &st) != 0) /* of a link, what it leads to */
            continue;
        if (S_ISDIR(st.st_mode)) {
            inside = tree_within(path, other, or_else ? third : NULL);
            count = inside < 0 ? -1 : count + inside;
        } else if (!tree_same_file(path, other) && !(or_else && tree_same_file(path, third))) {
            printf("%s differs from %s or is an orphan\n", path, other);
            count = -1;
        } else {
            count++;
        }
    }
    if (d)
        closedir(d);
    return count;
}

#endif
