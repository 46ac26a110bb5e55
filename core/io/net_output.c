/* The output of a connection: gathered over a turn, put into frames and TLS records at its end,
 * bounded, and watched for peers that do not take it. See net_server.h. */
#include "core/io/net_conn.h"

#define LINGER_MS   2000  /* for the peer to read the last answer before the socket goes */
#define STALL_BYTES 16384 /* a peer that takes less than this in stall_ms is gone */

size_t net_conn_pending(const struct net_conn *c)
{
    return c->out.len + c->wire.len + c->flying.len;
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

void net_conn_seal(struct net_conn *c, const char *data, size_t len)
{
    if (c->tls)
        (void)tls_write(c->tls, data, len, &c->wire, NULL);
    else
        buf_append(&c->wire, data, len);
}

static void on_guard(uv_timer_t *timer)
{
    struct net_conn *c = timer->data;
    size_t left = uv_stream_get_write_queue_size(&c->uv.stream);

    if (c->sending && left + STALL_BYTES <= c->guard_left) {
        c->guard_left = left;
        net_conn_guard(c, c->server->limits.stall_ms);
        return;
    }
    net_conn_destroy(c, true);
}

void net_conn_guard(struct net_conn *c, uint64_t ms)
{
    (void)uv_timer_start(&c->guard, on_guard, ms, 0);
}

static void on_written(uv_write_t *req, int status)
{
    struct net_conn *c = req->data;

    c->sending = false;
    buf_done(&c->flying);
    if (c->state == NET_CONN_CLOSED)
        return;
    if (status < 0)
        net_conn_destroy(c, true);
    else
        net_server_turn_add(c);
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
    if (c->state == NET_CONN_ENDING) {
        if (c->shut)
            return;
        c->shut = true;
        c->shutdown_req.data = c;
        net_conn_guard(c, LINGER_MS);
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
        net_conn_guard(c, c->server->limits.stall_ms);
}

/* Turns what the owner wrote, and its end, into what the peer is to read. */
static void wrap(struct net_conn *c)
{
    bool ending = c->state == NET_CONN_ENDING && !c->shut;

    if (c->websocket) {
        auto_wiped_buf struct buf frames = {0};

        websocket_write(c->websocket, c->out.data, c->out.len, &frames);
        if (ending)
            websocket_end(c->websocket, &frames);
        net_conn_seal(c, frames.data, frames.len);
    } else {
        net_conn_seal(c, c->out.data, c->out.len);
    }
    buf_wipe(&c->out);
    if (ending && c->tls)
        tls_end(c->tls, &c->wire);
}

void net_conn_flush(struct net_conn *c)
{
    struct buf *from = c->tls || c->websocket ? &c->wire : &c->out;

    if (c->state != NET_CONN_CLOSED && net_conn_pending(c) > c->server->limits.out_max)
        net_conn_destroy(c, true);
    if (c->state == NET_CONN_CLOSED || c->sending)
        return;
    if (from == &c->wire)
        wrap(c);
    if (from->len > 0) {
        uv_buf_t all = uv_buf_init(from->data, (unsigned)from->len);
        int n = uv_try_write(&c->uv.stream, &all, 1);

        if (n < 0 && n != UV_EAGAIN) {
            net_conn_destroy(c, true);
            return;
        }
        buf_consume(from, n > 0 ? (size_t)n : 0);
    }
    if (from->len > 0) {
        send_later(c, from);
    } else {
        buf_wipe(from);
        flushed(c);
    }
    net_conn_update_reading(c);
}
