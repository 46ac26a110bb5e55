/* One connection of a server: reading, TLS, delivery to its owner, and output that is gathered,
 * bounded and watched. See net_server.h. */
#include "core/io/net_conn.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define LINGER_MS    2000       /* for the peer to read the last answer before the socket goes */
#define LINGER_BYTES (1U << 20) /* what it may still send meanwhile */
#define STALL_BYTES  16384      /* a peer that takes less than this in stall_ms is gone */
#define KEEP_BYTES   2048       /* an empty buffer up to this size is kept */
#define KEEPALIVE_S  60

static void start_reading(struct net_conn *c);

static void trim(struct buf *b)
{
    if (b->len == 0 && b->cap > KEEP_BYTES)
        buf_done(b);
}

size_t net_conn_pending(const struct net_conn *c)
{
    return c->out.len + c->wire.len + c->flying.len;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct net_conn *c = handle->data;

    if (--c->handles_open > 0)
        return;
    tls_free(c->tls);
    buf_wipe(&c->in);
    buf_wipe(&c->out);
    buf_done(&c->wire);
    buf_done(&c->flying);
    net_server_conn_gone(c);
}

void net_conn_destroy(struct net_conn *c, bool event)
{
    bool tell = event && c->state == NET_CONN_OPEN && c->x;

    if (c->state == NET_CONN_CLOSED)
        return;
    c->state = NET_CONN_CLOSED;
    net_server_turn_remove(c);
    if (tell)
        c->owner->events->on_close(c->x);
    c->x = NULL;
    uv_close(&c->uv.handle, on_handle_closed);
    uv_close((uv_handle_t *)&c->deadline, on_handle_closed);
    uv_close((uv_handle_t *)&c->guard, on_handle_closed);
}

/* Reads while somebody has use for it: not from a peer that does not read us, not more than its
 * owner can take. */
static void update_reading(struct net_conn *c)
{
    const struct net_server_limits *limits = &c->server->limits;
    bool want = !c->eof && (c->state != NET_CONN_OPEN || (c->in.len < limits->in_max &&
                                                          net_conn_pending(c) <= limits->out_high));

    if (c->state == NET_CONN_CLOSED || want == c->reading)
        return;
    c->reading = want;
    if (want)
        start_reading(c);
    else
        (void)uv_read_stop(&c->uv.stream);
}

/* Offers all waiting input to the owner. */
static void deliver(struct net_conn *c)
{
    size_t used;

    if (c->state != NET_CONN_OPEN || c->in.len == 0)
        return;
    used = c->owner->events->on_data(c->x, c->in.data, c->in.len);
    if (c->state != NET_CONN_OPEN)
        return;
    buf_consume(&c->in, used);
    trim(&c->in);
}

void net_conn_redeliver(struct net_conn *c)
{
    c->redeliver = false;
    deliver(c);
    update_reading(c);
}

static void peer_ended(struct net_conn *c)
{
    if (c->eof || c->state == NET_CONN_CLOSED)
        return;
    c->eof = true;
    update_reading(c);
    if (c->state == NET_CONN_OPEN)
        c->owner->events->on_eof(c->x);
    else if (c->state == NET_CONN_HANDSHAKE || c->shut)
        net_conn_destroy(c, false);
}

static void open_it(struct net_conn *c)
{
    c->state = NET_CONN_OPEN;
    (void)uv_timer_stop(&c->guard);
    c->x = c->owner->events->on_open(c, c->owner->arg);
    if (!c->x && c->state == NET_CONN_OPEN)
        net_conn_destroy(c, false);
}

static void take_tls(struct net_conn *c, const char *data, size_t len)
{
    int status = tls_feed(c->tls, data, len, &c->in, &c->wire, NULL);

    if (status < 0) {
        /* The alert is worth one try; nobody waits for it. */
        uv_buf_t alert = uv_buf_init(c->wire.data, (unsigned)c->wire.len);

        if (c->wire.len > 0 && !c->sending)
            (void)uv_try_write(&c->uv.stream, &alert, 1);
        net_conn_destroy(c, true);
        return;
    }
    if (c->wire.len > 0)
        net_server_turn_add(c);
    if (c->state == NET_CONN_HANDSHAKE && tls_is_open(c->tls))
        open_it(c);
    deliver(c);
    if (c->state != NET_CONN_CLOSED && tls_peer_ended(c->tls))
        peer_ended(c);
    if (c->state != NET_CONN_CLOSED)
        trim(&c->in);
}

static void take_plain(struct net_conn *c, const char *data, size_t len)
{
    if (c->in.len == 0) {
        size_t used = c->owner->events->on_data(c->x, data, len);

        if (c->state == NET_CONN_OPEN)
            buf_append(&c->in, data + used, len - used);
    } else {
        buf_append(&c->in, data, len);
        deliver(c);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct net_conn *c = handle->data;

    (void)suggested;
    *ret = uv_buf_init(c->server->scratch, NET_SCRATCH);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct net_conn *c = stream->data;

    if (n == 0 || c->state == NET_CONN_CLOSED)
        return;
    if (n == UV_EOF) {
        peer_ended(c);
    } else if (n < 0) {
        net_conn_destroy(c, true);
    } else if (c->state == NET_CONN_ENDING) {
        c->dropped += (size_t)n;
        if (c->dropped > LINGER_BYTES)
            net_conn_destroy(c, false);
    } else if (c->tls) {
        take_tls(c, buf->base, (size_t)n);
    } else {
        take_plain(c, buf->base, (size_t)n);
    }
    update_reading(c);
}

static void start_reading(struct net_conn *c)
{
    if (uv_read_start(&c->uv.stream, on_alloc, on_read) < 0)
        net_server_turn_add(c); /* the flush will meet the broken socket */
}

static void on_written(uv_write_t *req, int status)
{
    struct net_conn *c = req->data;

    c->sending = false;
    buf_clear(&c->flying);
    trim(&c->flying);
    if (c->state == NET_CONN_CLOSED)
        return;
    if (status < 0)
        net_conn_destroy(c, true);
    else
        net_server_turn_add(c);
}

static void on_guard(uv_timer_t *timer)
{
    struct net_conn *c = timer->data;
    size_t left = uv_stream_get_write_queue_size(&c->uv.stream);

    if (c->sending && left + STALL_BYTES <= c->guard_left) {
        c->guard_left = left;
        (void)uv_timer_start(&c->guard, on_guard, c->server->limits.stall_ms, 0);
        return;
    }
    net_conn_destroy(c, true);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct net_conn *c = req->data;

    if (c->state != NET_CONN_CLOSED && (status < 0 || c->eof))
        net_conn_destroy(c, false);
}

/* Everything is out. */
static void flushed(struct net_conn *c)
{
    trim(&c->out);
    trim(&c->wire);
    if (c->state == NET_CONN_ENDING) {
        if (c->shut)
            return;
        c->shut = true;
        c->shutdown_req.data = c;
        (void)uv_timer_start(&c->guard, on_guard, LINGER_MS, 0);
        if (uv_shutdown(&c->shutdown_req, &c->uv.stream, on_shutdown) < 0)
            net_conn_destroy(c, false);
        return;
    }
    if (c->state == NET_CONN_OPEN) {
        (void)uv_timer_stop(&c->guard);
        if (c->stopped) {
            c->stopped = false;
            c->owner->events->on_drain(c->x);
        }
    }
}

/* Hands what the socket does not take now to libuv. */
static void send_later(struct net_conn *c, struct buf *from)
{
    c->flying = *from;
    *from = (struct buf){0};
    c->write_req.data = c;
    c->sending = true;

    uv_buf_t rest = uv_buf_init(c->flying.data, (unsigned)c->flying.len);

    if (uv_write(&c->write_req, &c->uv.stream, &rest, 1, on_written) < 0) {
        c->sending = false;
        net_conn_destroy(c, true);
        return;
    }
    c->guard_left = c->flying.len;
    if (c->state != NET_CONN_HANDSHAKE)
        (void)uv_timer_start(&c->guard, on_guard, c->server->limits.stall_ms, 0);
}

void net_conn_flush(struct net_conn *c)
{
    struct buf *from = c->tls ? &c->wire : &c->out;

    if (c->state != NET_CONN_CLOSED && net_conn_pending(c) > c->server->limits.out_max)
        net_conn_destroy(c, true);
    if (c->state == NET_CONN_CLOSED || c->sending)
        return;
    if (c->tls && c->out.len > 0) {
        (void)tls_write(c->tls, c->out.data, c->out.len, &c->wire, NULL);
        buf_clear(&c->out);
    }
    if (c->tls && c->state == NET_CONN_ENDING && !c->shut)
        tls_end(c->tls, &c->wire);
    if (from->len > 0) {
        uv_buf_t all = uv_buf_init(from->data, (unsigned)from->len);
        int n = uv_try_write(&c->uv.stream, &all, 1);

        if (n < 0 && n != UV_EAGAIN) {
            net_conn_destroy(c, true);
            return;
        }
        buf_consume(from, n > 0 ? (size_t)n : 0);
    }
    if (from->len > 0)
        send_later(c, from);
    else
        flushed(c);
    update_reading(c);
}

bool net_conn_write(struct net_conn *c, const void *data, size_t len)
{
    if (c->state != NET_CONN_OPEN)
        return false;
    buf_append(&c->out, data, len);
    net_server_turn_add(c);
    if (net_conn_pending(c) > c->server->limits.out_high)
        c->stopped = true;
    return !c->stopped;
}

void net_conn_close(struct net_conn *c)
{
    if (c->state != NET_CONN_OPEN)
        return;
    c->state = NET_CONN_ENDING;
    c->x = NULL;
    (void)uv_timer_stop(&c->deadline);
    if (!c->sending)
        (void)uv_timer_start(&c->guard, on_guard, c->server->limits.stall_ms, 0);
    net_server_turn_add(c);
    update_reading(c);
}

void net_conn_abort(struct net_conn *c)
{
    net_conn_destroy(c, false);
}

void net_conn_hand_over(struct net_conn *c, const struct net_server_events *events, void *arg,
                        void *x)
{
    if (c->state != NET_CONN_OPEN)
        return;
    net_server_own(c, events, arg);
    c->x = x;
    net_conn_resume(c);
}

const struct tls *net_conn_tls(const struct net_conn *c)
{
    return c->tls;
}

void net_conn_resume(struct net_conn *c)
{
    c->redeliver = true;
    net_server_turn_add(c);
}

static void on_deadline(uv_timer_t *timer)
{
    struct net_conn *c = timer->data;

    if (c->state == NET_CONN_OPEN)
        c->owner->events->on_deadline(c->x);
}

void net_conn_deadline(struct net_conn *c, uint64_t ms)
{
    if (c->state != NET_CONN_OPEN)
        return;
    if (ms == 0)
        (void)uv_timer_stop(&c->deadline);
    else
        (void)uv_timer_start(&c->deadline, on_deadline, ms, 0);
}

pid_t net_conn_peer_pid(const struct net_conn *c)
{
    return c->peer_pid;
}

uid_t net_conn_peer_uid(const struct net_conn *c)
{
    return c->peer_uid;
}

const char *net_conn_peer_text(const struct net_conn *c)
{
    return c->peer;
}

static void learn_unix_peer(struct net_conn *c)
{
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;

    STR_SET(c->peer, "unix");
    if (uv_fileno(&c->uv.handle, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
        c->peer_pid = cred.pid;
        c->peer_uid = cred.uid;
    }
}

static void learn_tcp_peer(struct net_conn *c)
{
    struct sockaddr_storage from = {0};
    int len = sizeof(from);
    char text[46] = "?";
    uint16_t port = 0;

    (void)uv_tcp_nodelay(&c->uv.tcp, 1);
    (void)uv_tcp_keepalive(&c->uv.tcp, 1, KEEPALIVE_S);
    if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&from, &len) == 0) {
        if (from.ss_family == AF_INET6) {
            (void)uv_ip6_name((const struct sockaddr_in6 *)&from, text, sizeof(text));
            port = ntohs(((const struct sockaddr_in6 *)&from)->sin6_port);
        } else {
            (void)uv_ip4_name((const struct sockaddr_in *)&from, text, sizeof(text));
            port = ntohs(((const struct sockaddr_in *)&from)->sin_port);
        }
    }
    (void)str_format(c->peer, sizeof(c->peer), "%s:%u", text, port);
}

/* Links C to its server; from here on only net_conn_destroy() ends it. */
static void adopt(struct net_conn *c, struct net_server *s)
{
    c->server = s;
    c->next = s->conns;
    if (s->conns)
        s->conns->prev = c;
    s->conns = c;
    s->n_conns++;
    s->refs++;
    c->handles_open = 3;
    c->peer_uid = (uid_t)-1;
    net_server_own(c, s->own->events, s->own->arg);
    (void)uv_timer_init(s->loop, &c->deadline);
    (void)uv_timer_init(s->loop, &c->guard);
    c->uv.handle.data = c;
    c->deadline.data = c;
    c->guard.data = c;
}

void net_conn_accept(struct listener *l)
{
    struct net_server *s = l->server;
    struct net_conn *c = xcalloc(1, sizeof(*c));

    if (l->tls)
        (void)uv_tcp_init(s->loop, &c->uv.tcp);
    else
        (void)uv_pipe_init(s->loop, &c->uv.pipe, 0);
    adopt(c, s);
    if (uv_accept(&l->uv.stream, &c->uv.stream) < 0 || s->n_conns > s->limits.connections_max) {
        net_conn_destroy(c, false);
        return;
    }
    if (l->tls) {
        learn_tcp_peer(c);
        c->tls = tls_new(l->tls);
        (void)uv_timer_start(&c->guard, on_guard, s->limits.handshake_ms, 0);
    } else {
        learn_unix_peer(c);
        open_it(c);
    }
    update_reading(c);
}
