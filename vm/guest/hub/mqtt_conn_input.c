/* See mqtt_conn.h: the packets of a client, in their order. Each is taken apart where it lies in
 * the network's buffer. */
#include "vm/guest/hub/mqtt_conn_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define CONNECT_MAX       16384   /* nobody known sends more before it */
#define EARLY_MAX         65536   /* nor behind it, before the answer to it */
#define KEEP_ALIVE_MAX_MS 1767000 /* IoT Hub's cap, also for a client that wants none */

/* ---- CONNECT ---- */

static void connack(struct mqtt_conn *c, bool present, enum mqtt_connack code)
{
    mqtt_put_connack(mqtt_conn_packet(c), present, code);
    mqtt_conn_packet_end(c);
}

/* What can be otherwise a moment later, such as a full disk, must not look like a wrong key:
 * clients give up at that. */
static enum mqtt_connack code_of(const struct err *err)
{
    return err->kind == ERR_AUTH || err->kind == ERR_INVALID || err->kind == ERR_NOT_FOUND
               ? MQTT_NOT_AUTHORIZED
               : MQTT_UNAVAILABLE;
}

static void refuse(struct mqtt_conn *c, const char *client_id, enum mqtt_connack code,
                   const char *why)
{
    auto_free char *text = xasprintf("refused %s: %s", client_id, why);

    connack(c, false, code);
    mqtt_conn_over(c, text);
}

static void client_id_of(const struct mqtt_packet *p, struct buf *ret)
{
    if (p->client_id.at)
        str_sanitise(ret, p->client_id.at, p->client_id.len < 260 ? p->client_id.len : 260);
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

static void accept_connect(struct mqtt_conn *c, const struct mqtt_head *head, void *x, bool present,
                           uint16_t keep_alive_s)
{
    const char *why;

    c->head = head;
    c->x = x;
    c->keep_alive_ms = (uint64_t)keep_alive_s * 1500;
    if (c->keep_alive_ms == 0 || c->keep_alive_ms > KEEP_ALIVE_MAX_MS)
        c->keep_alive_ms = KEEP_ALIVE_MAX_MS;
    connack(c, present, MQTT_ACCEPTED);
    c->seen_ms = uv_now(c->server->loop);
    if ((why = mqtt_conn_watch(c)))
        mqtt_conn_over(c, why);
    else if (head->ready)
        head->ready(x);
}

/* What is said of P is kept until the head has decided. */
static int ask_head(struct mqtt_conn *c, const struct mqtt_head *head, void *owner,
                    const struct mqtt_packet *p, const struct buf *client_id, struct err *err)
{
    if (!head->connect_later(owner, c, p, err))
        return -1;
    c->asked = xcalloc(1, sizeof(*c->asked) + client_id->len + 1);
    c->asked->head = head;
    c->asked->owner = owner;
    c->asked->keep_alive_s = p->keep_alive_s;
    memcpy(c->asked->client_id, buf_str(client_id), client_id->len);
    return 0;
}

static void on_connect(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    auto_buf struct buf client_id = {0};
    struct err err = {.msg = "nobody knows such a user name"};
    bool present = false;
    void *owner = NULL, *x = NULL;

    if (!p->known_protocol) {
        refuse(c, "", MQTT_BAD_PROTOCOL, "speaks another protocol than MQTT 3.1.1");
        return;
    }
    client_id_of(p, &client_id);
    if (p->client_id.len == 0 && !p->clean) {
        refuse(c, "", MQTT_BAD_CLIENT_ID, "no client id");
        return;
    }

    const struct mqtt_head *head = choose_head(c->server, p, &owner);

    if (head && head->connect_later) {
        if (ask_head(c, head, owner, p, &client_id, &err) < 0)
            refuse(c, buf_str(&client_id), code_of(&err), err.msg);
    } else if (head && (x = head->connect(owner, c, p, &present, &err))) {
        accept_connect(c, head, x, present, p->keep_alive_s);
    } else {
        refuse(c, buf_str(&client_id), MQTT_NOT_AUTHORIZED, err.msg);
    }
}

void mqtt_conn_accept(struct mqtt_conn *c, void *x, bool present)
{
    auto_free struct mqtt_asked *asked = steal(c->asked);

    net_conn_resume(c->net);
    c->busy = true;
    accept_connect(c, asked->head, x, present, asked->keep_alive_s);
    c->busy = false;
    if (!c->net)
        free(c);
}

void mqtt_conn_refuse(struct mqtt_conn *c, const struct err *err)
{
    auto_free struct mqtt_asked *asked = steal(c->asked);

    refuse(c, asked->client_id, code_of(err), err->msg);
    free(c);
}

/* ---- all others ---- */

static void on_publish(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    struct err err = {0};

    if (p->qos == 2) {
        mqtt_conn_over(c, "published with QoS 2");
        return;
    }
    if (!c->head->publish || !c->head->publish(c->x, p, &err)) {
        mqtt_conn_over(c, err.msg);
        return;
    }
    if (p->qos == 1) {
        mqtt_put_puback(mqtt_conn_packet(c), p->id);
        mqtt_conn_packet_end(c);
    }
}

static void on_puback(struct mqtt_conn *c, uint16_t id)
{
    uint16_t *slot = mqtt_conn_in_flight(c, id);

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
    mqtt_put_suback(mqtt_conn_packet(c), p->id, codes, n);
    mqtt_conn_packet_end(c);
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
    mqtt_put_unsuback(mqtt_conn_packet(c), p->id);
    mqtt_conn_packet_end(c);
}

static void on_packet(struct mqtt_conn *c, const struct mqtt_packet *p)
{
    if (!c->head) {
        if (p->type == MQTT_CONNECT)
            on_connect(c, p);
        else
            mqtt_conn_over(c, "did not begin with CONNECT");
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
        mqtt_put_pingresp(mqtt_conn_packet(c));
        mqtt_conn_packet_end(c);
        break;
    case MQTT_DISCONNECT:
        mqtt_conn_over(c, NULL);
        break;
    default:
        mqtt_conn_over(c, "sent CONNECT twice");
    }
}

size_t mqtt_conn_on_data(void *conn, const char *data, size_t len)
{
    struct mqtt_conn *c = conn;
    size_t used = 0;

    c->busy = true;
    while (c->net && !c->full && !c->asked && used < len) {
        struct mqtt_packet packet;
        struct err err = {0};
        long n = mqtt_packet_parse(data + used, len - used, &packet, &err);

        if (n == 0)
            break;
        if (n < 0) {
            mqtt_conn_over(c, err.msg);
            break;
        }
        used += (size_t)n;
        on_packet(c, &packet);
    }
    if (c->net && c->asked && len - used > EARLY_MAX)
        mqtt_conn_over(c, "sent too much before it was let in");
    else if (c->net && !c->asked && !c->head && len - used > CONNECT_MAX)
        mqtt_conn_over(c, "its CONNECT is too large");
    c->busy = false;
    if (!c->net)
        free(c);
    return used;
}
