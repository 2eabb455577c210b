#include <assert.h>
#include <string.h>

#include "kernels/device_impl.h"
#include "kernels/notes.h"

static void forget(struct device_graph *g)
{
    if (g->recording)
        g->device->recorder->forget(g->device, g->recording);
    g->recording = NULL;
    g->known = false;
}

/* The caller is to issue the operations; GRAPH_ISSUING: so that plans are made and scratch memory
 * has grown before they are recorded. */
static bool issue(struct device_graph *g, enum device_graph_state state)
{
    g->state = state;
    return true;
}

static bool issued(struct device *d, struct device_graph *g)
{
    if (g->state == GRAPH_ISSUING) {
        g->memory = d->memory_changes;
        g->known = true;
    }
    g->state = GRAPH_IDLE;
    return false;
}

/* What was in the way of a recording is no failure of the operations: issued plainly, they tell. */
static bool recorded(struct device *d, struct device_graph *g)
{
    d->recording = false;
    g->state = GRAPH_IDLE;
    g->recording = d->recorder->end(d);
    if (d->failed && g->recording) {
        d->recorder->forget(d, g->recording);
        g->recording = NULL;
    }
    if (!g->recording) {
        device_note_missing(d, NOTE_GRAPH, "%s",
                            d->failed ? d->error.text : "the driver took no recording");
        error_clear(&d->error);
        d->failed = false;
        g->refused = true;
        return issue(g, GRAPH_PASSING);
    }
    device_note(d, NOTE_GRAPH, "CUDA Graph Captured (%s Latency Optimized).",
                g->of ? g->of : "Sampling");
    d->recorder->replay(d, g->recording);
    return false;
}

static bool begin(struct device *d, struct device_graph *g)
{
    if (!g->refused && d->streams)
        device_note_missing(d, NOTE_GRAPH, "weights come from the host while it works");
    if (g->refused || d->streams || !d->recorder->begin(d)) {
        g->refused = true;
        return issue(g, GRAPH_PASSING);
    }
    d->recording = true;
    g->state = GRAPH_RECORDING;
    return true;
}

bool device_graph(struct device *d, struct device_graph *g, const void *key, size_t size)
{
    assert(size <= sizeof g->key);
    if (g->state == GRAPH_ISSUING || g->state == GRAPH_PASSING)
        return issued(d, g);
    if (g->state == GRAPH_RECORDING)
        return recorded(d, g);
    if (!d->recorder || d->failed || d->recording) /* within another's, it becomes part of that */
        return issue(g, GRAPH_PASSING);
    if (!g->known || g->device != d || g->memory != d->memory_changes || g->key_size != size ||
        memcmp(g->key, key, size) != 0) {
        forget(g);
        g->device = d;
        g->key_size = size;
        memcpy(g->key, key, size);
        g->refused = false;
        return issue(g, GRAPH_ISSUING);
    }
    if (!g->recording)
        return begin(d, g);
    d->recorder->replay(d, g->recording);
    return false;
}

void device_graph_free(struct device_graph *g)
{
    forget(g);
    *g = (struct device_graph){.of = g->of};
}

struct device_graph *device_graph_for(struct device_graphs *all, const void *key, size_t size)
{
    struct device_graph *g;

    for (int i = 0; i < DEVICE_GRAPHS; i++) {
        g = &all->graph[i];
        if (g->key_size == size && memcmp(g->key, key, size) == 0)
            return g;
    }
    g = &all->graph[all->oldest];
    all->oldest = (all->oldest + 1) % DEVICE_GRAPHS;
    return g;
}

void device_graphs_free(struct device_graphs *all)
{
    for (int i = 0; i < DEVICE_GRAPHS; i++)
        device_graph_free(&all->graph[i]);
}
