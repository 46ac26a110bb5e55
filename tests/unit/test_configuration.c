#include "tests/hub_inside.h"

#include <criterion/criterion.h>

static struct hub_inside h;

static void put_device(const char *device, const char *body)
{
    struct err err = {0};

    cr_assert_eq(hub_inside_put(&h, device, "", body, NULL, &err), 0, "%s: %s", device, err.msg);
}

static void setup(void)
{
    hub_inside_init(&h);
    put_device("edge", "{\"capabilities\":{\"iotEdge\":true}}");
    put_device("plain", "{}");
}

static void teardown(void)
{
    hub_inside_done(&h);
}

TestSuite(configuration, .init = setup, .fini = teardown);

static int put(const char *id, const char *body, const char *if_match, struct err *err)
{
    auto_json cJSON *json = hub_inside_json(body);

    return configuration_put(&h.hub, "", id, json, if_match, err);
}

static void must(const char *id, const char *body, const char *if_match)
{
    struct err err = {0};

    cr_assert_eq(put(id, body, if_match, &err), 0, "%s: %s", id, err.msg);
}

static void must_not(const char *id, const char *body, const char *if_match, enum err_kind kind,
                     const char *why)
{
    struct err err = {0};

    cr_assert_eq(put(id, body, if_match, &err), -1, "accepted: %s", body);
    cr_assert_eq(err.kind, kind, "%s", err.msg);
    cr_assert(strstr(err.msg, why), "\"%s\" does not say \"%s\"", err.msg, why);
}

static void tags(const char *device, const char *body)
{
    struct err err = {0};

    cr_assert_eq(hub_inside_twin(&h, device, "", body, &err), 0, "%s", err.msg);
}

static void remove_configuration(const char *id)
{
    struct err err = {0};

    cr_assert_eq(configuration_delete(&h.hub, "", id, NULL, &err), 0, "%s", err.msg);
}

#define SPEC(image) \
    "{\"type\":\"docker\",\"status\":\"running\",\"settings\":{\"image\":\"" image "\"}}"
#define AGENT(modules)                                                                         \
    "\"$edgeAgent\":{\"properties.desired\":{\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":" \
    "\"docker\",\"settings\":{}},\"systemModules\":{\"edgeAgent\":{\"type\":\"docker\","       \
    "\"settings\":{\"image\":\"a\"}}},\"modules\":{" modules "}}}"
#define BASE(modules, rest)                                \
    "\"content\":{\"modulesContent\":{" AGENT(             \
        modules) ",\"$edgeHub\":{\"properties.desired\":{" \
                 "\"schemaVersion\":\"1.0\",\"routes\":{}}}" rest "}}"
#define LAYER(parts) "\"content\":{\"modulesContent\":{" parts "}}"

#define expect(device, module, path, text)                                \
    cr_assert_str_eq(hub_inside_at(&h, device, module, path), text, "%s", \
                     hub_inside_at(&h, device, module, ""))

static uint64_t version_of(const char *device, const char *module)
{
    auto_twin_row struct twin_row t = {0};

    cr_assert_eq(store_twin_get(h.hub.store, device, module, &t, NULL), 0);
    return t.desired_version;
}

Test(configuration, deploys_to_edge_devices_that_it_targets)
{
    must("base",
         "{\"targetCondition\":\"*\"," BASE("\"m1\":" SPEC("x"),
                                            ",\"m1\":{\"properties.desired\":{\"a\":1}}") "}",
         NULL);
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"x\"");
    expect("edge", "m1", "properties.desired", "{\"a\":1}");
    expect("edge", "", "configurations", "{\"base\":{\"status\":\"Applied\"}}");
    expect("edge", "$edgeAgent", "configurations", "{\"base\":{\"status\":\"Applied\"}}");
    expect("plain", "", "configurations", "nothing");
    cr_assert_eq(version_of("edge", "$edgeAgent"), 2);

    /* A device that comes later, and one that becomes an edge device. */
    put_device("late", "{\"capabilities\":{\"iotEdge\":true}}");
    expect("late", "m1", "properties.desired", "{\"a\":1}");
    cr_assert_eq(
        hub_inside_put(&h, "plain", "", "{\"capabilities\":{\"iotEdge\":true}}", "*", NULL), 0);
    expect("plain", "m1", "properties.desired", "{\"a\":1}");
}

Test(configuration, writes_a_twin_only_where_it_differs)
{
    must("base", "{\"targetCondition\":\"*\"," BASE("\"m1\":" SPEC("x"), "") "}", NULL);
    must("base", "{\"priority\":7,\"labels\":{\"a\":\"b\"}}", "*");
    tags("edge", "{\"tags\":{\"env\":\"lab\"}}");
    cr_assert_eq(version_of("edge", "$edgeAgent"), 2);
    cr_assert_eq(version_of("edge", "$edgeHub"), 2);
}

Test(configuration, follows_tags)
{
    must("base", "{\"targetCondition\":\"tags.env='prod'\"," BASE("\"m1\":" SPEC("x"), "") "}",
         NULL);
    expect("edge", "", "configurations", "nothing");
    expect("edge", "$edgeAgent", "properties.desired", "{}");
    tags("edge", "{\"tags\":{\"env\":\"prod\"}}");
    expect("edge", "", "configurations.base.status", "\"Applied\"");
    tags("edge", "{\"tags\":{\"env\":null}}");
    expect("edge", "", "configurations", "nothing");
    /* It keeps what it runs. */
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"x\"");
}

Test(configuration, gives_the_highest_priority_to_a_device)
{
    must("low", "{\"targetCondition\":\"*\",\"priority\":1," BASE("\"m1\":" SPEC("low"), "") "}",
         NULL);
    must("high", "{\"targetCondition\":\"*\",\"priority\":2," BASE("\"m1\":" SPEC("high"), "") "}",
         NULL);
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"high\"");
    expect("edge", "", "configurations",
           "{\"high\":{\"status\":\"Applied\"},\"low\":{\"status\":\"Targeted\"}}");
    must("low", "{\"priority\":3}", "*");
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"low\"");
    must("low", "{\"targetCondition\":\"\"}", "*");
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"high\"");
    expect("edge", "", "configurations", "{\"high\":{\"status\":\"Applied\"}}");
    must("low", "{\"targetCondition\":\"*\"}", "*");
    remove_configuration("low");
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"high\"");
}

Test(configuration, puts_layers_on_top_and_takes_them_away_again)
{
    must("base",
         "{\"targetCondition\":\"*\",\"priority\":1," BASE(
             "\"m1\":" SPEC("x"), ",\"m1\":{\"properties.desired\":{\"a\":1}}") "}",
         NULL);
    must("same",
         "{\"targetCondition\":\"*\",\"priority\":1," LAYER(
             "\"m1\":{\"properties.desired.same\":1}") "}",
         NULL);
    must("layer",
         "{\"targetCondition\":\"*\",\"priority\":2," LAYER(
             "\"$edgeAgent\":{\"properties.desired.modules.m2\":" SPEC(
                 "y") "},"
                      "\"$edgeHub\":{\"properties.desired.routes.r\":\"FROM /* INTO $upstream\"},"
                      "\"m1\":{\"properties.desired.b\":{\"c\":2}},"
                      "\"m2\":{\"properties.desired.only\":1}") "}",
         NULL);
    expect("edge", "m1", "properties.desired", "{\"a\":1,\"b\":{\"c\":2}}");
    expect("edge", "m2", "properties.desired", "{\"only\":1}");
    expect("edge", "$edgeAgent", "properties.desired.modules.m2.settings.image", "\"y\"");
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"x\"");
    expect("edge", "$edgeHub", "properties.desired.routes", "{\"r\":\"FROM /* INTO $upstream\"}");
    expect("edge", "", "configurations.layer.status", "\"Applied\"");
    /* Not above the base: */
    expect("edge", "", "configurations.same.status", "\"Targeted\"");
    remove_configuration("layer");
    expect("edge", "m1", "properties.desired", "{\"a\":1}");
    expect("edge", "m2", "properties.desired", "{}");
    expect("edge", "$edgeAgent", "properties.desired.modules.m2", "nothing");
    expect("edge", "$edgeHub", "properties.desired.routes", "{}");
}

Test(configuration, leaves_layers_without_a_base_alone)
{
    must("layer",
         "{\"targetCondition\":\"*\",\"priority\":2," LAYER(
             "\"m1\":{\"properties.desired.b\":1}") "}",
         NULL);
    expect("edge", "", "configurations.layer.status", "\"Targeted\"");
    expect("edge", "m1", "", "no twin");
}

Test(configuration, puts_an_automatic_deployment_back_at_the_next_evaluation)
{
    auto_json cJSON *manifest =
        hub_inside_json("{\"modulesContent\":{" AGENT("\"by_hand\":" SPEC("h")) "}}");

    must("base", "{\"targetCondition\":\"*\"," BASE("\"m1\":" SPEC("x"), "") "}", NULL);
    cr_assert_eq(registry_deploy(&h.hub, "edge", manifest, NULL), 0);
    expect("edge", "$edgeAgent", "properties.desired.modules.m1", "nothing");
    tags("edge", "{\"tags\":{\"any\":1}}");
    expect("edge", "$edgeAgent", "properties.desired.modules.by_hand", "nothing");
    expect("edge", "$edgeAgent", "properties.desired.modules.m1.settings.image", "\"x\"");
}

/* The layer makes a twin too large; nothing of it may happen, in no module. */
Test(configuration, applies_to_a_device_as_a_whole_or_not_at_all)
{
    auto_buf struct buf body = {0};

    must("base",
         "{\"targetCondition\":\"*\",\"priority\":1," BASE(
             "\"m1\":" SPEC("x"), ",\"m1\":{\"properties.desired\":{\"a\":1}}") "}",
         NULL);
    buf_puts(&body, "{\"targetCondition\":\"*\",\"priority\":2,\"content\":{\"modulesContent\":{"
                    "\"$edgeAgent\":{\"properties.desired.modules.m2\":" SPEC("y") "},\"m1\":{");
    for (int i = 0; i < 9; i++) {
        buf_printf(&body, "%s\"properties.desired.k%d\":\"", i ? "," : "", i);
        for (int k = 0; k < 4000; k++)
            buf_putc(&body, 'x');
        buf_putc(&body, '"');
    }
    buf_puts(&body, "}}}}");
    must("large", body.data, NULL);
    expect("edge", "$edgeAgent", "properties.desired.modules.m2", "nothing");
    expect("edge", "m1", "properties.desired", "{\"a\":1}");
    expect("edge", "m2", "", "no twin");
    expect("edge", "", "configurations.large.status", "\"Targeted\"");
    expect("edge", "", "configurations.base.status", "\"Targeted\"");
    cr_assert_eq(version_of("edge", "$edgeAgent"), 2);
    remove_configuration("large");
    expect("edge", "", "configurations.base.status", "\"Applied\"");
}

#define DEVICE(parts) "\"content\":{\"deviceContent\":{" parts "}}"

Test(configuration, sets_desired_properties_of_devices)
{
    tags("plain", "{\"properties\":{\"desired\":{\"own\":1,\"chill\":{\"own\":2}}}}");
    must("low",
         "{\"targetCondition\":\"deviceId='plain'\",\"priority\":1," DEVICE(
             "\"properties.desired.chill.t\":5,\"properties.desired.fan\":{\"on\":true}") "}",
         NULL);
    must("high",
         "{\"targetCondition\":\"deviceId='plain'\",\"priority\":2," DEVICE(
             "\"properties.desired.chill.t\":6") "}",
         NULL);
    expect("plain", "", "properties.desired",
           "{\"own\":1,\"chill\":{\"own\":2,\"t\":6},\"fan\":{\"on\":true}}");
    expect("plain", "", "configurations",
           "{\"high\":{\"status\":\"Applied\"},\"low\":{\"status\":\"Applied\"}}");
    remove_configuration("high");
    expect("plain", "", "properties.desired",
           "{\"own\":1,\"chill\":{\"own\":2,\"t\":5},\"fan\":{\"on\":true}}");
    remove_configuration("low");
    expect("plain", "", "properties.desired", "{\"own\":1,\"chill\":{\"own\":2}}");
    expect("plain", "", "configurations", "nothing");
}

static void report_text(const char *device, const char *json)
{
    uint64_t version;
    struct err err = {0};

    cr_assert_eq(twins_report(&h.hub, device, "", json, strlen(json), NULL, &version, &err), 0,
                 "%s", err.msg);
}

Test(configuration, follows_what_devices_report)
{
    must("c",
         "{\"targetCondition\":\"properties.reported.model = 'x'\"," DEVICE(
             "\"properties.desired.a\":1") "}",
         NULL);
    expect("plain", "", "properties.desired", "{}");
    report_text("plain", "{\"model\":\"x\"}");
    expect("plain", "", "properties.desired", "{\"a\":1}");
    report_text("plain", "{\"model\":null}");
    expect("plain", "", "properties.desired", "{}");
}

Test(configuration, sets_desired_properties_of_modules)
{
    const char *body =
        "{\"targetCondition\":\"FROM devices.modules WHERE moduleId = 'm'\",\"content\":{"
        "\"moduleContent\":{\"properties.desired.x\":{\"y\":1}}}}";

    cr_assert_eq(hub_inside_put(&h, "plain", "m", "{}", NULL, NULL), 0);
    must("c", body, NULL);
    expect("plain", "m", "properties.desired", "{\"x\":{\"y\":1}}");
    expect("plain", "m", "configurations.c.status", "\"Applied\"");
    cr_assert_eq(hub_inside_put(&h, "edge", "m", "{}", NULL, NULL), 0);
    expect("edge", "m", "properties.desired", "{\"x\":{\"y\":1}}");
    /* A deployment says all that a module is told. */
    must("base",
         "{\"targetCondition\":\"*\"," BASE("\"mm\":" SPEC("x"),
                                            ",\"m\":{\"properties.desired\":{\"a\":1}}") "}",
         NULL);
    expect("edge", "m", "properties.desired", "{\"a\":1}");
    remove_configuration("c");
    expect("plain", "m", "properties.desired", "{}");
    expect("edge", "m", "properties.desired", "{\"a\":1}");
}

static void expect_metrics(const char *id, const char *text)
{
    auto_json cJSON *out = NULL;
    auto_buf struct buf printed = {0};
    struct err err = {0};

    cr_assert_eq(configuration_show(&h.hub, "", id, &out, &err), 0, "%s", err.msg);
    json_print(&printed, json_get(json_get(out, "systemMetrics"), "results"));
    json_print(&printed, json_get(json_get(out, "metrics"), "results"));
    cr_assert_str_eq(printed.data, text);
}

static void report_agent(uint64_t version, unsigned code)
{
    char text[200];
    uint64_t now;

    (void)snprintf(text, sizeof(text),
                   "{\"lastDesiredVersion\":%u,\"lastDesiredStatus\":{\"code\":%u}}",
                   (unsigned)version, code);
    cr_assert_eq(twins_report(&h.hub, "edge", "$edgeAgent", text, strlen(text), NULL, &now, NULL),
                 0);
}

Test(configuration, counts_what_became_of_it)
{
    must("base",
         "{\"targetCondition\":\"*\",\"metrics\":{\"queries\":{\"all\":\"SELECT deviceId "
         "FROM devices\",\"here\":\"SELECT deviceId FROM devices WHERE "
         "configurations.[[base]].status = 'Applied'\"}}," BASE("", "") "}",
         NULL);
    expect_metrics("base", "{\"targetedCount\":1,\"appliedCount\":1,\"reportedSuccessfulCount\":0,"
                           "\"reportedFailedCount\":0}{\"all\":2,\"here\":1}");
    report_agent(version_of("edge", "$edgeAgent"), 200);
    expect_metrics("base", "{\"targetedCount\":1,\"appliedCount\":1,\"reportedSuccessfulCount\":1,"
                           "\"reportedFailedCount\":0}{\"all\":2,\"here\":1}");
    report_agent(version_of("edge", "$edgeAgent"), 500);
    expect_metrics("base", "{\"targetedCount\":1,\"appliedCount\":1,\"reportedSuccessfulCount\":0,"
                           "\"reportedFailedCount\":1}{\"all\":2,\"here\":1}");
    report_agent(version_of("edge", "$edgeAgent") - 1, 200);
    expect_metrics("base", "{\"targetedCount\":1,\"appliedCount\":1,\"reportedSuccessfulCount\":0,"
                           "\"reportedFailedCount\":0}{\"all\":2,\"here\":1}");
}

Test(configuration, refuses_what_makes_no_sense)
{
    const char *good = "{\"targetCondition\":\"*\"," DEVICE("\"properties.desired.a\":1") "}";

    must_not("Upper", good, NULL, ERR_INVALID, "id: has lower-case");
    must_not("c", "{\"id\":\"d\"," DEVICE("\"properties.desired.a\":1") "}", NULL, ERR_INVALID,
             "id: is not the one");
    must_not("c", "{}", NULL, ERR_INVALID, "content: must have one of");
    must_not("c",
             "{\"content\":{\"deviceContent\":{\"properties.desired.a\":1},\"moduleContent\":{"
             "\"properties.desired.a\":1}}}",
             NULL, ERR_INVALID, "content: must have one of");
    must_not("c", "{" DEVICE("\"tags.a\":1") "}", NULL, ERR_INVALID,
             "content.deviceContent: a path is");
    must_not("c", "{" DEVICE("\"properties.desired.a\":{\"b.c\":1}") "}", NULL, ERR_INVALID,
             "content.deviceContent.a: the name");
    must_not("c", "{" LAYER("\"$edgeAgent\":{\"properties.desired.modules.m1\":{}}") "}", NULL,
             ERR_INVALID,
             "content.modulesContent.$edgeAgent.properties.desired.modules.m1.type: is missing");
    must_not("c", "{\"targetCondition\":\"tags.\"," DEVICE("\"properties.desired.a\":1") "}", NULL,
             ERR_INVALID, "targetCondition: the target condition, character 6");
    must_not("c", "{\"priority\":-1," DEVICE("\"properties.desired.a\":1") "}", NULL, ERR_INVALID,
             "priority: must be");
    must_not("c", "{\"labels\":{\"a\":1}," DEVICE("\"properties.desired.a\":1") "}", NULL,
             ERR_INVALID, "labels: all values");
    must_not(
        "c",
        "{\"metrics\":{\"queries\":{\"q\":\"SELECT\"}}," DEVICE("\"properties.desired.a\":1") "}",
        NULL, ERR_INVALID, "metrics.queries.q: the query, character 7");
    must_not("c", good, "*", ERR_NOT_FOUND, "no configuration c");
    must("c", good, NULL);
    must_not("c", good, NULL, ERR_EXISTS, "is there already");
    must_not("c", good, "AAAAAAAAAAI=", ERR_BUSY, "was changed meanwhile");
    must_not("c", "{" DEVICE("\"properties.desired.a\":2") "}", "*", ERR_INVALID,
             "content: cannot be changed");
    must("c", good, "AAAAAAAAAAE=");
}

Test(configuration, is_of_one_hub)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_json cJSON *json =
        hub_inside_json("{\"targetCondition\":\"*\"," DEVICE("\"properties.desired.a\":1") "}");
    struct registry_write w = {.hub_name = "second", .device = "other", .module = "", .body = body};
    struct identity id;

    cr_assert_eq(registry_write(&h.hub, &w, &id, NULL), 0);
    cr_assert_eq(configuration_put(&h.hub, "second", "c", json, NULL, NULL), 0);
    expect("other", "", "properties.desired", "{\"a\":1}");
    expect("plain", "", "properties.desired", "{}");
    cr_assert_eq(configuration_delete(&h.hub, "", "c", NULL, NULL), -1);
}

Test(configuration, forgets_devices_that_are_gone)
{
    must("c", "{\"targetCondition\":\"*\"," DEVICE("\"properties.desired.a\":1") "}", NULL);
    expect_metrics("c", "{\"targetedCount\":2,\"appliedCount\":2}{}");
    cr_assert_eq(registry_delete(&h.hub, "plain", "", NULL, NULL), 0);
    expect_metrics("c", "{\"targetedCount\":1,\"appliedCount\":1}{}");
    put_device("plain", "{}");
    expect("plain", "", "properties.desired", "{\"a\":1}");
}

Test(configuration, tries_texts)
{
    auto_json cJSON *body = hub_inside_json(
        "{\"targetCondition\":\"tags.a =\",\"customMetricQueries\":{\"good\":\"SELECT * FROM "
        "devices\",\"bad\":\"x\"}}");
    auto_json cJSON *out = configuration_test(body);
    const cJSON *errors = json_get(out, "customMetricQueryErrors");

    cr_assert(strstr(json_str(out, "targetConditionError", ""), "character 9"));
    cr_assert_null(json_get(errors, "good"));
    cr_assert(strstr(json_str(errors, "bad", ""), "SELECT is missing"));
}
