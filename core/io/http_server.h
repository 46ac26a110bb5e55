/* HTTP/1.1 as a server, once for all: on unix sockets (management API), over TLS (the sandbox's
 * REST, and the way to MQTT over WebSocket) and in the clear (metrics). llhttp parses, libuv moves
 * the bytes. One request at a time per connection, one deadline for a whole request, raw paths
 * kept, every size bounded. Loop thread only. */
#ifndef BERTH_IO_HTTP_SERVER_H
#define BERTH_IO_HTTP_SERVER_H

#include "core/base/err.h"
#include "core/io/net_server.h"
#include "core/io/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct http_server;
struct http_exchange; /* a request and the answer to it */

struct http_limits {
    size_t header_max;        /* 0: 16 KiB */
    size_t body_max;          /* 0: 1 MiB; larger is answered 413 */
    uint64_t request_ms;      /* 0: 10 s for headers and body together, then 408 */
    uint64_t idle_ms;         /* 0: 60 s between requests */
    uint64_t message_ms;      /* 0: 60 s for one message of a WebSocket */
    unsigned connections_max; /* 0: 256; beyond it a connection is closed without an answer */
};

/* Called when a whole request is there. The handler answers now or later; until then X stays valid,
 * except that it is gone after on_close. */
typedef void (*http_handler_fn)(struct http_exchange *x, void *arg);

struct http_server *http_server_new(uv_loop_t *loop, const struct http_limits *limits,
                                    http_handler_fn handler, void *arg);
void http_server_free(
    struct http_server *s); /* closes listeners and connections; open exchanges get on_close */

/* Takes over the path (a stale socket is replaced), sets owner and mode before anyone can connect.
 * uid/gid -1: leave. */
int http_server_listen_unix(struct http_server *s, const char *path, mode_t mode, uid_t uid,
                            gid_t gid, struct err *err);

/* The same over TLS on a numeric address; TLS is borrowed and outlives S. ERR_EXISTS where the port
 * is taken. */
int http_server_listen_tls(struct http_server *s, const char *address, uint16_t port,
                           struct tls_server *tls, struct err *err);
/* As net_server_listen_tcp() and net_server_set_free_bind(). */
int http_server_listen_tcp(struct http_server *s, const char *address, uint16_t port,
                           struct err *err);
void http_server_set_free_bind(struct http_server *s);
/* New connections use another certificate from now on. */
void http_server_set_tls(struct http_server *s, struct tls_server *tls);
/* FN runs at the end of each turn of the loop in which answers were made, before they are sent: a
 * place to make durable what they promise. Where it returns false they are not sent and their
 * connections break. */
void http_server_before_send(struct http_server *s, bool (*fn)(void *arg), void *arg);

/* The request. All borrowed until the exchange ends. */
const char *http_exchange_method(const struct http_exchange *x);
const char *http_exchange_path(const struct http_exchange *x); /* raw, without the query */
/* Decodes query parameter NAME into TO; false where it is absent, malformed or too long. */
bool http_exchange_query(const struct http_exchange *x, const char *name, char *to, size_t size);
const char *http_exchange_header(const struct http_exchange *x,
                                 const char *name); /* case-insensitive; NULL where absent */
const char *http_exchange_body(const struct http_exchange *x, size_t *ret_len);
const char *http_exchange_peer(
    const struct http_exchange *x); /* "127.0.0.1:40112" or "unix", for the log */
pid_t http_exchange_peer_pid(const struct http_exchange *x); /* 0 unless a unix socket */
/* Called when the peer is gone before the answer was complete; X is invalid after it returns. Not
 * called after http_reply or http_reply_end. */
void http_exchange_on_close(struct http_exchange *x, void (*fn)(void *arg), void *arg);

const struct tls *http_exchange_tls(const struct http_exchange *x); /* NULL without TLS */

/* Whether the request asks for a WebSocket (RFC 6455). */
bool http_exchange_wants_websocket(const struct http_exchange *x);
/* Makes X's connection a WebSocket of sub-protocol PROTOCOL and answers 101. From then on the
 * connection belongs to what EVENTS' on_open returns: it reads the payload of binary messages as
 * one stream of bytes, and each turn's output goes out as one binary message. Pings, closes and
 * what breaks the protocol are dealt with below. X is gone. ERR_INVALID: the request is not one for
 * PROTOCOL; X is still to be answered. */
int http_exchange_websocket(struct http_exchange *x, const char *protocol,
                            const struct net_server_events *events, void *arg, struct err *err);

/* The whole answer. STATUS 204 has no body. X is gone after this. */
void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body,
                size_t len);
/* {"message": TEXT} as the management API answers errors. */
void http_reply_message(struct http_exchange *x, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Add a header to the coming answer (copied). */
void http_reply_header(struct http_exchange *x, const char *name, const char *value);
/* A streamed answer (chunked): start, any number of chunks, end. http_reply_chunk returns false
 * when more than 1 MiB waits for a slow reader: pause the source until on_drain. */
void http_reply_start(struct http_exchange *x, int status, const char *content_type,
                      void (*on_drain)(void *arg), void *arg);
bool http_reply_chunk(struct http_exchange *x, const void *data, size_t len);
void http_reply_end(struct http_exchange *x);

#endif
