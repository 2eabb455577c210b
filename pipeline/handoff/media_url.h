/* Where a medium lies, as timelines say it. */
#ifndef AUTEUR_PIPELINE_HANDOFF_MEDIA_URL_H
#define AUTEUR_PIPELINE_HANDOFF_MEDIA_URL_H

#include "kernels/base/strbuf.h"
#include "pipeline/handoff/timeline.h"

/* "shots/a/a_v001.mov" for what lies in the production, "file:///..." for what does not: percent
 * signs as RFC 3986 wants them. The caller frees it; NULL when out of memory. */
char *media_url(const struct timeline *t, const struct medium *m);
/* The same, always from the root: "file:///...", with `host` between the second and third slash. */
char *media_url_absolute(const struct timeline *t, const struct medium *m, const char *host);

/* Any path, so encoded. */
void media_url_add(struct strbuf *b, const char *path);

#endif
