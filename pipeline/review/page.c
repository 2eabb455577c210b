#include "pipeline/review/page.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "pipeline/review/page_source.h"

static void add_escaped(struct strbuf *b, const char *text)
{
    for (; *text; text++) {
        const char *as = *text == '&'   ? "&amp;"
                         : *text == '<' ? "&lt;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
        if (as)
            strbuf_add(b, as);
        else
            strbuf_addn(b, text, 1);
    }
}

/* JSON within a script element: nothing in it may end the element, so no '<' stands in it. */
static void add_data(struct strbuf *b, const char *json)
{
    for (const char *cut; (cut = strchr(json, '<')); json = cut + 1) {
        strbuf_addn(b, json, (size_t)(cut - json));
        strbuf_add(b, "\\u003c");
    }
    strbuf_add(b, json);
}

static void add_field(struct strbuf *b, const char *name, size_t n, const char *title,
                      const char *json, const char *nonce)
{
    if (strncmp(name, "title", n) == 0)
        add_escaped(b, title);
    else if (strncmp(name, "css", n) == 0)
        strbuf_add(b, page_source_css);
    else if (strncmp(name, "js", n) == 0)
        strbuf_add(b, page_source_js);
    else if (strncmp(name, "data", n) == 0)
        add_data(b, json);
    else if (strncmp(name, "nonce", n) == 0)
        strbuf_add(b, nonce);
}

/* page.html has its fields in double braces. */
char *page_html(const char *title, const json_t *data, const char *nonce, struct error *e)
{
    char *json = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12)), *text;
    const char *at = page_source_html, *open, *close;
    struct strbuf b = {0};

    while (json && (open = strstr(at, "{{")) && (close = strstr(open, "}}"))) {
        strbuf_addn(&b, at, (size_t)(open - at));
        add_field(&b, open + 2, (size_t)(close - open - 2), title, json, nonce);
        at = close + 2;
    }
    strbuf_add(&b, at);
    text = json ? strbuf_take(&b) : NULL;
    strbuf_free(&b);
    free(json);
    if (!text)
        error_memory(e);
    return text;
}

int page_plan(const struct workspace *w, struct plan *plan, struct error *e)
{
    struct plan_setup setup = w->setup;

    setup.only = "";
    return plan_make(plan, &setup, e);
}

static int write_page(const struct review *r, struct error *e)
{
    struct arena arena = {0};
    const char *path = path_join(&arena, r->production->dir, "index.html");
    json_t *data = review_json(r);
    char *text = NULL;
    int rc = -1;

    if (!path || !data)
        error_memory(e);
    else
        text = page_html(r->board->name, data, "", e);
    if (text)
        rc = file_update(path, text, strlen(text), e);
    free(text);
    json_decref(data);
    arena_free(&arena);
    return rc;
}

int page_write(const struct workspace *w, struct error *e)
{
    struct plan plan = {0};
    struct review review = {0};
    int rc = -1;

    if (page_plan(w, &plan, e) == 0 && review_gather(&review, w, &plan, false, e) == 0)
        rc = write_page(&review, e);
    review_free(&review);
    plan_free(&plan);
    return rc;
}
