/* See mqtt_conn.h. A connection begins with its first byte; it has a head once its CONNECT was
 * accepted. Packets are taken apart in the network's buffer, and what is answered gathers in the
 * connection's until the turn's end: nothing is allocated for a packet. */
#include "vm/guest/hub/mqtt_conn_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/io/http_server.h"

#include <string.h>

#define CONNECT_MS     30000 /* for the CONNECT to arrive and to be checked */
#define LOOK_MS        60000 /* the wall clock may be set: look at the expiry now and then */
#define WEBSOCKET_PATH "/$iothub/websocket"
#define SCRATCH_KEEP   4096

/* ---- end ---- */

/* What is left of C is freed by the caller. */
static void over(struct mqtt_conn *c, const char *why)
{
    c->net = NULL;
    *c->pprev = c->next;
    if (c->next)
        c->next->pprev = c->pprev;
    if (c->asked && c->asked->head->abandon)
        c->asked->head->abandon(c->asked->owner, c);
    free(steal(c->asked));
    if (c->head && c->head->gone)
        c->head->gone(c->x, why);
}

void mqtt_conn_over(struct mqtt_conn *c, const char *why)
{
    struct net_conn *net = c->net;

    if (!net)
        return;
    if (!c->head)
        log_info("mqtt", "%s: %s", net_conn_peer_text(net), why);
    over(c, why);
    net_conn_close(net);
}

void mqtt_conn_end(struct mqtt_conn *c, const char *why)
{
    bool busy = c->busy;

    mqtt_conn_over(c, why);
    if (!busy)
        free(c);
}

/* The connection below is gone already. */
static void on_close(void *arg)
{
    over(arg, "connection lost");
    free(arg);
}

static void on_eof(void *arg)
{
    mqtt_conn_end(arg, "connection closed without a word");
}

/* ---- time ---- */

const char *mqtt_conn_watch(struct mqtt_conn *c)
{
    uint64_t silent = uv_now(c->server->loop) - c->seen_ms;
    uint64_t wall_ms = clock_wall_ms();
    uint64_t wait = LOOK_MS;

    if (silent >= c->keep_alive_ms)
        return "nothing heard within 1.5 x keep-alive";
    if (c->keep_alive_ms - silent < wait)
        wait = c->keep_alive_ms - silent;
    if (c->expiry_s != UINT64_MAX) {
        if (wall_ms >= c->expiry_s * 1000)
            return "its token expired";
        if (c->expiry_s * 1000 - wall_ms < wait)
            wait = c->expiry_s * 1000 - wall_ms;
    }
    net_conn_deadline(c->net, wait);
    return NULL;
}

static void on_deadline(void *arg)
{
    struct mqtt_conn *c = arg;
    const char *why = c->head    ? mqtt_conn_watch(c)
                      : c->asked ? "could not be checked in time"
                                 : "sent no CONNECT";

    if (why)
        mqtt_conn_end(c, why);
}

void mqtt_conn_expires(struct mqtt_conn *c, uint64_t wall_s)
{
    c->expiry_s = wall_s;
    if (c->head && c->net)
        net_conn_deadline(c->net, 1); /* to look anew */
}

/* ---- output ---- */

struct buf *mqtt_conn_packet(struct mqtt_conn *c)
{
    buf_clear(&c->server->scratch);
    return &c->server->scratch;
}

static void write_bytes(struct mqtt_conn *c, const void *data, size_t len)
{
    if (c->net && len > 0 && !net_conn_write(c->net, data, len))
        c->full = true;
}

void mqtt_conn_packet_end(struct mqtt_conn *c)
{
    struct buf *packet = &c->server->scratch;

    write_bytes(c, packet->data, packet->len);
    if (packet->cap > SCRATCH_KEEP)
        buf_done(packet);
}

static void send_publish(struct mqtt_conn *c, const char *topic, const void *payload, size_t len,
                         uint16_t id, bool again)
{
    mqtt_put_publish(mqtt_conn_packet(c), topic, len, id, again);
    mqtt_conn_packet_end(c);
    write_bytes(c, payload, len);
}

uint16_t *mqtt_conn_in_flight(struct mqtt_conn *c, uint16_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(c->in_flight); i++)
        if (c->in_flight[i] == id)
            return &c->in_flight[i];
    return NULL;
}

uint16_t mqtt_conn_publish(struct mqtt_conn *c, const char *topic, const void *payload, size_t len,
                           unsigned qos)
{
    uint16_t *slot = NULL;

    if (!c->net || (qos > 0 && !(slot = mqtt_conn_in_flight(c, 0))))
        return 0;
    if (slot) {
        do
            c->last_id++;
        while (c->last_id == 0 || mqtt_conn_in_flight(c, c->last_id));
        *slot = c->last_id;
    }
    send_publish(c, topic, payload, len, slot ? *slot : 0, false);
    return slot ? *slot : 0;
}

void mqtt_conn_publish_again(struct mqtt_conn *c, uint16_t id, const char *topic,
                             const void *payload, size_t len)
{
    send_publish(c, topic, payload, len, id, true);
}

bool mqtt_conn_has_room(const struct mqtt_conn *c)
{
    return !c->full;
}

static void on_drain(void *arg)
{
    struct mqtt_conn *c = arg;

    c->full = false;
    net_conn_resume(c->net);
    if (c->head && c->head->drained)
        c->head->drained(c->x);
}

/* ---- server ---- */

static void *on_open(struct net_conn *net, void *arg)
{
    struct mqtt_server *s = arg;
    struct mqtt_conn *c = xcalloc(1, sizeof(*c));

    c->server = s;
    c->net = net;
    c->next = s->conns;
    c->pprev = &s->conns;
    if (s->conns)
        s->conns->pprev = &c->next;
    s->conns = c;
    c->expiry_s = UINT64_MAX;
    c->seen_ms = uv_now(s->loop);
    net_conn_deadline(net, CONNECT_MS);
    return c;
}

static bool before_flush(void *arg)
{
    struct mqtt_server *s = arg;

    return s->before_flush(s->arg);
}

static const struct net_server_events conn_events = {
    .on_open = on_open,
    .on_data = mqtt_conn_on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_deadline = on_deadline,
    .on_close = on_close,
    .before_flush = before_flush,
};

struct mqtt_server *mqtt_server_new(uv_loop_t *loop, unsigned connections_max,
                                    const struct mqtt_head *const *heads, void *const *owners,
                                    bool (*flush)(void *arg), void *arg)
{
    const struct net_server_limits limits = {
        .connections_max = connections_max,
        .in_max = MQTT_PACKET_MAX + 8,
        .out_high = 512U << 10,
        .out_max = 2U << 20,
        .handshake_ms = 10000,
        .stall_ms = 30000,
    };
    struct mqtt_server *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->heads = heads;
    s->owners = owners;
    s->before_flush = flush;
    s->arg = arg;
    s->net = net_server_new(loop, &limits, &conn_events, s);
    return s;
}

void mqtt_server_free(struct mqtt_server *s)
{
    if (!s)
        return;
    for (struct mqtt_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        mqtt_conn_end(c, "the hub ends");
    }
    net_server_free(s->net);
    buf_done(&s->scratch);
    free(s);
}

int mqtt_server_listen(struct mqtt_server *s, const char *address, uint16_t port,
                       struct tls_server *tls, struct err *err)
{
    return net_server_listen_tls(s->net, address, port, tls, err);
}

void mqtt_server_set_free_bind(struct mqtt_server *s)
{
    net_server_set_free_bind(s->net);
}

void mqtt_server_set_tls(struct mqtt_server *s, struct tls_server *tls)
{
    net_server_set_tls(s->net, tls);
}

bool mqtt_server_wants(const struct http_exchange *x)
{
    const char *path = http_exchange_path(x);
    char decoded[sizeof(WEBSOCKET_PATH)];

    return percent_decode(path, strlen(path), decoded, sizeof(decoded)) &&
           str_eq(decoded, WEBSOCKET_PATH);
}

int mqtt_server_websocket(struct mqtt_server *s, struct http_exchange *x, struct err *err)
{
    return http_exchange_websocket(x, "mqtt", &conn_events, s, err);
}

const struct tls *mqtt_conn_tls(const struct mqtt_conn *c)
{
    return net_conn_tls(c->net);
}

const char *mqtt_conn_peer_text(const struct mqtt_conn *c)
{
    return net_conn_peer_text(c->net);
}
