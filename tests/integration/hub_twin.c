/* berth-hub's twins and direct methods, between a device's MQTT and a service's REST. */
#include "tests/hub_client.h"

static struct test_hub hub;
static char key[128], edge_key[128];

static bool topic_is(const struct buf *topic, const char *text)
{
    return strcmp(buf_str(topic), text) == 0;
}

/* A refusal has a body, without which Microsoft's SDKs take it for a success. */
static void expect_report(struct link *l, const char *name, const char *query, const char *patch,
                          const char *answer)
{
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    bool refused = !strstr(answer, "/204/");
    char to[200];

    snprintf(to, sizeof(to), "$iothub/twin/PATCH/properties/reported/?$rid=r%s", query);
    (void)mqtt_publish(l, to, 0, 0, patch, strlen(patch));
    (void)mqtt_receive(l, &topic, &payload);

    auto_json cJSON *body = json_parse(buf_str(&payload), payload.len, NULL);
    bool told = json_u64(body, "errorCode", 0) && *json_str(body, "message", "");

    report(name, topic_is(&topic, answer) && (refused ? told : payload.len == 0), buf_str(&topic));
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
    buf_clear(&large);
    buf_puts(&large, "{\"z\":0");
    for (int i = 0; i < 20000; i++)
        buf_printf(&large, ",\"k%d\":1", i);
    buf_puts(&large, "}");
    expect_report(&l, "tens of thousands of members are 400 before they are merged", "", large.data,
                  "$iothub/twin/res/400/?$rid=r");
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

/* One client alone must not keep the database busy. */
static void test_throttle(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_buf struct buf asked = {0};
    char own_key[128];
    struct mqtt_login m = {.device = "hasty", .key = own_key};
    int served = 0, busy = 0;

    device_create(&hub, "hasty", false, own_key);
    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/res/#", 0);
    for (int i = 0; i < 250; i++)
        (void)mqtt_publish(&l, "$iothub/twin/GET/?$rid=t", 0, 0, "", 0);
    for (int i = 0; i < 250 && mqtt_receive(&l, &topic, &payload); i++) {
        served += topic_is(&topic, "$iothub/twin/res/200/?$rid=t");
        busy += topic_is(&topic, "$iothub/twin/res/429/?$rid=t");
    }
    report("who asks for its twin too often is told so with 429",
           served >= 50 && busy >= 30 && served + busy == 250, buf_str(&topic));
    link_close(&l);
}

/* ---- methods ---- */

struct invoke {
    pid_t pid;
    int out;
};

/* Calls a method from a process of its own, whose output is the status and the body. */
static struct invoke invoke_start(const char *twin, const char *body)
{
    struct invoke i;
    int fds[2];

    if (pipe(fds) < 0)
        abort();
    i.pid = fork();
    if (i.pid == 0) {
        auto_json cJSON *out = NULL;
        char target[100];

        snprintf(target, sizeof(target), "/twins/%s/methods", twin);

        int status = rest(&hub, NULL, "POST", target, NULL, body, &out);
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

/* The path of the answer to the method whose topic this is. */
static void answer_topic(const struct buf *topic, int status, char *to, size_t size)
{
    const char *rid = strstr(buf_str(topic), "$rid=");

    snprintf(to, size, "$iothub/methods/res/%d/?%s", status, rid ? rid : "");
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
        "dev1", "{\"methodName\":\"blink\",\"payload\":{\"n\":3},\"connectTimeoutInSeconds\":5}");

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/methods/POST/#", 0);
    (void)mqtt_receive(&l, &topic, &payload);
    report("a method arrives with its payload",
           str_starts(buf_str(&topic), "$iothub/methods/POST/blink/?$rid=") &&
               strcmp(buf_str(&payload), "{\"n\":3}") == 0,
           buf_str(&topic));

    answer_topic(&topic, 503, to, sizeof(to));
    (void)mqtt_publish(&l, to, 0, 0, "{\"done\":true}", 13);
    invoke_end(&i, answer, sizeof(answer));
    report("its answer comes back, whatever its status",
           strcmp(answer, "200 {\"status\":503,\"payload\":{\"done\":true}}") == 0, answer);
    i = invoke_start("dev1", "{\"methodName\":\"slow\",\"responseTimeoutInSeconds\":5}");
    (void)mqtt_receive(&l, &topic, &payload);
    for (int n = 0; n < 4; n++) /* it is there, and talks, but not of this */
        (void)mqtt_ping(&l);
    invoke_end(&i, answer, sizeof(answer));
    report("a method that nobody answers is 504", str_starts(answer, "504 "), answer);
    link_close(&l);
    report("a time-out outside 5 to 300 s is 400",
           rest(&hub, NULL, "POST", "/twins/dev1/methods", NULL,
                "{\"methodName\":\"m\",\"responseTimeoutInSeconds\":1}", NULL) == 400,
           NULL);
}

/* A device may lose its connection between question and answer. */
static void test_method_reconnect(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char answer[1024], to[200];
    struct mqtt_login m = {.device = "dev1", .key = key};
    struct invoke i;

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/methods/POST/#", 0);
    i = invoke_start("dev1", "{\"methodName\":\"m\"}");
    (void)mqtt_receive(&l, &topic, &payload);
    link_close(&l);
    (void)mqtt_login(&l, &hub, &m, NULL);
    answer_topic(&topic, 200, to, sizeof(to));
    (void)mqtt_publish(&l, to, 0, 0, "1", 1);
    invoke_end(&i, answer, sizeof(answer));
    report("a method is answered after a reconnect",
           strcmp(answer, "200 {\"status\":200,\"payload\":1}") == 0, answer);
    link_close(&l);
}

static void test_module_method(void)
{
    struct link l, other;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char answer[1024], to[200];
    struct mqtt_login m = {.device = "edge1", .module = "$edgeAgent", .key = edge_key};
    struct mqtt_login n = {.device = "dev1", .key = key};
    struct invoke i;

    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_login(&other, &hub, &n, NULL);
    (void)mqtt_subscribe(&l, "$iothub/methods/POST/#", 0);
    i = invoke_start("edge1/modules/%24edgeAgent", "{\"methodName\":\"ping\",\"payload\":null}");
    (void)mqtt_receive(&l, &topic, &payload);
    report("a module's method arrives", str_starts(buf_str(&topic), "$iothub/methods/POST/ping/?"),
           buf_str(&topic));
    answer_topic(&topic, 200, to, sizeof(to));
    (void)mqtt_publish(&other, to, 0, 0, "\"forged\"", 8);
    (void)mqtt_ping(&other);
    (void)mqtt_publish(&l, to, 0, 0, "", 0);
    invoke_end(&i, answer, sizeof(answer));
    report("and only its own answer counts, which may be empty",
           strcmp(answer, "200 {\"status\":200,\"payload\":null}") == 0, answer);
    link_close(&other);
    link_close(&l);
}

static void test_method_sizes(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    auto_buf struct buf large = {0};
    char answer[1024], to[200];
    struct mqtt_login m = {.device = "dev1", .key = key};
    struct invoke i;

    buf_puts(&large, "{\"methodName\":\"m\",\"payload\":\"");
    for (int k = 0; k < 129 * 1024; k++)
        buf_putc(&large, 'x');
    buf_puts(&large, "\"}");
    report("a payload of more than 128 KB is 400",
           rest(&hub, NULL, "POST", "/twins/dev1/methods", NULL, large.data, NULL) == 400, NULL);
    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/methods/POST/#", 0);
    i = invoke_start("dev1", "{\"methodName\":\"m\"}");
    (void)mqtt_receive(&l, &topic, &payload);
    answer_topic(&topic, 200, to, sizeof(to));
    (void)mqtt_publish(&l, to, 0, 0, large.data, large.len);
    invoke_end(&i, answer, sizeof(answer));
    report("an answer of more than 128 KB is an error at once", str_starts(answer, "400 "), answer);
    report("and the device stays connected", mqtt_ping(&l), NULL);
    link_close(&l);
}

int main(void)
{
    if (!hub_begin(&hub))
        return 1;
    device_create(&hub, "dev1", false, key);
    device_create(&hub, "edge1", true, edge_key);
    test_twin();
    test_throttle();
    test_methods();
    test_method_reconnect();
    test_module_method();
    test_method_sizes();
    return hub_finish(&hub);
}
