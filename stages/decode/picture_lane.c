#include "stages/decode/picture_lane.h"

#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 2 };

struct picture_lane {
    picture_lane_take *take;
    void *ctx;
    struct picture slots[SLOTS];
    int counts[SLOTS];
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t moved;
    unsigned put, taken; /* how many so far; slot of the n-th: n % SLOTS */
    bool ended;
    struct error failed;
};

static void *work(void *arg)
{
    struct picture_lane *lane = arg;

    pthread_mutex_lock(&lane->lock);
    for (;;) {
        struct error e = {0};
        unsigned slot = lane->taken % SLOTS;
        bool sound = lane->failed.code == ERROR_NONE;

        if (lane->taken == lane->put && lane->ended)
            break;
        if (lane->taken == lane->put) {
            pthread_cond_wait(&lane->moved, &lane->lock);
            continue;
        }
        pthread_mutex_unlock(&lane->lock);
        if (sound)
            lane->take(lane->ctx, &lane->slots[slot], lane->counts[slot], &e);
        pthread_mutex_lock(&lane->lock);
        if (sound)
            lane->failed = e;
        lane->taken++;
        pthread_cond_broadcast(&lane->moved);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

int picture_lane_open(int width, int height, picture_lane_take *take, void *ctx,
                      struct picture_lane **out, struct error *e)
{
    struct picture_lane *lane = calloc(1, sizeof *lane);

    if (!lane)
        return error_memory(e);
    lane->take = take;
    lane->ctx = ctx;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->moved, NULL);
    for (int i = 0; i < SLOTS; i++)
        if (picture_alloc(&lane->slots[i], width, height, e) != 0) {
            picture_lane_close(lane);
            return -1;
        }
    lane->started = pthread_create(&lane->thread, NULL, work, lane) == 0;
    if (!lane->started) {
        picture_lane_close(lane);
        return error_memory(e);
    }
    *out = lane;
    return 0;
}

/* Waits until fewer than `most` are in the lane. */
static int wait_for(struct picture_lane *lane, unsigned most, struct error *e)
{
    int rc = 0;

    pthread_mutex_lock(&lane->lock);
    while (lane->put - lane->taken >= most)
        pthread_cond_wait(&lane->moved, &lane->lock);
    if (lane->failed.code != ERROR_NONE) {
        *e = lane->failed;
        rc = -1;
    }
    pthread_mutex_unlock(&lane->lock);
    return rc;
}

struct picture *picture_lane_room(struct picture_lane *lane, struct error *e)
{
    return wait_for(lane, SLOTS, e) == 0 ? &lane->slots[lane->put % SLOTS] : NULL;
}

void picture_lane_put(struct picture_lane *lane, int count)
{
    pthread_mutex_lock(&lane->lock);
    lane->counts[lane->put % SLOTS] = count;
    lane->put++;
    pthread_cond_broadcast(&lane->moved);
    pthread_mutex_unlock(&lane->lock);
}

int picture_lane_finish(struct picture_lane *lane, struct error *e)
{
    return wait_for(lane, 1, e);
}

void picture_lane_close(struct picture_lane *lane)
{
    if (!lane)
        return;
    if (lane->started) {
        pthread_mutex_lock(&lane->lock);
        lane->ended = true;
        pthread_cond_broadcast(&lane->moved);
        pthread_mutex_unlock(&lane->lock);
        pthread_join(lane->thread, NULL);
    }
    pthread_cond_destroy(&lane->moved);
    pthread_mutex_destroy(&lane->lock);
    for (int i = 0; i < SLOTS; i++)
        picture_free(&lane->slots[i]);
    free(lane);
}
