/* The edge hub's connections to the cloud, against berth-hub in its cloud role: what is queued
 * arrives, in order, through whatever happens on the way; what the cloud says is acknowledged when
 * it is safe; tokens, twins, methods. The parts around it are scripted here. */
#include "tests/support/upstream.h"

#include <malloc.h>
#include <sys/syscall.h>

#define YEAR_S   (365LL * 86400)
#define EVERYONE 47 /* and $edgeAgent, $edgeHub, m: as many as a device may have */

/* ---- this machine's clock ---- */

static _Atomic long long clock_shift_s;

/* In the place of the library's; OpenSSL takes its time elsewhere, and so trusts the cloud all the
 * while. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    int status = (int)syscall(SYS_clock_gettime, id, t);

    if (id == CLOCK_REALTIME)
        t->tv_sec += clock_shift_s;
    return status;
}

/* Messages wait meanwhile, and then go. */
static bool jump(struct edge_link *l, long long to_s)
{
    relay.cut = true;
    relay_cut(&relay);
    (void)until(&seen.offline, 1);
    queue_numbers("dev1", "", 50);
    clock_shift_s = to_s;
    (void)outbox_sweep(edge.outbox, NULL, NULL, NULL);

    bool waits = outbox_count(edge.outbox, l->endpoint->number, 0) == 50;

    relay.cut = false;
    seen.online = seen.offline = 0;
    edge_link_retry(l, 0);
    return waits;
}

static void test_clock(void)
{
    uint64_t after = last_event();
    struct edge_link *l = NULL;

    edge_begin();
    edge_upstream_client(edge.upstream, "dev1", "", true, 0, NULL);
    (void)until(&seen.online, 1);
    l = link_of("dev1", "");
    report("what waits does not age when the clock jumps ahead by a year", jump(l, YEAR_S), NULL);
    report("and goes on its way", until_queued("dev1", "", 0), NULL);
    report("nor when it jumps back by two", jump(l, -YEAR_S), NULL);
    for (uint64_t end = clock_mono_ms() + WAIT_MS; !l->refused && clock_mono_ms() < end;)
        turn_for(20);
    report("a token of last year is refused, which loses nothing",
           l->refused && outbox_count(edge.outbox, l->endpoint->number, 0) == 50, NULL);
    report("and is tried again within minutes",
           l->step == LINK_PAUSE && uv_timer_get_due_in(&l->timer) <= 600000, NULL);
    clock_shift_s = 0;
    edge_link_retry(l, 0);
    report("once the clock is right it goes on", until_queued("dev1", "", 0), NULL);
    report("all of it in order", in_order("dev1", after) == 50, NULL);
    edge_end();
}

/* ---- messages to the cloud ---- */

static void test_order(void)
{
    uint64_t after = last_event();
    char text[100];
    long next = 0;
    bool ordered = true;

    edge_begin();
    queue_numbers("dev1", "", 900);
    for (unsigned cut = 1; cut <= 20; cut++) {
        (void)until_queued("dev1", "", 900 - cut * 40); /* more than what may be under way */
        relay_cut(&relay);
        (void)until(&seen.offline, cut);
        ordered = ordered && follow("dev1", &after, &next);
    }
    report("messages are sent through 20 losses of the connection",
           seen.offline == 20 && until_queued("dev1", "", 0), NULL);
    ordered = ordered && follow("dev1", &after, &next);
    snprintf(text, sizeof(text), "%ld in order", next);
    report("none is lost, and their order is kept", ordered && next == 900, text);
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
    relay_stall(&relay, true); /* to close takes longer than to get a token */
    l->idle_ms = 1;
    edge_link_ask_token(l);
    edge_link_settle(l);
    (void)until(&seen.offline, 2);
    relay_stall(&relay, false);
    turn_for(100);
    report("it stays closed where its next token had been asked for",
           l->step == LINK_REST && !l->mqtt && seen.online == 2, NULL);
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
    edge_upstream_wake(edge.upstream, false);
    report("that the network is there changes nothing", uv_timer_get_due_in(&l->timer) > 10000,
           NULL);
    edge_upstream_wake(edge.upstream, true);
    report("that the clock was set does", uv_timer_get_due_in(&l->timer) < 1000, NULL);
    edge_end();
}

/* Only the device has the key of its certificate. */
static void test_behalf(void)
{
    uint64_t after = last_event();

    edge_begin();
    queue_numbers("x509", "", 2);
    report("for a device with a certificate, the edge hub connects with its own token",
           until_queued("x509", "", 0) && in_order("x509", after) == 2, link_of("x509", "")->error);
    (void)edge_upstream_get_twin(edge.upstream, "x509", "", on_answer, NULL);
    report("and speaks for it", until(&seen.twins, 1) && !seen.failed, seen.body);
    edge_end();
    (void)rest(&hub, NULL, "PUT", "/devices/x509", "If-Match: *\r\n",
               "{\"deviceId\":\"x509\",\"deviceScope\":\"\"}", NULL);
    edge_begin();
    (void)edge_upstream_get_twin(edge.upstream, "x509", "", on_answer, NULL);
    report("not for one that is no child of its device any more",
           until(&seen.failed, 1) && strstr(seen.body, "not authorised"), seen.body);
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

    struct edge_link *own = link_of("edge1", "$edgeHub");

    own->failures = 9;
    edge_link_needed(own);
    while (own->failures < 10 && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    report("but for the hub's own connection, which wakes the others",
           own->failures == 10 && uv_timer_get_due_in(&own->timer) <= 60000, NULL);
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

int main(void)
{
    log_set_level(getenv("BERTH_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_COUNT);
    hub_prepare(&hub);
    hub.args[0] = "--c2d-lock=5";
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    world_begin();
    test_order();
    test_window();
    test_impossible();
    test_module();
    test_renewal();
    test_refused();
    test_behalf();
    test_proxy();
    test_network();
    test_clock();
    test_c2d();
    test_twin();
    test_websocket();
    test_memory();
    world_end();
    return hub_finish(&hub);
}
