/* One connection of a server: what comes in, through TLS and frames where it has them, until its
 * owner has used it. Output is in net_output.c. See net_server.h. */
#include "core/io/net_conn.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define LINGER_BYTES (1U << 20) /* what a peer may still send when its owner has given it up */
#define KEEPALIVE_S  60
/* Of a WebSocket. A message is not gathered here: it may be long, but not take long. */
#define MESSAGE_MAX      (4U << 20)
#define WEBSOCKET_IN_MAX (512U << 10) /* an MQTT packet at its largest must fit */

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_handle_closed(uv_handle_t *handle)
{
    struct net_conn *c = handle->data;

    if (--c->handles_open > 0)
        return;
    tls_free(c->tls);
    websocket_free(c->websocket);
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
    queue_remove(&c->turn);
    if (tell)
        c->owner->events->on_close(c->x);
    c->x = NULL;
    uv_close(&c->uv.handle, on_handle_closed);
    uv_close((uv_handle_t *)&c->deadline, on_handle_closed);
    uv_close((uv_handle_t *)&c->guard, on_handle_closed);
    uv_close((uv_handle_t *)&c->message, on_handle_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct net_conn *c = handle->data;

    (void)suggested;
    *ret = uv_buf_init(c->server->scratch, NET_SCRATCH);
}

/* Reads while somebody has use for it: not from a peer that does not read us, not more than its
 * owner can take. */
void net_conn_update_reading(struct net_conn *c)
{
    const struct net_server_limits *limits = &c->server->limits;
    size_t in_max =
        c->websocket && limits->in_max < WEBSOCKET_IN_MAX ? WEBSOCKET_IN_MAX : limits->in_max;
    bool want = !c->eof && (c->state != NET_CONN_OPEN ||
                            (c->in.len < in_max && net_conn_pending(c) <= limits->out_high));

    if (c->state == NET_CONN_CLOSED || want == c->reading)
        return;
    c->reading = want;
    if (!want)
        (void)uv_read_stop(&c->uv.stream);
    else if (uv_read_start(&c->uv.stream, on_alloc, on_read) < 0)
        net_server_turn_add(c); /* the flush will meet the broken socket */
}

/* ------------------------------------------------------------------------------------------ input
 */

/* What DATA carries goes to PAYLOAD, and what must be answered to the peer. */
static void unwrap(struct net_conn *c, const char *data, size_t len, struct buf *payload)
{
    auto_buf struct buf answers = {0};

    websocket_feed(c->websocket, data, len, payload, &answers);
    if (answers.len > 0) {
        net_conn_seal(c, answers.data, answers.len);
        net_server_turn_add(c);
    }
}

/* What the owner has not used when it asked for a WebSocket is the first frames. */
static void unwrap_rest(struct net_conn *c)
{
    auto_wiped_buf struct buf rest = c->in;

    c->in = (struct buf){0};
    unwrap(c, rest.data, rest.len, &c->in);
    net_conn_resume(c);
}

/* Offers what waits and DATA behind it to the owner. */
static void offer(struct net_conn *c, const char *data, size_t len)
{
    bool was_websocket = c->websocket != NULL;
    bool waiting = c->in.len > 0;

    if (c->state != NET_CONN_OPEN || (len == 0 && !waiting))
        return;
    if (waiting) {
        buf_append(&c->in, data, len);
        data = c->in.data;
        len = c->in.len;
    }
    c->offering = true;

    size_t used = c->owner->events->on_data(c->x, data, len);

    c->offering = false;
    if (c->state != NET_CONN_OPEN)
        return;
    if (waiting)
        buf_consume(&c->in, used);
    else
        buf_append(&c->in, data + used, len - used);
    if (c->in.len == 0)
        buf_wipe(&c->in);
    if (c->websocket && !was_websocket)
        unwrap_rest(c);
}

static void tell_eof(struct net_conn *c)
{
    if (c->eof_told)
        return;
    c->eof_told = true;
    c->owner->events->on_eof(c->x);
}

static void peer_ended(struct net_conn *c)
{
    if (c->eof || c->state == NET_CONN_CLOSED)
        return;
    c->eof = true;
    net_conn_update_reading(c);
    if (c->state == NET_CONN_OPEN)
        tell_eof(c);
    else if (c->state == NET_CONN_HANDSHAKE || c->shut)
        net_conn_destroy(c, false);
}

static void on_message_late(uv_timer_t *timer)
{
    net_conn_destroy(timer->data, true);
}

/* One deadline for a whole message. */
static void watch_message(struct net_conn *c)
{
    uint64_t number;

    if (!websocket_midway(c->websocket, &number)) {
        (void)uv_timer_stop(&c->message);
    } else if (number != c->message_number || !uv_is_active((uv_handle_t *)&c->message)) {
        c->message_number = number;
        (void)uv_timer_start(&c->message, on_message_late, c->server->limits.message_ms, 0);
    }
}

/* The peer broke the rules of its frames: its owner loses it, and it is told why. */
static void break_off(struct net_conn *c)
{
    void *x = c->x;

    net_conn_close(c);
    c->owner->events->on_close(x);
}

/* Bytes as the peer meant them, from the socket or out of TLS. */
static void take(struct net_conn *c, const char *data, size_t len)
{
    auto_wiped_buf struct buf payload = {0};
    bool framed = c->websocket != NULL;

    if (framed) {
        unwrap(c, data, len, &payload);
        data = payload.data;
        len = payload.len;
    }
    offer(c, data, len);
    if (!framed || c->state != NET_CONN_OPEN)
        return; /* what began just now is looked at when its rest is offered */
    watch_message(c);
    if (websocket_state(c->websocket) == WEBSOCKET_BROKEN)
        break_off(c);
    else if (websocket_state(c->websocket) == WEBSOCKET_ENDED)
        tell_eof(c);
}

void net_conn_redeliver(struct net_conn *c)
{
    c->redeliver = false;
    take(c, NULL, 0);
    if (c->eof && c->state == NET_CONN_OPEN)
        tell_eof(c); /* where the owner is another one now */
    net_conn_update_reading(c);
}

static void open_it(struct net_conn *c)
{
    c->state = NET_CONN_OPEN;
    (void)uv_timer_stop(&c->guard);
    c->x = c->owner->events->on_open(c, c->owner->arg);
    if (!c->x && c->state == NET_CONN_OPEN)
        net_conn_destroy(c, false);
}

/* A client's first words are a packet of their own behind the handshake's last, for which TLS 1.3
 * has no answer: where the client leaves Nagle's algorithm on, they wait for an acknowledgement
 * that is 40 ms late without this. */
static void acknowledge(struct net_conn *c)
{
    uv_os_fd_t fd;
    int one = 1;

    if (uv_fileno(&c->uv.handle, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static void take_tls(struct net_conn *c, const char *data, size_t len)
{
    auto_wiped_buf struct buf plain = {0};

    if (tls_feed(c->tls, data, len, &plain, &c->wire, NULL) < 0) {
        /* The alert is worth one try; nobody waits for it. */
        uv_buf_t alert = uv_buf_init(c->wire.data, (unsigned)c->wire.len);

        if (c->wire.len > 0 && !c->sending)
            (void)uv_try_write(&c->uv.stream, &alert, 1);
        net_conn_destroy(c, true);
        return;
    }
    if (c->wire.len > 0)
        net_server_turn_add(c);
    if (c->state == NET_CONN_HANDSHAKE && tls_is_open(c->tls)) {
        acknowledge(c);
        open_it(c);
    }
    take(c, plain.data, plain.len);
    if (tls_peer_ended(c->tls))
        peer_ended(c);
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
        take(c, buf->base, (size_t)n);
    }
    net_conn_update_reading(c);
}

/* ------------------------------------------------------------------------------------------ what
 * owners ask for */

void net_conn_close(struct net_conn *c)
{
    if (c->state != NET_CONN_OPEN)
        return;
    c->state = NET_CONN_ENDING;
    c->x = NULL;
    (void)uv_timer_stop(&c->deadline);
    (void)uv_timer_stop(&c->message);
    if (!c->sending)
        net_conn_guard(c, c->server->limits.stall_ms);
    net_server_turn_add(c);
    net_conn_update_reading(c);
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
    c->eof_told = false;
    net_conn_resume(c);
}

void net_conn_websocket(struct net_conn *c)
{
    if (c->state != NET_CONN_OPEN)
        return;
    net_conn_seal(c, c->out.data, c->out.len);
    buf_wipe(&c->out);
    net_server_turn_add(c);
    c->websocket = websocket_new(MESSAGE_MAX);
    if (!c->offering)
        unwrap_rest(c);
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
    c->handles_open = 4;
    net_server_own(c, s->own->events, s->own->arg);
    (void)uv_timer_init(s->loop, &c->deadline);
    (void)uv_timer_init(s->loop, &c->guard);
    (void)uv_timer_init(s->loop, &c->message);
    c->uv.handle.data = c;
    c->deadline.data = c;
    c->guard.data = c;
    c->message.data = c;
}

void net_conn_accept(struct listener *l)
{
    struct net_server *s = l->server;
    struct net_conn *c = xcalloc(1, sizeof(*c));

    if (l->path)
        (void)uv_pipe_init(s->loop, &c->uv.pipe, 0);
    else
        (void)uv_tcp_init(s->loop, &c->uv.tcp);
    adopt(c, s);
    if (uv_accept(&l->uv.stream, &c->uv.stream) < 0 || s->n_conns > s->limits.connections_max) {
        net_conn_destroy(c, false);
        return;
    }
    if (l->path)
        learn_unix_peer(c);
    else
        learn_tcp_peer(c);
    if (l->tls) {
        c->tls = tls_new(l->tls);
        net_conn_guard(c, s->limits.handshake_ms);
    } else {
        open_it(c);
    }
    net_conn_update_reading(c);
}
