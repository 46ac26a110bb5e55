/* See edge_router.h. */
#include "vm/guest/hub/edge_router.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_endpoint.h"
#include "vm/guest/hub/edge_inputs.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_upstream.h"

#include <inttypes.h>

#define SWEEP_MS 5000
#define CONFIG   "config" /* its name in the store */

struct edge_router {
    struct edge *edge;
    struct edge_config *config;
    struct edge_sinks sinks;
    struct route_input *input;
    struct edge_sink **leads;      /* for each endpoint of the routes; NULL: upstream */
    struct route_target *matches;  /* room for as many */
    struct outbox_target *targets; /* the same, and for one at least */
    unsigned measured;             /* a bit for each priority upstream whose length was shown */
    bool sweep_failed;
    uv_timer_t sweep;
};

/* ---- counting ---- */

static void count(const struct edge_router *r, enum edge_metric metric, const char *const *labels)
{
    meter_add(edge_metrics_series(r->edge->metrics, metric, labels), 1);
}

static void count_received(const struct edge_router *r, const char *sender,
                           const struct edge_message *m)
{
    struct meter *size =
        edge_metrics_series(r->edge->metrics, EDGE_MESSAGE_SIZE, (const char *[]){sender});

    count(r, EDGE_MESSAGES_RECEIVED, (const char *[]){sender, m->output});
    meter_observe(size, (double)m->len, clock_mono_ms());
}

/* N is the length of ENDPOINT's queue. One that nobody has heard of yet is not shown while empty.
 */
static void measure(const struct edge_router *r, unsigned *measured, const char *endpoint,
                    unsigned priority, uint64_t n)
{
    const char *const labels[] = {endpoint, edge_metrics_priority(priority)};

    if (n == 0 && !(*measured & 1U << priority))
        return;
    *measured |= 1U << priority;
    meter_set(edge_metrics_series(r->edge->metrics, EDGE_QUEUE_LENGTH, labels), n);
}

static void measure_input(const struct edge_router *r, struct edge_sink *sink)
{
    const struct edge_endpoint *e = &sink->endpoint;
    auto_free char *name = xasprintf("%s/%s/%s", e->device, e->module, e->input);

    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
        measure(r, &sink->measured, name, p, outbox_count(r->edge->outbox, e->number, p));
}

void edge_router_measure(struct edge_router *r)
{
    uint64_t upstream[ROUTE_PRIORITIES] = {0};

    for (size_t i = 0; i < r->sinks.n_numbers; i++) {
        struct edge_sink *sink = r->sinks.numbers[i];

        if (sink && sink->endpoint.kind == EDGE_TO_INPUT)
            measure_input(r, sink);
        for (unsigned p = 0;
             sink && sink->endpoint.kind == EDGE_TO_UPSTREAM && p < ROUTE_PRIORITIES; p++)
            upstream[p] += outbox_count(r->edge->outbox, sink->endpoint.number, p);
    }
    for (unsigned p = 0; p < ROUTE_PRIORITIES; p++)
        measure(r, &r->measured, "iothub", p, upstream[p]);
}

/* ---- configuration ---- */

static void on_change(void *arg, enum edge_change change, const char *name)
{
    static const char *const texts[] = {
        [EDGE_ROUTE_ADDED] = "a new route: ",
        [EDGE_ROUTE_CHANGED] = "a changed route: ",
        [EDGE_ROUTE_REMOVED] = "a route is gone: ",
        [EDGE_ENDPOINT_ADDED] = "messages now go to ",
        [EDGE_ENDPOINT_REMOVED] = "no more messages go to ",
        [EDGE_TTL_CHANGED] = "messages are kept for another time",
        [EDGE_MAX_BYTES_CHANGED] = "messages may take another amount of room",
    };

    (void)arg;
    log_info("router", "%s%s", texts[change], name);
}

/* Drops what waits for inputs to which no route leads: whoever took the route away does not want
 * it to come when he puts one back. */
static void drop_unrouted(struct edge_router *r)
{
    for (size_t i = 0; i < r->sinks.n_numbers; i++) {
        struct edge_sink *sink = r->sinks.numbers[i];
        uint64_t n;
        struct err err;

        if (!sink || sink->endpoint.kind != EDGE_TO_INPUT || sink->routed ||
            (n = edge_sinks_count(&r->sinks, sink)) == 0)
            continue;
        if (outbox_drop(r->edge->outbox, sink->endpoint.number, &err) < 0) {
            log_error("router", "messages for %s/%s, where no route leads: %s",
                      sink->endpoint.module, sink->endpoint.input, err.msg);
            continue;
        }
        if (r->edge->inputs)
            edge_inputs_dropped(r->edge->inputs, &sink->endpoint);
        log_warn("router", "%" PRIu64 " messages for %s/%s were dropped: no route leads there", n,
                 sink->endpoint.module, sink->endpoint.input);
    }
}

/* What follows from the configuration. */
static void apply(struct edge_router *r)
{
    const struct route_table *routes = &r->config->routes;

    free(r->leads);
    free(r->matches);
    free(r->targets);
    r->leads = xcalloc(routes->n_endpoints, sizeof(struct edge_sink *));
    r->matches = xcalloc(routes->n_endpoints, sizeof(*r->matches));
    r->targets = xcalloc(routes->n_endpoints + 1, sizeof(*r->targets));
    for (size_t i = 0; i < r->sinks.n_numbers; i++)
        if (r->sinks.numbers[i])
            r->sinks.numbers[i]->routed = false;
    for (size_t i = 0; i < routes->n_rules; i++) {
        const struct route_rule *rule = &routes->rules[i];

        if (!route_module(rule->route))
            continue;
        r->leads[rule->endpoint] =
            edge_sinks_need(&r->sinks, EDGE_TO_INPUT, r->edge->settings->device,
                            route_module(rule->route), route_input_name(rule->route));
        r->leads[rule->endpoint]->routed = true;
    }
    outbox_set_max_bytes(r->edge->outbox, r->config->max_bytes);
    drop_unrouted(r);
}

void edge_router_configure(struct edge_router *r, struct edge_config *config, const char *text,
                           size_t len)
{
    struct err err;

    edge_config_diff(r->config, config, on_change, NULL);
    edge_config_free(r->config);
    r->config = config;
    apply(r);
    if (edge_store_text_put(r->edge->store, CONFIG, text, len, &err) < 0)
        log_error("router", "the routes are in force, but are not kept for the next start: %s",
                  err.msg);
}

static int read_config(struct edge_store *store, struct edge_config **ret, struct err *err)
{
    auto_buf struct buf text = {0};

    if (edge_store_text_get(store, CONFIG, &text, err) < 0)
        return -1;

    auto_json cJSON *desired = json_parse(buf_str(&text), text.len, err);

    return desired ? edge_config_parse(desired, ret, err) : -1;
}

static struct edge_config *last_config(struct edge_store *store)
{
    struct edge_config *config = NULL;
    struct err err;

    if (read_config(store, &config, &err) == 0)
        return config;
    if (err.kind != ERR_NOT_FOUND)
        log_error("router", "the last routes cannot be used, all goes upstream for now: %s",
                  err.msg);
    return edge_config_default();
}

/* ---- messages ---- */

/* Queues M, whose targets are in R. */
static int add(struct edge_router *r, const struct edge_message *m, size_t n, struct err *err)
{
    if (outbox_add(r->edge->outbox, m, r->targets, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        edge_sinks_touch(&r->sinks, r->sinks.numbers[r->targets[i].endpoint]);
    return 0;
}

static int set_target(struct edge_router *r, size_t i, const struct edge_sink *sink,
                      const struct route_target *match, struct err *err)
{
    if (!sink)
        return err_set(err, ERR_NO_SPACE, "more than %d identities had messages since the start",
                       EDGE_ENDPOINTS_MAX);
    r->targets[i] = (struct outbox_target){
        .endpoint = sink->endpoint.number,
        .priority = match->priority,
        .ttl_s = edge_config_ttl(r->config, match),
    };
    return 0;
}

/* M takes N routes. */
static int queue(struct edge_router *r, const struct edge_message *m, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct route_target *match = &r->matches[i];
        struct edge_sink *sink = r->leads[match->endpoint];

        if (!sink)
            sink = edge_sinks_need(&r->sinks, EDGE_TO_UPSTREAM, m->device, m->module, "");
        if (set_target(r, i, sink, match, err) < 0)
            return -1;
    }
    return add(r, m, n, err);
}

int edge_router_take(struct edge_router *r, const struct edge_message *m, struct err *err)
{
    char sender[EDGE_METRICS_ID_MAX];
    size_t n;

    edge_metrics_id(sender, m->device, m->module);
    if (m->kind == EDGE_TELEMETRY)
        count_received(r, sender, m);
    route_input_set(r->input, m);
    n = route_table_match(&r->config->routes, r->input, r->matches);
    if (n == 0) {
        count(r, EDGE_MESSAGES_DROPPED, (const char *[]){"no_route", sender, m->output});
        return 0;
    }
    if (queue(r, m, n, err) == 0)
        return 0;
    count(r, EDGE_MESSAGES_UNACK, (const char *[]){"storage_failure", sender, m->output});
    return -1;
}

int edge_router_to_client(struct edge_router *r, const char *device, const char *module,
                          const struct edge_message *m, struct err *err)
{
    const struct route_target match = {.priority = ROUTE_PRIORITY_LAST};
    struct edge_message from_cloud = *m;

    from_cloud.device = from_cloud.module = from_cloud.output = from_cloud.model = "";
    if (set_target(r, 0, edge_sinks_need(&r->sinks, EDGE_TO_DEVICE, device, module, ""), &match,
                   err) < 0)
        return -1;
    return add(r, &from_cloud, 1, err);
}

void edge_router_committed(struct edge_router *r)
{
    struct edge_sink *sink;

    if (!r->edge->upstream || !r->edge->inputs) /* the hub is still being put together */
        return;
    while ((sink = edge_sinks_touched(&r->sinks)))
        if (sink->endpoint.kind == EDGE_TO_UPSTREAM)
            edge_upstream_queued(r->edge->upstream, &sink->endpoint);
        else
            edge_inputs_queued(r->edge->inputs, &sink->endpoint);
}

/* ---- endpoints ---- */

const struct edge_endpoint *edge_router_find(const struct edge_router *r,
                                             enum edge_endpoint_kind kind, const char *device,
                                             const char *module, const char *input)
{
    const struct edge_sink *sink = edge_sinks_find(&r->sinks, kind, device, module, input);

    return sink ? &sink->endpoint : NULL;
}

void edge_router_each(const struct edge_router *r,
                      void (*fn)(void *arg, const struct edge_endpoint *e), void *arg)
{
    for (size_t i = 0; i < r->sinks.n_numbers; i++)
        if (r->sinks.numbers[i])
            fn(arg, &r->sinks.numbers[i]->endpoint);
}

/* ---- life ---- */

static void on_expired(void *arg, const struct outbox_ref *ref, const struct edge_message *m)
{
    const struct edge_router *r = arg;
    char sender[EDGE_METRICS_ID_MAX];

    (void)ref;
    edge_metrics_id(sender, m->device, m->module);
    count(r, EDGE_MESSAGES_DROPPED,
          (const char *[]){"ttl_expiry", sender[0] ? sender : "upstream", m->output});
}

/* What was added before it in this turn is committed with it. */
static void on_sweep(uv_timer_t *timer)
{
    struct edge_router *r = timer->data;
    struct err err;
    bool failed = outbox_sweep(r->edge->outbox, on_expired, r, &err) < 0;

    if (failed && !r->sweep_failed)
        log_error("router", "%s", err.msg);
    r->sweep_failed = failed;
    edge_router_committed(r);
}

struct edge_router *edge_router_new(struct edge *edge)
{
    struct edge_router *r = xcalloc(1, sizeof(*r));

    (void)uv_timer_init(edge->loop, &r->sweep);
    r->sweep.data = r;
    r->edge = edge;
    r->config = last_config(edge->store);
    r->input = route_input_new();
    edge_sinks_init(&r->sinks, edge->outbox, edge->settings->device);
    apply(r);
    (void)uv_timer_start(&r->sweep, on_sweep, 0, SWEEP_MS);
    return r;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_router_free(struct edge_router *r)
{
    if (!r)
        return;
    edge_sinks_done(&r->sinks);
    route_input_free(r->input);
    edge_config_free(r->config);
    free(r->leads);
    free(r->matches);
    free(r->targets);
    uv_close((uv_handle_t *)&r->sweep, on_closed);
}
