#include "tests/hub_inside.h"

#include <criterion/criterion.h>

static struct hub_inside h;

static void setup(void)
{
    hub_inside_init(&h);
}

static void teardown(void)
{
    hub_inside_done(&h);
}

TestSuite(registry, .init = setup, .fini = teardown);

static void must(const char *device, const char *module, const char *body, const char *if_match)
{
    struct err err = {0};

    cr_assert_eq(hub_inside_put(&h, device, module, body, if_match, &err), 0, "%s %s: %s", device,
                 body, err.msg);
}

static void must_not(const char *device, const char *module, const char *body, const char *if_match,
                     enum err_kind kind, const char *why)
{
    struct err err = {0};

    cr_assert_eq(hub_inside_put(&h, device, module, body, if_match, &err), -1, "accepted: %s",
                 body);
    cr_assert_eq(err.kind, kind, "%s: %s", body, err.msg);
    cr_assert(strstr(err.msg, why), "\"%s\" does not say \"%s\"", err.msg, why);
}

static struct identity get(const char *device, const char *module)
{
    struct identity id = {0};

    cr_assert_eq(store_identity_get(h.hub.store, device, module, &id, NULL), 0, "%s/%s", device,
                 module);
    return id;
}

#define KEY_A  "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define THUMB  "0123456789abcdef0123456789ABCDEF01234567"
#define THUMB2 THUMB "89abcdef0123456789abcdef"

Test(registry, makes_keys_that_are_not_given_and_keeps_them)
{
    must("d", "", "{\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"\"}}}",
         NULL);

    struct identity first = get("d", "");

    cr_assert_eq(strlen(first.primary_key), 44);
    cr_assert_str_neq(first.primary_key, first.secondary_key);
    must("d", "", "{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"" KEY_A "\"}}}", "*");
    cr_assert_str_eq(get("d", "").primary_key, KEY_A);
    cr_assert_str_eq(get("d", "").secondary_key, first.secondary_key);
    cr_assert_eq(get("d", "").version, 2);
}

Test(registry, reads_certificates)
{
    must("x", "", "{\"authentication\":{\"x509Thumbprint\":{\"primaryThumbprint\":\"" THUMB "\"}}}",
         NULL);
    cr_assert_eq(get("x", "").auth, IDENTITY_SELF_SIGNED);
    cr_assert_str_eq(get("x", "").primary_thumbprint, "0123456789ABCDEF0123456789ABCDEF01234567");
    cr_assert_str_eq(get("x", "").primary_key, "");
    must("x", "",
         "{\"authentication\":{\"type\":\"selfSigned\",\"x509Thumbprint\":{"
         "\"primaryThumbprint\":null,\"secondaryThumbprint\":\"" THUMB2 "\"}}}",
         "*");
    cr_assert_str_eq(get("x", "").primary_thumbprint, "");
    cr_assert_eq(strlen(get("x", "").secondary_thumbprint), 64);
    must("x", "", "{\"status\":\"disabled\"}", "*"); /* says nothing about it */
    cr_assert_eq(strlen(get("x", "").secondary_thumbprint), 64);
    must("x", "", "{\"authentication\":{\"type\":\"certificateAuthority\"}}", "*");
    cr_assert_str_eq(get("x", "").secondary_thumbprint, "");
    must("x", "", "{\"authentication\":{\"type\":\"sas\"}}", "*");
    cr_assert_eq(strlen(get("x", "").primary_key), 44);
    must("x", "", "{\"authentication\":{\"type\":\"none\"}}", "*");
    cr_assert_str_eq(get("x", "").primary_key, "");
}

Test(registry, refuses_what_identities_cannot_be)
{
    must_not("a/b", "", "{}", NULL, ERR_INVALID, "has a character");
    must_not("d", "", "{\"deviceId\":\"e\"}", NULL, ERR_INVALID, "deviceId: is not");
    must_not("d", "", "{\"authentication\":{\"type\":\"magic\"}}", NULL, ERR_INVALID,
             "authentication.type");
    must_not("d", "", "{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"AAAA\"}}}", NULL,
             ERR_INVALID, "symmetricKey.primaryKey: must be base64 of 16 to 64");
    must_not("d", "", "{\"authentication\":{\"type\":\"selfSigned\"}}", NULL, ERR_INVALID,
             "needs one thumbprint");
    must_not("d", "", "{\"authentication\":{\"x509Thumbprint\":{\"primaryThumbprint\":\"01:23\"}}}",
             NULL, ERR_INVALID, "x509Thumbprint.primaryThumbprint: must be");
    must_not("d", "", "{\"status\":\"asleep\"}", NULL, ERR_INVALID, "status: must be");
    must_not("d", "", "{\"statusReason\":7}", NULL, ERR_INVALID, "statusReason: must be text");
    must_not("d", "m", "{}", NULL, ERR_NOT_FOUND, "no device d");
    must_not("d", "", "{}", "*", ERR_NOT_FOUND, "no device d");
    must("d", "", "{}", NULL);
    must_not("d", "", "{}", NULL, ERR_EXISTS, "is there already");
    must_not("d", "", "{}", "AAAAAAAAAAI=", ERR_BUSY, "was changed meanwhile");
    must("d", "", "{}", "AAAAAAAAAAE=");
    must_not("d", "$edgeAgent", "{}", NULL, ERR_AUTH, "the hub itself makes");
    must_not("d", "$own", "{}", NULL, ERR_INVALID, "does not begin with $");
}

Test(registry, keeps_the_reason_and_time_of_a_status)
{
    char reason[140] = "{\"statusReason\":\"";
    size_t n = strlen(reason);

    must("d", "", "{}", NULL);
    cr_assert_eq(get("d", "").status_ms, 0);
    must("d", "", "{\"status\":\"disabled\",\"statusReason\":\"gestohlen \xc3\xbc\"}", "*");
    cr_assert(get("d", "").disabled);
    cr_assert(get("d", "").status_ms > 0);
    cr_assert_str_eq(get("d", "").status_reason, "gestohlen \xc3\xbc");
    must("d", "", "{\"statusReason\":null}", "*");
    cr_assert_str_eq(get("d", "").status_reason, "");
    memset(reason + n, 'x', 110);
    (void)snprintf(reason + n + 110, sizeof(reason) - n - 110, "\"}");
    must("d", "", reason, "*");
}

Test(registry, makes_system_modules_for_edge_devices)
{
    must("e", "", "{\"capabilities\":{\"iotEdge\":true}}", NULL);
    cr_assert_eq(strlen(get("e", "$edgeAgent").primary_key), 44);
    cr_assert_eq(get("e", "$edgeHub").version, 1);
    cr_assert_eq(registry_delete(&h.hub, "e", "$edgeHub", NULL, NULL), -1);
    must("e", "$edgeAgent",
         "{\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"" KEY_A "\"}}}", "*");
    must("e", "", "{\"capabilities\":{\"iotEdge\":false}}", "*");
    cr_assert_eq(store_identity_get(h.hub.store, "e", "$edgeHub", &(struct identity){0}, NULL), -1);
    must("e", "", "{\"capabilities\":{\"iotEdge\":true}}", "*");
    cr_assert_str_neq(get("e", "$edgeAgent").primary_key, KEY_A);
}

/* What is shown can be sent back. */
static const char *show(const char *device, const char *module)
{
    static char text[3000];
    auto_identity struct identity id = get(device, module);
    auto_json cJSON *out = registry_show(&h.hub, &id);
    auto_buf struct buf printed = {0};

    json_print(&printed, out);
    (void)snprintf(text, sizeof(text), "%s", printed.data);
    return text;
}

static const char *with(const char *format, const char *device)
{
    static char text[2][600];
    static unsigned turn;
    char scope[REGISTRY_SCOPE_MAX];
    struct identity id = get(device, "");
    const char *at = strchr(format, '@');

    registry_scope(&id, scope, sizeof(scope));
    turn = !turn;
    (void)snprintf(text[turn], sizeof(text[turn]), "%.*s%s%s", (int)(at - format), format, scope,
                   at + 1);
    return text[turn];
}

#define EDGE "\"capabilities\":{\"iotEdge\":true}"

Test(registry, knows_parents_and_children)
{
    must("p", "", "{" EDGE "}", NULL);
    must("leaf", "", with("{\"deviceScope\":\"@\"}", "p"), NULL);
    must("edge", "", with("{" EDGE ",\"parentScopes\":[\"@\"]}", "p"), NULL);
    cr_assert(strstr(show("leaf", ""), with("\"deviceScope\":\"@\"", "p")), "%s", show("leaf", ""));
    cr_assert(strstr(show("leaf", ""), with("\"parentScopes\":[\"@\"]", "p")));
    cr_assert(strstr(show("edge", ""), with("\"deviceScope\":\"@\"", "edge")));
    cr_assert(strstr(show("edge", ""), with("\"parentScopes\":[\"@\"]", "p")));
    must("leaf", "", show("leaf", ""), "*");
    must("edge", "", show("edge", ""), "*");
    cr_assert_str_eq(get("edge", "").parents, get("leaf", "").parents);

    must_not("p", "", with("{\"parentScopes\":[\"@\"]}", "edge"), "*", ERR_INVALID, "above itself");
    must_not("p", "", with("{\"deviceScope\":\"@\"}", "edge"), "*", ERR_INVALID,
             "the hub makes the one");
    must_not("p", "", "{\"capabilities\":{\"iotEdge\":false}}", "*", ERR_INVALID,
             "p is the parent of edge");
    must_not("x", "", with("{\"deviceScope\":\"@\"}", "leaf"), NULL, ERR_INVALID,
             "names no IoT Edge device");
    must_not("x", "", "{\"deviceScope\":\"ms-azure-iot-edge://p-1\"}", NULL, ERR_INVALID,
             "names no IoT Edge device");
    must_not("x", "", "{\"parentScopes\":[\"a\",\"b\"]}", NULL, ERR_INVALID, "a list of one");

    /* As `az` clears a parent: the other member still says what was. */
    must("leaf", "", with("{\"deviceScope\":\"\",\"parentScopes\":[\"@\"]}", "p"), "*");
    cr_assert_str_eq(get("leaf", "").parents, "");
    cr_assert_eq(registry_delete(&h.hub, "p", "", "*", NULL), 0);
    cr_assert_str_eq(get("edge", "").parents, "");
    cr_assert_eq(get("edge", "").version, 3);
}

Test(registry, keeps_a_parent_where_a_leaf_becomes_an_edge_device)
{
    must("p", "", "{" EDGE "}", NULL);
    must("d", "", with("{\"deviceScope\":\"@\"}", "p"), NULL);

    char body[3000];

    (void)snprintf(body, sizeof(body), "%s", show("d", ""));
    memcpy(strstr(body, "\"iotEdge\":false"), "\"iotEdge\": true", 15);
    must("d", "", body, "*");
    cr_assert(strstr(show("d", ""), with("\"parentScopes\":[\"@\"]", "p")));
    (void)snprintf(body, sizeof(body), "%s", show("d", ""));
    memcpy(strstr(body, "\"iotEdge\":true"), "\"iotEdge\":null", 14);
    must("d", "", body, "*"); /* null: as it is */
    cr_assert(get("d", "").iot_edge);
}

Test(registry, bounds_the_levels_of_edge_devices)
{
    char name[2] = "1", up[2] = "1";

    must("1", "", "{" EDGE "}", NULL);
    for (name[0] = '2'; name[0] <= '5'; name[0]++) {
        must(name, "", with("{" EDGE ",\"parentScopes\":[\"@\"]}", up), NULL);
        up[0] = name[0];
    }
    must("leaf", "", with("{\"deviceScope\":\"@\"}", "5"), NULL);
    must_not("6", "", with("{" EDGE ",\"parentScopes\":[\"@\"]}", "5"), NULL, ERR_INVALID,
             "more than 5");
}

Test(registry, keeps_devices_of_hubs_apart)
{
    auto_json cJSON *body = cJSON_CreateObject();
    struct registry_write w = {.hub_name = "second", .device = "d", .module = "", .body = body};
    struct identity id;
    struct err err = {0};

    cr_assert_eq(registry_write(&h.hub, &w, &id, &err), 0, "%s", err.msg);
    cr_assert_str_eq(id.hub, "second");
    cr_assert_eq(registry_device(&h.hub, "second", "d", &id, NULL), 0);
    cr_assert_eq(registry_device(&h.hub, "first", "d", &id, &err), -1);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    cr_assert_eq(registry_device(&h.hub, "", "d", &id, NULL), -1);
    w.hub_name = "first";
    cr_assert_eq(registry_write(&h.hub, &w, &id, &err), -1);
    cr_assert_eq(err.kind, ERR_EXISTS);
    cr_assert(strstr(err.msg, "on another hub"), "%s", err.msg);
    w.device = "e";
    cr_assert_eq(registry_write(&h.hub, &w, &id, &err), 0);
    cr_assert_str_eq(id.hub, "");
    cr_assert_eq(registry_device(&h.hub, "", "e", &id, NULL), 0);
    cr_assert_eq(registry_device(&h.hub, "first", "e", &id, NULL), 0);
}

/* ---- many at once ---- */

static const char *bulk(const char *hub, const char *array)
{
    static char text[3000];
    auto_json cJSON *json = hub_inside_json(array);
    auto_json cJSON *out = NULL;
    auto_buf struct buf printed = {0};
    struct err err = {0};

    if (registry_bulk(&h.hub, hub, json, &out, &err) < 0) {
        (void)snprintf(text, sizeof(text), "%s", err.msg);
        return text;
    }
    json_print(&printed, out);
    (void)snprintf(text, sizeof(text), "%s", printed.data);
    return text;
}

#define DONE "{\"isSuccessful\":true,\"errors\":[],\"warnings\":[]}"

Test(registry, does_many_things_at_once)
{
    cr_assert_str_eq(
        bulk("", "[{\"id\":\"a\",\"importMode\":\"create\",\"tags\":{\"x\":1},\"properties\":{"
                 "\"desired\":{\"y\":2}}},{\"id\":\"b\",\"capabilities\":{\"iotEdge\":true}},"
                 "{\"id\":\"b\",\"moduleId\":\"m\",\"importMode\":\"CREATE\"}]"),
        DONE);
    cr_assert_str_eq(hub_inside_at(&h, "a", "", "tags"), "{\"x\":1}");
    cr_assert_str_eq(hub_inside_at(&h, "a", "", "properties.desired"), "{\"y\":2}");
    cr_assert_eq(get("b", "$edgeHub").version, 1);
    cr_assert_str_eq(bulk("", "[{\"id\":\"a\",\"importMode\":\"Update\",\"status\":\"disabled\"},"
                              "{\"id\":\"b\",\"moduleId\":\"m\",\"importMode\":\"delete\"},"
                              "{\"id\":\"n\",\"importMode\":\"createOrUpdate\"}]"),
                     DONE);
    cr_assert(get("a", "").disabled);
    cr_assert_eq(get("n", "").version, 1);
    cr_assert_str_eq(
        bulk("",
             "[{\"id\":\"a\",\"importMode\":\"updateIfMatchETag\",\"eTag\":\"AAAAAAAAAAI=\","
             "\"status\":\"enabled\"},"
             "{\"id\":\"n\",\"importMode\":\"DeleteIfMatchETag\",\"etag\":\"\\\"AAAAAAAAAAE=\\\""
             "\"}]"),
        DONE);
    cr_assert_not(get("a", "").disabled);
    cr_assert_str_eq(bulk("", "[{\"id\":\"a\",\"importMode\":\"updateTwinIfMatchETag\","
                              "\"twinETag\":\"AAAAAAAAAAI=\",\"tags\":{\"x\":null,\"z\":3}}]"),
                     DONE);
    cr_assert_str_eq(hub_inside_at(&h, "a", "", "tags"), "{\"z\":3}");
}

Test(registry, tells_for_each_entry_what_was_wrong)
{
    must("a", "", "{}", NULL);
    cr_assert_str_eq(
        bulk("", "[{\"id\":\"a\",\"importMode\":\"create\"},{\"id\":\"new\"},"
                 "{\"id\":\"none\",\"importMode\":\"update\"},{\"importMode\":\"create\"},"
                 "{\"id\":\"a\",\"moduleId\":\"m\",\"importMode\":\"delete\"}]"),
        "{\"isSuccessful\":false,\"errors\":["
        "{\"deviceId\":\"a\",\"errorCode\":\"DeviceAlreadyExists\","
        "\"errorStatus\":\"a is there already\"},"
        "{\"deviceId\":\"none\",\"errorCode\":\"DeviceNotFound\","
        "\"errorStatus\":\"no device none\"},"
        "{\"deviceId\":\"\",\"errorCode\":\"ArgumentInvalid\",\"errorStatus\":\"id: is missing\"},"
        "{\"deviceId\":\"a\",\"moduleId\":\"m\",\"errorCode\":\"ModuleNotFound\","
        "\"errorStatus\":\"no module m on device a\"}],\"warnings\":[]}");
    cr_assert_eq(get("new", "").version, 1);
    cr_assert(strstr(bulk("", "[{\"id\":\"q\"},{\"id\":\"q\"}]"), "DeviceDefinedMultipleTimes"));
    cr_assert(strstr(bulk("", "[{\"id\":\"a\",\"importMode\":\"updateIfMatchETag\"}]"),
                     "PreconditionFailed"));
    cr_assert(strstr(bulk("", "[{\"id\":\"a\",\"importMode\":\"explode\"}]"),
                     "importMode: is not known"));
    cr_assert(
        strstr(bulk("second", "[{\"id\":\"a\",\"importMode\":\"delete\"}]"), "DeviceNotFound"));
    cr_assert_str_eq(bulk("", "[]"), "the body must be a list of 1 to 100 devices");
    cr_assert_str_eq(bulk("", "{}"), "the body must be a list of 1 to 100 devices");
}

/* The twin is wrong: the device must not be there either. */
Test(registry, does_an_entry_as_a_whole_or_not_at_all)
{
    struct identity id;

    cr_assert(strstr(bulk("", "[{\"id\":\"a\",\"tags\":{\"x.y\":1}}]"), "ArgumentInvalid"));
    cr_assert_eq(store_identity_get(h.hub.store, "a", "", &id, NULL), -1);
    must("b", "", "{}", NULL);
    cr_assert(strstr(bulk("", "[{\"id\":\"b\",\"importMode\":\"update\",\"status\":\"disabled\","
                              "\"properties\":{\"desired\":{\"x.y\":1}}}]"),
                     "ArgumentInvalid"));
    cr_assert_not(get("b", "").disabled);
}
