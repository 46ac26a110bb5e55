/* Automatic deployments of berth-hub: over HTTPS and MQTT, and with SIGKILL in the middle of them.
 */
#include "tests/hub_rest.h"

#include <poll.h>

/* ---- configurations ---- */

#define MARK_MAX    60
#define SPEC        "{\"type\":\"docker\",\"status\":\"running\",\"settings\":{\"image\":\"x:1\"}"
#define ROUTE(mark) "FROM /messages/modules/" mark "/* INTO $upstream"
#define BASE(mark)                                                                                 \
    "\"content\":{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{\"schemaVersion\":"  \
    "\"1.1\",\"runtime\":{\"type\":\"docker\",\"settings\":{}},\"systemModules\":{\"edgeAgent\":{" \
    "\"type\":\"docker\",\"settings\":{\"image\":\"a:1\"}}},\"modules\":{\"m1\":" SPEC             \
    ",\"version\":\"" mark "\"}}}},\"$edgeHub\":{\"properties.desired\":{\"schemaVersion\":"       \
    "\"1.0\",\"routes\":{\"r\":\"" ROUTE(                                                          \
        mark) "\"}}},\"m1\":{\"properties.desired\":{\"mark\":\"" mark "\"}}}}"

static void test_configurations(void)
{
    struct link l;
    auto_buf struct buf topic = {0};
    auto_buf struct buf payload = {0};
    char key[128];
    struct mqtt_login m = {.device = "edge1", .module = "$edgeAgent", .key = key};

    device_create(&hub, "edge1", true, key);
    (void)mqtt_login(&l, &hub, &m, NULL);
    (void)mqtt_subscribe(&l, "$iothub/twin/PATCH/properties/desired/#", 0);
    expect("a configuration is created",
           call("PUT", "/configurations/base", NULL,
                "{\"id\":\"base\",\"schemaVersion\":null,\"labels\":{\"v\":\"1\"},\"priority\":1,"
                "\"targetCondition\":\"tags.env='prod'\"," BASE("one") "}") == 200 &&
               says("\"etag\":\"AAAAAAAAAAE=\"") && says("\"targetedCount\":0") &&
               str_eq(header("ETag"), "\"AAAAAAAAAAE=\""));
    expect_error("once", 409, "ConfigurationAlreadyExists", 409302,
                 call("PUT", "/configurations/base", NULL, "{" BASE("one") "}"));
    (void)call("PATCH", "/twins/edge1", NULL, "{\"tags\":{\"env\":\"prod\"}}");
    (void)mqtt_receive(&l, &topic, &payload);
    report("the agent of a device that comes into its scope is told",
           str_ends(buf_str(&topic), "?$version=2") && strstr(buf_str(&payload), "\"m1\":{"),
           buf_str(&payload));
    expect("a layer goes on top",
           call("PUT", "/configurations/layer", NULL,
                "{\"priority\":2,\"targetCondition\":\"*\",\"content\":{\"modulesContent\":{"
                "\"$edgeAgent\":{\"properties.desired.modules.m2\":" SPEC "}}}}}") == 200);
    buf_clear(&payload);
    (void)mqtt_receive(&l, &topic, &payload);
    report("and the agent is told of nothing else",
           strstr(buf_str(&payload), "{\"modules\":{\"m2\":{") && !strstr(buf_str(&payload), "m1"),
           buf_str(&payload));
    link_close(&l);
    expect("the twin says whose it is",
           call("GET", "/twins/edge1", NULL, NULL) == 200 &&
               says("\"configurations\":{\"base\":{\"status\":\"Applied\"},"
                    "\"layer\":{\"status\":\"Applied\"}}"));
    expect("what it targets is counted",
           call("GET", "/configurations/layer", NULL, NULL) == 200 &&
               says("\"results\":{\"targetedCount\":1,\"appliedCount\":1,"
                    "\"reportedSuccessfulCount\":0,\"reportedFailedCount\":0}"));
    expect("in the list, too", call("GET", "/configurations?top=1", NULL, NULL) == 200 &&
                                   says("\"id\":\"layer\"") && !says("\"id\":\"base\""));
    expect_query("the queries of its metrics run",
                 "select deviceId from devices.modules where moduleId = '$edgeAgent' and"
                 " configurations.[[layer]].status = 'Applied'",
                 "[{\"deviceId\":\"edge1\"}]");
    expect_error("its content stays as it is", 400, "ArgumentInvalid", 400004,
                 call("PUT", "/configurations/base", "If-Match: \"*\"\r\n", "{" BASE("two") "}"));
    expect("texts can be tried before",
           call("POST", "/configurations/testQueries", NULL,
                "{\"targetCondition\":\"tags.a=1\",\"customMetricQueries\":{\"q\":\"SELECT\"}}") ==
                   200 &&
               says("\"targetConditionError\":null") &&
               says("\"customMetricQueryErrors\":{\"q\":\"the query, character 7"));
    expect("it is deleted", call("DELETE", "/configurations/layer", NULL, NULL) == 204 &&
                                call("GET", "/configurations/layer", NULL, NULL) == 404);
    expect("with what only it said",
           call("GET", "/twins/edge1/modules/%24edgeAgent", NULL, NULL) == 200 && says("\"m1\"") &&
               !says("\"m2\""));
    (void)call("DELETE", "/configurations/base", NULL, NULL);
}

/* ---- SIGKILL ---- */

#define FLEET 150

/* Two configurations change places for the whole fleet, as fast as the hub does it. */
static pid_t start_changing(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        auto_buf struct buf text = {0};
        int status = 200;

        for (unsigned i = 0; status == 200; i++)
            status = rest_text(&hub, NULL, "PUT", "/configurations/first", "If-Match: *\r\n",
                               i % 2 ? "{\"priority\":1}" : "{\"priority\":3}", &text);
        _exit(0);
    }
    return pid;
}

/* The one value that NAME has in the twins of module M of the whole fleet; "" where it has several.
 */
static void read_mark(const char *module, const char *name, char to[MARK_MAX])
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_json cJSON *rows = NULL;
    auto_buf struct buf text = {0};
    char query[400];

    snprintf(query, sizeof(query),
             "SELECT %s AS mark, COUNT() AS n FROM devices.modules WHERE moduleId = '%s' AND "
             "startswith(deviceId, 'fleet') GROUP BY %s",
             name, module, name);
    json_add_str(body, "query", query);
    json_print(&text, body);
    (void)rest(&hub, NULL, "POST", "/devices/query", NULL, text.data, &rows);
    to[0] = '\0';
    if (rows && cJSON_GetArraySize(rows) == 1 && json_u64(rows->child, "n", 0) == FLEET)
        snprintf(to, MARK_MAX, "%s", json_str(rows->child, "mark", ""));
}

static void make_fleet(void)
{
    for (int i = 0; i < FLEET; i += 50) {
        auto_json cJSON *array = cJSON_CreateArray();
        auto_buf struct buf text = {0};

        for (int k = i; k < i + 50; k++) {
            cJSON *one = cJSON_CreateObject();
            char name[20];

            snprintf(name, sizeof(name), "fleet%03d", k);
            json_add_str(one, "id", name);
            json_add_bool(json_add_obj(one, "capabilities"), "iotEdge", true);
            json_push(array, one);
        }
        json_print(&text, array);
        (void)call("POST", "/devices", NULL, text.data);
    }
    (void)call(
        "PUT", "/configurations/first", NULL,
        "{\"priority\":1,\"targetCondition\":\"startswith(deviceId, 'fleet')\"," BASE("first") "}");
    (void)call("PUT", "/configurations/second", NULL,
               "{\"priority\":2,\"targetCondition\":\"startswith(deviceId, 'fleet')\"," BASE(
                   "second") "}");
}

/* How long one change of the whole fleet takes. */
static int measure_change(void)
{
    uint64_t start = clock_mono_ms();

    (void)call("PUT", "/configurations/first", "If-Match: *\r\n", "{\"priority\":3}");
    return (int)(clock_mono_ms() - start) + 1;
}

#define ROUNDS_MIN 12
#define ROUNDS_MAX 40

/* Wherever it is killed, each deployment is there in all twins or in none. */
static void test_kill(void)
{
    unsigned first = 0, second = 0, rounds = 0;
    char agent[MARK_MAX] = "", router[MARK_MAX] = "", module[MARK_MAX] = "", seen[300];
    int change_ms;

    make_fleet();
    change_ms = measure_change();
    srandom(7);
    /* Until it was seen in both states: kills at any moment of up to two changes. */
    while (rounds < ROUNDS_MIN || (rounds < ROUNDS_MAX && !(first && second))) {
        pid_t pid = start_changing();

        rounds++;
        (void)poll(NULL, 0, (int)(random() % (3 * change_ms))); /* the moment of the kill */
        (void)hub_end(&hub, SIGKILL);
        waitpid(pid, NULL, 0);
        if (!report("the hub starts again", hub_start(&hub), hub.line))
            return;
        read_mark("$edgeAgent", "properties.desired.modules.m1.version", agent);
        read_mark("$edgeHub", "properties.desired.routes.r", router);
        read_mark("m1", "properties.desired.mark", module);
        if (!agent[0] || !str_eq(agent, module) ||
            !str_eq(router, str_eq(agent, "first") ? ROUTE("first") : ROUTE("second")))
            break;
        first += str_eq(agent, "first");
        second += str_eq(agent, "second");
    }
    snprintf(seen, sizeof(seen), "'%s' '%s' '%s', %u and %u of %u", agent, router, module, first,
             second, rounds);
    report("SIGKILL never leaves half a deployment", first + second == rounds, seen);
    report("and came in both states", first > 0 && second > 0, seen);
}

int main(void)
{
    if (!hub_begin(&hub))
        return 1;
    test_configurations();
    test_kill();
    buf_done(&answer);
    return hub_finish(&hub);
}
