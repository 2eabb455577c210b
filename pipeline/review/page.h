/* index.html of a production: one file that opens from disk, and the same page as `watch` serves
 * it. Its parts are page.html, page.css and *.js beside this, embedded in the program. */
#ifndef AUTEUR_PIPELINE_REVIEW_PAGE_H
#define AUTEUR_PIPELINE_REVIEW_PAGE_H

#include "pipeline/review/review.h"

/* The page around `data`; the caller frees it. `nonce` stands in its scripts and styles, for a
 * Content-Security-Policy; "" for none. */
char *page_html(const char *title, const json_t *data, const char *nonce, struct error *e);

/* Writes PRODUCTION/index.html from what the journal, which is open, says now; nothing where it
 * says that already. Atomic. workspace_plan() was called before; no run goes on any more. */
int page_write(const struct workspace *w, struct error *e);

/* A plan of now and of all shots, whichever the request was for: what review_gather() takes. */
int page_plan(const struct workspace *w, struct plan *plan, struct error *e);

#endif
