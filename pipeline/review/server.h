/* Serves the review page of a production over HTTP: the page (/), its data (/state.json) and the
 * files that it refers to, of those alone and only where they lie in the production; ranges of
 * bytes, so that films can be sought in. GET and HEAD.
 *
 * On loopback who asks by another name than localhost's is refused, for a page elsewhere may give
 * this machine a name of its own (DNS rebinding). On any other address a token is demanded of every
 * request: in the query or, once that was right, in the cookie that was then set.
 */
#ifndef AUTEUR_PIPELINE_REVIEW_SERVER_H
#define AUTEUR_PIPELINE_REVIEW_SERVER_H

#include "kernels/base/error.h"
#include "pipeline/review/live.h"

struct server;

/* Answers in a thread of its own, which alone uses `live` from now on. `address`: "" for loopback,
 * else an IPv4 or IPv6 address of this machine, "0.0.0.0" and "::" for all. `port` 0: one that is
 * free, the same as last time where that can be. `dir`: the production's folder. */
int server_start(struct live *live, const char *dir, const char *address, int port,
                 struct server **out, struct error *e);
/* Waits for answers that are being written. NULL-safe. */
void server_stop(struct server *s);

/* Where the page is, with the token. */
const char *server_url(const struct server *s);

#endif
