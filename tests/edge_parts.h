/* For tests: the way of messages through an edge hub, in a process of its own: outbox, router,
 * inputs and MQTT server, as they are. Who a client is, it says itself; the cloud is a list of the
 * endpoints that were told. What can only be asked inside goes through a socket pair, a line each
 * way. */
#ifndef BERTH_TESTS_EDGE_PARTS_H
#define BERTH_TESTS_EDGE_PARTS_H

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/io/tls.h"
#include "tests/hub_client.h"
#include "vm/guest/hub/certs.h"
#include "vm/guest/hub/edge_inputs.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_upstream.h"
#include "vm/guest/hub/outbox.h"
#include "vm/guest/hub/topic.h"

#include <sys/prctl.h>

#define PARTS_DEVICE    "edge"
#define PARTS_REPLY_MAX 160000

/* ------------------------------------------------------------------------------------------ inside
 */

struct parts_client {
    struct parts_client *next;
    struct mqtt_conn *conn;
    struct edge_flow *flow;
    unsigned subs;
    struct topic_user id;
};

static struct parts {
    struct edge edge;
    struct edge_settings settings;
    uv_loop_t loop;
    struct parts_client *clients;
    struct buf told; /* of upstream endpoints */
    int control;
} parts;

void edge_upstream_queued(struct edge_upstream *u, const struct edge_endpoint *e)
{
    (void)u;
    buf_printf(&parts.told, "%s/%s ", e->device, e->module);
}

static bool parts_commit(void *arg)
{
    struct err err;

    (void)arg;
    if (outbox_commit(parts.edge.outbox, &err) < 0 ||
        edge_store_commit(parts.edge.store, &err) < 0) {
        log_error("parts", "%s", err.msg);
        return false;
    }
    edge_router_committed(parts.edge.router);
    return true;
}

/* ---- clients ---- */

static bool parts_wants(void *owner, const struct mqtt_packet *connect)
{
    (void)owner, (void)connect;
    return true;
}

static void *parts_connect(void *owner, struct mqtt_conn *conn, const struct mqtt_packet *p,
                           bool *ret_present, struct err *err)
{
    struct parts_client *c = xcalloc(1, sizeof(*c));

    (void)owner;
    *ret_present = false;
    if (topic_parse_user(p->user.at, p->user.len, &c->id, err) < 0) {
        free(c);
        return NULL;
    }
    for (struct parts_client *other = parts.clients; other; other = other->next)
        if (str_eq(other->id.device, c->id.device) && str_eq(other->id.module, c->id.module)) {
            mqtt_conn_end(other->conn, "another connection took its place");
            break;
        }
    c->conn = conn;
    c->flow = edge_inputs_open(parts.edge.inputs, conn, c->id.device, c->id.module);
    c->next = parts.clients;
    parts.clients = c;
    return c;
}

static bool parts_publish(void *x, const struct mqtt_packet *p, struct err *err)
{
    struct parts_client *c = x;
    struct topic topic;
    char output[300];

    if (topic_parse(p->topic.at, p->topic.len, &topic, err) < 0)
        return false;
    if (topic.kind != TOPIC_TELEMETRY ||
        !edge_message_output(topic.bag.at, topic.bag.len, output, sizeof(output))) {
        (void)err_set(err, ERR_INVALID, "no telemetry");
        return false;
    }

    const struct edge_message m = {
        .device = c->id.device,
        .module = c->id.module,
        .output = output,
        .model = "",
        .bag = topic.bag.at,
        .bag_len = topic.bag.len,
        .body = p->payload.at,
        .len = p->payload.len,
        .created_ms = clock_wall_ms(),
    };

    return edge_router_take(parts.edge.router, &m, err) == 0;
}

static unsigned char parts_subscribe(void *x, struct mqtt_text filter, unsigned qos)
{
    struct parts_client *c = x;
    unsigned sub = topic_filter(filter.at, filter.len, c->id.device, c->id.module);

    if (sub == SUB_DEVICEBOUND && qos)
        sub |= SUB_DEVICEBOUND_QOS1;
    if (sub == SUB_INPUTS && !qos)
        sub |= SUB_INPUTS_QOS0;
    c->subs |= sub;
    return sub ? (unsigned char)qos : MQTT_SUBACK_FAILURE;
}

static void parts_subscribed(void *x)
{
    struct parts_client *c = x;

    edge_flow_subscribe(c->flow, c->subs);
}

static void parts_unsubscribe(void *x, struct mqtt_text filter)
{
    struct parts_client *c = x;

    c->subs &= ~topic_filter(filter.at, filter.len, c->id.device, c->id.module);
    edge_flow_subscribe(c->flow, c->subs);
}

static void parts_puback(void *x, uint16_t id)
{
    struct parts_client *c = x;

    edge_flow_puback(c->flow, id);
}

static void parts_drained(void *x)
{
    struct parts_client *c = x;

    edge_flow_drained(c->flow);
}

static void parts_gone(void *x, const char *why)
{
    struct parts_client *c = x, **at = &parts.clients;

    log_info("parts", "%s/%s is gone: %s", c->id.device, c->id.module, why ? why : "goodbye");
    edge_flow_close(c->flow);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

static const struct mqtt_head parts_head = {
    .wants = parts_wants,
    .connect = parts_connect,
    .publish = parts_publish,
    .subscribe = parts_subscribe,
    .subscribed = parts_subscribed,
    .unsubscribe = parts_unsubscribe,
    .puback = parts_puback,
    .drained = parts_drained,
    .gone = parts_gone,
};

/* ---- what can be asked ---- */

static void parts_configure(const char *text, struct buf *reply)
{
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    struct edge_config *config;
    struct err err;

    if (edge_config_parse(json, &config, &err) < 0) {
        buf_puts(reply, err.msg);
        return;
    }
    edge_router_configure(parts.edge.router, config, text, strlen(text));
    buf_puts(reply, "ok");
}

/* "DEVICE MODULE-or-- BAG BODY" */
static void parts_from_cloud(char *text, struct buf *reply)
{
    const char *device = strsep(&text, " "), *module = strsep(&text, " ");
    const char *bag = strsep(&text, " ");
    const struct edge_message m = {.bag = bag,
                                   .bag_len = strlen(bag),
                                   .body = text,
                                   .len = strlen(text),
                                   .created_ms = clock_wall_ms()};
    struct err err;

    if (edge_router_to_client(parts.edge.router, device, str_eq(module, "-") ? "" : module, &m,
                              &err) < 0 ||
        !parts_commit(NULL))
        buf_puts(reply, "not taken");
    else
        buf_puts(reply, "ok");
}

/* All that waits for the cloud from "DEVICE MODULE-or--", which is gone then. */
static void parts_drain(char *text, struct buf *reply)
{
    const char *device = strsep(&text, " ");
    const struct edge_endpoint *e = edge_router_find(parts.edge.router, EDGE_TO_UPSTREAM, device,
                                                     str_eq(text, "-") ? "" : text, "");
    struct outbox_item item;

    while (e && outbox_next(parts.edge.outbox, e->number, &item, NULL) > 0) {
        buf_append(reply, item.message.body, item.message.len);
        buf_putc(reply, ' ');
        outbox_done(parts.edge.outbox, &item.ref);
    }
}

static void parts_ask_endpoint(void *arg, const struct edge_endpoint *e)
{
    static const char *const kinds[] = {"up", "in", "dev"};

    buf_printf(arg, "%s:%s/%s/%s ", kinds[e->kind], e->device, e->module, e->input);
}

static void parts_answer(char *text, struct buf *reply)
{
    const char *verb = strsep(&text, " ");

    if (str_eq(verb, "configure")) {
        parts_configure(text, reply);
    } else if (str_eq(verb, "metrics")) {
        edge_router_measure(parts.edge.router);
        meters_render(parts.edge.metrics, clock_mono_ms(), reply);
    } else if (str_eq(verb, "cloud")) {
        parts_from_cloud(text, reply);
    } else if (str_eq(verb, "drain")) {
        parts_drain(text, reply);
    } else if (str_eq(verb, "told")) {
        buf_puts(reply, buf_str(&parts.told));
        buf_clear(&parts.told);
    } else if (str_eq(verb, "endpoints")) {
        edge_router_each(parts.edge.router, parts_ask_endpoint, reply);
    } else if (str_eq(verb, "wait")) {
        edge_inputs_set_wait(parts.edge.inputs, strtoul(text, NULL, 10));
    }
}

static void parts_on_control(uv_poll_t *poll, int status, int events)
{
    static char text[PARTS_REPLY_MAX];
    auto_buf struct buf reply = {0};
    ssize_t n = recv(parts.control, text, sizeof(text) - 1, 0);

    (void)status, (void)events;
    if (n <= 0) {
        uv_stop(poll->loop);
        return;
    }
    text[n] = '\0';
    parts_answer(text, &reply);
    if (reply.len == 0)
        buf_putc(&reply, ' ');
    (void)send(parts.control, reply.data, reply.len, 0);
}

/* ---- life ---- */

static void parts_must(int status, const char *what, const struct err *err)
{
    if (status == 0)
        return;
    (void)fprintf(stderr, "edge parts: %s: %s\n", what, err->msg);
    _exit(1);
}

static void parts_open(const char *dir)
{
    auto_free char *outbox = xasprintf("%s/outbox.db", dir);
    auto_free char *store = xasprintf("%s/edge.db", dir);
    struct err err = {0};

    (void)uv_loop_init(&parts.loop);
    parts.settings.device = xstrdup(PARTS_DEVICE);
    parts.edge = (struct edge){.loop = &parts.loop, .settings = &parts.settings};
    parts_must(outbox_open(outbox, NULL, &parts.edge.outbox, &err), "outbox", &err);
    parts_must(edge_store_open(store, &parts.edge.store, &err), "store", &err);
    parts.edge.metrics = edge_metrics_new("hub", PARTS_DEVICE, "1");
    parts.edge.router = edge_router_new(&parts.edge);
    parts.edge.inputs = edge_inputs_new(&parts.edge);
    parts.edge.upstream = (void *)&parts; /* nobody looks into it */
}

static void parts_close(void)
{
    struct err err = {0};

    mqtt_server_free(parts.edge.mqtt);
    edge_inputs_free(parts.edge.inputs);
    edge_router_free(parts.edge.router);
    (void)uv_run(&parts.loop, UV_RUN_DEFAULT);
    parts_must(uv_loop_close(&parts.loop), "something is left in the loop", &err);
    meters_free(parts.edge.metrics);
    edge_store_close(parts.edge.store);
    outbox_close(parts.edge.outbox);
    buf_done(&parts.told);
    free(parts.settings.device);
}

static void parts_main(const struct test_hub *h, int control, int ready)
{
    static const struct mqtt_head *const heads[] = {&parts_head, NULL};
    static void *const owners[] = {&parts};
    auto_free char *log = xasprintf("%s.log", h->dir);
    auto_free char *cert = xasprintf("%s/server.pem", h->dir);
    auto_free char *key = xasprintf("%s/server.key", h->dir);
    struct err err = {0};
    uv_poll_t poll;

    (void)log_open(log, LOG_LEVEL_INFO, NULL);
    parts.control = control;
    parts_open(h->dir);

    struct tls_server *tls = tls_server_new(cert, key, &err);

    parts_must(tls ? 0 : -1, "certificate", &err);
    parts.edge.mqtt = mqtt_server_new(&parts.loop, 100, heads, owners, parts_commit, NULL);
    parts_must(mqtt_server_listen(parts.edge.mqtt, "127.0.0.1", h->mqtt_port, tls, &err), "listen",
               &err);
    (void)uv_poll_init(&parts.loop, &poll, control);
    (void)uv_poll_start(&poll, UV_READABLE, parts_on_control);
    (void)!write(ready, "r", 1);
    (void)close(ready);
    (void)uv_run(&parts.loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&poll, NULL);
    parts_close();
    tls_server_free(tls);
    log_close();
}

/* ----------------------------------------------------------------------------------------- outside
 */

struct edge_parts {
    struct test_hub hub; /* what tests/hub_client.h speaks to */
    int control;
};

static inline bool parts_start(struct edge_parts *p)
{
    int pair[2], ready[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe(ready) < 0)
        abort();
    (void)fflush(stdout);
    p->hub.pid = fork();
    if (p->hub.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(pair[0]);
        (void)close(ready[0]);
        parts_main(&p->hub, pair[1], ready[1]);
        exit(0);
    }
    (void)close(pair[1]);
    (void)close(ready[1]);
    p->control = pair[0];

    bool up = read(ready[0], &byte, 1) == 1;

    (void)close(ready[0]);
    return up;
}

static inline bool parts_new(struct edge_parts *p)
{
    static const char *const names[] = {HUB_HOST, NULL};

    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    hub_new(&p->hub);
    return certs_prepare(p->hub.dir, names, NULL, NULL) == 0 && parts_start(p);
}

/* Ends it by a signal, or, with 0, in order; its status as hub_end(). */
static inline int parts_end(struct edge_parts *p, int sig)
{
    (void)close(p->control);
    return hub_end(&p->hub, sig);
}

static inline const char *parts_ask(const struct edge_parts *p, struct buf *reply, const char *fmt,
                                    ...) ATTR_PRINTF(3, 4);
static inline const char *parts_ask(const struct edge_parts *p, struct buf *reply, const char *fmt,
                                    ...)
{
    auto_buf struct buf text = {0};
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_clear(reply);
    (void)send(p->control, text.data, text.len, 0);

    ssize_t n = recv(p->control, buf_reserve(reply, PARTS_REPLY_MAX), PARTS_REPLY_MAX, 0);

    buf_commit(reply, n > 0 ? (size_t)n : 0);
    return buf_str(reply);
}

/* MODULE NULL: a leaf device. Aborts where it is refused. */
static inline void parts_log_in(const struct edge_parts *p, struct link *l, const char *device,
                                const char *module)
{
    if (mqtt_login(l, &p->hub,
                   &(struct mqtt_login){
                       .device = device, .module = module, .password = "any", .keep_alive_s = 600},
                   NULL) != 0)
        abort();
}

#endif
