#include "stages/generate/hunyuan_transformer.h"

#include <math.h>

#include "stages/generate/hunyuan_transformer_impl.h"

/* ---- views */

static struct tensor part(const struct hunyuan_transformer *m, const struct tensor *vectors, int i)
{
    struct tensor flat = TENSOR_VIEW(*vectors, tensor_count(vectors));
    return tensor_slice(flat, 0, i * m->dim, m->dim);
}

/* dim columns of a matrix as [rows, heads, head_dim]. */
static struct tensor heads_of(const struct hunyuan_transformer *m, const struct tensor *rows,
                              int64_t column)
{
    struct tensor t = tensor_slice(*rows, 1, column, m->dim);

    t.rank = 3;
    t.shape[1] = m->heads;
    t.shape[2] = m->head_dim;
    t.stride[1] = m->head_dim;
    t.stride[2] = 1;
    return t;
}

/* A run of rows of everything that blocks work in. */
struct rows {
    struct tensor x, normed, qkv, wide;
};

static struct rows rows_of(const struct hunyuan_workspace *w, int64_t from, int64_t count)
{
    return (struct rows){
        tensor_slice(w->x, 0, from, count), tensor_slice(w->normed, 0, from, count),
        tensor_slice(w->qkv, 0, from, count), tensor_slice(w->wide, 0, from, count)};
}

/* ---- pieces of blocks */

/* Queries, keys and values of what lies in `in`, normed a head at a time; the first tokens of these
 * rows turn where they have a place in the video. */
static void make_qkv(struct hunyuan_transformer *m, struct rows *r, const struct tensor *in,
                     const struct linear *qkv, const struct tensor *norm_q,
                     const struct tensor *norm_k, const struct turn *turn)
{
    struct device *d = m->device;
    struct tensor heads[2] = {heads_of(m, &r->qkv, 0), heads_of(m, &r->qkv, m->dim)};
    const struct tensor *weight[2] = {norm_q, norm_k};

    op_linear(d, &r->qkv, in, qkv, ACT_NONE);
    for (int i = 0; i < 2; i++) {
        struct head_norm norm = {HEADS_RMS, weight[i], NULL, HUNYUAN_EPS};
        if (!weight[i]->data)
            norm = (struct head_norm){.kind = HEADS_AS_THEY_ARE};
        if (weight[i]->data || turn)
            op_norm_rope(d, &heads[i], &norm, turn);
    }
}

/* All of these rows attend to each other; out [rows, dim] may be columns of a wider matrix. */
static void attend(struct hunyuan_transformer *m, const struct tensor *qkv, struct tensor *out)
{
    struct tensor q = heads_of(m, qkv, 0), k = heads_of(m, qkv, m->dim);
    struct tensor v = heads_of(m, qkv, 2 * m->dim), to = heads_of(m, out, 0);

    op_attention(m->device, &to, &q, &k, &v, 1 / sqrtf((float)m->head_dim), NULL);
}

/* x += gate * (out(act(in(normed)))) */
static void feed_forward(struct hunyuan_transformer *m, struct rows *r, const struct tensor *normed,
                         const struct linear *in, const struct linear *out, enum activation act,
                         const struct tensor *gate)
{
    struct tensor hidden = tensor_slice(r->wide, 1, 0, in->out);

    op_linear(m->device, &hidden, normed, in, act);
    op_linear_gated(m->device, &r->x, &hidden, out, &r->x, gate);
}

/* ---- blocks */

static void refine(struct hunyuan_transformer *m, struct rows *r, const struct hunyuan_refiner *b)
{
    struct device *d = m->device;
    struct tensor gates = tensor_slice(m->word_mods, 1, 0, 2 * m->dim);
    struct tensor gate = part(m, &m->word_mods, 0), ffn_gate = part(m, &m->word_mods, 1);
    struct tensor none = {0};

    op_linear(d, &gates, &m->refiner_signal, &b->gates, ACT_NONE);
    op_layer_norm(d, &r->normed, &r->x, &b->weight_1, &b->bias_1, HUNYUAN_EPS);
    make_qkv(m, r, &r->normed, &b->qkv, &none, &none, NULL);
    attend(m, &r->qkv, &r->normed);
    op_linear_gated(d, &r->x, &r->normed, &b->out, &r->x, &gate);
    op_layer_norm(d, &r->normed, &r->x, &b->weight_2, &b->bias_2, HUNYUAN_EPS);
    feed_forward(m, r, &r->normed, &b->ffn_in, &b->ffn_out, ACT_SILU, &ffn_gate);
}

/* Leaves the side's modulation in `mods`, and out = the norm of x under its first part. */
static void side_norm(struct hunyuan_transformer *m, const struct tensor *x,
                      const struct hunyuan_side *s, struct tensor *mods, struct tensor *out)
{
    struct tensor shift = part(m, mods, 0), scale = part(m, mods, 1);

    op_linear(m->device, mods, &m->signal, &s->modulation, ACT_NONE);
    op_layer_norm(m->device, out, x, &scale, &shift, HUNYUAN_EPS);
}

/* The norms of a side and its queries, keys and values. */
static void side_in(struct hunyuan_transformer *m, struct rows *r, const struct hunyuan_side *s,
                    struct tensor *mods, const struct turn *turn)
{
    struct tensor in = activation_as_input(&s->qkv, r->normed);

    side_norm(m, &r->x, s, mods, &in);
    make_qkv(m, r, &in, &s->qkv, &s->norm_q, &s->norm_k, turn);
}

/* What the side was told (in r->normed), and its feed-forward. */
static void side_out(struct hunyuan_transformer *m, struct rows *r, const struct hunyuan_side *s,
                     const struct tensor *mods)
{
    struct tensor gate = part(m, mods, 2), shift = part(m, mods, 3), scale = part(m, mods, 4);
    struct tensor ffn_gate = part(m, mods, 5), in = activation_as_input(&s->ffn_in, r->normed);

    op_linear_gated(m->device, &r->x, &r->normed, &s->out, &r->x, &gate);
    op_layer_norm(m->device, &in, &r->x, &scale, &shift, HUNYUAN_EPS);
    feed_forward(m, r, &in, &s->ffn_in, &s->ffn_out, ACT_GELU_TANH, &ffn_gate);
}

static void dual(struct hunyuan_transformer *m, struct rows *all, struct rows *video,
                 struct rows *words, const struct hunyuan_dual *b)
{
    struct turn turn = {&m->work.cos, &m->work.sin, ROPE_NEIGHBOURS, 0};

    side_in(m, video, &b->video, &m->video_mods, &turn);
    side_in(m, words, &b->words, &m->word_mods, NULL);
    attend(m, &all->qkv, &all->normed);
    side_out(m, video, &b->video, &m->video_mods);
    side_out(m, words, &b->words, &m->word_mods);
}

/* As side_norm(). */
static void single_norm(struct hunyuan_transformer *m, const struct tensor *x,
                        const struct hunyuan_single *b, const struct tensor *all_mods,
                        struct tensor *out)
{
    struct tensor mods = tensor_slice(*all_mods, 1, 0, 3 * m->dim);
    struct tensor shift = part(m, &mods, 0), scale = part(m, &mods, 1);

    op_linear(m->device, &mods, &m->signal, &b->modulation, ACT_NONE);
    op_layer_norm(m->device, out, x, &scale, &shift, HUNYUAN_EPS);
}

/* Attention and feed-forward side by side, through one last layer. */
static void single(struct hunyuan_transformer *m, struct rows *all, const struct hunyuan_single *b)
{
    struct device *d = m->device;
    struct tensor gate = part(m, &m->video_mods, 2);
    struct tensor joined = tensor_slice(all->wide, 1, 0, m->dim + m->ffn);
    struct tensor told = tensor_slice(joined, 1, 0, m->dim);
    struct tensor hidden = tensor_slice(joined, 1, m->dim, m->ffn);
    struct tensor in = all->normed;
    struct turn turn = {&m->work.cos, &m->work.sin, ROPE_NEIGHBOURS, 0};

    if (b->qkv.dtype == b->ffn_in.dtype) /* else each makes of it what it needs */
        in = activation_as_input(&b->qkv, in);
    single_norm(m, &all->x, b, &m->video_mods, &in);
    make_qkv(m, all, &in, &b->qkv, &b->norm_q, &b->norm_k, &turn);
    op_linear(d, &hidden, &in, &b->ffn_in, ACT_GELU_TANH);
    attend(m, &all->qkv, &told);
    op_linear_gated(d, &all->x, &joined, &b->out, &all->x, &gate);
}

/* ---- one step */

/* Features of a token lie in the order channel, t, h, w. */
static void unpatchify(struct hunyuan_transformer *m)
{
    struct hunyuan_workspace *w = &m->work;
    const int64_t *s = w->shape;
    const int *p = m->patch;
    int64_t t = s[1] / p[0], h = s[2] / p[1], v = s[3] / p[2];
    struct tensor to = TENSOR_VIEW(w->latents, s[0], t, p[0], h, p[1], v, p[2]);
    struct tensor from = TENSOR_VIEW(w->projected, t, h, v, s[0], p[0], p[1], p[2]);

    from = tensor_permute(from, (const int[]){3, 0, 4, 1, 5, 2, 6});
    op_copy(m->device, &to, &from);
}

static void project(struct hunyuan_transformer *m, struct rows *video)
{
    struct device *d = m->device;
    struct tensor mods = tensor_slice(m->video_mods, 1, 0, 2 * m->dim);
    struct tensor scale = part(m, &mods, 0), shift = part(m, &mods, 1);

    op_linear(d, &mods, &m->signal, &m->out_modulation, ACT_NONE);
    op_layer_norm(d, &video->normed, &video->x, &scale, &shift, HUNYUAN_EPS);
    op_linear(d, &m->work.projected, &video->normed, &m->out, ACT_NONE);
    unpatchify(m);
}

static void block(void *model, int i)
{
    struct hunyuan_transformer *m = model;
    const struct hunyuan_workspace *w = &m->work;
    struct rows all = rows_of(w, 0, w->video + m->words), video = rows_of(w, 0, w->video);
    struct rows words = rows_of(w, w->video, m->words);

    weight_stream_use(m->stream, i);
    if (i < m->dual_layers)
        dual(m, &all, &video, &words, &m->duals[i]);
    else
        single(m, &all, &m->singles[i - m->dual_layers]);
}

static void first_modulated(void *model, struct tensor *out)
{
    struct hunyuan_transformer *m = model;
    struct tensor x = tensor_slice(m->work.x, 0, 0, m->work.video);

    weight_stream_use(m->stream, 0);
    if (m->dual_layers > 0)
        side_norm(m, &x, &m->duals[0].video, &m->video_mods, out);
    else
        single_norm(m, &x, &m->singles[0], &m->video_mods, out);
}

/* What modulates: of the timestep that was written. */
static void embed_time(struct hunyuan_transformer *m, const struct hunyuan_conditioning *c)
{
    hunyuan_embed(m, &m->time, &m->frequencies, &c->constant, &m->signal);
    op_activation(m->device, &m->signal, &m->signal, ACT_SILU);
    hunyuan_embed(m, &m->refiner_time, &m->frequencies, &c->refiner_constant, &m->refiner_signal);
    op_activation(m->device, &m->refiner_signal, &m->refiner_signal, ACT_SILU);
}

static void run(struct hunyuan_transformer *m, const struct hunyuan_conditioning *c)
{
    struct device *d = m->device;
    struct hunyuan_workspace *w = &m->work;
    struct rows video = rows_of(w, 0, w->video), words = rows_of(w, w->video, c->words);
    struct step_blocks blocks = {m, m->dual_layers + m->single_layers, block, first_modulated,
                                 video.x};

    embed_time(m, c);
    op_patchify(d, &w->patches, &w->latents, m->patch);
    op_linear(d, &video.x, &w->patches, &m->patch_embedding, ACT_NONE);
    op_copy(d, &words.x, &c->text);
    for (int i = 0; i < m->refiner_layers; i++)
        refine(m, &words, &m->refiners[i]);
    m->words = c->words;
    step_cache_run(m->cache, &blocks, 0);
    project(m, &video);
}

static int check_latents(const struct hunyuan_transformer *m, const struct tensor *latents,
                         struct error *e)
{
    char text[96];

    if (latents->rank != 4 || latents->shape[0] != m->channels)
        return error_set(e, ERROR_MODEL,
                         "%s: latents of shape %s do not fit a model of %d channels", m->dir,
                         tensor_shape_text(latents, text, sizeof text), m->channels);
    for (int i = 0; i < 3; i++)
        if (latents->shape[i + 1] < 1 || latents->shape[i + 1] % m->patch[i])
            return error_set(e, ERROR_MODEL,
                             "%s: latents of shape %s: each of the last three must be a multiple "
                             "of the patch %d x %d x %d",
                             m->dir, tensor_shape_text(latents, text, sizeof text), m->patch[0],
                             m->patch[1], m->patch[2]);
    return 0;
}

int hunyuan_transformer_forward(struct hunyuan_transformer *m, const struct hunyuan_conditioning *c,
                                const struct tensor *latents, float timestep, struct tensor *out,
                                struct error *e)
{
    struct device *d = m->device;
    struct tensor tokens;

    struct {
        const void *x, *text;
        int64_t words;
    } key = {NULL, c->text.data, c->words};
    bool cached = m->cache && m->cache->mode != STEP_CACHE_OFF;

    if (check_latents(m, latents, e) || hunyuan_make_workspace(m, latents->shape, c->words, e))
        return -1;
    tokens = tensor_slice(m->work.x, 0, 0, m->work.video);
    if (cached && step_cache_fit(m->cache, d, &tokens, 1, e))
        return -1;
    key.x = tokens.data;
    hunyuan_write_scalar(m, timestep);
    op_write(d, &m->work.latents, latents);
    if (cached) /* it decides in the middle */
        run(m, c);
    else
        while (device_graph(d, &m->graph, &key, sizeof key))
            run(m, c);
    op_read(d, out, &m->work.latents);
    return device_status(d, e);
}

void hunyuan_transformer_cache(struct hunyuan_transformer *m, struct step_cache *cache)
{
    m->cache = cache;
}
