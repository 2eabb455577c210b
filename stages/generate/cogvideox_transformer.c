#include "stages/generate/cogvideox_transformer.h"

#include <math.h>
#include <string.h>

#include "stages/generate/cogvideox_transformer_impl.h"

const struct cogvideox_sizes *cogvideox_transformer_sizes(const struct cogvideox_transformer *m)
{
    return &m->sizes;
}

/* ---- views */

/* [items, rows, columns] seen as rows, where the items lie one after another. */
static struct tensor rows_of(struct tensor t)
{
    t.rank = 2;
    t.shape[0] *= t.shape[1];
    t.shape[1] = t.shape[2];
    t.stride[0] = t.stride[1];
    t.stride[1] = t.stride[2];
    return t;
}

/* [items, rows, dim] seen as [items, rows, heads, head_dim]. */
static struct tensor heads_of(const struct cogvideox_transformer *m, struct tensor t)
{
    t.rank = 4;
    t.shape[2] = m->heads;
    t.shape[3] = m->head_dim;
    t.stride[2] = m->head_dim;
    t.stride[3] = 1;
    return t;
}

/* The i-th of the `dim` columns wide parts of [items, rows, columns]. */
static struct tensor column(const struct cogvideox_transformer *m, const struct tensor *t, int i)
{
    return tensor_slice(*t, 2, i * m->dim, m->dim);
}

static struct tensor text_of(const struct cogvideox_workspace *w, struct tensor t)
{
    return tensor_slice(t, 1, 0, w->text);
}

static struct tensor video_of(const struct cogvideox_workspace *w, struct tensor t)
{
    return tensor_slice(t, 1, w->text, w->tokens);
}

static struct tensor row(const struct tensor *t, int64_t i)
{
    struct tensor one = tensor_slice(*t, 0, i, 1);
    return TENSOR_VIEW(one, t->shape[1]);
}

/* Latents [..., T, C, H, W] in the order of patches: [..., T', H', W', C, pt, p, p], where `lead`
 * is 0 or 1 axis of items. */
static struct tensor in_patches(const struct cogvideox_transformer *m, struct tensor t, int lead)
{
    static const int order[2][8] = {{0, 3, 5, 2, 1, 4, 6}, {0, 1, 4, 6, 3, 2, 5, 7}};
    int64_t p = m->sizes.patch, pt = m->sizes.patch_t;
    int64_t frames = t.shape[lead], channels = t.shape[lead + 1];
    int64_t rows = t.shape[lead + 2], columns = t.shape[lead + 3];
    int64_t split[8] = {t.shape[0], frames / pt, pt, channels, rows / p, p, columns / p, p};
    struct tensor view = tensor_view(t, 7 + lead, split + 1 - lead);

    return tensor_permute(view, order[lead]);
}

/* ---- a shot */

static int check_shot(const struct cogvideox_transformer *m, const struct tensor *text,
                      const int64_t shape[4], struct error *e)
{
    const struct cogvideox_sizes *s = &m->sizes;
    struct tensor latents = tensor_f32(NULL, 4, shape);
    char words[96];

    if (text->rank != 3 || text->shape[0] < 1 || text->shape[1] < 1 ||
        text->shape[1] > COGVIDEOX_MAX_TOKENS || text->shape[2] != s->text_width)
        return error_set(e, ERROR_MODEL, "%s: texts of shape %s do not fit: text_embed_dim is %d",
                         m->dir, tensor_shape_text(text, words, sizeof words), s->text_width);
    if (!s->rotary && text->shape[1] != s->text_length)
        return error_set(e, ERROR_MODEL,
                         "%s: a text of %lld tokens: this form of the model takes "
                         "max_text_seq_length (%d), neither more nor fewer",
                         m->dir, (long long)text->shape[1], s->text_length);
    if (shape[0] < 1 || shape[2] < 1 || shape[3] < 1 || shape[1] != s->channels ||
        shape[0] % s->patch_t || shape[2] % s->patch || shape[3] % s->patch)
        return error_set(e, ERROR_MODEL,
                         "%s: latents of shape %s do not fit: %d channels, in patches of %d x %d x "
                         "%d",
                         m->dir, tensor_shape_text(&latents, words, sizeof words), s->channels,
                         s->patch_t, s->patch, s->patch);
    if (s->spans_frames && (shape[2] / s->patch > s->sample_height / s->patch ||
                            shape[3] / s->patch > s->sample_width / s->patch))
        return error_set(e, ERROR_INPUT,
                         "latents of shape %s are larger than the %d x %d that %s can make",
                         tensor_shape_text(&latents, words, sizeof words), s->sample_height,
                         s->sample_width, m->dir);
    return 0;
}

int cogvideox_transformer_prepare(struct cogvideox_transformer *m, const struct tensor *text,
                                  const int64_t shape[4], struct error *e)
{
    struct cogvideox_workspace *w = &m->work;
    struct device *d = m->device;
    struct arena scratch;
    struct tensor there, words;
    int rc;

    if (check_shot(m, text, shape, e) ||
        cogvideox_make_workspace(m, text->shape[0], text->shape[1], shape, e))
        return -1;
    scratch = device_arena(d);
    there = tensor_new(&scratch, 3, text->shape);
    if (there.data) {
        words = rows_of(w->words);
        op_write(d, &there, text);
        there = rows_of(there);
        op_linear(d, &words, &there, &m->text, ACT_NONE);
        rc = device_status(d, e);
    } else {
        rc = error_memory(e);
    }
    arena_free(&scratch);
    return rc;
}

/* ---- one step */

/* cos and sin of the timestep at frequencies from 1 down to 1/10000, in F32 as the reference has
 * them: its rounding is part of what the model learned. (Its exp is off by a unit in the last place
 * here and there; at timesteps near 1000 that alone makes 2e-5 of a small model's output.) `host`
 * is [1, dim]. */
static void time_frequencies(const struct cogvideox_transformer *m, float timestep, float *host)
{
    int64_t half = m->dim / 2;
    float *cosines = host + (m->cos_first ? 0 : half), *sines = host + (m->cos_first ? half : 0);

    for (int64_t i = 0; i < half; i++) {
        float exponent = (float)-log(10000) * (float)i / (float)((double)half - m->freq_shift);
        float angle = timestep * expf(exponent);
        cosines[i] = cosf(angle);
        sines[i] = sinf(angle);
    }
}

/* Leaves silu(embedding): every layer that reads the timestep takes that. */
static void embed_time(struct cogvideox_transformer *m)
{
    struct device *d = m->device;

    op_linear(d, &m->time_hidden, &m->frequencies, &m->time_1, m->time_act);
    op_linear(d, &m->time, &m->time_hidden, &m->time_2, ACT_SILU);
}

/* x = the texts' words and the video's patches, the latter the same in every item. */
static void embed_tokens(struct cogvideox_transformer *m)
{
    struct device *d = m->device;
    struct cogvideox_workspace *w = &m->work;
    struct tensor text = text_of(w, w->x), video = video_of(w, w->x);
    struct tensor first = tensor_slice(video, 0, 0, 1), rows = rows_of(first);
    struct tensor from = in_patches(m, w->latents, 0), to;
    int64_t area = w->grid[1] * w->grid[2], quarter = m->dim / 4;

    to = tensor_view(w->patches, 7, from.shape);
    op_copy(d, &to, &from);
    op_copy(d, &text, &w->words);
    op_linear(d, &rows, &w->patches, &m->patch_embedding, ACT_NONE);
    if (!m->sizes.rotary) {
        struct tensor time = tensor_slice(rows, 1, 0, quarter);
        struct tensor place = tensor_slice(rows, 1, quarter, m->dim - quarter);
        op_modulate(d, &time, &time, NULL, &w->times); /* a run of rows is a frame */
        for (int64_t t = 0; t < w->grid[0]; t++) {
            struct tensor frame = tensor_slice(place, 0, t * area, area);
            op_add(d, &frame, &frame, &w->places);
        }
    }
    for (int64_t i = 1; i < w->items; i++) {
        struct tensor other = tensor_slice(video, 0, i, 1);
        op_copy(d, &other, &first);
    }
}

/* The weights and biases of a block's four norms at this timestep, and their gates. */
static struct tensor modulate_norms(struct cogvideox_transformer *m,
                                    const struct cogvideox_block *b)
{
    struct device *d = m->device;
    struct tensor all = TENSOR_VIEW(m->mods, 3, COGVIDEOX_NORMS, m->dim), part[3];

    op_linear(d, &m->mods, &m->time, &b->modulation, ACT_NONE);
    for (int i = 0; i < 3; i++) {
        part[i] = tensor_slice(all, 0, i, 1);
        part[i] = TENSOR_VIEW(part[i], COGVIDEOX_NORMS, m->dim);
    }
    op_modulate(d, &m->weight, &b->norm_weight, &part[0], NULL);
    op_modulate(d, &m->bias, &b->norm_bias, &part[0], &part[1]);
    return part[2];
}

/* The norm of x as the input of a layer, in w->normed: `which` for the video's rows, and the next
 * for the text's. */
static struct tensor norm(struct cogvideox_transformer *m, enum cogvideox_norm which,
                          const struct linear *layer)
{
    struct cogvideox_workspace *w = &m->work;
    struct tensor in = activation_as_input(layer, w->normed);
    struct tensor x[2] = {video_of(w, w->x), text_of(w, w->x)};
    struct tensor out[2] = {video_of(w, in), text_of(w, in)};

    for (int i = 0; i < 2; i++) {
        struct tensor weight = row(&m->weight, (int)which + i);
        struct tensor bias = row(&m->bias, (int)which + i);
        op_layer_norm(m->device, &out[i], &x[i], &weight, &bias, (float)m->eps);
    }
    return rows_of(in);
}

/* x += gate * normed, gates likewise. */
static void add_gated(struct cogvideox_transformer *m, const struct tensor *gates,
                      enum cogvideox_norm which)
{
    struct cogvideox_workspace *w = &m->work;
    struct tensor x[2] = {video_of(w, w->x), text_of(w, w->x)};
    struct tensor y[2] = {video_of(w, w->normed), text_of(w, w->normed)};

    for (int i = 0; i < 2; i++) {
        struct tensor gate = row(gates, (int)which + i);
        op_add_gated(m->device, &x[i], &x[i], &y[i], &gate);
    }
}

static void attention(struct cogvideox_transformer *m, const struct cogvideox_block *b,
                      const struct tensor *in)
{
    struct device *d = m->device;
    struct cogvideox_workspace *w = &m->work;
    struct tensor joined = tensor_slice(w->wide, 2, 0, 3 * m->dim), mixed = column(m, &w->wide, 3);
    struct tensor q = heads_of(m, column(m, &w->wide, 0)), k = heads_of(m, column(m, &w->wide, 1));
    struct tensor v = heads_of(m, column(m, &w->wide, 2)), out = heads_of(m, mixed);
    struct tensor out_rows = rows_of(w->normed), joined_rows = rows_of(joined);
    struct tensor mixed_rows = rows_of(mixed);
    struct head_norm norm_q = {HEADS_LAYER, &b->norm_q, &b->norm_q_bias, 1e-6F};
    struct head_norm norm_k = {HEADS_LAYER, &b->norm_k, &b->norm_k_bias, 1e-6F};
    struct turn turn = {&w->cos, &w->sin, ROPE_NEIGHBOURS, w->text};

    op_linear(d, &joined_rows, in, &b->qkv, ACT_NONE);
    op_norm_rope(d, &q, &norm_q, m->sizes.rotary ? &turn : NULL);
    op_norm_rope(d, &k, &norm_k, m->sizes.rotary ? &turn : NULL);
    op_attention(d, &out, &q, &k, &v, 1 / sqrtf((float)m->head_dim), NULL);
    op_linear(d, &out_rows, &mixed_rows, &b->out, ACT_NONE);
}

static void feed_forward(struct cogvideox_transformer *m, const struct cogvideox_block *b,
                         const struct tensor *in)
{
    struct tensor normed = rows_of(m->work.normed), hidden = rows_of(m->work.wide);

    op_linear(m->device, &hidden, in, &b->ff_in, m->ff_act);
    op_linear(m->device, &normed, &hidden, &b->ff_out, ACT_NONE);
}

static void block(void *model, int i)
{
    struct cogvideox_transformer *m = model;
    const struct cogvideox_block *b = &m->blocks[i];
    struct tensor gates, in;

    weight_stream_use(m->stream, i);
    gates = modulate_norms(m, b);

    in = norm(m, ATTENTION_VIDEO, &b->qkv);
    attention(m, b, &in);
    add_gated(m, &gates, ATTENTION_VIDEO);
    in = norm(m, FF_VIDEO, &b->ff_in);
    feed_forward(m, b, &in);
    add_gated(m, &gates, FF_VIDEO);
}

static void first_modulated(void *model, struct tensor *out)
{
    struct cogvideox_transformer *m = model;
    struct tensor x = video_of(&m->work, m->work.x), weight, bias;

    weight_stream_use(m->stream, 0);
    modulate_norms(m, &m->blocks[0]);
    weight = row(&m->weight, ATTENTION_VIDEO);
    bias = row(&m->bias, ATTENTION_VIDEO);
    op_layer_norm(m->device, out, &x, &weight, &bias, (float)m->eps);
}

/* The video's rows through two norms, the second set by the timestep, to latents in w->out. */
static void project(struct cogvideox_transformer *m)
{
    struct device *d = m->device;
    struct cogvideox_workspace *w = &m->work;
    const struct tensor *final = m->affine ? &m->norm_final : NULL;
    const struct tensor *final_bias = m->affine ? &m->norm_final_bias : NULL;
    struct tensor video = video_of(w, w->x), rows = rows_of(w->normed), compact, all, shift, scale;
    struct tensor projected = rows_of(w->projected), to, from;
    int64_t grid[8] = {w->items,    w->grid[0],       w->grid[1],     w->grid[2],
                       w->shape[1], m->sizes.patch_t, m->sizes.patch, m->sizes.patch};

    rows = tensor_slice(rows, 0, 0, w->items * w->tokens);
    compact = TENSOR_VIEW(rows, w->items, w->tokens, m->dim);
    all = TENSOR_VIEW(m->mods_out, 2 * m->dim);
    shift = tensor_slice(all, 0, 0, m->dim);
    scale = tensor_slice(all, 0, m->dim, m->dim);
    op_linear(d, &m->mods_out, &m->time, &m->modulation_out, ACT_NONE);
    op_modulate(d, &m->weight_out, &m->norm_out, &scale, NULL);
    op_modulate(d, &m->bias_out, &m->norm_out_bias, &scale, &shift);
    op_layer_norm(d, &compact, &video, final, final_bias, (float)m->eps);
    op_layer_norm(d, &compact, &compact, &m->weight_out, &m->bias_out, (float)m->eps);
    op_linear(d, &projected, &rows, &m->out, ACT_NONE);
    to = in_patches(m, w->out, 1);
    from = tensor_view(w->projected, 8, grid);
    op_copy(d, &to, &from);
}

static int check_step(const struct cogvideox_transformer *m, const struct tensor *latents,
                      const struct tensor *out, struct error *e)
{
    const struct cogvideox_workspace *w = &m->work;
    char text[96];

    if (latents->rank == 4 && memcmp(latents->shape, w->shape, sizeof w->shape) == 0 &&
        out->rank == 5 && out->shape[0] == w->items &&
        memcmp(out->shape + 1, w->shape, sizeof w->shape) == 0)
        return 0;
    return error_set(e, ERROR_INTERNAL, "%s: latents of shape %s are not those of the shot", m->dir,
                     tensor_shape_text(latents, text, sizeof text));
}

/* Timestep and latents, which are there, become work.out. */
static void step(struct cogvideox_transformer *m, const struct step_blocks *blocks)
{
    embed_time(m);
    embed_tokens(m);
    step_cache_run(m->cache, blocks, 0);
    project(m);
}

int cogvideox_transformer_forward(struct cogvideox_transformer *m, const struct tensor *latents,
                                  float timestep, struct tensor *out, struct error *e)
{
    struct arena scratch = {0};
    struct step_blocks blocks = {m, m->layers, block, first_modulated,
                                 video_of(&m->work, m->work.x)};
    struct tensor frequencies = TENSOR_NEW(&scratch, 1, m->dim);
    bool cached = m->cache && m->cache->mode != STEP_CACHE_OFF;
    const void *key = m->work.x.data;
    int rc = frequencies.data ? check_step(m, latents, out, e) : error_memory(e);

    if (rc == 0 && cached)
        rc = step_cache_fit(m->cache, m->device, &blocks.tokens, 1, e);
    if (rc == 0) {
        time_frequencies(m, timestep, frequencies.data);
        op_write(m->device, &m->frequencies, &frequencies);
        op_write(m->device, &m->work.latents, latents);
        if (cached) /* it decides in the middle */
            step(m, &blocks);
        else
            while (device_graph(m->device, &m->graph, &key, sizeof key))
                step(m, &blocks);
        op_read(m->device, out, &m->work.out);
        rc = device_status(m->device, e);
    }
    arena_free(&scratch);
    return rc;
}

void cogvideox_transformer_cache(struct cogvideox_transformer *m, struct step_cache *cache)
{
    m->cache = cache;
}
