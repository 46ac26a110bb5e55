/* See edge_inputs.h: what goes through a flow. What is in flight is known here only by its place in
 * the outbox: where it has to be sent again, it is read again. */
#include "vm/guest/hub/edge_inputs_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/topic.h"

#include <assert.h>

static void say(const struct edge_flow *flow, const char *what)
{
    char to[EDGE_METRICS_ID_MAX];

    edge_metrics_id(to, flow->device, flow->module);
    log_error("inputs", "messages for %s: %s", to, what);
}

/* ---- flights ---- */

static void line_append(struct edge_inputs *i, struct flight *f)
{
    f->until_ms = uv_now(i->edge->loop) + i->wait_ms;
    f->next = NULL;
    f->prev = i->last;
    *(i->last ? &i->last->next : &i->first) = f;
    i->last = f;
}

static void line_remove(struct edge_inputs *i, struct flight *f)
{
    *(f->prev ? &f->prev->next : &i->first) = f->next;
    *(f->next ? &f->next->prev : &i->last) = f->prev;
}

static struct flight *flight_find(struct edge_flow *flow, uint16_t packet)
{
    for (size_t i = 0; i < ARRAY_LEN(flow->flights); i++)
        if (flow->flights[i].packet == packet)
            return &flow->flights[i];
    return NULL;
}

static void flight_begin(struct edge_flow *flow, const struct flight *begun)
{
    struct flight *f = flight_find(flow, 0);

    assert(f);
    *f = *begun;
    f->flow = flow;
    flow->n_flights++;
    line_append(flow->inputs, f);
    inputs_schedule(flow->inputs);
}

static void flight_end(struct flight *f)
{
    line_remove(f->flow->inputs, f);
    f->flow->n_flights--;
    f->packet = 0;
}

/* ---- counting ---- */

static struct tally tally_begin(const struct edge_flow *flow, const struct edge_endpoint *e,
                                const struct outbox_item *item)
{
    struct meters *meters = flow->inputs->edge->metrics;
    const struct edge_message *m = &item->message;
    const char *priority = edge_metrics_priority(item->ref.priority);
    char from[EDGE_METRICS_ID_MAX] = "upstream", to[EDGE_METRICS_ID_MAX];

    if (e->kind == EDGE_TO_INPUT)
        edge_metrics_id(from, m->device, m->module);
    edge_metrics_id(to, flow->device, flow->module);
    return (struct tally){
        .sent = edge_metrics_series(meters, EDGE_MESSAGES_SENT,
                                    (const char *[]){from, to, m->output, e->input, priority}),
        .send_duration = edge_metrics_series(meters, EDGE_SEND_DURATION,
                                             (const char *[]){from, to, m->output, e->input}),
        .process_duration = edge_metrics_series(meters, EDGE_PROCESS_DURATION,
                                                (const char *[]){from, to, priority}),
        .created_ms = m->created_ms,
        .sent_ns = uv_hrtime(),
    };
}

static void tally_end(const struct tally *t)
{
    uint64_t wall_ms = clock_wall_ms(), mono_ms = clock_mono_ms();
    /* The wall clock may have been set. */
    uint64_t age_ms = wall_ms > t->created_ms ? wall_ms - t->created_ms : 0;

    meter_add(t->sent, 1);
    meter_observe(t->send_duration, (double)(uv_hrtime() - t->sent_ns) / 1e9, mono_ms);
    meter_observe(t->process_duration, (double)age_ms / 1e3, mono_ms);
}

/* ---- sending ---- */

static unsigned sub_of(const struct edge_endpoint *e)
{
    return e->kind == EDGE_TO_INPUT ? SUB_INPUTS : SUB_DEVICEBOUND;
}

static unsigned qos_of(const struct edge_flow *flow, const struct edge_endpoint *e)
{
    if (e->kind == EDGE_TO_INPUT)
        return flow->subs & SUB_INPUTS_QOS0 ? 0 : 1;
    return flow->subs & SUB_DEVICEBOUND_QOS1 ? 1 : 0;
}

/* SDKs look for the '/' behind an input's name. */
static const char *make_topic(struct edge_inputs *i, const struct edge_endpoint *e,
                              const struct edge_message *m)
{
    struct buf *topic = &i->topic;

    buf_clear(topic);
    buf_printf(topic, "devices/%s/", e->device);
    if (e->module[0])
        buf_printf(topic, "modules/%s/", e->module);
    if (e->kind == EDGE_TO_INPUT) {
        buf_printf(topic, "inputs/%s/", e->input);
        edge_message_bag(m, false, topic);
    } else {
        buf_puts(topic, "messages/devicebound/");
        buf_append(topic, m->bag, m->bag_len); /* as the cloud wrote it */
    }
    return topic->data;
}

/* With what the hub says of its sender, a bag can grow beyond what a topic may be. */
static void give_up(struct edge_flow *flow, const struct outbox_item *item)
{
    const struct edge *edge = flow->inputs->edge;
    const struct edge_message *m = &item->message;
    char from[EDGE_METRICS_ID_MAX];

    edge_metrics_id(from, m->device, m->module);
    say(flow, "one is given up, its properties are too long");
    meter_add(edge_metrics_series(edge->metrics, EDGE_MESSAGES_DROPPED,
                                  (const char *[]){"not_accepted", from, m->output}),
              1);
    outbox_done(edge->outbox, &item->ref);
}

static void send_item(struct edge_flow *flow, const struct edge_endpoint *e,
                      const struct outbox_item *item)
{
    const struct edge_message *m = &item->message;
    struct flight f = {.endpoint = e, .ref = item->ref, .tally = tally_begin(flow, e, item)};
    unsigned qos = qos_of(flow, e);
    const char *topic = make_topic(flow->inputs, e, m);

    if (flow->inputs->topic.len > MQTT_TEXT_MAX) {
        give_up(flow, item);
        return;
    }
    f.packet = mqtt_conn_publish(flow->conn, topic, m->body, m->len, qos);
    if (qos > 0) {
        assert(f.packet != 0); /* the connection's window is the flow's */
        flight_begin(flow, &f);
        return;
    }
    outbox_done(flow->inputs->edge->outbox, &item->ref);
    tally_end(&f.tally);
}

/* The source whose turn it is, of those that have something; NULL: none has. */
static struct source *next_source(struct edge_flow *flow)
{
    for (size_t i = 0; i < flow->n_sources; i++) {
        struct source *s = &flow->sources[flow->turn++ % flow->n_sources];

        if (s->ready && flow->subs & sub_of(s->endpoint))
            return s;
    }
    return NULL;
}

/* Sends what waits, as far as there is room. */
static void pump(struct edge_flow *flow)
{
    struct source *s;
    struct outbox_item item;
    struct err err;

    while (mqtt_conn_has_room(flow->conn) && flow->n_flights < MQTT_IN_FLIGHT_MAX &&
           (s = next_source(flow))) {
        int row = outbox_next(flow->inputs->edge->outbox, s->endpoint->number, &item, &err);

        if (row < 0) {
            say(flow, err.msg);
            return;
        }
        if (row > 0)
            send_item(flow, s->endpoint, &item);
        else
            s->ready = false;
    }
}

/* ---- sources ---- */

static struct source *source_need(struct edge_flow *flow, const struct edge_endpoint *e)
{
    for (size_t i = 0; i < flow->n_sources; i++)
        if (flow->sources[i].endpoint == e)
            return &flow->sources[i];
    flow->sources = xreallocarray(flow->sources, flow->n_sources + 1, sizeof(*flow->sources));
    flow->sources[flow->n_sources] = (struct source){.endpoint = e};
    return &flow->sources[flow->n_sources++];
}

static void on_endpoint(void *arg, const struct edge_endpoint *e)
{
    struct edge_flow *flow = arg;

    if (e->kind == EDGE_TO_INPUT && str_eq(e->module, flow->module))
        source_need(flow, e)->ready = true;
}

void edge_flow_subscribe(struct edge_flow *flow, unsigned subs)
{
    const struct edge *edge = flow->inputs->edge;
    unsigned news = subs & ~flow->subs;

    flow->subs = subs;
    if (news & SUB_INPUTS && flow->module[0] && str_eq(flow->device, edge->settings->device))
        edge_router_each(edge->router, on_endpoint, flow);
    if (news & SUB_DEVICEBOUND) {
        const struct edge_endpoint *e =
            edge_router_find(edge->router, EDGE_TO_DEVICE, flow->device, flow->module, "");

        if (e)
            source_need(flow, e)->ready = true;
    }
    pump(flow);
}

void flow_feed(struct edge_flow *flow, const struct edge_endpoint *e)
{
    source_need(flow, e)->ready = true;
    pump(flow);
}

/* ---- arriving, or not ---- */

void edge_flow_puback(struct edge_flow *flow, uint16_t id)
{
    struct flight *f = id ? flight_find(flow, id) : NULL;

    if (!f)
        return;
    if (f->endpoint) {
        outbox_done(flow->inputs->edge->outbox, &f->ref);
        tally_end(&f->tally);
    }
    flight_end(f);
    pump(flow);
}

void edge_flow_drained(struct edge_flow *flow)
{
    pump(flow);
}

void flow_take_back(struct edge_flow *flow)
{
    struct outbox *outbox = flow->inputs->edge->outbox;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(flow->flights); i++) {
        struct flight *f = &flow->flights[i];

        if (f->packet == 0)
            continue;
        if (f->endpoint && outbox_rewind(outbox, f->endpoint->number, &err) < 0)
            say(flow, err.msg);
        flight_end(f);
    }
}

void flight_again(struct flight *f)
{
    struct edge_flow *flow = f->flow;
    struct edge_inputs *i = flow->inputs;
    struct edge_message m;
    struct err err;
    int row;

    line_remove(i, f);
    line_append(i, f);
    if (!mqtt_conn_has_room(flow->conn))
        return; /* it still reads what came before */
    f->again++;
    if (!f->endpoint)
        return;
    row = outbox_get(i->edge->outbox, &f->ref, &m, &err);
    if (row > 0)
        mqtt_conn_publish_again(flow->conn, f->packet, make_topic(i, f->endpoint, &m), m.body,
                                m.len);
    else if (row < 0)
        say(flow, err.msg);
}
