/* See mqtt_conn.h. A connection begins with its first byte; it has a head once its CONNECT was
 * accepted. Packets are taken apart in the network's buffer, and what is answered gathers in the
 * connection's until the turn's end: nothing is allocated for a packet. */
#include "vm/guest/hub/mqtt_conn.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_server.h"

#define CONNECT_MS        30000   /* for the CONNECT to arrive */
#define CONNECT_MAX       16384   /* nobody known sends more before it */
#define KEEP_ALIVE_MAX_MS 1767000 /* IoT Hub's cap, also for a client that wants none */
#define LOOK_MS           60000   /* the wall clock may be set: look at the expiry now and then */
#define SCRATCH_KEEP      4096

struct mqtt_server {
    uv_loop_t *loop;
    const struct mqtt_head *const *heads;
    void *const *owners;
    bool (*before_flush)(void *arg);
    void *arg;
    struct net_server *net;
    struct mqtt_conn *conns;
    struct buf scratch; /* the packet that is being made */
};

struct mqtt_conn {
    struct mqtt_server *server;
    struct mqtt_conn *next, **pprev; /* of the server */
    struct net_conn *net;            /* NULL once it is over */
    const struct mqtt_head *head;    /* NULL: no CONNECT was accepted yet */
    void *x;
    uint64_t keep_alive_ms;
    uint64_t seen_ms; /* loop time of its last packet */
    uint64_t expiry_s;
    bool busy; /* its input is being worked off: that frees it, too */
    bool full; /* much output waits: no more input is taken meanwhile */
    uint16_t last_id;
    uint16_t in_flight[MQTT_IN_FLIGHT_MAX]; /* ids; 0: free */
};

/* ---- end ---- */

static void over(struct mqtt_conn *c, const char *why)
{
    *c->pprev = c->next;
    if (c->next)
        c->next->pprev = c->pprev;
    if (c->head && c->head->gone)
        c->head->gone(c->x, why);
    if (!c->busy)
        free(c);
}

void mqtt_conn_end(struct mqtt_conn *c, const char *why)
{
    struct net_conn *net = c->net;

    if (!net)
        return;
    if (!c->head)
        log_info("mqtt", "%s: %s", net_conn_peer_text(net), why);
    c->net = NULL;
    over(c, why);
    net_conn_close(net);
}

/* The connection below is gone already. */
static void on_close(void *arg)
{
    struct mqtt_conn *c = arg;

    c->net = NULL;
    over(c, "connection lost");
}

static void on_eof(void *arg)
{
    mqtt_conn_end(arg, "connection closed without a word");
}

/* ---- time ---- */

/* One timer serves keep-alive and expiry: it looks what is due and sets itself anew. */
static void watch(struct mqtt_conn *c)
{
    uint64_t silent = uv_now(c->server->loop) - c->seen_ms;
    uint64_t wall_ms = clock_wall_ms();
    uint64_t wait = LOOK_MS;

    if (silent >= c->keep_alive_ms) {
        mqtt_conn_end(c, "nothing heard within 1.5 x keep-alive");
        return;
    }
    if (c->keep_alive_ms - silent < wait)
        wait = c->keep_alive_ms - silent;
    if (c->expiry_s != UINT64_MAX) {
        if (wall_ms >= c->expiry_s * 1000) {
            mqtt_conn_end(c, "its token expired");
            return;
        }
        if (c->expiry_s * 1000 - wall_ms < wait)
            wait = c->expiry_s * 1000 - wall_ms;
    }
    net_conn_deadline(c->net, wait);
}

static void on_deadline(void *arg)
{
    struct mqtt_conn *c = arg;

    if (c->head)
        watch(c);
    else
        mqtt_conn_end(c, "sent no CONNECT");
}

void mqtt_conn_expires(struct mqtt_conn *c, uint64_t wall_s)
{
    c->expiry_s = wall_s;
    if (c->head && c->net)
        watch(c);
}

/* ---- output ---- */

static struct buf *packet_begin(struct mqtt_conn *c)
{
    buf_clear(&c->server->scratch);
    return &c->server->scratch;
}

static void write_bytes(struct mqtt_conn *c, const void *data, size_t len)
{
    if (c->net && len > 0 && !net_conn_write(c->net, data, len))
        c->full = true;
}

static void packet_end(struct mqtt_conn *c)
{
    struct buf *packet = &c->server->scratch;

    write_bytes(c, packet->data, packet->len);
    if (packet->cap > SCRATCH_KEEP)
        buf_done(packet);
}

static void send_publish(struct mqtt_conn *c, const char *topic, const void *payload, size_t len,
                         uint16_t id, bool again)
{
    mqtt_put_publish(packet_begin(c), topic, len, id, again);
    packet_end(c);
    write_bytes(c, payload, len);
}

static uint16_t *find_in_flight(struct mqtt_conn *c, uint16_t id)
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

    if (!c->net || (qos > 0 && !(slot = find_in_flight(c, 0))))
        return 0;
    if (slot) {
        do
            c->last_id++;
        while (c->last_id == 0 || find_in_flight(c, c->last_id));
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

/* ---- packets ---- */

static void connack(struct mqtt_conn *c, bool present, enum mqtt_connack code)
{
    mqtt_put_connack(packet_begin(c), present, code);
    packet_end(c);
}

static void refuse(struct mqtt_conn *c, const struct mqtt_packet *p, enum mqtt_connack code,
                   const char *why)
{
    auto_buf struct buf text = {0};

    buf_puts(&text, "refused ");
    if (p->client_id.at)
        str_sanitise(&text, p->client_id.at, p->client_id.len < 260 ? p->client_id.len : 260);
    buf_printf(&text, ": %s", why);
    connack(c, false, code);
    mqtt_conn_end(c, text.data);
}

/* The head that wants the CONNECT, or NULL. */
static const struct mqtt_head *choose_head(const struct mqtt_server *s, const struct mqtt_packet *p,
                                           void **ret_owner)
{
    for (size_t i = 0; s->heads[i]; i++)
        if (s->heads[i]->wants(s->owners[i], p)) {
            *ret_owner = s->owners[i];
            return s->heads[i];
        }
    return NULL;
}

static void on_connect(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    struct err err = {.msg = "nobody knows such a user name"};
    bool present = false;
    void *owner = NULL, *x;

    if (!p->known_protocol) {
        refuse(c, p, MQTT_BAD_PROTOCOL, "speaks another protocol than MQTT 3.1.1");
        return;
    }
    if (p->client_id.len == 0 && !p->clean) {
        refuse(c, p, MQTT_BAD_CLIENT_ID, "no client id");
        return;
    }

    const struct mqtt_head *head = choose_head(c->server, p, &owner);

    if (!head || !(x = head->connect(owner, c, p, &present, &err))) {
        refuse(c, p, MQTT_NOT_AUTHORIZED, err.msg);
        return;
    }
    c->head = head;
    c->x = x;
    c->keep_alive_ms = (uint64_t)p->keep_alive_s * 1500;
    if (c->keep_alive_ms == 0 || c->keep_alive_ms > KEEP_ALIVE_MAX_MS)
        c->keep_alive_ms = KEEP_ALIVE_MAX_MS;
    connack(c, present, MQTT_ACCEPTED);
    watch(c);
    if (c->net && head->ready)
        head->ready(x);
}

static void on_publish(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    struct err err = {0};

    if (p->qos == 2) {
        mqtt_conn_end(c, "published with QoS 2");
        return;
    }
    if (!c->head->publish || !c->head->publish(c->x, p, &err)) {
        mqtt_conn_end(c, err.msg);
        return;
    }
    if (p->qos == 1) {
        mqtt_put_puback(packet_begin(c), p->id);
        packet_end(c);
    }
}

static void on_puback(struct mqtt_conn *c, uint16_t id)
{
    uint16_t *slot = find_in_flight(c, id);

    if (!slot)
        return;
    *slot = 0;
    if (c->head->puback)
        c->head->puback(c->x, id);
}

static void on_subscribe(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    unsigned char codes[MQTT_FILTERS_MAX];
    struct mqtt_text filter;
    unsigned qos;
    size_t n = 0;

    for (size_t at = 0; mqtt_packet_filter(p, &at, &filter, &qos);)
        codes[n++] =
            c->head->subscribe ? c->head->subscribe(c->x, filter, qos) : MQTT_SUBACK_FAILURE;
    mqtt_put_suback(packet_begin(c), p->id, codes, n);
    packet_end(c);
    if (c->head->subscribed)
        c->head->subscribed(c->x);
}

static void on_unsubscribe(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    struct mqtt_text filter;
    unsigned qos;

    for (size_t at = 0; mqtt_packet_filter(p, &at, &filter, &qos);)
        if (c->head->unsubscribe)
            c->head->unsubscribe(c->x, filter);
    mqtt_put_unsuback(packet_begin(c), p->id);
    packet_end(c);
}

static void on_packet(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    if (!c->head) {
        if (p->type == MQTT_CONNECT)
            on_connect(c, p);
        else
            mqtt_conn_end(c, "did not begin with CONNECT");
        return;
    }
    c->seen_ms = uv_now(c->server->loop);
    switch ((unsigned)p->type) {
    case MQTT_PUBLISH:
        on_publish(c, p);
        break;
    case MQTT_PUBACK:
        on_puback(c, p->id);
        break;
    case MQTT_SUBSCRIBE:
        on_subscribe(c, p);
        break;
    case MQTT_UNSUBSCRIBE:
        on_unsubscribe(c, p);
        break;
    case MQTT_PINGREQ:
        mqtt_put_pingresp(packet_begin(c));
        packet_end(c);
        break;
    case MQTT_DISCONNECT:
        mqtt_conn_end(c, NULL);
        break;
    default:
        mqtt_conn_end(c, "sent CONNECT twice");
    }
}

static size_t on_data(void *arg, const char *data, size_t len)
{
    struct mqtt_conn *c = arg;
    size_t used = 0;

    c->busy = true;
    while (c->net && !c->full && used < len) {
        struct mqtt_packet packet;
        struct err err = {0};
        long n = mqtt_packet_parse(data + used, len - used, &packet, &err);

        if (n == 0)
            break;
        if (n < 0) {
            mqtt_conn_end(c, err.msg);
            break;
        }
        used += (size_t)n;
        on_packet(c, &packet);
    }
    if (c->net && !c->head && len - used > CONNECT_MAX)
        mqtt_conn_end(c, "its CONNECT is too large");
    c->busy = false;
    if (!c->net)
        free(c);
    return used;
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
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_deadline = on_deadline,
    .on_close = on_close,
    .before_flush = before_flush,
};

struct mqtt_server *mqtt_server_new(uv_loop_t *loop, const struct mqtt_head *const *heads,
                                    void *const *owners, bool (*flush)(void *arg), void *arg)
{
    static const struct net_server_limits limits = {
        .connections_max = 12000,
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
    while (s->conns)
        mqtt_conn_end(s->conns, "the hub ends");
    net_server_free(s->net);
    buf_done(&s->scratch);
    free(s);
}

int mqtt_server_listen(struct mqtt_server *s, const char *address, uint16_t port,
                       struct tls_server *tls, struct err *err)
{
    return net_server_listen_tls(s->net, address, port, tls, err);
}

void mqtt_server_set_tls(struct mqtt_server *s, struct tls_server *tls)
{
    net_server_set_tls(s->net, tls);
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
