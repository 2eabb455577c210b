#include "prompts/tokenizer_config.h"

#include "kernels/base/file.h"
#include "kernels/base/json.h"

int tokenizer_config_open(struct tokenizer_config *c, struct arena *a, const char *dir,
                          struct error *e)
{
    const char *map = path_join(a, dir, "special_tokens_map.json");
    c->path = path_join(a, dir, "tokenizer_config.json");
    if (!c->path || !map)
        return error_memory(e);
    if (json_read(c->path, &c->root, e) != 0)
        return -1;
    return path_exists(map) ? json_read(map, &c->map, e) : 0;
}

void tokenizer_config_close(struct tokenizer_config *c)
{
    json_decref(c->root);
    json_decref(c->map);
}

static const char *token_in(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

const char *tokenizer_config_token(const struct tokenizer_config *c, const char *name,
                                   const char *otherwise)
{
    const char *token = token_in(c->root, name);
    if (!token)
        token = token_in(c->map, name);
    return token ? token : otherwise;
}
