/* For tests: the edge hub's upstream against a hub of one's own, through a relay; the parts around
 * it are scripted. One to a program. */
#ifndef BERTH_TESTS_UPSTREAM_H
#define BERTH_TESTS_UPSTREAM_H

#include "core/base/log.h"
#include "tests/hub_client.h"
#include "tests/support/relay.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_upstream_private.h"
#include "vm/guest/hub/topic.h"

#define WAIT_MS 15000

static struct test_hub hub;
static uv_loop_t loop;
static struct relay relay;
static char outbox_path[100];

/* What listeners were told. */
static struct {
    unsigned online, offline, messages, twins, failed;
    unsigned methods;
    char rid[TOPIC_RID_MAX], payload[200], desired[200];
    uint64_t version;
    char body[400]; /* of the last answer or message */
    int status;
    bool commit_fails;
} seen;

/* ---- the parts around it ---- */

static struct edge edge;
static char no_proxy[] = "", hub_name[] = "localhost", device_name[] = "edge1", no_module[] = "";
static struct edge_settings settings = {.hub = hub_name, .device = device_name, .proxy = no_proxy};
static struct edge_endpoint endpoints[3];
static size_t n_endpoints;

static struct child {
    char device[8];
    struct edge_identity identity;
    char key[128];
} children[] = {{.device = "dev1"}, {.device = "x509"}, {.device = "wrong"}};

static char module_key[128], edge_key[128];

const struct edge_identity *edge_scope_find(const struct edge_scope *s, const char *device,
                                            const char *module)
{
    (void)s;
    for (size_t i = 0; i < ARRAY_LEN(children) && !module[0]; i++)
        if (str_eq(children[i].device, device))
            return &children[i].identity;
    return NULL;
}

struct edge_workload_call {
    uv_timer_t timer;
    edge_token_fn fn;
    void *arg;
    struct secret token;
};

static inline void on_call_closed(uv_handle_t *handle)
{
    struct edge_workload_call *c = handle->data;

    secret_wipe(&c->token);
    free(c);
}

static inline void on_call(uv_timer_t *timer)
{
    struct edge_workload_call *c = timer->data;

    c->fn(c->arg, &c->token, NULL);
    uv_close((uv_handle_t *)&c->timer, on_call_closed);
}

struct edge_workload_call *edge_workload_token(struct edge_workload *w, const char *module,
                                               const char *resource, uint64_t expiry_s,
                                               edge_token_fn fn, void *arg)
{
    struct edge_workload_call *c = xcalloc(1, sizeof(*c));

    (void)w;
    (void)uv_timer_init(&loop, &c->timer);
    c->timer.data = c;
    c->fn = fn;
    c->arg = arg;
    (void)sas_make(resource, str_eq(module, "$edgeHub") ? edge_key : module_key, expiry_s, NULL,
                   &c->token, NULL);
    (void)uv_timer_start(&c->timer, on_call, 1, 0);
    return c;
}

void edge_workload_cancel(struct edge_workload_call *call)
{
    if (call)
        uv_close((uv_handle_t *)&call->timer, on_call_closed);
}

void edge_router_each(const struct edge_router *r,
                      void (*fn)(void *arg, const struct edge_endpoint *e), void *arg)
{
    (void)r;
    for (size_t i = 0; i < n_endpoints; i++)
        fn(arg, &endpoints[i]);
}

bool edge_commit(void *arg)
{
    struct edge *e = arg;
    bool ok = outbox_commit(e->outbox, NULL) == 0 && !seen.commit_fails;

    edge_upstream_committed(e->upstream, ok);
    for (size_t i = 0; i < n_endpoints; i++)
        edge_upstream_queued(e->upstream, &endpoints[i]);
    return ok;
}

/* ---- listeners ---- */

static inline void on_online(void *arg, const char *device, const char *module)
{
    (void)arg, (void)device, (void)module;
    seen.online++;
}

static inline void on_offline(void *arg, const char *device, const char *module)
{
    (void)arg, (void)device, (void)module;
    seen.offline++;
}

static inline void on_desired(void *arg, const char *device, const char *module, uint64_t version,
                              const char *patch, size_t len)
{
    (void)arg, (void)device, (void)module;
    seen.version = version;
    snprintf(seen.desired, sizeof(seen.desired), "%.*s", (int)len, patch);
}

static inline void on_method(void *arg, const char *device, const char *module, const char *name,
                             const char *rid, const char *payload, size_t len)
{
    (void)arg, (void)device, (void)module;
    seen.methods++;
    snprintf(seen.rid, sizeof(seen.rid), "%s", rid);
    snprintf(seen.payload, sizeof(seen.payload), "%s %.*s", name, (int)len, payload);
}

static inline bool on_message(void *arg, const char *device, const char *module, const char *bag,
                              size_t bag_len, const void *body, size_t len)
{
    (void)arg, (void)device, (void)module, (void)bag, (void)bag_len;
    seen.messages++;
    snprintf(seen.body, sizeof(seen.body), "%.*s", (int)len, (const char *)body);
    return true;
}

static inline void on_answer(void *arg, int status, uint64_t version, const char *body, size_t len,
                             const struct err *err)
{
    (void)arg;
    seen.twins++;
    seen.failed += err != NULL;
    seen.status = status;
    seen.version = version;
    snprintf(seen.body, sizeof(seen.body), "%.*s", err ? (int)strlen(err->msg) : (int)len,
             err ? err->msg : body);
}

static const struct edge_upstream_events events = {.on_online = on_online,
                                                   .on_offline = on_offline,
                                                   .on_desired = on_desired,
                                                   .on_method = on_method,
                                                   .on_message = on_message};

/* ---- turning the loop ---- */

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Until *COUNT is at least WANTED. */
static inline bool until(const unsigned *count, unsigned wanted)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;
    uv_timer_t tick;

    (void)uv_timer_init(&loop, &tick);
    (void)uv_timer_start(&tick, on_tick, 20, 20);
    while (*count < wanted && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    return *count >= wanted;
}

static inline void turn_for(unsigned ms)
{
    uint64_t end = clock_mono_ms() + ms;

    while (clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static inline struct edge_link *link_of(const char *device, const char *module)
{
    return edge_upstream_link(edge.upstream, device, module);
}

static inline bool until_queued(const char *device, const char *module, uint64_t left)
{
    struct edge_link *l = link_of(device, module);
    uint64_t end = clock_mono_ms() + WAIT_MS;

    while (outbox_count(edge.outbox, l->endpoint->number, 0) > left && clock_mono_ms() < end) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        edge_link_retry(l, 0); /* its pauses have tests of their own */
    }
    return outbox_count(edge.outbox, l->endpoint->number, 0) == left;
}

/* ---- the whole ---- */

static inline void edge_begin(void)
{
    memset(&seen, 0, sizeof(seen));
    edge.upstream = edge_upstream_new(&edge, &events, NULL);
}

static inline void edge_end(void)
{
    edge_upstream_free(steal(edge.upstream));
    turn_for(20);
}

static inline void endpoint_add(const char *device, const char *module)
{
    char name[200];

    snprintf(name, sizeof(name), "upstream/%s%s%s", device, module[0] ? "/" : "", module);
    endpoints[n_endpoints++] = (struct edge_endpoint){.number = outbox_endpoint(edge.outbox, name),
                                                      .kind = EDGE_TO_UPSTREAM,
                                                      .device = device,
                                                      .module = module,
                                                      .input = ""};
}

static inline void queue(const char *device, const char *module, const char *bag, const void *body,
                         size_t len)
{
    const struct edge_message m = {.device = device,
                                   .module = module,
                                   .output = "",
                                   .model = "",
                                   .bag = bag,
                                   .bag_len = strlen(bag),
                                   .body = body,
                                   .len = len,
                                   .created_ms = clock_wall_ms()};
    struct outbox_target target = {.ttl_s = OUTBOX_NEVER};

    for (size_t i = 0; i < n_endpoints; i++)
        if (str_eq(endpoints[i].device, device) && str_eq(endpoints[i].module, module))
            target.endpoint = endpoints[i].number;
    if (outbox_add(edge.outbox, &m, &target, 1, NULL) < 0)
        abort();
}

/* Reads what the cloud has got of DEVICE behind event AFTER, which goes on with it. NEXT is the
 * number that comes next in property "n"; smaller ones are sent again. False where one is left out.
 */
static inline bool follow(const char *device, uint64_t *after, long *next)
{
    for (;;) {
        char target[200];
        auto_json cJSON *out = NULL;
        const cJSON *list;

        snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64 "&device=%s", *after,
                 device);
        (void)rest(&hub, NULL, "GET", target, NULL, NULL, &out);
        list = out ? json_get(out, "events") : NULL;
        if (!list || !list->child)
            return true;
        for (const cJSON *e = list->child; e; e = e->next) {
            long n = strtol(json_str(json_get(e, "properties"), "n", "-1"), NULL, 10);

            *after = json_u64(e, "sequence", *after);
            if (n > *next)
                return false;
            *next += n == *next;
        }
    }
}

/* How many numbers came since event AFTER, from 0 on; -1 where one is left out. */
static inline long in_order(const char *device, uint64_t after)
{
    long next = 0;

    return follow(device, &after, &next) ? next : -1;
}

static inline uint64_t last_event(void)
{
    auto_json cJSON *out = NULL;

    (void)rest(&hub, NULL, "GET", "/sandbox/events?after=9007199254740990", NULL, NULL, &out);
    return out ? json_u64(out, "last", 0) : 0;
}

static inline void queue_numbers(const char *device, const char *module, unsigned n)
{
    char bag[40];

    for (unsigned i = 0; i < n; i++) {
        snprintf(bag, sizeof(bag), "n=%u", i);
        queue(device, module, bag, "x", 1);
    }
    (void)edge_commit(&edge);
}

/* ---- begin and end ---- */

static inline void world_begin(void)
{
    auto_json cJSON *out = NULL;
    char key[128], ca[100];

    device_create(&hub, "dev1", false, children[0].key);
    device_create(&hub, "wrong", false, key);
    device_create(&hub, "edge1", true, edge_key);
    leaf_create(&hub, "edge1", "x509",
                "{\"type\":\"selfSigned\",\"x509Thumbprint\":{\"primaryThumbprint\":"
                "\"0123456789ABCDEF0123456789ABCDEF01234567\"}}",
                key);
    (void)rest(&hub, NULL, "PUT", "/devices/edge1/modules/m", NULL,
               "{\"deviceId\":\"edge1\",\"moduleId\":\"m\"}", &out);
    snprintf(module_key, sizeof(module_key), "%s",
             json_str(json_get(json_get(out, "authentication"), "symmetricKey"), "primaryKey", ""));
    snprintf(children[2].key, sizeof(children[2].key), "%s", "d3Jvbmc=");
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        children[i].identity = (struct edge_identity){
            .device = children[i].device, .module = no_module, .enabled = true};
        secret_set(&children[i].identity.primary, children[i].key, strlen(children[i].key));
    }
    children[1].identity.auth = SCOPE_AUTH_SELF_SIGNED;

    snprintf(ca, sizeof(ca), "%s/ca.pem", hub.dir);
    settings.ca_file = strdup(ca);
    settings.https_port = hub.https_port;
    (void)uv_loop_init(&loop);
    relay_open(&relay, &loop, hub.mqtt_port);
    settings.mqtt_port = relay.port;
    edge = (struct edge){.loop = &loop, .settings = &settings};
    edge.metrics = edge_metrics_new("localhost", "edge1", "1");
    snprintf(outbox_path, sizeof(outbox_path), "%s/outbox.db", hub.dir);
    if (outbox_open(outbox_path, NULL, &edge.outbox, NULL) < 0)
        abort();
    endpoint_add("dev1", "");
    endpoint_add("edge1", "m");
    endpoint_add("x509", "");
}

static inline void world_end(void)
{
    for (size_t i = 0; i < ARRAY_LEN(children); i++)
        secret_wipe(&children[i].identity.primary);
    outbox_close(edge.outbox);
    meters_free(edge.metrics);
    free(settings.ca_file);
    relay_close(&relay);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    report("nothing is left open", uv_loop_close(&loop) == 0, NULL);
}

#endif
