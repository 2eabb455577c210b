#include "prompts/encoder.h"

#include <string.h>

int encoder_activation(const struct config *c, const char *key, const char *name,
                       enum activation *out, struct error *e)
{
    static const struct {
        const char *name;
        enum activation act;
    } known[] = {
        {"gelu", ACT_GELU},
        {"gelu_new", ACT_GELU_TANH},
        {"gelu_pytorch_tanh", ACT_GELU_TANH},
        {"quick_gelu", ACT_QUICK_GELU},
        {"relu", ACT_RELU},
        {"silu", ACT_SILU},
        {"swish", ACT_SILU},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].act;
            return 0;
        }
    return error_set(e, ERROR_MODEL,
                     "%s: %s is %.100s: only gelu, gelu_new, quick_gelu, relu and silu are "
                     "supported",
                     c->path, key, name);
}

struct tensor encoder_heads(struct tensor rows, int64_t from, int heads, int dim)
{
    struct tensor t = tensor_slice(rows, 1, from, (int64_t)heads * dim);

    t.rank = 3;
    t.shape[1] = heads;
    t.stride[1] = dim;
    t.shape[2] = dim;
    t.stride[2] = 1;
    return t;
}

void encoder_embed(struct device *d, struct tensor *out, const struct tensor *table,
                   const int32_t *ids, int count)
{
    struct tensor list = tensor_of(DTYPE_I32, (int32_t *)ids, 1, (int64_t[]){count});

    op_embed(d, out, table, &list);
}
