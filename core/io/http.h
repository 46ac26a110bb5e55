/* HTTPS to the outside (IoT Hub's and DPS's REST, the sandbox): libcurl's multi interface on the
 * loop. The only file with curl in it. For HTTP over a unix socket or an SSH channel there is
 * http_client.h. Loop thread only. */
#ifndef BERTH_IO_HTTP_H
#define BERTH_IO_HTTP_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct http;       /* shared connections and TLS sessions */
struct http_fetch; /* one request under way */

struct http_options {
    const char *method; /* "GET", "PUT", ... */
    const char *url;    /* "https://host[:port]/path?query"; http:// is refused unless `plain` */
    const char *const *headers; /* NULL, or "Name: value" lines with a NULL behind; they may hold
                                   secrets and are never logged */
    const void *body;           /* NULL: none */
    size_t body_len;
    const char *ca_file;    /* trusted besides the system's store; NULL: none */
    const char *connect_to; /* "host:port": connect there whatever the URL says (TLS still checks
                               the URL's host); NULL: as the URL says */
    const char
        *proxy; /* "http://[user:password@]host:port"; NULL: none, the environment is not asked */
    uint64_t timeout_ms; /* for all of it; 0: 30 s */
    size_t body_max;     /* a longer answer is ERR_PROTOCOL; 0: 1 MiB */
    bool plain;          /* http:// is wanted (tests, proxies) */
    const char *header;  /* of an answer that has this header, ON_HEADER gets the value, just
                            before DONE and with its ARG; NULL: none */
    void (*on_header)(void *arg, const char *value);
};

struct http *http_new(uv_loop_t *loop);
/* Cancels what is under way (no callbacks). Handles on the loop close in its next turns. NULL is
 * fine. */
void http_free(struct http *h);

/* The end, once, never from inside http_fetch_start: ERR is NULL when an answer came, whatever its
 * status. Kinds: ERR_UNREACHABLE (name, connection), ERR_TIMEOUT, ERR_AUTH (the server's
 * certificate is not trusted), ERR_PROTOCOL. The fetch is freed after this returns. */
typedef void (*http_fetch_fn)(void *arg, int status, const struct buf *body, const struct err *err);

/* Everything in OPTIONS is copied. Redirects are not followed. */
struct http_fetch *http_fetch_start(struct http *h, const struct http_options *options,
                                    http_fetch_fn done, void *arg);

#endif
