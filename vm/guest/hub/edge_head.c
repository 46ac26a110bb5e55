/* The edge hub's head of the MQTT server; see edge_clients.h. Its rules are those of IoT Hub, so
 * that a client does not see the difference: what a hub answers with a disconnect ends the
 * connection here, too. */
#include "vm/guest/hub/edge_clients_private.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_inputs.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_twins.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/rest.h"

#include <string.h>

static const char will_mark[] = "iothub-MessageType=Will";
static const char retain_mark[] = "mqtt-retain=true";

static bool wants(void *owner, const struct mqtt_packet *connect)
{
    (void)owner, (void)connect;
    return true; /* there is no other head */
}

/* Subscriptions take effect: what waited for them comes. */
static void serve(struct edge_client *c)
{
    struct edge *edge = c->clients->edge;
    unsigned subs = c->subs & ~c->held;
    unsigned news = subs & ~c->served;

    if (subs == c->served)
        return;
    c->served = subs;
    edge_flow_subscribe(c->flow, subs);
    if (news & SUB_METHODS)
        methods_ready(edge->methods, c->device, c->module);
    edge_client_tell_upstream(c);
}

/* Serves those whose time has come, and waits for the next. */
static void on_held(uv_timer_t *held)
{
    struct edge_clients *clients = held->data;
    uint64_t now = uv_now(clients->edge->loop), next = UINT64_MAX;

    for (size_t i = 0; i < clients->n; i++) {
        struct edge_client *c = clients->all[i];

        if (!c->flow || !c->held)
            continue;
        if (c->held_until_ms <= now) {
            c->held = 0;
            serve(c);
        } else if (c->held_until_ms < next) {
            next = c->held_until_ms;
        }
    }
    if (next != UINT64_MAX)
        (void)uv_timer_start(held, on_held, next - now, 0);
}

/* SDKs acknowledge a message before they look who in the program listens to it, and many a program
 * begins to listen once it is connected: what a kept session brings then would be lost to it. So
 * that waits until the client has subscribed as well, or had a moment for it. */
static void hold(struct edge_client *c)
{
    uv_timer_t *held = &c->clients->held;

    c->held_until_ms = uv_now(c->clients->edge->loop) + HELD_MS;
    if (!uv_is_active((const uv_handle_t *)held))
        (void)uv_timer_start(held, on_held, HELD_MS, 0);
}

static void on_ready(void *x)
{
    struct edge_client *c = x;

    c->flow = edge_inputs_open(c->clients->edge->inputs, c->conn, c->device, c->module);
    if (c->held)
        hold(c);
    serve(c);
}

/* ---- PUBLISH ---- */

/* BAG with one property more. */
static void add_mark(struct buf *bag, const char *mark)
{
    if (bag->len > 0)
        buf_putc(bag, '&');
    buf_puts(bag, mark);
}

/* Gives a message to the routes. Sender and output are what we know, not what it says. */
static int route(struct edge_client *c, const struct buf *bag, const void *body, size_t len,
                 struct err *err)
{
    char output[IDENTITY_ID_MAX];
    const struct edge_message m = {.kind = EDGE_TELEMETRY,
                                   .device = c->device,
                                   .module = c->module,
                                   .output = output,
                                   .model = c->model_id ? c->model_id : "",
                                   .bag = buf_str(bag),
                                   .bag_len = bag->len,
                                   .body = body,
                                   .len = len,
                                   .created_ms = clock_wall_ms()};

    if (!edge_message_output(m.bag, m.bag_len, output, sizeof(output)))
        return err_set(err, ERR_INVALID, "named an output that cannot be");
    return edge_router_take(c->clients->edge->router, &m, err);
}

static void send_will(struct edge_client *c)
{
    auto_buf struct buf bag = {0};
    struct err err = {0};

    buf_puts(&bag, c->will->bag);
    if (c->will->retain)
        add_mark(&bag, retain_mark);
    add_mark(&bag, will_mark);
    if (route(c, &bag, buf_str(&c->will->payload), c->will->payload.len, &err) < 0)
        edge_client_say(c, "its will was not taken: ", err.msg);
    edge_wake(c->clients->edge); /* it may have gone when this turn was committed already */
}

static bool on_telemetry(struct edge_client *c, const struct topic *topic,
                         const struct mqtt_packet *p, struct err *err)
{
    struct buf bag = {.data = (char *)(uintptr_t)topic->bag.at, .len = topic->bag.len};
    auto_buf struct buf marked = {0};
    int taken;

    if (!topic_span_is(topic->device, c->device) || !topic_span_is(topic->module, c->module)) {
        (void)err_set(err, ERR_AUTH, "published for another identity");
        return false;
    }
    if (p->retain) {
        buf_append(&marked, topic->bag.at, topic->bag.len);
        add_mark(&marked, retain_mark);
    }
    taken = route(c, p->retain ? &marked : &bag, p->payload.at, p->payload.len, err);
    if (p->qos > 0 || err->kind == ERR_INVALID)
        return taken == 0;
    /* Nobody waits for an answer to QoS 0: it goes at the end of the turn, as all else does. */
    edge_wake(c->clients->edge);
    if (taken < 0 && !c->refused)
        edge_client_say(c, "messages of QoS 0 are lost: ", err->msg);
    c->refused = taken < 0;
    return true;
}

static void throttle_twin(struct edge_client *c, const char *rid)
{
    const struct err err = {.msg = "too many twin calls in one second"};
    auto_buf struct buf body = {0};
    int status = rest_error_text(&err, true, &body);

    edge_clients_twin_reply(c->clients, c->device, c->module, rid, status, NULL, buf_str(&body),
                            body.len);
}

static void on_twin(struct edge_client *c, const struct topic *topic, const struct mqtt_packet *p)
{
    struct edge *edge = c->clients->edge;
    char rid[TOPIC_RID_MAX];

    (void)str_format(rid, sizeof(rid), "%.*s", (int)topic->rid.len, topic->rid.at);
    if (twin_rate_exceeded(&c->twin_rate, uv_now(edge->loop), p->payload.len))
        throttle_twin(c, rid);
    else if (topic->kind == TOPIC_TWIN_GET)
        edge_twins_get(edge->twins, c->device, c->module, rid);
    else
        edge_twins_report(edge->twins, c->device, c->module, rid, p->payload.at, p->payload.len,
                          topic->has_version ? &topic->version : NULL);
}

static bool on_publish(void *x, const struct mqtt_packet *p, struct err *err)
{
    struct edge_client *c = x;
    struct topic topic;

    if (topic_parse(p->topic.at, p->topic.len, &topic, NULL) < 0) {
        (void)err_set(err, ERR_INVALID, "published to a topic that a hub does not have");
        return false;
    }
    if (topic.kind == TOPIC_TELEMETRY)
        return on_telemetry(c, &topic, p, err);
    if (topic.kind == TOPIC_METHOD_REPLY)
        methods_reply(c->clients->edge->methods, c->device, c->module, topic.rid, topic.status,
                      p->payload.at, p->payload.len);
    else
        on_twin(c, &topic, p);
    return true;
}

/* ---- subscriptions, acknowledgements ---- */

/* An edge hub takes every filter for messages to a module, however it goes on, for all of them. */
static unsigned sub_of(const struct edge_client *c, struct mqtt_text filter)
{
    char own[2 * IDENTITY_ID_MAX + 20];
    unsigned sub = topic_filter(filter.at, filter.len, c->device, c->module);
    size_t len;

    if (sub || !c->module[0])
        return sub;
    (void)str_format(own, sizeof(own), "devices/%s/modules/%s/", c->device, c->module);
    len = strlen(own);
    return filter.len > len + 2 && memcmp(filter.at, own, len) == 0 &&
                   memcmp(filter.at + filter.len - 2, "/#", 2) == 0
               ? SUB_INPUTS
               : 0;
}

static void keep_subs(struct edge_client *c)
{
    struct err err = {0};

    c->stored = c->subs;
    if (c->keep && edge_store_session_put(c->clients->edge->store, c->device, c->module, true,
                                          c->subs, &err) < 0)
        edge_client_say(c, "its subscriptions are not kept: ", err.msg);
}

/* The bit that says how messages come that SUB is for, and whether it stands for QoS 1. */
static unsigned qos_bit(unsigned sub, bool *ret_means_1)
{
    *ret_means_1 = sub == SUB_DEVICEBOUND;
    return sub == SUB_DEVICEBOUND ? SUB_DEVICEBOUND_QOS1 : sub == SUB_INPUTS ? SUB_INPUTS_QOS0 : 0;
}

static unsigned char on_subscribe(void *x, struct mqtt_text filter, unsigned qos)
{
    struct edge_client *c = x;
    unsigned sub = sub_of(c, filter);
    bool means_1;
    unsigned bit = qos_bit(sub, &means_1);

    if (!sub)
        return MQTT_SUBACK_FAILURE;
    c->held &= ~sub;
    c->subs = (c->subs & ~bit) | sub | ((qos > 0) == means_1 ? bit : 0);
    return qos ? 1 : 0;
}

static void on_subscribed(void *x)
{
    struct edge_client *c = x;

    if (c->subs != c->stored)
        keep_subs(c);
    serve(c);
}

static void on_unsubscribe(void *x, struct mqtt_text filter)
{
    struct edge_client *c = x;
    unsigned sub = sub_of(c, filter);
    bool means_1;

    if (!(c->subs & sub))
        return;
    c->subs &= ~(sub | qos_bit(sub, &means_1));
    keep_subs(c);
    serve(c);
}

static void on_puback(void *x, uint16_t id)
{
    struct edge_client *c = x;

    edge_flow_puback(c->flow, id);
}

static void on_drained(void *x)
{
    struct edge_client *c = x;

    edge_flow_drained(c->flow);
}

/* ---- end ---- */

static void on_gone(void *x, const char *why)
{
    struct edge_client *c = x;
    struct edge_clients *clients = c->clients;

    edge_client_say(c, why ? "disconnected: " : "disconnected", why ? why : "");
    if (why && c->will)
        send_will(c);
    will_free(steal(c->will));
    if (c->flow)
        edge_flow_close(steal(c->flow));
    c->conn = NULL;
    c->subs = 0;
    c->disconnected_ms = clock_wall_ms();
    clients->connected--;
    edge_clients_count(clients, EDGE_DISCONNECT, c->device, c->module, NULL);
    edge_clients_changed(clients);
    edge_client_tell_upstream(c);
}

const struct mqtt_head edge_clients_head = {
    .wants = wants,
    .connect_later = edge_connect_begin,
    .abandon = edge_connect_abandon,
    .ready = on_ready,
    .publish = on_publish,
    .subscribe = on_subscribe,
    .subscribed = on_subscribed,
    .unsubscribe = on_unsubscribe,
    .puback = on_puback,
    .drained = on_drained,
    .gone = on_gone,
};
