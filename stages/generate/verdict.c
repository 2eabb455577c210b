#include "stages/generate/verdict.h"

#include <pthread.h>
#include <string.h>

#include "kernels/base/hash.h"

/* Room for every tier's parts; the oldest goes first. */
enum { VERDICTS = 32 };

static struct verdict {
    check_fn *check; /* NULL: none here */
    struct hash128 path;
    struct error error; /* ERROR_NONE: sound */
} verdicts[VERDICTS];
static size_t next;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct verdict *find(check_fn *check, struct hash128 path)
{
    for (size_t i = 0; i < VERDICTS; i++)
        if (verdicts[i].check == check && hash_equal(verdicts[i].path, path))
            return &verdicts[i];
    return NULL;
}

int verdict_on(check_fn *check, const char *path, struct error *e)
{
    struct hash128 hash = hash_bytes(path, strlen(path));
    int rc;

    pthread_mutex_lock(&lock); /* held while checking: whoever else asks wants to know as well */
    const struct verdict *known = find(check, hash);
    if (known) {
        rc = known->error.code == ERROR_NONE ? 0 : -1;
        if (rc != 0)
            *e = known->error;
    } else {
        struct error why = {0};
        rc = check(path, &why);
        if (rc != 0)
            *e = why;
        if (rc == 0 || why.code == ERROR_MODEL || why.code == ERROR_INPUT) {
            verdicts[next] = (struct verdict){check, hash, why};
            next = (next + 1) % VERDICTS;
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
