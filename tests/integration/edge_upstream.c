/* The edge hub's connections to the cloud, against berth-hub in its cloud role: what is queued
 * arrives, in order, through whatever happens on the way; what the cloud says is acknowledged when
 * it is safe; tokens, twins, methods. The parts around it are scripted here. */
#include "core/base/log.h"
#include "tests/hub_client.h"
#include "tests/support/relay.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_upstream_private.h"
#include "vm/guest/hub/topic.h"

#include <malloc.h>

#define WAIT_MS  15000
#define EVERYONE 47 /* and $edgeAgent, $edgeHub, m: as many as a device may have */

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

static char module_key[128];

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

static void on_call_closed(uv_handle_t *handle)
{
    struct edge_workload_call *c = handle->data;

    secret_wipe(&c->token);
    free(c);
}

static void on_call(uv_timer_t *timer)
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

    (void)w, (void)module;
    (void)uv_timer_init(&loop, &c->timer);
    c->timer.data = c;
    c->fn = fn;
    c->arg = arg;
    (void)sas_make(resource, module_key, expiry_s, NULL, &c->token, NULL);
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

static void on_online(void *arg, const char *device, const char *module)
{
    (void)arg, (void)device, (void)module;
    seen.online++;
}

static void on_offline(void *arg, const char *device, const char *module)
{
    (void)arg, (void)device, (void)module;
    seen.offline++;
}

static void on_desired(void *arg, const char *device, const char *module, uint64_t version,
                       const char *patch, size_t len)
{
    (void)arg, (void)device, (void)module;
    seen.version = version;
    snprintf(seen.desired, sizeof(seen.desired), "%.*s", (int)len, patch);
}

static void on_method(void *arg, const char *device, const char *module, const char *name,
                      const char *rid, const char *payload, size_t len)
{
    (void)arg, (void)device, (void)module;
    seen.methods++;
    snprintf(seen.rid, sizeof(seen.rid), "%s", rid);
    snprintf(seen.payload, sizeof(seen.payload), "%s %.*s", name, (int)len, payload);
}

static bool on_message(void *arg, const char *device, const char *module, const char *bag,
                       size_t bag_len, const void *body, size_t len)
{
    (void)arg, (void)device, (void)module, (void)bag, (void)bag_len;
    seen.messages++;
    snprintf(seen.body, sizeof(seen.body), "%.*s", (int)len, (const char *)body);
    return true;
}

static void on_answer(void *arg, int status, uint64_t version, const char *body, size_t len,
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

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Until *COUNT is at least WANTED. */
static bool until(const unsigned *count, unsigned wanted)
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

static void turn_for(unsigned ms)
{
    uint64_t end = clock_mono_ms() + ms;

    while (clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static struct edge_link *link_of(const char *device, const char *module)
{
    return edge_upstream_link(edge.upstream, device, module);
}

static bool until_queued(const char *device, const char *module, uint64_t left)
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

static void edge_begin(void)
{
    memset(&seen, 0, sizeof(seen));
    edge.upstream = edge_upstream_new(&edge, &events, NULL);
}

static void edge_end(void)
{
    edge_upstream_free(steal(edge.upstream));
    turn_for(20);
}

static void endpoint_add(const char *device, const char *module)
{
    char name[200];

    snprintf(name, sizeof(name), "upstream/%s%s%s", device, module[0] ? "/" : "", module);
    endpoints[n_endpoints++] = (struct edge_endpoint){.number = outbox_endpoint(edge.outbox, name),
                                                      .kind = EDGE_TO_UPSTREAM,
                                                      .device = device,
                                                      .module = module,
                                                      .input = ""};
}

static void queue(const char *device, const char *module, const char *bag, const void *body,
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

/* The values of property "n" that the cloud has of DEVICE since event AFTER, duplicates left out:
 * how many there are as long as they count up by one from 0; minus one where they do not. */
static long in_order(const char *device, uint64_t after)
{
    long next = 0;

    for (;;) {
        char target[200];
        auto_json cJSON *out = NULL;
        const cJSON *list;

        snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64 "&device=%s", after,
                 device);
        (void)rest(&hub, NULL, "GET", target, NULL, NULL, &out);
        list = out ? json_get(out, "events") : NULL;
        if (!list || !list->child)
            return next;
        for (const cJSON *e = list->child; e; e = e->next) {
            long n = strtol(json_str(json_get(e, "properties"), "n", "-1"), NULL, 10);

            after = json_u64(e, "sequence", after);
            if (n > next)
                return -1;
            next += n == next;
        }
    }
}

static uint64_t last_event(void)
{
    auto_json cJSON *out = NULL;

    (void)rest(&hub, NULL, "GET", "/sandbox/events?after=9007199254740990", NULL, NULL, &out);
    return out ? json_u64(out, "last", 0) : 0;
}

static void queue_numbers(const char *device, const char *module, unsigned n)
{
    char bag[40];

    for (unsigned i = 0; i < n; i++) {
        snprintf(bag, sizeof(bag), "n=%u", i);
        queue(device, module, bag, "x", 1);
    }
    (void)edge_commit(&edge);
}

/* ---- messages to the cloud ---- */

static void test_order(void)
{
    uint64_t after = last_event();
    char text[100];
    long got;

    edge_begin();
    queue_numbers("dev1", "", 900); /* the cloud shows the last 1000 */
    for (unsigned cut = 1; cut <= 20; cut++) {
        (void)until_queued("dev1", "", 900 - cut * 40);
        relay_cut(&relay);
        (void)until(&seen.offline, cut);
    }
    report("messages are sent through 20 losses of the connection",
           seen.offline == 20 && until_queued("dev1", "", 0), NULL);
    got = in_order("dev1", after);
    snprintf(text, sizeof(text), "%ld in order", got);
    report("none is lost, and their order is kept", got == 900, text);
    edge_end();
}

static void test_window(void)
{
    edge_begin();
    edge_upstream_client(edge.upstream, "dev1", "", true, 0, NULL);
    (void)until(&seen.online, 1);
    relay_stall(&relay, true);
    queue_numbers("dev1", "", 100);
    turn_for(200);

    const struct edge_link *l = link_of("dev1", "");
    char text[60];

    snprintf(text, sizeof(text), "%u under way", l->n_flight);
    report("no more than the window is sent ahead", l->n_flight == EDGE_LINK_WINDOW, text);
    report("nothing is done before its PUBACK",
           outbox_count(edge.outbox, l->endpoint->number, 0) == 100, NULL);
    relay_stall(&relay, false);
    report("it goes on when PUBACKs come", until_queued("dev1", "", 0), NULL);
    edge_end();
}

static void test_impossible(void)
{
    uint64_t after = last_event();
    char *big = calloc(1, 256 * 1024);

    edge_begin();
    queue("dev1", "", "a=1", big, 256 * 1024);
    queue("dev1", "", "a=%zz", "x", 1); /* ends the connection each time */
    queue_numbers("dev1", "", 3);
    free(big);
    report("what the cloud never takes does not hold up what is behind it",
           until_queued("dev1", "", 0) && in_order("dev1", after) == 3 && seen.offline == 10, NULL);
    edge_end();
}

static void test_module(void)
{
    uint64_t after = last_event();

    edge_begin();
    queue_numbers("edge1", "m", 5);
    report("a module's messages go with a token that the runtime signs",
           until_queued("edge1", "m", 0) && in_order("edge1", after) == 5, NULL);

    struct edge_link *l = link_of("edge1", "m");

    report("a connection is closed when it is needed no more",
           l->online && l->idle_ms && (l->idle_ms = 1, edge_link_settle(l), true) &&
               until(&seen.offline, 1) && l->step == LINK_REST && !l->mqtt,
           NULL);
    queue_numbers("edge1", "m", 1);
    report("and opened when there is something again",
           until_queued("edge1", "m", 0) && seen.online == 2, NULL);
    edge_end();
}

/* ---- tokens and refusals ---- */

static void test_renewal(void)
{
    unsigned before = relay.accepted;
    uint64_t after = last_event();

    edge_begin();
    edge.upstream->token_s = 2;
    edge_upstream_client(edge.upstream, "edge1", "m", true, SUB_METHODS, NULL);
    (void)until(&seen.online, 1);
    queue_numbers("edge1", "m", 400);
    report("a token is renewed before its end",
           until(&relay.accepted, before + 3) && until_queued("edge1", "m", 0), NULL);
    (void)edge_upstream_get_twin(edge.upstream, "edge1", "m", on_answer, NULL);
    report("which nobody notices: nothing is lost, no call fails",
           until(&seen.twins, 1) && !seen.failed && seen.offline == 0 &&
               in_order("edge1", after) == 400,
           seen.body);
    edge_end();
}

static void test_refused(void)
{
    edge_begin();
    edge_upstream_client(edge.upstream, "wrong", "", true, 0, NULL);
    (void)edge_upstream_get_twin(edge.upstream, "wrong", "", on_answer, NULL);
    report("with a wrong key it is refused, and a call says so",
           until(&seen.failed, 1) && strstr(seen.body, "not authorised"), seen.body);

    struct edge_link *l = link_of("wrong", "");

    report("it is tried again rarely then",
           l->step == LINK_PAUSE && l->refused && uv_timer_get_due_in(&l->timer) >= 14000, NULL);
    (void)edge_upstream_get_twin(edge.upstream, "wrong", "", on_answer, NULL);
    report("a call meanwhile fails at once", seen.failed == 1 && until(&seen.failed, 2), NULL);

    queue_numbers("x509", "", 2);
    turn_for(50);
    l = link_of("x509", "");
    report("what a device with a certificate sends waits here",
           l->step == LINK_PAUSE && l->refused && strstr(l->error, "certificate") &&
               outbox_count(edge.outbox, l->endpoint->number, 0) == 2,
           l->error);
    edge_end();
}

static void test_proxy(void)
{
    char proxy[60];

    snprintf(proxy, sizeof(proxy), "http://u:p@127.0.0.1:%u", relay.port);
    settings.proxy = proxy;
    relay.answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    edge_begin();
    (void)edge_upstream_get_twin(edge.upstream, "dev1", "", on_answer, NULL);
    report("a proxy that refuses is named", until(&seen.failed, 1) && strstr(seen.body, "proxy"),
           seen.body);
    edge_end();
    relay.answer = NULL;
    settings.proxy = no_proxy;
}

static void test_network(void)
{
    edge_begin();
    relay.cut = true;
    edge_upstream_client(edge.upstream, "dev1", "", true, 0, NULL);
    edge_upstream_client(edge.upstream, "edge1", "m", true, 0, NULL);

    struct edge_link *l = link_of("edge1", "m");
    uint64_t end = clock_mono_ms() + WAIT_MS;

    while ((l->failures < 1 || link_of("dev1", "")->failures < 1) && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    l->failures = 9; /* as after hours */
    edge_link_retry(l, 0);
    while (l->failures < 10 && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    report("pauses grow", uv_timer_get_due_in(&l->timer) > 100000, NULL);
    relay.cut = false;
    edge_link_retry(link_of("dev1", ""), 0);
    report("when the network is back for one, others try at once", until(&seen.online, 2), NULL);
    edge_end();
}

/* ---- what the cloud says ---- */

static void test_c2d(void)
{
    static const char send[] = "/sandbox/devices/dev1/messages/devicebound";
    auto_buf struct buf feedback = {0};

    edge_begin();
    edge_upstream_client(edge.upstream, "dev1", "", true, SUB_DEVICEBOUND, NULL);
    (void)until(&seen.online, 1);
    seen.commit_fails = true;
    (void)rest(&hub, NULL, "POST", send, NULL,
               "{\"messageId\":\"c-1\",\"ack\":\"full\",\"body\":\"hello\"}", NULL);
    report("a message to a device comes", until(&seen.messages, 1) && str_eq(seen.body, "hello"),
           seen.body);
    turn_for(100);
    (void)rest_text(&hub, NULL, "GET", "/sandbox/feedback", NULL, NULL, &feedback);
    report("it is not acknowledged while it is not safe", !strstr(buf_str(&feedback), "c-1"),
           buf_str(&feedback));
    seen.commit_fails = false;
    report("it comes again", until(&seen.messages, 2), NULL);
    turn_for(100);
    (void)rest_text(&hub, NULL, "GET", "/sandbox/feedback", NULL, NULL, &feedback);
    report("it is acknowledged when it is safe", strstr(buf_str(&feedback), "\"c-1\""),
           buf_str(&feedback));
    edge_end();
}

static void test_twin(void)
{
    edge_begin();
    (void)edge_upstream_report(edge.upstream, "dev1", "", "{\"a\":1}", 7, on_answer, NULL);
    report("a report reaches the cloud, which is connected for it",
           until(&seen.twins, 1) && seen.status == 204 && seen.version == 2, seen.body);
    (void)edge_upstream_get_twin(edge.upstream, "dev1", "", on_answer, NULL);
    report("the twin is read", until(&seen.twins, 2) && strstr(seen.body, "\"a\":1"), seen.body);
    (void)edge_upstream_report(edge.upstream, "dev1", "", "[1]", 3, on_answer, NULL);
    report("what the cloud refuses is said", until(&seen.failed, 1) && seen.status == 400,
           seen.body);

    edge_upstream_client(edge.upstream, "dev1", "", true, SUB_TWIN_DESIRED | SUB_METHODS, NULL);
    (void)edge_upstream_get_twin(edge.upstream, "dev1", "", on_answer, NULL);
    (void)until(&seen.twins, 4); /* the subscription is in force */
    (void)rest(&hub, NULL, "PATCH", "/twins/dev1", NULL, "{\"properties\":{\"desired\":{\"b\":2}}}",
               NULL);
    seen.version = 0;
    turn_for(200);
    report("changes of desired properties come",
           seen.version == 2 && strstr(seen.desired, "\"b\":2"), seen.desired);

    struct link l;

    (void)link_open(&l, &hub, hub.https_port);
    rest_ask(&l, &hub, NULL, "POST", "/twins/dev1/methods", NULL,
             "{\"methodName\":\"say it\",\"payload\":{\"n\":3}}");
    report("a direct method comes",
           until(&seen.methods, 1) && str_eq(seen.payload, "say it {\"n\":3}"), seen.payload);
    edge_upstream_answer(edge.upstream, "dev1", "", seen.rid, 207, "{\"ok\":1}", 8);
    turn_for(50);

    auto_buf struct buf text = {0};

    (void)rest_answer_text(&l, &text);
    report("and its answer goes back",
           strstr(buf_str(&text), "{\"status\":207,\"payload\":{\"ok\":1}}"), buf_str(&text));
    edge_end();
}

static void test_websocket(void)
{
    uint64_t after = last_event();

    settings.websocket = true;
    edge_begin();
    queue_numbers("dev1", "", 50);
    report("messages go over a WebSocket",
           until_queued("dev1", "", 0) && in_order("dev1", after) == 50, NULL);
    (void)edge_upstream_get_twin(edge.upstream, "dev1", "", on_answer, NULL);
    report("and twins", until(&seen.twins, 1) && !seen.failed, seen.body);
    edge_end();
    settings.websocket = false;
}

/* ---- memory ---- */

static size_t in_use(void)
{
    (void)malloc_trim(0);
    return mallinfo2().uordblks;
}

static void test_memory(void)
{
    char name[40], text[80];

    for (int i = 0; i < EVERYONE; i++) {
        snprintf(name, sizeof(name), "/devices/edge1/modules/n%d", i);
        char body[400];

        snprintf(
            body, sizeof(body),
            "{\"deviceId\":\"edge1\",\"moduleId\":\"n%d\",\"authentication\":{\"symmetricKey\":"
            "{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}}}",
            i, module_key, module_key);
        (void)rest(&hub, NULL, "PUT", name, NULL, body, NULL);
    }
    edge_begin();
    edge_upstream_client(edge.upstream, "edge1", "m", true, SUB_METHODS, NULL);
    (void)until(&seen.online, 1);
    settings.mqtt_port = hub.mqtt_port; /* the relay's memory is no matter */

    size_t before = in_use();

    for (int i = 0; i < EVERYONE; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        edge_upstream_client(edge.upstream, "edge1", name, true, SUB_METHODS, NULL);
    }
    (void)until(&seen.online, 1 + EVERYONE);

    size_t each = (in_use() - before) / EVERYONE / 1024;

    snprintf(text, sizeof(text), "%u are online, at %zu KiB each", seen.online, each);
    printf("# %s\n", text);
#ifdef __SANITIZE_ADDRESS__
    report("all modules that a device may have at once", seen.online == 1 + EVERYONE, text);
#else
    report("all modules that a device may have at once, each in less than 40 KiB",
           seen.online == 1 + EVERYONE && each < 40, text);
#endif
    edge_end();
    settings.mqtt_port = relay.port;
}

/* ---- all ---- */

static void prepare(void)
{
    auto_json cJSON *out = NULL;
    char key[128], ca[100];

    device_create(&hub, "dev1", false, children[0].key);
    device_create(&hub, "x509", false, key);
    device_create(&hub, "wrong", false, key);
    device_create(&hub, "edge1", true, key);
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

static void done(void)
{
    for (size_t i = 0; i < ARRAY_LEN(children); i++)
        secret_wipe(&children[i].identity.primary);
    outbox_close(edge.outbox);
    edge_metrics_free(edge.metrics);
    free(settings.ca_file);
    relay_close(&relay);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    report("nothing is left open", uv_loop_close(&loop) == 0, NULL);
}

int main(void)
{
    log_set_level(getenv("BERTH_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_COUNT);
    hub_prepare(&hub);
    hub.args[0] = "--c2d-lock=5";
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    prepare();
    test_order();
    test_window();
    test_impossible();
    test_module();
    test_renewal();
    test_refused();
    test_proxy();
    test_network();
    test_c2d();
    test_twin();
    test_websocket();
    test_memory();
    done();
    return hub_finish(&hub);
}
