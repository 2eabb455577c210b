#include <pthread.h>
#include <stdlib.h>

#include "stages/film/cut.h"

enum { AHEAD = 8 }; /* pictures: what opening the next clip takes */

struct film_ahead {
    struct film_cut *cut;
    pthread_t thread;
    bool started, stop, ended;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    AVFrame *ring[AHEAD]; /* made and not yet taken */
    int first, count;
    struct error error; /* why it ended; clear: the film's end */
};

/* Whether there is room for one more; waits for it. */
static bool wait_for_room(struct film_ahead *a)
{
    bool go;

    pthread_mutex_lock(&a->mutex);
    while (a->count == AHEAD && !a->stop)
        pthread_cond_wait(&a->changed, &a->mutex);
    go = !a->stop;
    pthread_mutex_unlock(&a->mutex);
    return go;
}

static void *work(void *ctx)
{
    struct film_ahead *a = ctx;
    struct error e = {0};
    bool more = true;

    while (more && wait_for_room(a)) {
        AVFrame *f = film_cut_next(a->cut, &e);

        more = f != NULL;
        pthread_mutex_lock(&a->mutex);
        if (more)
            a->ring[(a->first + a->count++) % AHEAD] = f;
        else
            a->error = e;
        a->ended = !more;
        pthread_cond_signal(&a->changed);
        pthread_mutex_unlock(&a->mutex);
    }
    return NULL;
}

int film_ahead_open(const struct film *film, struct film_ahead **out, struct error *e)
{
    struct film_ahead *a = calloc(1, sizeof *a);

    if (!a)
        return error_memory(e);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    if (film_cut_open(film, &a->cut, e) != 0)
        goto failed;
    if (pthread_create(&a->thread, NULL, work, a) != 0) {
        error_set(e, ERROR_MEMORY, "cannot start a thread");
        goto failed;
    }
    a->started = true;
    *out = a;
    return 0;
failed:
    film_ahead_close(a);
    return -1;
}

AVFrame *film_ahead_next(struct film_ahead *a, struct error *e)
{
    AVFrame *f = NULL;

    pthread_mutex_lock(&a->mutex);
    while (a->count == 0 && !a->ended)
        pthread_cond_wait(&a->changed, &a->mutex);
    if (a->count) {
        f = a->ring[a->first];
        a->first = (a->first + 1) % AHEAD;
        a->count--;
        pthread_cond_signal(&a->changed);
    } else {
        *e = a->error;
    }
    pthread_mutex_unlock(&a->mutex);
    return f;
}

void film_ahead_close(struct film_ahead *a)
{
    if (!a)
        return;
    if (a->started) {
        pthread_mutex_lock(&a->mutex);
        a->stop = true;
        pthread_cond_signal(&a->changed);
        pthread_mutex_unlock(&a->mutex);
        pthread_join(a->thread, NULL);
    }
    for (int i = 0; i < a->count; i++)
        av_frame_free(&a->ring[(a->first + i) % AHEAD]);
    film_cut_close(a->cut);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}
