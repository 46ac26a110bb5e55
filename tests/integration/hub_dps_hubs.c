/* Several hubs in one sandbox: to which of them a device goes, what comes along when it moves, and
 * that a registration which was acknowledged outlives the process. */
#include "tests/dps_client.h"

#define SECOND "second.berth.internal"
#define THIRD  "third.berth.internal"

static struct test_hub hub;

/* What HUB_NAME's owner sees. */
static cJSON *shown_at(const char *hub_name, const char *what, const char *device)
{
    auto_secret struct secret token = {0};
    char target[200];
    cJSON *out = NULL;

    snprintf(target, sizeof(target), "/%s/%s", what, device);
    (void)sas_make(hub_name, hub.service_key, clock_wall_ms() / 1000 + 60, "iothubowner", &token,
                   NULL);
    (void)rest(&hub, token.data, "GET", target, NULL, NULL, &out);
    return out;
}

static const char *tag(const char *hub_name, const char *device, const char *name)
{
    static char text[100];
    auto_json cJSON *twin = shown_at(hub_name, "twins", device);
    const cJSON *tags = twin ? json_get(twin, "tags") : NULL;

    snprintf(text, sizeof(text), "%s", tags ? json_str(tags, name, "none") : "no twin");
    return text;
}

static void set_tag(const char *hub_name, const char *device, const char *value)
{
    auto_secret struct secret token = {0};
    char target[100], body[100];

    snprintf(target, sizeof(target), "/twins/%s", device);
    snprintf(body, sizeof(body), "{\"tags\":{\"site\":\"%s\"}}", value);
    (void)sas_make(hub_name, hub.service_key, clock_wall_ms() / 1000 + 60, "iothubowner", &token,
                   NULL);
    (void)rest(&hub, token.data, "PATCH", target, NULL, body, NULL);
}

/* Puts an enrolment with the keys that it has. */
static void change(const char *id, const char *more)
{
    char target[100], body[1000];
    auto_answer struct answer a = {0};

    snprintf(target, sizeof(target), "/enrollments/%s", id);
    snprintf(body, sizeof(body), "{\"attestation\":{\"type\":\"symmetricKey\"}%s}", more);
    if (service(&hub, "PUT", target, "If-Match: *\r\n", body, &a) != 200)
        report("enrolment is changed", false, answer_text(&a));
}

static void provision(const char *name, const char *id, const char *key, const char *on,
                      const char *substatus)
{
    struct device d = {.id = id, .key = key};
    auto_answer struct answer a = {0};

    (void)device_provision(&hub, &d, NULL, &a);
    report(name,
           a.status == 200 && str_eq(state_text(&a, "assignedHub"), on) &&
               str_eq(state_text(&a, "substatus"), substatus),
           answer_text(&a));
}

#define TWIN ",\"initialTwin\":{\"tags\":{\"site\":\"start\"}}"

static void test_static(void)
{
    char key[128];

    (void)enrol_key(
        &hub, false, "fixed",
        ",\"allocationPolicy\":\"static\",\"iotHubs\":[\"" SECOND "\",\"" THIRD "\"]" TWIN, key);
    provision("static goes to the first hub of the list", "fixed", key, SECOND,
              "initialAssignment");
    report("and makes its device there", str_eq(tag(SECOND, "fixed", "site"), "start"),
           tag(SECOND, "fixed", "site"));

    (void)enrol_key(&hub, false, "named", ",\"iotHubHostName\":\"" THIRD "\"", key);
    provision("a host name in the enrolment decides", "named", key, THIRD, "initialAssignment");
    (void)enrol_key(&hub, false, "near", ",\"allocationPolicy\":\"geoLatency\"", key);
    provision("the nearest hub is the first", "near", key, HUB_HOST, "initialAssignment");
}

static void test_hashed(void)
{
    size_t n[3] = {0};
    char key[128], first[100];
    auto_answer struct answer a = {0};

    (void)enrol_key(&hub, true, "spread", "", key);
    for (int i = 0; i < 24; i++) {
        auto_secret struct secret own = {0};
        char id[20];
        struct device d = {.id = id};

        snprintf(id, sizeof(id), "spread-%d", i);
        (void)derive_key(key, id, &own, NULL);
        d.key = own.data;
        (void)device_provision(&hub, &d, NULL, &a);
        snprintf(first, sizeof(first), "%s", state_text(&a, "assignedHub"));
        (void)device_provision(&hub, &d, NULL, &a);
        if (!str_eq(state_text(&a, "assignedHub"), first))
            report("a device stays on its hub", false, answer_text(&a));
        n[str_eq(first, HUB_HOST) ? 0 : str_eq(first, SECOND) ? 1 : 2]++;
    }
    snprintf(first, sizeof(first), "%zu, %zu and %zu of 24", n[0], n[1], n[2]);
    report("hashed spreads devices over all hubs", n[0] > 0 && n[1] > 0 && n[2] > 0, first);
}

static void test_moves(void)
{
    char key[128];

    (void)enrol_key(&hub, false, "mover", ",\"iotHubHostName\":\"" HUB_HOST "\"" TWIN, key);
    provision("a device begins on one hub", "mover", key, HUB_HOST, "initialAssignment");
    set_tag(HUB_HOST, "mover", "changed");

    change("mover", ",\"iotHubHostName\":\"" SECOND "\"" TWIN);
    provision("its enrolment moves it with its data", "mover", key, SECOND, "deviceDataMigrated");
    report("which came along", str_eq(tag(SECOND, "mover", "site"), "changed"),
           tag(SECOND, "mover", "site"));

    change("mover",
           ",\"iotHubHostName\":\"" THIRD "\",\"reprovisionPolicy\":{\"updateHubAssignment\":true,"
           "\"migrateDeviceData\":false}" TWIN);
    provision("or without", "mover", key, THIRD, "deviceDataReset");
    report("so that it begins anew", str_eq(tag(THIRD, "mover", "site"), "start"),
           tag(THIRD, "mover", "site"));

    change("mover",
           ",\"iotHubHostName\":\"" HUB_HOST "\",\"reprovisionPolicy\":{\"updateHubAssignment\":"
           "false,\"migrateDeviceData\":false}" TWIN);
    provision("or never", "mover", key, THIRD, "reprovisionedToInitialAssignment");
}

static void test_new_key(void)
{
    char key[128], other[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    auto_json cJSON *shown = NULL;

    (void)enrol_key(&hub, false, "rekeyed", ",\"iotHubHostName\":\"" HUB_HOST "\"", key);
    provision("a device has its enrolment's key", "rekeyed", key, HUB_HOST, "initialAssignment");

    auto_answer struct answer a = {0};
    char body[300];

    snprintf(
        body, sizeof(body),
        "{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"%s\"}},"
        "\"iotHubHostName\":\"" HUB_HOST "\"}",
        other);
    (void)service(&hub, "PUT", "/enrollments/rekeyed", "If-Match: *\r\n", body, &a);
    provision("and a new one once that is changed", "rekeyed", other, HUB_HOST,
              "reprovisionedToInitialAssignment");
    shown = shown_at(HUB_HOST, "devices", "rekeyed");
    report("which the hub knows, too",
           shown && str_eq(json_str(json_get(json_get(shown, "authentication"), "symmetricKey"),
                                    "primaryKey", ""),
                           other),
           NULL);
}

static void test_deleted_device(void)
{
    char key[128];

    (void)enrol_key(&hub, false, "lost", ",\"iotHubHostName\":\"" HUB_HOST "\"" TWIN, key);
    provision("a device is made", "lost", key, HUB_HOST, "initialAssignment");
    (void)rest(&hub, NULL, "DELETE", "/devices/lost", "If-Match: *\r\n", NULL, NULL);
    provision("and made again where somebody deleted it", "lost", key, HUB_HOST,
              "reprovisionedToInitialAssignment");
    report("with its initial twin", str_eq(tag(HUB_HOST, "lost", "site"), "start"),
           tag(HUB_HOST, "lost", "site"));
}

/* ------------------------------------------------------------------------------------------
 * across restarts */

static void test_crash(void)
{
    char key[128], what[200], scope[32];
    struct device d = {.id = "survivor", .key = key};
    auto_answer struct answer a = {0};
    size_t lost = 0;

    (void)enrol_key(&hub, false, "survivor", "", key);
    snprintf(scope, sizeof(scope), "%s", dps_scope);
    for (int round = 0; round < 5; round++) {
        if (device_register(&hub, &d, NULL, &a) != 202) {
            report("a registration is accepted", false, answer_text(&a));
            return;
        }
        (void)hub_end(&hub, SIGKILL);
        snprintf(what, sizeof(what), "/operations/%s", json_str(a.body, "operationId", ""));
        if (!hub_start(&hub) || !dps_read_record(&hub)) {
            report("it starts again after SIGKILL", false, hub.line);
            return;
        }
        (void)device_call(&hub, &d, "GET", what, NULL, &a);
        lost += !(a.status == 200 && str_eq(json_str(a.body, "status", ""), "assigned"));
    }
    report("an accepted registration outlives SIGKILL, five times of five", lost == 0,
           answer_text(&a));
    report("and so does the id scope", str_eq(scope, dps_scope), dps_scope);
}

static void test_hub_gone(void)
{
    char key[128];
    struct device d = {.id = "orphan", .key = key};
    auto_answer struct answer a = {0};

    (void)enrol_key(&hub, false, "orphan", ",\"iotHubHostName\":\"" THIRD "\"", key);
    (void)hub_end(&hub, SIGTERM);
    hub.args[2] = NULL; /* without the third */
    if (!report("it starts with one hub less", hub_start(&hub) && dps_read_record(&hub), hub.line))
        return;
    (void)device_provision(&hub, &d, NULL, &a);
    report("an enrolment for a hub that is gone fails, and says so",
           a.status == 200 && str_eq(json_str(a.body, "status", ""), "failed") &&
               json_u64(json_get(a.body, "registrationState"), "errorCode", 0) == 401001 &&
               strstr(state_text(&a, "errorMessage"), "none of the hubs"),
           answer_text(&a));
    change("orphan", "");
    (void)device_provision(&hub, &d, NULL, &a);
    report("until it is changed",
           a.status == 200 && str_eq(state_text(&a, "substatus"), "initialAssignment"),
           answer_text(&a));
}

int main(void)
{
    json_init();
    hub_prepare(&hub);
    hub.args[0] = "--hub-name";
    hub.args[1] = SECOND;
    hub.args[2] = "--hub-name";
    hub.args[3] = THIRD;
    if (!report("it starts with three hubs", hub_start(&hub) && dps_read_record(&hub), hub.line))
        return 1;
    test_static();
    test_hashed();
    test_moves();
    test_new_key();
    test_deleted_device();
    test_crash();
    test_hub_gone();
    return hub_finish(&hub);
}
