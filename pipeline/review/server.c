#include "pipeline/review/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "pipeline/review/page.h"
#include "pipeline/review/server_file.h"

enum {
    /* Tried first where none is asked for, so that a browser finds its notes again: it keeps them
     * by address and port. */
    USUAL_PORT = 7780,
    TOKEN_BYTES = 16,
    TOKEN_SIZE = 2 * TOKEN_BYTES + 1,
    IDLE_SECONDS = 60
};

struct server {
    struct live *live;
    struct MHD_Daemon *daemon;
    char *root;             /* the production's folder, without links */
    char token[TOKEN_SIZE]; /* "": on loopback */
    char cookie[32];        /* its name: ports of a host share cookies */
    char url[400];
};

static int random_hex(char out[TOKEN_SIZE], struct error *e)
{
    unsigned char bytes[TOKEN_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_set(e, ERROR_IO, "the system gives no random numbers");
    for (int i = 0; i < TOKEN_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* ---- who may ask */

/* In the same time wherever they differ. */
static bool same_token(const char *given, const char *token)
{
    unsigned char differs = 0;

    if (!given || strlen(given) != TOKEN_SIZE - 1)
        return false;
    for (int i = 0; i < TOKEN_SIZE - 1; i++)
        differs |= (unsigned char)(given[i] ^ token[i]);
    return differs == 0;
}

static bool names_loopback(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);

        if (strncasecmp(host, names[i], n) == 0 &&
            (host[n] == '\0' ||
             (host[n] == ':' && host[n + 1 + strspn(host + n + 1, "0123456789")] == '\0')))
            return true;
    }
    return false;
}

/* *fresh: by the query, so that the cookie is to be set. */
static bool may_ask(const struct server *s, struct MHD_Connection *c, bool *fresh)
{
    *fresh = false;
    if (!s->token[0])
        return names_loopback(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host"));
    *fresh = same_token(MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "token"), s->token);
    return *fresh ||
           same_token(MHD_lookup_connection_value(c, MHD_COOKIE_KIND, s->cookie), s->token);
}

/* ---- answers */

static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
    MHD_add_response_header(r, name, value);
}

static enum MHD_Result send_off(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
    enum MHD_Result rc;

    if (!r)
        return MHD_NO;
    add_header(r, "X-Content-Type-Options", "nosniff");
    add_header(r, "Referrer-Policy", "no-referrer");
    add_header(r, "Cross-Origin-Resource-Policy", "same-origin");
    rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *why)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(why), (void *)(uintptr_t)why, MHD_RESPMEM_MUST_COPY);

    if (r)
        add_header(r, "Content-Type", "text/plain; charset=utf-8");
    if (r && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        add_header(r, "Allow", "GET, HEAD");
    return send_off(c, status, r);
}

static enum MHD_Result send_page(const struct server *s, struct MHD_Connection *c, bool fresh)
{
    struct error e = {0};
    char nonce[TOKEN_SIZE], policy[400], cookie[160];
    struct MHD_Response *r;
    char *html = random_hex(nonce, &e) == 0
                     ? page_html(live_board(s->live), live_data(s->live), nonce, &e)
                     : NULL;

    if (!html)
        return refuse(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "the page could not be made\n");
    r = MHD_create_response_from_buffer(strlen(html), html, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        free(html);
        return MHD_NO;
    }
    snprintf(policy, sizeof policy,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src 'self' "
             "data:; media-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
             "frame-ancestors 'none'",
             nonce, nonce);
    add_header(r, "Content-Security-Policy", policy);
    add_header(r, "Content-Type", "text/html; charset=utf-8");
    add_header(r, "Cache-Control", "no-store");
    if (fresh) {
        snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict", s->cookie,
                 s->token);
        add_header(r, "Set-Cookie", cookie);
    }
    return send_off(c, MHD_HTTP_OK, r);
}

static enum MHD_Result send_state(const struct server *s, struct MHD_Connection *c)
{
    const char *known = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
    char hex[HASH_HEX_SIZE], tag[HASH_HEX_SIZE + 2];
    struct hash128 hash;
    size_t size;
    const char *text = live_text(s->live, &size, &hash);
    bool same;
    struct MHD_Response *r;

    hash_hex(hash, hex);
    snprintf(tag, sizeof tag, "\"%s\"", hex);
    same = known && strcmp(known, tag) == 0;
    r = MHD_create_response_from_buffer(same ? 0 : size, (void *)(uintptr_t)text,
                                        MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    add_header(r, "Content-Type", "application/json");
    add_header(r, "Cache-Control", "no-cache");
    add_header(r, "ETag", tag);
    return send_off(c, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, r);
}

static enum MHD_Result send_file(const struct server *s, struct MHD_Connection *c, const char *path)
{
    struct server_file f;
    unsigned status = server_file_open(
        &f, s->root, path, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range"),
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-Range"),
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match"));
    struct MHD_Response *r;

    if (status == MHD_HTTP_NOT_FOUND)
        return refuse(c, status, "there is no such file\n");
    r = f.fd >= 0 ? MHD_create_response_from_fd_at_offset64((size_t)f.count, f.fd, f.first)
                  : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!r) {
        if (f.fd >= 0)
            close(f.fd);
        return MHD_NO;
    }
    add_header(r, "Content-Type", f.type);
    add_header(r, "Accept-Ranges", "bytes");
    add_header(r, "ETag", f.tag);
    add_header(r, "Cache-Control", "no-cache");
    if (f.range[0])
        add_header(r, "Content-Range", f.range);
    return send_off(c, status, r);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    static int begun;
    const struct server *s = ctx;
    bool fresh;

    (void)version, (void)upload;
    if (!*state) { /* the headers are there; the answer comes with the next call */
        *state = &begun;
        return MHD_YES;
    }
    *upload_size = 0;
    if (!may_ask(s, c, &fresh))
        return refuse(c, MHD_HTTP_FORBIDDEN,
                      s->token[0] ? "this page is opened with the address that auteur-pipe watch "
                                    "printed, token and all\n"
                                  : "this page is served to this machine alone, as localhost\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    live_look(s->live);
    if (strcmp(url, "/") == 0 || strcmp(url, "/index.html") == 0)
        return send_page(s, c, fresh);
    if (strcmp(url, "/state.json") == 0)
        return send_state(s, c);
    if (url[0] == '/' && live_has_file(s->live, url + 1))
        return send_file(s, c, url + 1);
    return refuse(c, MHD_HTTP_NOT_FOUND, "there is no such page\n");
}

/* ---- beginning and end */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse_address(const char *text, union address *out, struct error *e)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text[0] ? text : "127.0.0.1", &out->v4.sin_addr) == 1)
        out->v4.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1)
        out->v6.sin6_family = AF_INET6;
    else
        return error_set(e, ERROR_USAGE,
                         "--listen takes an address of this machine, such as 192.168.1.20, or "
                         "0.0.0.0 for all of them, not '%s'",
                         text);
    return 0;
}

static struct MHD_Daemon *listen_at(struct server *s, union address *a, int port)
{
    bool six = a->any.sa_family == AF_INET6;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | (six ? MHD_USE_IPv6 : 0);

    if (six)
        a->v6.sin6_port = htons((uint16_t)port);
    else
        a->v4.sin_port = htons((uint16_t)port);
    return MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, answer, s, MHD_OPTION_SOCK_ADDR,
                            &a->any, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                            MHD_OPTION_END);
}

static void name_url(struct server *s, const char *address, int port)
{
    const char *host = address[0] ? address : "127.0.0.1";
    char own[128] = "";

    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        if (gethostname(own, sizeof own - 1) != 0 || !own[0])
            snprintf(own, sizeof own, "localhost");
        host = own;
    }
    snprintf(s->url, sizeof s->url, strchr(host, ':') ? "http://[%s]:%d/%s%s" : "http://%s:%d/%s%s",
             host, port, s->token[0] ? "?token=" : "", s->token);
    snprintf(s->cookie, sizeof s->cookie, "auteur_watch_%d", port);
}

static int begin(struct server *s, const char *address, int port, struct error *e)
{
    const union MHD_DaemonInfo *info;
    union address a;

    if (parse_address(address, &a, e) != 0 || (address[0] && random_hex(s->token, e) != 0))
        return -1;
    errno = 0;
    s->daemon = listen_at(s, &a, port ? port : USUAL_PORT);
    if (!s->daemon && !port)
        s->daemon = listen_at(s, &a, 0);
    if (!s->daemon)
        return error_set(e, ERROR_IO, "cannot listen at %s port %d: %s; choose another --port",
                         address[0] ? address : "127.0.0.1", port,
                         errno ? strerror(errno) : "it is taken");
    info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    name_url(s, address, info ? info->port : port);
    return 0;
}

int server_start(struct live *live, const char *dir, const char *address, int port,
                 struct server **out, struct error *e)
{
    struct server *s = calloc(1, sizeof *s);

    if (!s)
        return error_memory(e);
    s->live = live;
    s->root = realpath(dir, NULL);
    if (!s->root)
        error_errno(e, errno, "find", dir);
    else if (begin(s, address, port, e) == 0) {
        *out = s;
        return 0;
    }
    server_stop(s);
    return -1;
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    free(s->root);
    free(s);
}

const char *server_url(const struct server *s)
{
    return s->url;
}
