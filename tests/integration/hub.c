/* berth-hub as devices and services see it: over TLS, with tokens, byte by byte where that matters.
 */
#include "tests/hub_client.h"

static struct test_hub hub;
static char key[128], edge_key[128];

static bool topic_is(const struct buf *topic, const char *text)
{
    return strcmp(buf_str(topic), text) == 0;
}

/* ------------------------------------------------------------------------------------------
 * logging in */

static void expect_login(const char *name, const struct mqtt_login *m, int code)
{
    struct link l = {0};
    char seen[64];
    int got = mqtt_login(&l, &hub, m, NULL);
    bool ended = got <= 0 || link_ends(&l);

    snprintf(seen, sizeof(seen), "CONNACK %d, %s", got, ended ? "ended" : "still open");
    report(name, got == code && ended, seen);
    link_close(&l);
}

static void test_logins(void)
{
    auto_json cJSON *modules = NULL;
    uint64_t now = clock_wall_ms() / 1000;
    const char *other = "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    expect_login("a device logs in with its key",
                 &(struct mqtt_login){.device = "dev1", .key = key}, 0);
    expect_login("a wrong key is refused with CONNACK 5",
                 &(struct mqtt_login){.device = "dev1", .key = other}, 5);
    expect_login("an unknown device is refused",
                 &(struct mqtt_login){.device = "nobody", .key = key}, 5);
    expect_login(
        "a token for another device is refused",
        &(struct mqtt_login){.device = "dev1", .key = key, .sr = HUB_HOST "/devices/dev10"}, 5);
    expect_login("a token for another hub is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .sr = "other/devices/dev1"}, 5);
    expect_login(
        "a lower-case audience with raw slashes and port is accepted",
        &(struct mqtt_login){.device = "dev1", .key = key, .sr = "localhost:18883/devices/dev1"},
        0);
    expect_login("an expired token is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .expiry_s = now - 400}, 5);
    expect_login("a token that expired within the clock allowance is accepted",
                 &(struct mqtt_login){.device = "dev1", .key = key, .expiry_s = now - 200}, 0);
    expect_login("a client id that is not the device's is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .client_id = "dev2"}, 5);
    expect_login("a user name without api-version is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .user = HUB_HOST "/dev1/?x=1"},
                 5);
    expect_login("a user name without the question mark is accepted",
                 &(struct mqtt_login){
                     .device = "dev1", .key = key, .user = HUB_HOST "/dev1/api-version=2018-06-30"},
                 0);
    expect_login("a password that is no token is refused",
                 &(struct mqtt_login){.device = "dev1", .password = "secret"}, 5);
    expect_login("an edge module may sign with its device's key",
                 &(struct mqtt_login){.device = "edge1", .module = "$edgeAgent", .key = edge_key},
                 0);
    expect_login("a module that does not exist is refused",
                 &(struct mqtt_login){.device = "edge1", .module = "ghost", .key = edge_key}, 5);
    (void)rest(&hub, NULL, "GET", "/devices/edge1/modules/%24edgeAgent", NULL, NULL, &modules);

    const cJSON *auth = modules ? json_get(modules, "authentication") : NULL;
    const char *module_key =
        auth ? json_str(json_get(auth, "symmetricKey"), "secondaryKey", "") : "";

    expect_login("a module logs in with its secondary key",
                 &(struct mqtt_login){.device = "edge1", .module = "$edgeAgent", .key = module_key},
                 0);
}

static void test_takeover(void)
{
    struct link first, second;
    struct mqtt_login m = {.device = "dev1", .key = key};

    (void)mqtt_login(&first, &hub, &m, NULL);

    bool ok = mqtt_login(&second, &hub, &m, NULL) == 0 && link_ends(&first);

    ok = ok && send_packet(&second, 0xc0, NULL) && recv_packet(&second, &(struct buf){0}) == 0xd0;
    report("a second connection takes the place of the first", ok, NULL);
    link_close(&first);
    link_close(&second);
}

static void test_time(void)
{
    struct link l;
    uint64_t start = clock_mono_ms();
    struct mqtt_login m = {.device = "dev1", .key = key, .keep_alive_s = 1};
    bool ok = mqtt_login(&l, &hub, &m, NULL) == 0 && link_ends(&l);
    uint64_t took = clock_mono_ms() - start;

    report("silence beyond 1.5 times the keep-alive ends the connection",
           ok && took >= 1400 && took < 4000, NULL);
    link_close(&l);
    m = (struct mqtt_login){
        .device = "dev1", .key = key, .expiry_s = clock_wall_ms() / 1000 - SAS_SKEW_S + 1};
    start = clock_mono_ms();
    ok = mqtt_login(&l, &hub, &m, NULL) == 0 && link_ends(&l);
    report("the token's end ends the connection", ok && clock_mono_ms() - start < 4500, NULL);
    link_close(&l);
}

/* ------------------------------------------------------------------------------------------
 * messages */

static uint64_t events_of(const char *needle, char *seen, size_t size)
{
    auto_json cJSON *out = NULL;
    auto_buf struct buf text = {0};

    (void)rest(&hub, NULL, "GET", "/sandbox/events?after=0", NULL, NULL, &out);
    if (!out)
        return 0;
    json_print(&text, out);
    snprintf(seen, size, "%.500s", buf_str(&text));
    return strstr(buf_str(&text), needle) ? json_u64(out, "last", 0) : 0;
}

static void test_telemetry(void)
{
    struct link l;
    auto_buf struct buf body = {0};
    auto_free char *big = calloc(1, 300 * 1024);
    char seen[512] = "";
    struct mqtt_login m = {.device = "dev1", .key = key};
    bool ok = mqtt_login(&l, &hub, &m, NULL) == 0;

    ok = ok &&
         mqtt_publish(
             &l,
             "devices/dev1/messages/events/%24.mid=m%201&%24.ct=application%2Fjson&a%20b=c%2Fd&e=",
             1, 77, "{\"t\":1}", 7);
    ok = ok && recv_packet(&l, &body) == 0x40 && body.data[1] == 77;
    ok = ok &&
         events_of(
             "\"properties\":{\"a b\":\"c/d\",\"e\":\"\"},\"systemProperties\":{\"message-id\":"
             "\"m 1\",\"content-type\":\"application/json\",",
             seen, sizeof(seen)) > 0;
    report("telemetry is acknowledged and shown with its properties", ok, seen);
    ok = mqtt_publish(&l, "devices/dev1/messages/events", 1, 78, big, 256 * 1024) &&
         recv_packet(&l, &body) == 0x40;
    report("a message of 256 KB passes", ok, NULL);
    ok = mqtt_publish(&l, "devices/dev1/messages/events/", 1, 79, big, 256 * 1024 + 1);
    report("a larger one ends the connection", link_ends(&l), NULL);
    link_close(&l);

    const struct {
        const char *name, *topic;
        unsigned qos;
    } wrong[] = {
        {"QoS 2 ends the connection", "devices/dev1/messages/events/", 2},
        {"a topic that a hub does not have ends the connection", "hello/world", 1},
        {"telemetry in another device's name ends the connection", "devices/edge1/messages/events/",
         1},
        {"a malformed property bag ends the connection", "devices/dev1/messages/events/a=%zz", 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        (void)mqtt_login(&l, &hub, &m, NULL);
        (void)mqtt_publish(&l, wrong[i].topic, wrong[i].qos, 5, "x", 1);
        buf_clear(&body);
        report(wrong[i].name, recv_packet(&l, &body) == 0 && l.ended, NULL);
        link_close(&l);
    }
}

static void test_will(void)
{
    struct link l;
    char seen[512] = "";
    struct mqtt_login m = {.device = "dev1",
                           .key = key,
                           .will_topic = "devices/dev1/messages/events/w=1",
                           .will = "last words"};
    uint64_t end = clock_mono_ms() + 5000;
    bool found = false;

    (void)mqtt_login(&l, &hub, &m, NULL);
    link_close(&l); /* without DISCONNECT */
    while (!found && clock_mono_ms() < end)
        found = events_of("\"iothub-MessageType\":\"Will\"", seen, sizeof(seen)) > 0;
    report("a client that vanishes leaves its will", found, seen);
}

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
           ok && topic_is(&topic, "$iothub/twin/res/200/?$rid=9"), buf_str(&topic));
    link_close(&l);
    m.keep_session = false;
    ok = mqtt_login(&l, &hub, &m, &present) == 0 && !present;
    link_close(&l);
    m.keep_session = true;
    ok = ok && mqtt_login(&l, &hub, &m, &present) == 0 && !present;
    report("a clean session forgets them", ok, NULL);
    link_close(&l);
}

/* ------------------------------------------------------------------------------------------ twins
 */

static void expect_report(struct link *l, const char *name, const char *query, const char *patch,
                          const char *answer)
{
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char to[200];

    snprintf(to, sizeof(to), "$iothub/twin/PATCH/properties/reported/?$rid=r%s", query);
    (void)mqtt_publish(l, to, 0, 0, patch, strlen(patch));
    (void)mqtt_receive(l, &topic, &payload);
    report(name, topic_is(&topic, answer) && payload.len == 0, buf_str(&topic));
}

static void test_twin(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_buf struct buf large = {0};
    struct mqtt_login m = {.device = "dev1", .key = key};

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    (void)mqtt_subscribe(&l, "$iothub/twin/PATCH/properties/desired/#", 0);
    expect_report(&l, "a report is answered with its version", "",
                  "{\"a\":1,\"b\":{\"c\":true,\"d\":null}}",
                  "$iothub/twin/res/204/?$rid=r&$version=2");
    expect_report(&l, "a report that builds on an older version is 412", "&$version=1", "{\"a\":2}",
                  "$iothub/twin/res/412/?$rid=r");
    expect_report(&l, "a report that is not JSON is 400", "", "{", "$iothub/twin/res/400/?$rid=r");
    expect_report(&l, "a name with a dot is 400", "", "{\"x.y\":1}",
                  "$iothub/twin/res/400/?$rid=r");
    buf_puts(&large, "{");
    for (int i = 0; i < 9; i++) {
        buf_printf(&large, "%s\"k%d\":\"", i ? "," : "", i);
        for (int k = 0; k < 4000; k++)
            buf_putc(&large, 'x');
        buf_putc(&large, '"');
    }
    buf_puts(&large, "}");
    expect_report(&l, "more than 32 KB is 400", "", large.data, "$iothub/twin/res/400/?$rid=r");
    expect_report(&l, "null deletes", "", "{\"a\":null}",
                  "$iothub/twin/res/204/?$rid=r&$version=3");
    (void)mqtt_publish(&l, "$iothub/twin/GET/?$rid=g", 0, 0, "", 0);
    (void)mqtt_receive(&l, &topic, &payload);
    report(
        "the twin is what was reported",
        strcmp(buf_str(&payload),
               "{\"desired\":{\"$version\":1},\"reported\":{\"b\":{\"c\":true},\"$version\":3}}") ==
            0,
        buf_str(&payload));

    report(
        "the service changes desired properties",
        rest(&hub, NULL, "PATCH", "/twins/dev1", "If-Match: \"*\"\r\n",
             "{\"tags\":{\"env\":\"lab\"},\"properties\":{\"desired\":{\"p\":{\"q\":1,\"r\":2}}}}",
             NULL) == 200,
        NULL);
    (void)mqtt_receive(&l, &topic, &payload);
    report("the device is told",
           topic_is(&topic, "$iothub/twin/PATCH/properties/desired/?$version=2") &&
               strcmp(buf_str(&payload), "{\"p\":{\"q\":1,\"r\":2},\"$version\":2}") == 0,
           buf_str(&payload));
    (void)rest(&hub, NULL, "PUT", "/twins/dev1", NULL,
               "{\"properties\":{\"desired\":{\"p\":{\"q\":1},\"s\":3}}}", NULL);
    (void)mqtt_receive(&l, &topic, &payload);
    report("a replacement tells what is gone with null",
           strcmp(buf_str(&payload), "{\"p\":{\"r\":null},\"s\":3,\"$version\":3}") == 0,
           buf_str(&payload));
    report("a change based on another etag is 412",
           rest(&hub, NULL, "PATCH", "/twins/dev1", "If-Match: \"AAAAAAAAAAE=\"\r\n",
                "{\"tags\":{}}", NULL) == 412,
           NULL);
    link_close(&l);

    auto_json cJSON *out = NULL;
    auto_buf struct buf text = {0};

    (void)rest(&hub, NULL, "GET", "/twins/dev1", NULL, NULL, &out);
    if (out)
        json_print(&text, out);
    report("the service sees tags, versions and times",
           strstr(buf_str(&text), "\"tags\":{\"env\":\"lab\"}") &&
               strstr(buf_str(&text), "\"$lastUpdatedVersion\":3") &&
               strstr(buf_str(&text), "\"$version\":3"),
           buf_str(&text));
}

/* ------------------------------------------------------------------------------------------
 * methods */

struct invoke {
    pid_t pid;
    int out;
};

/* Calls a method from a process of its own, whose output is the status and the body. */
static struct invoke invoke_start(const char *body)
{
    struct invoke i;
    int fds[2];

    if (pipe(fds) < 0)
        abort();
    i.pid = fork();
    if (i.pid == 0) {
        auto_json cJSON *out = NULL;
        int status = rest(&hub, NULL, "POST", "/twins/dev1/methods", NULL, body, &out);
        auto_buf struct buf text = {0};

        buf_printf(&text, "%d ", status);
        if (out)
            json_print(&text, out);
        _exit(write(fds[1], text.data, text.len) < 0);
    }
    close(fds[1]);
    i.out = fds[0];
    return i;
}

static void invoke_end(const struct invoke *i, char *to, size_t size)
{
    size_t n = 0;
    ssize_t got;

    while (n < size - 1 && (got = read(i->out, to + n, size - 1 - n)) > 0)
        n += (size_t)got;
    to[n] = '\0';
    close(i->out);
    waitpid(i->pid, NULL, 0);
}

static void test_methods(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char answer[1024], to[200];
    struct mqtt_login m = {.device = "dev1", .key = key};

    report("a method on a device that is away is 404",
           rest(&hub, NULL, "POST", "/twins/dev1/methods", NULL, "{\"methodName\":\"m\"}", NULL) ==
               404,
           NULL);

    /* The caller waits for the device, which comes later. */
    struct invoke i = invoke_start(
        "{\"methodName\":\"blink\",\"payload\":{\"n\":3},\"connectTimeoutInSeconds\":5}");

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/methods/POST/#", 0);
    (void)mqtt_receive(&l, &topic, &payload);
    report("a method arrives with its payload",
           str_starts(buf_str(&topic), "$iothub/methods/POST/blink/?$rid=") &&
               strcmp(buf_str(&payload), "{\"n\":3}") == 0,
           buf_str(&topic));

    const char *rid = strstr(buf_str(&topic), "$rid=");

    snprintf(to, sizeof(to), "$iothub/methods/res/503/?%s", rid ? rid : "");
    (void)mqtt_publish(&l, to, 0, 0, "{\"done\":true}", 13);
    invoke_end(&i, answer, sizeof(answer));
    report("its answer comes back, whatever its status",
           strcmp(answer, "200 {\"status\":503,\"payload\":{\"done\":true}}") == 0, answer);
    i = invoke_start("{\"methodName\":\"slow\",\"responseTimeoutInSeconds\":5}");
    (void)mqtt_receive(&l, &topic, &payload);
    invoke_end(&i, answer, sizeof(answer));
    report("a method that nobody answers is 504",
           str_starts(answer, "504 ") || str_starts(answer, "0 "), answer);
    link_close(&l);
    report("a time-out outside 5 to 300 s is 400",
           rest(&hub, NULL, "POST", "/twins/dev1/methods", NULL,
                "{\"methodName\":\"m\",\"responseTimeoutInSeconds\":1}", NULL) == 400,
           NULL);
}

/* ------------------------------------------------------------------------------------------
 * registry */

static void test_registry(void)
{
    auto_json cJSON *out = NULL;
    auto_secret struct secret token = {0};
    uint64_t expiry = clock_wall_ms() / 1000 + 30;
    struct link l;
    char cut_key[128];
    const char *patch = "{\"deviceId\":\"edge1\",\"moduleId\":\"temp\"}";

    report("creating what exists is 409",
           rest(&hub, NULL, "PUT", "/devices/dev1", NULL, "{}", NULL) == 409, NULL);
    report("updating what does not exist is 404",
           rest(&hub, NULL, "PUT", "/devices/none", "If-Match: \"*\"\r\n", "{}", NULL) == 404,
           NULL);
    report("an id with a slash is 400",
           rest(&hub, NULL, "PUT", "/devices/a%2Fb", NULL, "{}", NULL) == 400, NULL);
    report("a body for another device is 400",
           rest(&hub, NULL, "PUT", "/devices/devx", NULL, "{\"deviceId\":\"devy\"}", NULL) == 400,
           NULL);
    report("a short key is 400",
           rest(&hub, NULL, "PUT", "/devices/devx", NULL,
                "{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"AAAA\"}}}", NULL) == 400,
           NULL);
    report("an unsigned request is 401",
           rest(&hub, "none", "GET", "/devices/dev1", NULL, NULL, NULL) == 401, NULL);

    (void)sas_make(HUB_HOST "/devices/edge1", edge_key, expiry, NULL, &token, NULL);
    report("a device's own token does not read the registry",
           rest(&hub, token.data, "GET", "/devices/edge1", NULL, NULL, NULL) == 401, NULL);
    report("it creates its modules, as the identity service does",
           rest(&hub, token.data, "PUT", "/devices/edge1/modules/temp",
                "Content-Type: application/json\r\n", patch, NULL) == 200,
           NULL);
    report("and sets their keys with If-Match *",
           rest(&hub, token.data, "PUT", "/devices/edge1/modules/temp", "If-Match: *\r\n",
                "{\"deviceId\":\"edge1\",\"moduleId\":\"temp\",\"authentication\":{\"type\":"
                "\"sas\",\"symmetricKey\":"
                "{\"primaryKey\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"}}}",
                NULL) == 200,
           NULL);
    expect_login("which they log in with",
                 &(struct mqtt_login){.device = "edge1",
                                      .module = "temp",
                                      .key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
                 0);
    (void)rest(&hub, token.data, "GET", "/devices/edge1/modules", NULL, NULL, &out);
    report("and lists them", out && cJSON_GetArraySize(out) == 3, NULL);
    report("but not those of others",
           rest(&hub, token.data, "GET", "/devices/dev1/modules", NULL, NULL, NULL) == 401, NULL);
    report("a deleted module is 204 and then gone",
           rest(&hub, token.data, "DELETE", "/devices/edge1/modules/temp", "If-Match: *\r\n", NULL,
                NULL) == 204 &&
               rest(&hub, token.data, "GET", "/devices/edge1/modules/temp", NULL, NULL, NULL) ==
                   404,
           NULL);

    device_create(&hub, "cut", false, cut_key);
    (void)mqtt_login(&l, &hub, &(struct mqtt_login){.device = "cut", .key = cut_key}, NULL);
    report("a device that is disabled loses its connection at once",
           rest(&hub, NULL, "PUT", "/devices/cut", "If-Match: \"*\"\r\n",
                "{\"status\":\"disabled\"}", NULL) == 200 &&
               link_ends(&l),
           NULL);
    link_close(&l);
    expect_login("and gets no other", &(struct mqtt_login){.device = "cut", .key = cut_key}, 5);
    (void)rest(&hub, NULL, "PUT", "/devices/cut", "If-Match: \"*\"\r\n", "{\"status\":\"enabled\"}",
               NULL);
    (void)mqtt_login(&l, &hub, &(struct mqtt_login){.device = "cut", .key = cut_key}, NULL);
    report("so does a device that is deleted",
           rest(&hub, NULL, "DELETE", "/devices/cut", "If-Match: \"*\"\r\n", NULL, NULL) == 204 &&
               link_ends(&l),
           NULL);
    link_close(&l);
    cJSON_Delete(steal(out));
    (void)rest(&hub, NULL, "GET", "/statistics/devices", NULL, NULL, &out);
    report("statistics count devices, not modules",
           out && json_u64(out, "totalDeviceCount", 0) == 2, NULL);
}

static void test_deployment(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_json cJSON *out = NULL;
    const char *manifest = "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{"
                           "\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":"
                           "\"docker\",\"settings\":{}},\"systemModules\":{\"edgeAgent\":{\"type\":"
                           "\"docker\",\"settings\":{\"image\":\"a:1\"}}},"
                           "\"modules\":{\"%s\":{\"type\":\"docker\",\"status\":\"running\","
                           "\"settings\":{\"image\":\"%s\"}}}}}}}";
    char body[1024];
    struct mqtt_login m = {.device = "edge1", .module = "$edgeAgent", .key = edge_key};

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/PATCH/properties/desired/#", 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof(body), manifest, "one", "x:1");
    report("a deployment is accepted",
           rest(&hub, NULL, "POST", "/devices/edge1/applyConfigurationContent", NULL, body, NULL) ==
               204,
           NULL);
    (void)mqtt_receive(&l, &topic, &payload);
    report("the agent is told all of it",
           strstr(buf_str(&payload), "\"one\":{") && strstr(buf_str(&payload), "\"$version\":2"),
           buf_str(&payload));
    snprintf(body, sizeof(body), manifest, "two", "x:1");
    (void)rest(&hub, NULL, "POST", "/devices/edge1/applyConfigurationContent", NULL, body, NULL);
    (void)mqtt_receive(&l, &topic, &payload);
    report("a module that is gone is null in the next one",
           strstr(buf_str(&payload), "\"one\":null") && strstr(buf_str(&payload), "\"two\":{"),
           buf_str(&payload));
    snprintf(body, sizeof(body), manifest, "two", "");
#pragma GCC diagnostic pop
    link_close(&l);

    int status =
        rest(&hub, NULL, "POST", "/devices/edge1/applyConfigurationContent", NULL, body, &out);
    const char *message = out ? json_str(out, "Message", "") : "";

    report("a bad one names the place",
           status == 400 &&
               strstr(message,
                      "ErrorCode:ArgumentInvalid;modulesContent.$edgeAgent.properties.desired"
                      ".modules.two.settings.image: "),
           message);
}

/* ------------------------------------------------------------------------------------------
 * trouble */

static void test_hostile(void)
{
    struct link l;
    auto_buf struct buf junk = {0};

    for (int i = 0; i < 100000; i++)
        buf_putc(&junk, '[');
    (void)link_open(&l, &hub, hub.mqtt_port);
    (void)link_send(&l, "\x10\xff\xff\xff\xff\xff", 6);
    report("a packet of endless length ends the connection", link_ends(&l), NULL);
    link_close(&l);
    (void)link_open(&l, &hub, hub.mqtt_port);
    (void)send_packet(&l, 0x10, &junk);
    report("a CONNECT that is too large ends the connection", link_ends(&l), NULL);
    link_close(&l);
    (void)link_open(&l, &hub, hub.mqtt_port);
    (void)send_packet(&l, 0x30, NULL);
    report("a packet before CONNECT ends the connection", link_ends(&l), NULL);
    link_close(&l);
    report("2 levels too deep is 400",
           rest(&hub, NULL, "PATCH", "/twins/dev1", NULL, junk.data, NULL) == 400, NULL);

    /* Asks for its twin without end and never reads: it must be stopped, and others be served. */
    struct mqtt_login m = {.device = "dev1", .key = key};
    struct timeval brief = {.tv_usec = 200000};
    size_t sent = 0;

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    setsockopt(l.fd, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief));
    while (sent < 1000000 && mqtt_publish(&l, "$iothub/twin/GET/?$rid=1", 0, 0, "", 0))
        sent++;
    report("a client that never reads is no longer read either", sent < 1000000, NULL);
    report("and others are served meanwhile",
           rest(&hub, NULL, "GET", "/devices/dev1", NULL, NULL, NULL) == 200, NULL);
    link_close(&l);
}

/* Everything that was answered must be there after SIGKILL at any moment. */
static void test_kill(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_json cJSON *out = NULL;
    struct mqtt_login m = {.device = "dev1", .key = key};
    char patch[64], answered[200] = "";

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    for (int i = 0; i < 50; i++) {
        snprintf(patch, sizeof(patch), "{\"n\":%d}", i);
        (void)mqtt_publish(&l, "$iothub/twin/PATCH/properties/reported/?$rid=k", 0, 0, patch,
                           strlen(patch));
        if (mqtt_receive(&l, &topic, &payload))
            snprintf(answered, sizeof(answered), "%s", buf_str(&topic));
    }
    (void)hub_end(&hub, SIGKILL);
    link_close(&l);
    report("it starts again after SIGKILL", hub_start(&hub), hub.line);
    (void)rest(&hub, NULL, "GET", "/twins/dev1", NULL, NULL, &out);

    const cJSON *reported = out ? json_get(json_get(out, "properties"), "reported") : NULL;
    char expected[40];

    snprintf(expected, sizeof(expected), "$version=%" PRIu64,
             reported ? json_u64(reported, "$version", 0) : 0);
    report("what was acknowledged is still there",
           reported && json_u64(reported, "n", 0) == 49 && str_ends(answered, expected), answered);
}

static void test_starts(void)
{
    struct test_hub second = hub, third;

    report("a second start in the same folder says so",
           !hub_start(&second) && strstr(second.line, "is running in"), second.line);
    (void)hub_end(&second, 0);
    hub_new(&third);
    third.https_port = hub.https_port;
    report("a taken port is named",
           !hub_start(&third) && strstr(third.line, "is taken by another program"), third.line);
    report("and the start fails", hub_end(&third, 0) == 1, NULL);
    hub_remove(&third);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    hub_new(&hub);
    if (!report("it starts", hub_start(&hub), hub.line))
        return 1;
    device_create(&hub, "dev1", false, key);
    device_create(&hub, "edge1", true, edge_key);
    report("devices are created with keys of their own",
           strlen(key) == 44 && strcmp(key, edge_key) != 0, key);
    test_logins();
    test_takeover();
    test_time();
    test_telemetry();
    test_will();
    test_subscriptions();
    test_persistent_session();
    test_twin();
    test_methods();
    test_registry();
    test_deployment();
    test_hostile();
    test_kill();
    test_starts();
    report("SIGTERM ends it cleanly", hub_end(&hub, SIGTERM) == 0, NULL);
    hub_remove(&hub);
    return failures ? 1 : 0;
}
