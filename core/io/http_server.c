/* See http_server.h. The parser stops at the end of each request and goes on after the answer; what
 * a client pipelined meanwhile waits in its connection, bounded there. A request that breaks a rule
 * is answered and ends its connection: where the next one would begin is then a guess, and guessing
 * is how requests are smuggled. */
#include "core/io/http_server_private.h"

#include "core/base/mem.h"

#include <string.h>

#define REPLY_MAX    (8U << 20)
#define PIPELINE_MAX 65536
#define STALL_MS     30000
#define HANDSHAKE_MS 10000

static void clear(struct http_exchange *x)
{
    buf_wipe(&x->text); /* tokens travel in headers */
    buf_wipe(&x->body);
    buf_done(&x->reply_headers);
    x->dated = false;
    x->n_headers = 0;
    x->query = 0;
    x->begun = false;
    x->in_text = false;
    x->refuse = 0;
    x->handling = false;
    x->streaming = false;
    x->chunked = false;
    x->on_close = NULL;
    x->on_drain = NULL;
}

static void exchange_free(struct http_exchange *x)
{
    clear(x);
    free(x);
}

struct net_conn *http_exchange_detach(struct http_exchange *x)
{
    struct net_conn *conn = x->conn;

    x->conn = NULL;
    if (!x->in_handler)
        exchange_free(x);
    return conn;
}

void http_exchange_finish(struct http_exchange *x)
{
    if (!x->keep || x->eof) {
        net_conn_close(http_exchange_detach(x));
        return;
    }
    clear(x);
    llhttp_resume(&x->parser);
    net_conn_deadline(x->conn, x->server->limits.idle_ms);
    if (!x->in_handler)
        net_conn_resume(x->conn);
}

/* An answer to what is not a whole request; the connection ends with it. */
static void refuse(struct http_exchange *x, int status)
{
    x->handling = true;
    x->keep = false;
    http_reply_message(x, status, "%s",
                       status == 413   ? "the request is too large"
                       : status == 431 ? "the request headers are too large"
                       : status == 408 ? "the request did not arrive in time"
                       : status == 417 ? "this expectation cannot be met"
                                       : "malformed request");
}

/* The parser stands behind a whole request. */
static void handle(struct http_exchange *x)
{
    char *query = x->text.len > 0 ? strchr(x->text.data, '?') : NULL;

    if (query) {
        *query = '\0';
        x->query = (size_t)(query - x->text.data) + 1;
    }
    x->handling = true;
    x->keep = llhttp_should_keep_alive(&x->parser) && !x->parser.upgrade;
    net_conn_deadline(x->conn, 0);
    x->server->handler(x, x->server->arg);
}

static size_t on_data(void *arg, const char *data, size_t len)
{
    struct http_exchange *x = arg;
    size_t used = 0;

    x->in_handler = true;
    /* What was answered and not taken yet bounds what is asked in one go; on_drain goes on. */
    while (x->conn && !x->handling && used < len && net_conn_pending(x->conn) <= HTTP_REPLY_HIGH) {
        if (!x->begun) {
            x->begun = true;
            net_conn_deadline(x->conn, x->server->limits.request_ms);
        }

        llhttp_errno_t status = llhttp_execute(&x->parser, data + used, len - used);

        if (status == HPE_OK) {
            used = len;
        } else if (status == HPE_PAUSED || status == HPE_PAUSED_UPGRADE) {
            used = (size_t)(llhttp_get_error_pos(&x->parser) - data);
            handle(x);
        } else {
            used = len;
            refuse(x, x->refuse ? x->refuse : 400);
        }
    }
    x->in_handler = false;
    if (!x->conn)
        exchange_free(x);
    return used;
}

static void *on_open(struct net_conn *c, void *arg)
{
    struct http_server *s = arg;
    struct http_exchange *x = xcalloc(1, sizeof(*x));

    x->server = s;
    x->conn = c;
    llhttp_init(&x->parser, HTTP_REQUEST, &http_exchange_parser);
    x->parser.data = x;
    net_conn_deadline(c, s->limits.idle_ms);
    return x;
}

static void gone(struct http_exchange *x)
{
    void (*fn)(void *) = x->on_close;
    void *arg = x->on_close_arg;

    x->conn = NULL;
    if (x->handling && fn)
        fn(arg);
    exchange_free(x);
}

/* A client that half-closes still gets the answer it waits for, but a stream would never end. */
static void on_eof(void *arg)
{
    struct http_exchange *x = arg;
    struct net_conn *c = x->conn;

    x->eof = true;
    if (x->handling && !x->streaming)
        return;
    gone(x);
    net_conn_close(c);
}

static void on_drain(void *arg)
{
    struct http_exchange *x = arg;

    if (x->streaming && x->on_drain)
        x->on_drain(x->on_drain_arg);
    else if (!x->handling)
        net_conn_resume(x->conn);
}

static void on_deadline(void *arg)
{
    struct http_exchange *x = arg;
    struct net_conn *c = x->conn;

    if (x->handling)
        return;
    if (x->begun) {
        refuse(x, 408);
    } else {
        gone(x);
        net_conn_close(c);
    }
}

static void on_closed(void *arg)
{
    gone(arg);
}

static bool before_flush(void *arg)
{
    struct http_server *s = arg;

    return !s->before_send || s->before_send(s->before_send_arg);
}

static const struct net_server_events events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_deadline = on_deadline,
    .on_close = on_closed,
    .before_flush = before_flush,
};

struct http_server *http_server_new(uv_loop_t *loop, const struct http_limits *limits,
                                    http_handler_fn handler, void *arg)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    struct http_limits l = limits ? *limits : (struct http_limits){0};

    s->limits = (struct http_limits){
        .header_max = l.header_max ? l.header_max : 16384,
        .body_max = l.body_max ? l.body_max : 1U << 20,
        .request_ms = l.request_ms ? l.request_ms : 10000,
        .idle_ms = l.idle_ms ? l.idle_ms : 60000,
        .message_ms = l.message_ms ? l.message_ms : 60000,
        .connections_max = l.connections_max ? l.connections_max : 256,
    };
    s->handler = handler;
    s->arg = arg;
    s->server = net_server_new(loop,
                               &(struct net_server_limits){
                                   .connections_max = s->limits.connections_max,
                                   .in_max = PIPELINE_MAX,
                                   .out_high = HTTP_REPLY_HIGH,
                                   .out_max = REPLY_MAX,
                                   .handshake_ms = HANDSHAKE_MS,
                                   .stall_ms = STALL_MS,
                                   .message_ms = s->limits.message_ms,
                               },
                               &events, s);
    return s;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    net_server_free(s->server);
    free(s);
}

int http_server_listen_unix(struct http_server *s, const char *path, mode_t mode, uid_t uid,
                            gid_t gid, struct err *err)
{
    return net_server_listen_unix(s->server, path, mode, uid, gid, err);
}

int http_server_listen_tls(struct http_server *s, const char *address, uint16_t port,
                           struct tls_server *tls, struct err *err)
{
    return net_server_listen_tls(s->server, address, port, tls, err);
}

int http_server_listen_tcp(struct http_server *s, const char *address, uint16_t port,
                           struct err *err)
{
    return net_server_listen_tcp(s->server, address, port, err);
}

void http_server_set_free_bind(struct http_server *s)
{
    net_server_set_free_bind(s->server);
}

void http_server_set_tls(struct http_server *s, struct tls_server *tls)
{
    net_server_set_tls(s->server, tls);
}

void http_server_before_send(struct http_server *s, bool (*fn)(void *arg), void *arg)
{
    s->before_send = fn;
    s->before_send_arg = arg;
}
