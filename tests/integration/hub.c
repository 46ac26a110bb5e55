/* berth-hub as devices and services see it: over TLS, with tokens. Who may connect and for how
 * long, the registry, deployments, and what must be there after SIGKILL. Messages, twins,
 * certificates, WebSocket and trouble have programs of their own. */
#include "tests/hub_client.h"

static struct test_hub hub;
static char key[128], edge_key[128];

static void test_logins(void)
{
    auto_json cJSON *modules = NULL;
    uint64_t now = clock_wall_ms() / 1000;
    const char *other = "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    expect_login(&hub, "a device logs in with its key",
                 &(struct mqtt_login){.device = "dev1", .key = key}, 0);
    expect_login(&hub, "a wrong key is refused with CONNACK 5",
                 &(struct mqtt_login){.device = "dev1", .key = other}, 5);
    expect_login(&hub, "an unknown device is refused",
                 &(struct mqtt_login){.device = "nobody", .key = key}, 5);
    expect_login(
        &hub, "a token for another device is refused",
        &(struct mqtt_login){.device = "dev1", .key = key, .sr = HUB_HOST "/devices/dev10"}, 5);
    expect_login(&hub, "a token for another hub is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .sr = "other/devices/dev1"}, 5);
    expect_login(
        &hub, "a lower-case audience with raw slashes and port is accepted",
        &(struct mqtt_login){.device = "dev1", .key = key, .sr = "localhost:18883/devices/dev1"},
        0);
    expect_login(&hub, "an expired token is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .expiry_s = now - 400}, 5);
    expect_login(&hub, "a token that expired within the clock allowance is accepted",
                 &(struct mqtt_login){.device = "dev1", .key = key, .expiry_s = now - 200}, 0);
    expect_login(&hub, "a client id that is not the device's is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .client_id = "dev2"}, 5);
    expect_login(&hub, "a user name without api-version is refused",
                 &(struct mqtt_login){.device = "dev1", .key = key, .user = HUB_HOST "/dev1/?x=1"},
                 5);
    expect_login(&hub, "a user name without the question mark is accepted",
                 &(struct mqtt_login){
                     .device = "dev1", .key = key, .user = HUB_HOST "/dev1/api-version=2018-06-30"},
                 0);
    expect_login(&hub, "a password that is no token is refused",
                 &(struct mqtt_login){.device = "dev1", .password = "secret"}, 5);
    expect_login(&hub, "an edge module may sign with its device's key",
                 &(struct mqtt_login){.device = "edge1", .module = "$edgeAgent", .key = edge_key},
                 0);
    expect_login(&hub, "a module that does not exist is refused",
                 &(struct mqtt_login){.device = "edge1", .module = "ghost", .key = edge_key}, 5);
    (void)rest(&hub, NULL, "GET", "/devices/edge1/modules/%24edgeAgent", NULL, NULL, &modules);

    const cJSON *auth = modules ? json_get(modules, "authentication") : NULL;
    const char *module_key =
        auth ? json_str(json_get(auth, "symmetricKey"), "secondaryKey", "") : "";

    expect_login(&hub, "a module logs in with its secondary key",
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
    expect_login(&hub, "which they log in with",
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
    expect_login(&hub, "and gets no other", &(struct mqtt_login){.device = "cut", .key = cut_key},
                 5);
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

/* Creates devices until the hub dies under it; says on FD which were answered, a byte each. */
static void create_until_killed(int fd)
{
    for (char i = 0; i < 100; i++) {
        char target[40];

        snprintf(target, sizeof(target), "/devices/kill%d", i);
        if (rest(&hub, NULL, "PUT", target, NULL, "{}", NULL) == 200 && write(fd, &i, 1) != 1)
            break;
    }
    _exit(0);
}

static void test_kill_registry(void)
{
    int fds[2], answered = 0, there = 0;
    char ids[128];

    if (pipe(fds) < 0)
        abort();

    pid_t creator = fork();

    if (creator == 0)
        create_until_killed(fds[1]);
    close(fds[1]);
    while (answered < 10 && read(fds[0], &ids[answered], 1) == 1)
        answered++;
    (void)hub_end(&hub, SIGKILL);
    while (answered < 128 && read(fds[0], &ids[answered], 1) == 1)
        answered++;
    close(fds[0]);
    waitpid(creator, NULL, 0);
    (void)hub_start(&hub);
    for (int i = 0; i < answered; i++) {
        char target[40];

        snprintf(target, sizeof(target), "/devices/kill%d", ids[i]);
        there += rest(&hub, NULL, "GET", target, NULL, NULL, NULL) == 200;
    }
    report("devices that were created before SIGKILL are there",
           answered >= 10 && there == answered, hub.line);
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
    if (!hub_begin(&hub))
        return 1;
    device_create(&hub, "dev1", false, key);
    device_create(&hub, "edge1", true, edge_key);
    report("devices are created with keys of their own",
           strlen(key) == 44 && strcmp(key, edge_key) != 0, key);
    test_logins();
    test_takeover();
    test_time();
    test_registry();
    test_deployment();
    test_kill();
    test_kill_registry();
    test_starts();
    return hub_finish(&hub);
}
