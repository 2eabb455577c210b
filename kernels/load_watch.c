#include "kernels/load_watch.h"

static _Thread_local struct {
    load_watch_fn *tell;
    void *ctx;
    size_t done, total;
} watch;

void load_watch(load_watch_fn *tell, void *ctx)
{
    watch.tell = tell;
    watch.ctx = ctx;
    watch.done = watch.total = 0;
}

void load_expect(size_t bytes)
{
    watch.total += bytes;
}

/* A layer may be loaded twice, or a tensor be read by two: never more than there is. */
void load_did(size_t bytes)
{
    watch.done = watch.total - watch.done < bytes ? watch.total : watch.done + bytes;
    if (watch.tell)
        watch.tell(watch.ctx, watch.done, watch.total);
}
