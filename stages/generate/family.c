#include "stages/generate/family.h"

#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/base/strbuf.h"
#include "stages/models/layout.h"

const struct family *const families_all[] = {&family_wan,  &family_hunyuan_video, &family_cogvideox,
                                             &family_sdxl, &family_svd,           NULL};

enum dtype family_model_dtype(const struct family *family, const struct device_options *asked)
{
    if (asked->f32)
        return DTYPE_F32;
    return asked->activations == DTYPE_F32 ? family->gpu.model : asked->activations;
}

static const struct family *family_of_class(const char *class)
{
    for (const struct family *const *f = families_all; *f; f++)
        for (const char *const *p = (*f)->pipelines; *p; p++)
            if (strcmp(*p, class) == 0)
                return *f;
    return NULL;
}

static int unknown_class(const char *path, const char *class, struct error *e)
{
    struct strbuf known = {0};
    for (const struct family *const *f = families_all; *f; f++)
        for (const char *const *p = (*f)->pipelines; *p; p++)
            strbuf_addf(&known, "%s%s", known.length ? ", " : "", *p);
    error_set(e, ERROR_MODEL, "%s: _class_name is %.80s; this version runs %s", path, class,
              known.text && !known.failed ? known.text : "others");
    strbuf_free(&known);
    return -1;
}

static int no_index(const char *dir, struct arena *a, struct error *e)
{
    const char *known = layout_explain(dir, a);
    return error_set(e, ERROR_MODEL, "%s is %s", dir,
                     known ? known : "no checkpoint: it has no model_index.json");
}

int family_of_checkpoint(const char *dir, const struct family **out, struct error *e)
{
    struct arena a = {0};
    json_t *root = NULL;
    const char *class = NULL, *path = path_join(&a, dir, "model_index.json");
    int rc = path ? 0 : error_memory(e);
    if (rc == 0 && !path_exists(path))
        rc = no_index(dir, &a, e);
    if (rc == 0)
        rc = json_read(path, &root, e);
    if (rc == 0)
        rc = json_get_string(root, path, "_class_name", &class, e);
    if (rc == 0) {
        *out = family_of_class(class);
        rc = *out ? 0 : unknown_class(path, class, e);
    }
    json_decref(root);
    arena_free(&a);
    return rc;
}
