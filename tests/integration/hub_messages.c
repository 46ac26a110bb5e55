/* berth-hub's telemetry and sessions: what is acknowledged, what a consumer sees of it and when,
 * and what ends a connection. */
#include "tests/hub_client.h"

static struct test_hub hub;
static char key[128], edge_key[128];

/* How many messages ever came. */
static uint64_t last_event(void)
{
    auto_json cJSON *out = NULL;

    (void)rest(&hub, NULL, "GET", "/sandbox/events?after=1000000", NULL, NULL, &out);
    return out ? json_u64(out, "last", 0) : 0;
}

/* The events behind AFTER as text. */
static void events_text(uint64_t after, const char *query, struct buf *to)
{
    auto_json cJSON *out = NULL;
    char target[100];

    snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64 "%s", after, query);
    (void)rest(&hub, NULL, "GET", target, NULL, NULL, &out);
    buf_clear(to);
    if (out)
        json_print(to, out);
}

static void test_telemetry(void)
{
    struct link l;
    auto_buf struct buf body = {0};
    auto_buf struct buf seen = {0};
    auto_free char *big = calloc(1, 300 * 1024);
    struct mqtt_login m = {.device = "dev1", .key = key};
    bool ok = mqtt_login(&l, &hub, &m, NULL) == 0;

    ok = ok && mqtt_publish(&l,
                            "devices/dev1/messages/events/%24.mid=m%201&%24.ct=application%2Fjson"
                            "&a%20b=c%2Fd&e=&alone",
                            1, 77, "{\"t\":1}", 7);
    ok = ok && recv_packet(&l, &body) == 0x40 && body.data[1] == 77;
    events_text(0, "", &seen);
    report("telemetry is acknowledged", ok, NULL);
    report("what the application set is apart from what the message says of itself",
           strstr(buf_str(&seen), "\"properties\":{\"a b\":\"c/d\",\"e\":\"\",\"alone\":\"\"},"
                                  "\"systemProperties\":{\"message-id\":\"m 1\","
                                  "\"content-type\":\"application/json\",") &&
               strstr(buf_str(&seen), "\"bodyBase64\":\"eyJ0IjoxfQ==\""),
           buf_str(&seen));
    report("the hub says who sent it and how that was proved",
           strstr(buf_str(&seen), "\"iothub-connection-device-id\":\"dev1\","
                                  "\"iothub-connection-auth-method\":\"{\\\"scope\\\":"
                                  "\\\"device\\\",\\\"type\\\":\\\"sas\\\"") &&
               strstr(buf_str(&seen), "\"iothub-message-source\":\"Telemetry\"") &&
               strstr(buf_str(&seen), "\"iothub-enqueuedtime\":\"20"),
           buf_str(&seen));
    ok = mqtt_publish(&l, "devices/dev1/messages/events", 1, 78, big, 256 * 1024) &&
         recv_packet(&l, &body) == 0x40;
    report("a message of 256 KB passes", ok, NULL);
    (void)mqtt_publish(&l, "devices/dev1/messages/events/", 1, 79, big, 256 * 1024 + 1);
    report("a larger one ends the connection", link_ends(&l), NULL);
    link_close(&l);
}

static void test_forged(void)
{
    struct link l;
    auto_buf struct buf seen = {0};
    uint64_t last = last_event();
    struct mqtt_login m = {.device = "edge1", .module = "$edgeAgent", .key = edge_key};

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_publish(&l,
                       "devices/edge1/modules/$edgeAgent/messages/events/"
                       "%24.on=out1&%24.cdid=other&%24.mid=1&%24.mid=2/",
                       0, 0, "x", 1);
    (void)mqtt_ping(&l);
    link_close(&l);
    events_text(last, "", &seen);
    report("a module's message names module and output; what came last counts",
           strstr(buf_str(&seen), "\"moduleId\":\"$edgeAgent\"") &&
               strstr(buf_str(&seen), "\"iothub-connection-module-id\":\"$edgeAgent\"") &&
               strstr(buf_str(&seen), "\"iothub-outputname\":\"out1\"") &&
               strstr(buf_str(&seen), "\"message-id\":\"2\"") &&
               !strstr(buf_str(&seen), "\"message-id\":\"1\""),
           buf_str(&seen));
}

static void test_refusals(void)
{
    const struct {
        const char *name, *topic;
        unsigned qos;
    } wrong[] = {
        {"QoS 2 ends the connection", "devices/dev1/messages/events/", 2},
        {"a topic that a hub does not have ends the connection", "hello/world", 1},
        {"telemetry in another device's name ends the connection", "devices/edge1/messages/events/",
         1},
        {"a malformed property bag ends the connection", "devices/dev1/messages/events/a=%zz", 1},
        {"a wildcard in a topic ends the connection", "devices/+/messages/events/", 1},
        {"a topic that only the hub publishes to ends the connection",
         "$iothub/twin/PATCH/properties/desired/?$version=1", 0},
    };
    struct mqtt_login m = {.device = "dev1", .key = key};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct link l;
        auto_buf struct buf body = {0};

        (void)mqtt_login(&l, &hub, &m, NULL);
        (void)mqtt_publish(&l, wrong[i].topic, wrong[i].qos, 5, "x", 1);
        report(wrong[i].name, recv_packet(&l, &body) == 0 && l.ended, NULL);
        link_close(&l);
    }
}

static void test_will(void)
{
    struct link l;
    auto_buf struct buf seen = {0};
    uint64_t last = last_event();
    struct mqtt_login m = {.device = "dev1",
                           .key = key,
                           .will_topic = "devices/dev1/messages/events/w=1",
                           .will = "last words",
                           .will_retain = true};

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)send_packet(&l, 0xe0, NULL);
    report("DISCONNECT is answered by the end", link_ends(&l), NULL);
    link_close(&l);
    events_text(last, "", &seen);
    report("a client that says goodbye leaves no will", strstr(buf_str(&seen), "\"events\":[]"),
           buf_str(&seen));
    (void)mqtt_login(&l, &hub, &m, NULL);
    link_close(&l); /* without DISCONNECT */
    events_text(last, "&wait=5", &seen);
    report("one that vanishes does",
           strstr(buf_str(&seen), "\"properties\":{\"w\":\"1\",\"mqtt-retain\":\"true\","
                                  "\"iothub-MessageType\":\"Will\"}"),
           buf_str(&seen));
    m.will_topic = "devices/edge1/messages/events/";
    expect_login(&hub, "a will in another device's name is refused", &m, 5);
}

/* ---- following ---- */

static void test_follow(void)
{
    struct link l, device;
    auto_json cJSON *out = NULL;
    struct mqtt_login m = {.device = "dev1", .key = key},
                      other = {.device = "edge1", .key = edge_key};
    struct link elsewhere;
    char target[100];
    uint64_t last = last_event(), start = clock_mono_ms();

    snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64 "&wait=1", last);
    (void)rest(&hub, NULL, "GET", target, NULL, NULL, &out);
    report("who waits in vain gets an empty answer",
           out && cJSON_GetArraySize(json_get(out, "events")) == 0 &&
               clock_mono_ms() - start >= 950,
           NULL);

    /* Waits for one device alone; the other's message must not wake it. */
    (void)mqtt_login(&device, &hub, &m, NULL);
    (void)mqtt_login(&elsewhere, &hub, &other, NULL);
    (void)link_open(&l, &hub, hub.https_port);
    snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64 "&wait=60&device=dev1", last);
    rest_ask(&l, &hub, NULL, "GET", target, NULL, NULL);
    (void)rest(&hub, NULL, "GET", "/devices/dev1", NULL, NULL, NULL); /* the wait has begun */
    (void)mqtt_publish(&elsewhere, "devices/edge1/messages/events/", 0, 0, "no", 2);
    (void)mqtt_ping(&elsewhere);
    start = clock_mono_ms();
    (void)mqtt_publish(&device, "devices/dev1/messages/events/n=1", 0, 0, "yes", 3);
    (void)mqtt_publish(&device, "devices/dev1/messages/events/n=2", 0, 0, "yes", 3);
    cJSON_Delete(steal(out));
    (void)rest_answer(&l, &out);

    const cJSON *events = out ? json_get(out, "events") : NULL;
    const cJSON *first = events ? events->child : NULL;

    report("who waits gets the message at once",
           first && clock_mono_ms() - start < 1000 &&
               strcmp(json_str(first, "deviceId", ""), "dev1") == 0,
           NULL);
    report("and the number to go on from",
           out && json_u64(out, "next", 0) > last + 1 && json_u64(out, "missed", 9) == 0, NULL);
    link_close(&device);
    link_close(&elsewhere);
    report("a wait of more than a minute is 400",
           rest(&hub, NULL, "GET", "/sandbox/events?wait=61", NULL, NULL, NULL) == 400, NULL);
}

/* More than is kept: a reader learns how much it missed. */
static void test_gap(void)
{
    struct link l;
    auto_json cJSON *out = NULL;
    struct mqtt_login m = {.device = "dev1", .key = key};
    uint64_t last = last_event();
    char target[100];

    (void)mqtt_login(&l, &hub, &m, NULL);
    for (int i = 0; i < 1500; i++)
        (void)mqtt_publish(&l, "devices/dev1/messages/events/", 0, 0, "x", 1);
    (void)mqtt_ping(&l);
    link_close(&l);
    snprintf(target, sizeof(target), "/sandbox/events?after=%" PRIu64, last);
    (void)rest(&hub, NULL, "GET", target, NULL, NULL, &out);
    report("a reader that was away learns what it missed",
           out && json_u64(out, "missed", 0) == 500 &&
               json_u64(json_get(out, "events")->child, "sequence", 0) == last + 501,
           NULL);
}

/* ---- sessions ---- */

static void test_subscriptions(void)
{
    struct link l;
    struct mqtt_login m = {.device = "dev1", .key = key};

    (void)mqtt_login(&l, &hub, &m, NULL);
    report("twin answers can be subscribed to", mqtt_subscribe(&l, "$iothub/twin/res/#", 0) == 0,
           NULL);
    report("QoS 2 is granted as 1", mqtt_subscribe(&l, "$iothub/methods/POST/#", 2) == 1, NULL);
    report("a foreign filter is refused",
           mqtt_subscribe(&l, "devices/edge1/messages/devicebound/#", 0) == 0x80, NULL);
    report("everything at once means messages to the device", mqtt_subscribe(&l, "#", 1) == 1,
           NULL);
    link_close(&l);
}

/* A packet may have 50 filters; thousands in a row cost nothing that stays. */
static void test_many_subscriptions(void)
{
    struct link l;
    struct mqtt_login m = {.device = "dev1", .key = key};
    auto_buf struct buf body = {0};
    auto_buf struct buf answer = {0};
    bool ok;

    put16(&body, 9);
    for (int i = 0; i < 50; i++) {
        char filter[40];

        snprintf(filter, sizeof(filter), "some/where/%d/#", i);
        put_text(&body, filter);
        buf_putc(&body, 1);
    }
    ok = mqtt_login(&l, &hub, &m, NULL) == 0;
    for (int i = 0; i < 100; i++)
        ok = ok && send_packet(&l, 0x82, &body) && recv_packet(&l, &answer) == 0x90 &&
             answer.len == 52 && (unsigned char)answer.data[51] == 0x80;
    report("5,000 filters that a hub does not have are refused one by one", ok, NULL);
    put_text(&body, "one/more");
    buf_putc(&body, 1);
    (void)send_packet(&l, 0x82, &body);
    report("51 in a packet end the connection", link_ends(&l), NULL);
    link_close(&l);
}

static void test_persistent_session(void)
{
    struct link l;
    bool present = true;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    struct mqtt_login m = {.device = "dev1", .key = key, .keep_session = true};
    bool ok = mqtt_login(&l, &hub, &m, &present) == 0 && !present;

    ok = ok && mqtt_subscribe(&l, "$iothub/twin/res/#", 0) == 0;
    link_close(&l);
    ok = ok && mqtt_login(&l, &hub, &m, &present) == 0 && present;
    ok = ok && mqtt_publish(&l, "$iothub/twin/GET/?$rid=9", 0, 0, " ", 1) &&
         mqtt_receive(&l, &topic, &payload);
    report("a session that is kept still has its subscriptions",
           ok && strcmp(buf_str(&topic), "$iothub/twin/res/200/?$rid=9") == 0, buf_str(&topic));
    link_close(&l);
    m.keep_session = false;
    ok = mqtt_login(&l, &hub, &m, &present) == 0 && !present;
    link_close(&l);
    m.keep_session = true;
    ok = ok && mqtt_login(&l, &hub, &m, &present) == 0 && !present;
    report("a clean session forgets them", ok, NULL);
    link_close(&l);
}

int main(void)
{
    if (!hub_begin(&hub))
        return 1;
    device_create(&hub, "dev1", false, key);
    device_create(&hub, "edge1", true, edge_key);
    test_telemetry();
    test_forged();
    test_refusals();
    test_will();
    test_follow();
    test_gap();
    test_subscriptions();
    test_many_subscriptions();
    test_persistent_session();
    return hub_finish(&hub);
}
