/* IoT Hub's head of the MQTT server; see clients.h. What IoT Hub answers with a disconnect ends the
 * connection here, too: a topic that it does not have, another's name, a malformed property bag. */
#include "vm/guest/hub/clients_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/events.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/rest.h"
#include "vm/guest/hub/twins.h"

#include <string.h>

static void say(const struct client *c, const char *what, const char *why)
{
    log_info("mqtt", "%s%s%s %s%s", c->device, c->module[0] ? "/" : "", c->module, what, why);
}

/* ---- CONNECT ---- */

static bool wants(void *owner, const struct mqtt_packet *connect)
{
    (void)owner, (void)connect;
    return true; /* who is asked last gets the rest, and says what is wrong with it */
}

/* What was subscribed before, for a client that asked to be remembered; forgets it for one that did
 * not. */
static int restore_session(struct store *store, const struct topic_user *user, bool keep,
                           unsigned *ret_subs, bool *ret_present, struct err *err)
{
    bool present = store_session_get(store, user->device, user->module, ret_subs);

    if (!keep)
        *ret_subs = 0;
    *ret_present = present && keep;
    if (present == keep)
        return 0;
    return store_session_put(store, user->device, user->module, keep, 0, err);
}

/* NAME may be "": none, which is NULL in TO. */
static void take_name(char **to, const char *name)
{
    if (str_eq(*to, name) || (!*to && !name[0]))
        return;
    free(*to);
    *to = name[0] ? xstrdup(name) : NULL;
}

static void *on_connect(void *owner, struct mqtt_conn *conn, const struct mqtt_packet *p,
                        bool *ret_present, struct err *err)
{
    struct clients *clients = owner;
    struct hub *hub = clients->hub;
    struct topic_user user = {0};
    const struct auth_proof proof = {.token = p->password.at,
                                     .len = p->password.len,
                                     .tls = mqtt_conn_tls(conn),
                                     .chain = user.chain};
    struct auth_grant grant;
    auto_will struct will *will = NULL;
    unsigned subs = 0;

    if (connect_read_user(p, &user, err) < 0 || connect_read_will(p, &user, &will, err) < 0 ||
        auth_client(&hub->auth, &proof, user.host, user.device, user.module, &grant, err) < 0 ||
        restore_session(hub->store, &user, !p->clean, &subs, ret_present, err) < 0)
        return NULL;

    struct client *c = clients_need(clients, user.device, user.module);

    if (c->conn)
        mqtt_conn_end(c->conn, "another connection took its place");
    c->will = steal(will); /* who is not connected has none */
    take_name(&c->model_id, user.model_id);
    take_name(&c->via, grant.via);
    c->conn = conn;
    c->method = grant.method;
    STR_SET(c->generation, grant.generation);
    c->subs = subs;
    c->served = 0;
    c->keep = !p->clean;
    c->state_ms = c->activity_ms = clock_wall_ms();
    mqtt_conn_expires(conn, grant.expiry_s);
    say(c, "connected from ", mqtt_conn_peer_text(conn));
    return c;
}

/* Subscriptions take effect: what waited for them comes. */
static void serve(struct client *c)
{
    struct hub *hub = c->clients->hub;
    unsigned news = c->subs & ~c->served;

    c->served = c->subs;
    if (news & (SUB_DEVICEBOUND | SUB_DEVICEBOUND_QOS1))
        c2d_open(hub->c2d, &c->c2d, c->device, c->conn, c->subs & SUB_DEVICEBOUND_QOS1 ? 1 : 0);
    if (news & SUB_METHODS)
        methods_ready(hub->methods, c->device, c->module);
}

static void on_ready(void *x)
{
    serve(x);
}

static void add_event(const struct client *c, const struct event *part)
{
    struct event event = *part;

    event.device = c->device;
    event.module = c->module;
    event.generation = c->generation;
    event.method = c->method;
    event.model_id = c->model_id ? c->model_id : "";
    events_add(c->clients->hub->events, &event);
}

static void on_gone(void *x, const char *why)
{
    struct client *c = x;

    say(c, why ? "disconnected: " : "disconnected", why ? why : "");
    if (why && c->will)
        add_event(c, &(struct event){.bag = c->will->bag,
                                     .bag_len = strlen(c->will->bag),
                                     .payload = buf_str(&c->will->payload),
                                     .len = c->will->payload.len,
                                     .retain = c->will->retain,
                                     .will = true});
    will_free(steal(c->will));
    c2d_close(c->clients->hub->c2d, &c->c2d);
    c->conn = NULL;
    c->subs = 0;
    c->state_ms = clock_wall_ms();
}

/* ---- PUBLISH ---- */

static void reply_twin(struct client *c, struct topic_span rid, int status, const uint64_t *version,
                       const struct buf *body)
{
    char topic[TOPIC_OUT_MAX];

    if (!(c->subs & SUB_TWIN_REPLY))
        return;
    topic_put_twin_reply(topic, status, rid, version);
    (void)mqtt_conn_publish(c->conn, topic, body ? buf_str(body) : "", body ? body->len : 0, 0);
}

/* Microsoft's device SDKs do not look at the status: they know a refusal by its body. */
static void refuse_twin(struct client *c, struct topic_span rid, const char *what,
                        const struct err *err)
{
    auto_buf struct buf body = {0};
    int status = rest_error_text(err, false, &body);

    say(c, what, err->msg);
    reply_twin(c, rid, status, NULL, &body);
}

static void throttle_twin(struct client *c, struct topic_span rid)
{
    const struct err err = {.msg = "too many twin calls in one second"};
    auto_buf struct buf body = {0};
    int status = rest_error_text(&err, true, &body);

    reply_twin(c, rid, status, NULL, &body);
}

static void on_twin_get(struct client *c, const struct topic *topic)
{
    auto_buf struct buf body = {0};
    struct err err = {0};

    if (twins_read(c->clients->hub, c->device, c->module, &body, &err) < 0)
        refuse_twin(c, topic->rid, "cannot read its twin: ", &err);
    else
        reply_twin(c, topic->rid, 200, NULL, &body);
}

static void on_twin_report(struct client *c, const struct topic *topic, const struct mqtt_packet *p)
{
    struct err err = {0};
    uint64_t version = 0;

    if (twins_report(c->clients->hub, c->device, c->module, p->payload.at, p->payload.len,
                     topic->has_version ? &topic->version : NULL, &version, &err) < 0)
        refuse_twin(c, topic->rid, "report refused: ", &err);
    else
        reply_twin(c, topic->rid, 204, &version, NULL);
}

static void on_twin(struct client *c, const struct topic *topic, const struct mqtt_packet *p)
{
    if (twin_rate_exceeded(&c->twin_rate, uv_now(c->clients->hub->loop), p->payload.len))
        throttle_twin(c, topic->rid);
    else if (topic->kind == TOPIC_TWIN_GET)
        on_twin_get(c, topic);
    else
        on_twin_report(c, topic, p);
}

static bool on_telemetry(struct client *c, const struct topic *topic, const struct mqtt_packet *p)
{
    if (!topic_span_is(topic->device, c->device) || !topic_span_is(topic->module, c->module))
        return false;
    add_event(c, &(struct event){.bag = topic->bag.at,
                                 .bag_len = topic->bag.len,
                                 .payload = p->payload.at,
                                 .len = p->payload.len,
                                 .retain = p->retain});
    return true;
}

static bool on_publish(void *x, const struct mqtt_packet *p, struct err *err)
{
    struct client *c = x;
    struct topic topic;

    c->activity_ms = clock_wall_ms();
    if (topic_parse(p->topic.at, p->topic.len, &topic, NULL) < 0) {
        (void)err_set(err, ERR_INVALID, "published to a topic that a hub does not have");
        return false;
    }
    switch (topic.kind) {
    case TOPIC_TELEMETRY:
        if (on_telemetry(c, &topic, p))
            return true;
        (void)err_set(err, ERR_AUTH, "published for another identity");
        return false;
    case TOPIC_TWIN_GET:
    case TOPIC_TWIN_REPORT:
        on_twin(c, &topic, p);
        return true;
    case TOPIC_METHOD_REPLY:
    default:
        methods_reply(c->clients->hub->methods, c->device, c->module, topic.rid, topic.status,
                      p->payload.at, p->payload.len);
        return true;
    }
}

/* ---- subscriptions, acknowledgements ---- */

static void keep_subs(struct client *c)
{
    struct err err = {0};

    c->activity_ms = clock_wall_ms();
    if (c->keep &&
        store_session_put(c->clients->hub->store, c->device, c->module, true, c->subs, &err) < 0)
        log_error("mqtt", "subscriptions of %s: %s", c->device, err.msg);
}

static unsigned char on_subscribe(void *x, struct mqtt_text filter, unsigned qos)
{
    struct client *c = x;
    unsigned sub = topic_filter(filter.at, filter.len, c->device, c->module);

    if (!sub)
        return MQTT_SUBACK_FAILURE;
    if (sub == SUB_DEVICEBOUND) {
        c->served &= ~(unsigned)SUB_DEVICEBOUND; /* perhaps with another QoS */
        c->subs &= ~(unsigned)SUB_DEVICEBOUND_QOS1;
        sub |= qos ? SUB_DEVICEBOUND_QOS1 : 0;
    }
    c->subs |= sub;
    return qos ? 1 : 0;
}

static void on_subscribed(void *x)
{
    struct client *c = x;

    if (c->subs != c->served)
        keep_subs(c);
    serve(c);
}

static void on_unsubscribe(void *x, struct mqtt_text filter)
{
    struct client *c = x;
    unsigned sub = topic_filter(filter.at, filter.len, c->device, c->module);

    if (sub == SUB_DEVICEBOUND) {
        sub |= SUB_DEVICEBOUND_QOS1;
        c2d_close(c->clients->hub->c2d, &c->c2d);
    }
    if (!(c->subs & sub))
        return;
    c->subs &= ~sub;
    c->served &= c->subs;
    keep_subs(c);
}

static void on_puback(void *x, uint16_t id)
{
    struct client *c = x;

    c->activity_ms = clock_wall_ms();
    c2d_acknowledged(c->clients->hub->c2d, &c->c2d, id);
}

static void on_drained(void *x)
{
    struct client *c = x;

    c2d_continue(c->clients->hub->c2d, &c->c2d);
}

const struct mqtt_head clients_mqtt_head = {
    .wants = wants,
    .connect = on_connect,
    .ready = on_ready,
    .publish = on_publish,
    .subscribe = on_subscribe,
    .subscribed = on_subscribed,
    .unsubscribe = on_unsubscribe,
    .puback = on_puback,
    .drained = on_drained,
    .gone = on_gone,
};
