#include "kernels/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/outline.h"
#include "kernels/weight_file.h"

enum {
    LENGTH_SIZE = 8,
    HEADER_MAX = 100 << 20, /* as the reference reader has it */
    INDEX_MAX = 64 << 20,
    SHARDS_MAX = 1000
};

struct entry {
    const char *name, *path; /* the path: of its file */
    struct tensor tensor;
    uint64_t begin, end; /* in the data of its file */
};

struct shard {
    const char *path, *name;
    bool outline; /* the path is a table, see outline.h */
    struct file_map map;
    struct entry *entries; /* by begin while the header is checked */
    size_t count;
};

struct safetensors {
    struct arena arena;
    const char *path;
    struct shard *shards;
    size_t shard_count;
    struct entry *entries; /* of all shards, by name */
    size_t count;
};

/* ---- one header */

static const struct {
    const char *name;
    enum dtype dtype;
} dtype_names[] = {
    {"F32", DTYPE_F32},         {"F16", DTYPE_F16},         {"BF16", DTYPE_BF16},
    {"F8_E4M3", DTYPE_F8_E4M3}, {"F8_E5M2", DTYPE_F8_E5M2}, {"I64", DTYPE_I64},
    {"I32", DTYPE_I32},         {"U8", DTYPE_U8},
};

static int bad(struct error *e, const struct shard *s, const char *tensor, const char *what)
{
    return error_set(e, ERROR_MODEL, "%s: tensor %.200s: %s", s->path, tensor, what);
}

static int read_dtype(const struct shard *s, const char *name, const json_t *value, enum dtype *out,
                      struct error *e)
{
    const char *text = json_string_value(value);

    if (!text)
        return bad(e, s, name, "dtype is missing or not a string");
    for (size_t i = 0; i < sizeof dtype_names / sizeof *dtype_names; i++)
        if (strcmp(dtype_names[i].name, text) == 0) {
            *out = dtype_names[i].dtype;
            return 0;
        }
    return error_set(e, ERROR_MODEL,
                     "%s: tensor %.200s: dtype %.40s is not supported (F32, F16, BF16, F8_E4M3, "
                     "F8_E5M2, I64, I32 and U8 are)",
                     s->path, name, text);
}

/* *bytes: dtype times shape, which must not overflow. */
static int read_shape(const struct shard *s, const char *name, const json_t *value,
                      struct entry *out, enum dtype dtype, uint64_t *bytes, struct error *e)
{
    int64_t shape[TENSOR_MAX_RANK];
    size_t rank = json_array_size(value);

    if (!json_is_array(value) || rank > TENSOR_MAX_RANK)
        return bad(e, s, name, "shape is not a list of at most eight sizes");
    *bytes = dtype_size(dtype);
    for (size_t i = 0; i < rank; i++) {
        const json_t *n = json_array_get(value, i);
        if (!json_is_integer(n) || json_integer_value(n) < 0)
            return bad(e, s, name, "shape holds something other than a size");
        shape[i] = json_integer_value(n);
        if (__builtin_mul_overflow(*bytes, (uint64_t)shape[i], bytes))
            return bad(e, s, name, "shape is too large");
    }
    out->tensor = tensor_of(dtype, NULL, (int)rank, shape);
    return 0;
}

static int read_entry(const struct shard *s, const char *name, const json_t *value,
                      struct entry *out, struct error *e)
{
    const json_t *offsets = json_object_get(value, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    uint64_t bytes = 0;
    enum dtype dtype = DTYPE_F32;

    if (!json_is_object(value))
        return bad(e, s, name, "its entry is not an object");
    if (read_dtype(s, name, json_object_get(value, "dtype"), &dtype, e) ||
        read_shape(s, name, json_object_get(value, "shape"), out, dtype, &bytes, e))
        return -1;
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return bad(e, s, name, "data_offsets is not [begin, end]");
    out->begin = (uint64_t)json_integer_value(begin);
    out->end = (uint64_t)json_integer_value(end);
    if (out->end - out->begin != bytes)
        return bad(e, s, name, "data_offsets do not hold dtype times shape");
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static int cut_short(const struct shard *s, const char *tensor, uint64_t missing, struct error *e)
{
    return error_set(e, ERROR_MODEL,
                     "%s is cut short: it has %zu bytes, %llu fewer than its header says (tensor "
                     "%.200s is the first that lies outside the file); download it again",
                     s->path, s->map.size, (unsigned long long)missing, tensor);
}

/* Tensors lie side by side: any other arrangement is a damaged or a lying header. */
static int check_cover(const struct shard *s, uint64_t data, struct error *e)
{
    const char *outside = NULL;
    uint64_t at = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->entries[i].begin < at)
            return bad(e, s, s->entries[i].name, "data_offsets overlap those of another tensor");
        if (s->entries[i].begin > at)
            return bad(e, s, s->entries[i].name, "data_offsets leave a gap before it");
        at = s->entries[i].end;
        if (at > data && !outside)
            outside = s->entries[i].name;
    }
    if (outside)
        return cut_short(s, outside, at - data, e);
    if (at != data)
        return error_set(e, ERROR_MODEL, "%s: %llu bytes after the last tensor belong to none",
                         s->path, (unsigned long long)(data - at));
    return 0;
}

static int read_entries(struct safetensors *all, struct shard *s, json_t *root, size_t start,
                        struct error *e)
{
    uint64_t data = s->map.size - start;
    const char *name;
    json_t *value;

    s->entries = arena_array(&all->arena, json_object_size(root) + 1, sizeof *s->entries);
    if (!s->entries)
        return error_memory(e);
    json_object_foreach(root, name, value)
    {
        struct entry *entry = &s->entries[s->count];
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (read_entry(s, name, value, entry, e))
            return -1;
        entry->path = s->path;
        entry->name = arena_strdup(&all->arena, name);
        if (!entry->name)
            return error_memory(e);
        s->count++;
    }
    qsort(s->entries, s->count, sizeof *s->entries, by_begin);
    if (check_cover(s, data, e))
        return -1;
    for (size_t i = 0; i < s->count; i++)
        s->entries[i].tensor.data = (void *)(uintptr_t)(s->map.bytes + start + s->entries[i].begin);
    return 0;
}

static int read_shard(struct safetensors *all, struct shard *s, struct error *e)
{
    uint64_t length = 0;
    json_error_t why;
    json_t *root;
    int rc;

    if (s->outline ? outline_open(s->path, &s->map, e) : file_map_open(s->path, &s->map, e))
        return -1;
    if (file_refuse_lfs_pointer(s->path, s->map.bytes, s->map.size, e))
        return -1;
    if (s->map.size < LENGTH_SIZE)
        return error_set(e, ERROR_MODEL, "%s is %zu bytes long: too short for a safetensors file",
                         s->path, s->map.size);
    for (int i = LENGTH_SIZE - 1; i >= 0; i--)
        length = length << 8 | s->map.bytes[i];
    if (length > HEADER_MAX || length > s->map.size - LENGTH_SIZE)
        return error_set(e, ERROR_MODEL,
                         "%s says that its header has %llu bytes, but the file has %zu: it is cut "
                         "short, or no safetensors file",
                         s->path, (unsigned long long)length, s->map.size);
    root = json_loadb((const char *)s->map.bytes + LENGTH_SIZE, (size_t)length,
                      JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return error_set(e, ERROR_MODEL, "%s: its header is not valid JSON: %s", s->path, why.text);
    if (json_is_object(root))
        rc = read_entries(all, s, root, LENGTH_SIZE + (size_t)length, e);
    else
        rc = error_set(e, ERROR_MODEL, "%s: its header is not a JSON object", s->path);
    json_decref(root);
    return rc;
}

/* ---- all shards */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int join_shards(struct safetensors *all, struct error *e)
{
    size_t count = 0;

    for (size_t i = 0; i < all->shard_count; i++)
        count += all->shards[i].count;
    all->entries = arena_array(&all->arena, count + 1, sizeof *all->entries);
    if (!all->entries)
        return error_memory(e);
    for (size_t i = 0; i < all->shard_count; i++) {
        const struct shard *s = &all->shards[i];
        memcpy(all->entries + all->count, s->entries, s->count * sizeof *s->entries);
        all->count += s->count;
    }
    qsort(all->entries, all->count, sizeof *all->entries, by_name);
    for (size_t i = 1; i < all->count; i++)
        if (strcmp(all->entries[i - 1].name, all->entries[i].name) == 0)
            return error_set(e, ERROR_MODEL, "%s: tensor %.200s is in two shards", all->path,
                             all->entries[i].name);
    return 0;
}

static struct shard *shard_named(struct safetensors *all, const char *name)
{
    for (size_t i = 0; i < all->shard_count; i++)
        if (strcmp(all->shards[i].name, name) == 0)
            return &all->shards[i];
    return NULL;
}

/* Opens the shard that the index names, unless it is open already. */
static int need_shard(struct safetensors *all, const char *dir, const char *name, struct error *e)
{
    struct shard *s;

    if (shard_named(all, name))
        return 0;
    if (all->shard_count == SHARDS_MAX)
        return error_set(e, ERROR_MODEL, "%s names more than %d shards", all->path,
                         (int)SHARDS_MAX);
    s = &all->shards[all->shard_count++];
    s->name = arena_strdup(&all->arena, name);
    s->path = path_join(&all->arena, dir, name);
    if (!s->name || !s->path)
        return error_memory(e);
    if (weight_file_check_shard(all->path, name, s->path, e))
        return -1;
    return read_shard(all, s, e) ? error_wrap(e, "%s", all->path) : 0;
}

static int read_map(struct safetensors *all, const char *dir, json_t *map, struct error *e)
{
    const char *tensor;
    json_t *value;

    if (!json_is_object(map) || json_object_size(map) == 0)
        return error_set(e, ERROR_MODEL, "%s has no weight_map", all->path);
    json_object_foreach(map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name)
            return error_set(e, ERROR_MODEL, "%s: the shard of %.200s is not a string", all->path,
                             tensor);
        if (need_shard(all, dir, name, e))
            return -1;
    }
    if (join_shards(all, e))
        return -1;
    json_object_foreach(map, tensor, value) if (!safetensors_find(all, tensor)) return error_set(
        e, ERROR_MODEL, "%s: tensor %.200s is not in the shard %.200s", all->path, tensor,
        json_string_value(value));
    return 0;
}

static int read_index(struct safetensors *all, struct error *e)
{
    const char *slash = strrchr(all->path, '/');
    const char *dir =
        slash ? arena_strndup(&all->arena, all->path, (size_t)(slash - all->path)) : ".";
    json_error_t why;
    json_t *root;
    char *text;
    size_t size;
    int rc;

    all->shards = arena_array(&all->arena, SHARDS_MAX, sizeof *all->shards);
    if (!all->shards || !dir)
        return error_memory(e);
    if (file_read(all->path, INDEX_MAX, &text, &size, e))
        return -1;
    if (file_refuse_lfs_pointer(all->path, text, size, e)) {
        free(text);
        return -1;
    }
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (!root)
        return error_set(e, ERROR_MODEL, "%s:%d: %s", all->path, why.line, why.text);
    rc = read_map(all, dir, json_object_get(root, "weight_map"), e);
    json_decref(root);
    return rc;
}

static int read_single(struct safetensors *all, bool outline, struct error *e)
{
    all->shards = arena_array(&all->arena, 1, sizeof *all->shards);
    if (!all->shards)
        return error_memory(e);
    all->shard_count = 1;
    all->shards->outline = outline;
    all->shards->path = all->shards->name = all->path;
    return read_shard(all, all->shards, e) || join_shards(all, e) ? -1 : 0;
}

/* The weights in a folder, or what tells of them. */
static int find_weights(struct safetensors *s, const char *path, bool *outline, struct error *e)
{
    const char *table = outline_allowed() ? path_join(&s->arena, path, OUTLINE_NAME) : NULL;

    *outline = table && path_exists(table);
    if (!*outline)
        return weight_file_find(path, &s->arena, &s->path, e);
    s->path = table;
    return 0;
}

int safetensors_open(const char *path, struct safetensors **out, struct error *e)
{
    struct safetensors *s = calloc(1, sizeof *s);
    bool outline;

    if (!s)
        return error_memory(e);
    if (find_weights(s, path, &outline, e) ||
        (weight_file_is_index(s->path) ? read_index(s, e) : read_single(s, outline, e))) {
        safetensors_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->shard_count; i++)
        file_map_close(&s->shards[i].map);
    arena_free(&s->arena);
    free(s);
}

const char *safetensors_path(const struct safetensors *s)
{
    return s->path;
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->count;
}

const char *safetensors_name(const struct safetensors *s, size_t i)
{
    return s->entries[i].name;
}

static const struct entry *find(const struct safetensors *s, const char *name)
{
    struct entry key = {.name = name};
    return bsearch(&key, s->entries, s->count, sizeof key, by_name);
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    const struct entry *found = find(s, name);
    return found ? &found->tensor : NULL;
}

const char *safetensors_file(const struct safetensors *s, const char *name)
{
    const struct entry *found = find(s, name);
    return found ? found->path : s->path;
}

int safetensors_get(const struct safetensors *s, const char *name, int rank, const int64_t *shape,
                    const struct tensor **out, struct error *e)
{
    const struct tensor *t = safetensors_find(s, name);
    bool fits;
    char has[96];

    if (!t)
        return error_set(e, ERROR_MODEL, "%s: tensor %s is missing", s->path, name);
    fits = t->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = shape[i] == -1 || t->shape[i] == shape[i];
    if (!fits) {
        struct tensor want = {.rank = rank};
        char wants[96];
        memcpy(want.shape, shape, (size_t)rank * sizeof *shape);
        return error_set(e, ERROR_MODEL, "%s: tensor %s has the shape %s, the model's config %s",
                         safetensors_file(s, name), name, tensor_shape_text(t, has, sizeof has),
                         tensor_shape_text(&want, wants, sizeof wants));
    }
    if (!dtype_is_float(t->dtype))
        return error_set(e, ERROR_MODEL, "%s: tensor %s holds %s, not floats",
                         safetensors_file(s, name), name, dtype_name(t->dtype));
    *out = t;
    return 0;
}
