/* The service side of berth-hub as tools and SDKs see it: the REST API over HTTPS, with the bodies,
 * headers and codes that Microsoft's clients read. */
#include "tests/hub_rest.h"

/* ---- errors ---- */

static void test_errors(void)
{
    auto_buf struct buf large = {0};

    (void)call("PUT", "/devices/d1", NULL, "{}");
    expect_error("an unknown device is 404", 404, "DeviceNotFound", 404001,
                 call("GET", "/devices/none", NULL, NULL));
    expect_error("so is a module of one", 404, "DeviceNotFound", 404001,
                 call("GET", "/devices/none/modules/m", NULL, NULL));
    expect_error("an unknown module is another 404", 404, "ModuleNotFound", 404010,
                 call("GET", "/twins/d1/modules/m", NULL, NULL));
    expect_error("an unknown configuration is another 404", 404, "ConfigurationNotFound", 404301,
                 call("GET", "/configurations/none", NULL, NULL));
    expect_error("what is there is 409", 409, "DeviceAlreadyExists", 409001,
                 call("PUT", "/devices/d1", NULL, "{}"));
    expect_error("another etag is 412", 412, "PreconditionFailed", 412001,
                 call("PUT", "/devices/d1", "If-Match: \"AAAAAAAAAAk=\"\r\n", "{}"));
    expect_error("text that is not JSON is 400", 400, "IotHubFormatError", 400006,
                 call("PATCH", "/twins/d1", NULL, "{"));
    expect_error("a body that is a list is 400", 400, "ArgumentInvalid", 400004,
                 call("PATCH", "/twins/d1", NULL, "[]"));
    expect_error("a wrong method is 405", 405, "MethodNotAllowed", 405001,
                 call("DELETE", "/twins/d1", NULL, NULL));
    expect_error("a wrong token is 401", 401, "IotHubUnauthorizedAccess", 401002,
                 rest_text(&hub, "SharedAccessSignature sr=x&sig=eA%3d%3d&se=9999999999", "GET",
                           "/devices", NULL, NULL, &answer));
    expect_error("a text with a semicolon is not cut by clients", 400, "ArgumentInvalid", 400004,
                 call("PUT", "/devices/d1", "If-Match: *\r\n", "{\"deviceScope\":\"a;b\"}"));
    for (int i = 0; i < 1100 * 1024; i++)
        buf_putc(&large, ' ');
    buf_puts(&large, "{}");
    expect_error("more than 1 MB is 413", 413, "MessageTooLarge", 413001,
                 call("PATCH", "/twins/d1", NULL, large.data));
}

/* ---- identities ---- */

static void test_identities(void)
{
    expect("a device comes with its etag as a header",
           call("GET", "/devices/d1", NULL, NULL) == 200 &&
               str_eq(header("ETag"), "\"AAAAAAAAAAE=\"") && says("\"etag\":\"AAAAAAAAAAE=\""));
    expect("never is a date that clients read",
           says("\"lastActivityTime\":\"0001-01-01T00:00:00Z\"") &&
               says("\"statusUpdatedTime\":\"0001-01-01T00:00:00Z\""));
    expect("an etag fits without quotes, with them, and weak",
           call("PUT", "/devices/d1", "If-Match: AAAAAAAAAAE=\r\n", "{}") == 200 &&
               call("PUT", "/devices/d1", "If-Match: \"AAAAAAAAAAI=\"\r\n", "{}") == 200 &&
               call("PUT", "/devices/d1", "If-Match: W/\"AAAAAAAAAAM=\"\r\n", "{}") == 200);
    expect("\"*\" with quotes fits any",
           call("PUT", "/devices/d1", "If-Match: \"*\"\r\n",
                "{\"status\":\"disabled\",\"statusReason\":\"lost\"}") == 200 &&
               says("\"statusReason\":\"lost\""));
    (void)call("PUT", "/devices/d1", "If-Match: *\r\n", "{\"status\":\"enabled\"}");
    expect("a list is as long as it may be", call("PUT", "/devices/d2", NULL, "{}") == 200 &&
                                                 call("GET", "/devices?top=1", NULL, NULL) == 200 &&
                                                 says("\"d1\"") && !says("\"d2\""));
    expect("a length of nothing is refused",
           call("GET", "/devices?top=0", NULL, NULL) == 400 && says("top: must be 1 to 1000"));
    expect("many are written at once, each by itself",
           call("POST", "/devices", NULL,
                "[{\"id\":\"d3\",\"importMode\":\"create\"},{\"id\":\"d1\",\"importMode\":"
                "\"create\"}]") == 200 &&
               says("\"isSuccessful\":false") && says("\"errorCode\":\"DeviceAlreadyExists\"") &&
               call("GET", "/devices/d3", NULL, NULL) == 200);
    expect("but no more than 100", call("POST", "/devices", NULL, "[]") == 400);
    expect("statistics count the devices of the hub",
           call("GET", "/statistics/devices", NULL, NULL) == 200 &&
               says("{\"totalDeviceCount\":3,\"enabledDeviceCount\":3,\"disabledDeviceCount\":0}"));
    expect("and those that are connected", call("GET", "/statistics/service", NULL, NULL) == 200 &&
                                               says("{\"connectedDeviceCount\":0}"));
    expect("an unknown route is an error", call("GET", "/nothing", NULL, NULL) == 400);
}

static void test_rights(void)
{
    auto_secret struct secret token = {0};
    auto_secret struct secret other = {0};
    char key[128];

    device_create(&hub, "own", false, key);
    (void)call("PUT", "/devices/own/modules/m", NULL,
               "{\"authentication\":{\"type\":\"certificateAuthority\"}}");
    (void)sas_make(HUB_HOST "/devices/own", key, clock_wall_ms() / 1000 + 60, NULL, &token, NULL);
    (void)sas_make(HUB_HOST, hub.service_key, clock_wall_ms() / 1000 + 60, "registryRead", &other,
                   NULL);
    expect("the identity service of a device knows the types of its modules",
           rest_text(&hub, token.data, "GET", "/devices/own/modules", NULL, NULL, &answer) == 200 &&
               says("\"type\":\"x509\"") && !says("certificateAuthority"));
    expect("a device reads no configurations",
           rest_text(&hub, token.data, "GET", "/configurations", NULL, NULL, &answer) == 401);
    expect("a key of one policy is none of another",
           rest_text(&hub, other.data, "GET", "/devices", NULL, NULL, &answer) == 401);
}

/* ---- twins ---- */

static void test_twins(void)
{
    expect("a twin has tags, versions and what it is of",
           call("PATCH", "/twins/d1", NULL,
                "{\"tags\":{\"env\":\"lab\",\"gone\":1},\"properties\":{\"desired\":{\"a\":{\"b\":"
                "1}}}}") == 200 &&
               says("\"tags\":{\"env\":\"lab\",\"gone\":1}") && says("\"$lastUpdatedVersion\":2") &&
               says("\"authenticationType\":\"sas\"") && says("\"capabilities\":{") &&
               says("\"x509Thumbprint\":{") && says("\"modelId\":\"\"") &&
               str_eq(header("ETag"), "\"AAAAAAAAAAI=\""));
    expect("null deletes, null of a whole section leaves it",
           call("PATCH", "/twins/d1", "If-Match: \"AAAAAAAAAAI=\"\r\n",
                "{\"tags\":{\"gone\":null},\"properties\":null}") == 200 &&
               says("\"tags\":{\"env\":\"lab\"}") && says("\"b\":1"));
    expect("a replacement is whole",
           call("PUT", "/twins/d1", "If-Match: *\r\n",
                "{\"tags\":{\"floor\":2},\"properties\":{\"desired\":{\"c\":3}}}") == 200 &&
               says("\"tags\":{\"floor\":2}") && says("\"desired\":{\"c\":3,"));
    expect("what a tool read can be sent back",
           call("PATCH", "/twins/d1", NULL,
                "{\"properties\":{\"desired\":{\"$version\":9,\"$metadata\":{\"x y\":1},\"d\":4},"
                "\"reported\":{\"no\":1}}}") == 200 &&
               says("\"d\":4") && says("\"$version\":4") && !says("\"no\":1"));
    expect("a wrong name is named with its path",
           call("PATCH", "/twins/d1", NULL, "{\"properties\":{\"desired\":{\"a\":{\"b c\":1}}}}") ==
                   400 &&
               says("properties.desired.a: the name \\\"b c\\\""));
    expect("modules have tags, too",
           call("PATCH", "/twins/own/modules/m", NULL, "{\"tags\":{\"line\":1}}") == 200 &&
               says("\"tags\":{\"line\":1}") && says("\"moduleId\":\"m\""));
}

/* ---- queries ---- */

/* All pages of SIZE, until there is no further one; the number of pages. */
static int read_pages(const char *query, int size, cJSON *devices)
{
    char headers[800];
    int pages = 0;

    snprintf(headers, sizeof(headers), "x-ms-max-item-count: %d\r\n", size);

    for (; pages < 10; pages++) {
        if (call("POST", "/devices/query", headers, query) != 200)
            return -1;
        auto_json cJSON *rows = body_of_answer();

        for (const cJSON *row = rows->child; row; row = row->next)
            json_push(devices, cJSON_CreateString(json_str(row, "deviceId", "")));
        if (!header("x-ms-continuation")[0])
            return pages + 1;
        snprintf(headers, sizeof(headers), "x-ms-max-item-count: %d\r\nx-ms-continuation: %s\r\n",
                 size, header("x-ms-continuation"));
    }
    return pages;
}

#define LARGE 90

/* Devices whose twins are 100 KB each, as the service sees them. */
static void make_large(void)
{
    for (int i = 0; i < LARGE; i += 15) {
        auto_json cJSON *array = cJSON_CreateArray();
        auto_buf struct buf text = {0};

        for (int k = i; k < i + 15; k++) {
            cJSON *one = cJSON_CreateObject();
            cJSON *desired = json_add_obj(json_add_obj(one, "properties"), "desired");
            char name[24];

            snprintf(name, sizeof(name), "large%02d", k);
            json_add_str(one, "id", name);
            for (int n = 0; n < 700; n++) {
                snprintf(name, sizeof(name), "key%d", n);
                json_add_str(desired, name, "thirty-two bytes of what is said");
            }
            json_push(array, one);
        }
        json_print(&text, array);
        (void)call("POST", "/devices", NULL, text.data);
    }
}

/* More than one answer can carry. */
static void test_large_pages(void)
{
    auto_json cJSON *devices = cJSON_CreateArray();
    char seen[80];
    int pages;

    make_large();
    pages = read_pages("{\"query\":\"SELECT * FROM devices WHERE startswith(deviceId, 'large')\"}",
                       100, devices);
    snprintf(seen, sizeof(seen), "%d devices on %d pages", cJSON_GetArraySize(devices), pages);
    report("pages are shorter where twins are large",
           pages > 1 && pages < 10 && cJSON_GetArraySize(devices) == LARGE, seen);
    for (int i = 0; i < LARGE; i++) {
        snprintf(seen, sizeof(seen), "/devices/large%02d", i);
        (void)call("DELETE", seen, NULL, NULL);
    }
}

static void test_queries(void)
{
    auto_json cJSON *devices = cJSON_CreateArray();
    auto_buf struct buf seen = {0};
    char headers[800];

    int pages = read_pages("{\"query\":\"SELECT * FROM devices\"}", 2, devices);

    json_print(&seen, devices);
    report("pages follow one another to the end",
           pages == 2 && strcmp(seen.data, "[\"d1\",\"d2\",\"d3\",\"own\"]") == 0, seen.data);
    expect("twins are marked as twins", str_eq(header("x-ms-item-type"), "twin"));
    (void)call("POST", "/devices/query", "x-ms-max-item-count: 1\r\n",
               "{\"query\":\"SELECT * FROM devices\"}");
    snprintf(headers, sizeof(headers), "x-ms-continuation: %s\r\n", header("x-ms-continuation"));
    expect("a page of another query is refused",
           call("POST", "/devices/query", headers,
                "{\"query\":\"SELECT * FROM devices.modules\"}") == 400);
    expect("so is one that nobody made",
           call("POST", "/devices/query", "x-ms-continuation: bm9uc2Vuc2U=\r\n",
                "{\"query\":\"SELECT * FROM devices\"}") == 400);
    expect("and a page of nothing", call("POST", "/devices/query", "x-ms-max-item-count: 0\r\n",
                                         "{\"query\":\"SELECT * FROM devices\"}") == 400);
    expect_query("conditions select", "SELECT deviceId FROM devices WHERE tags.floor = 2",
                 "[{\"deviceId\":\"d1\"}]");
    expect_query("modules are asked for by themselves",
                 "select deviceid, moduleid from devices.modules where tags.line = 1",
                 "[{\"deviceId\":\"own\",\"moduleId\":\"m\"}]");
    expect_query("rows are counted by group",
                 "SELECT status, COUNT() AS n FROM devices GROUP BY status",
                 "[{\"status\":\"enabled\",\"n\":4}]");
    expect_query("TOP ends a result", "SELECT TOP 1 deviceId FROM devices",
                 "[{\"deviceId\":\"d1\"}]");
    expect("a mistake is named with its place",
           call("POST", "/devices/query", NULL, "{\"query\":\"SELECT * FROM devices WHERE\"}") ==
                   400 &&
               says("the query, character 28: "));
    expect("jobs are refused clearly", call("POST", "/devices/query", NULL,
                                            "{\"query\":\"SELECT * FROM devices.jobs\"}") == 400 &&
                                           says("has no jobs"));
}

/* ---- what the hub of an edge device asks ---- */

static char hub_key[128]; /* of edge1's $edgeHub */

/* A call in the name of DEVICE's $edgeHub, signed with KEY. */
static int scope_call(const char *method, const char *device, const char *key, const char *what,
                      const char *body)
{
    auto_secret struct secret token = {0};
    char sr[200], target[500];

    snprintf(sr, sizeof(sr), HUB_HOST "/devices/%s/modules/$edgeHub", device);
    snprintf(target, sizeof(target), "/devices/%s/modules/$edgeHub/%s", device, what);
    (void)sas_make(sr, key, clock_wall_ms() / 1000 + 60, NULL, &token, NULL);
    return rest_text(&hub, token.data, method, target, NULL, body, &answer);
}

static int target_scope(const char *body)
{
    return scope_call("POST", "edge1", hub_key, "devicesAndModulesInTargetDeviceScope", body);
}

static int on_behalf(const char *body)
{
    return scope_call("POST", "edge1", hub_key, "getDeviceAndModuleOnBehalfOf", body);
}

/* edge1 is the parent of the leaves and of edge2, which has a leaf and a module of its own. */
static void make_family(void)
{
    auto_json cJSON *out = NULL;
    char scope[300], body[700], key[128];

    device_create(&hub, "edge1", true, key);
    (void)rest(&hub, NULL, "GET", "/devices/edge1/modules/%24edgeHub", NULL, NULL, &out);
    snprintf(hub_key, sizeof(hub_key), "%s",
             json_str(json_get(json_get(out, "authentication"), "symmetricKey"), "primaryKey", ""));
    cJSON_Delete(steal(out));
    (void)rest(&hub, NULL, "GET", "/devices/edge1", NULL, NULL, &out);
    snprintf(scope, sizeof(scope), "%s", json_str(out, "deviceScope", ""));
    cJSON_Delete(steal(out));
    snprintf(body, sizeof(body), "{\"deviceScope\":\"%s\"}", scope);
    (void)call("PUT", "/devices/leaf1", NULL, body);
    (void)call("PUT", "/devices/leaf2", NULL, body);
    (void)call("PUT", "/devices/leaf1/modules/part", NULL, "{}");
    snprintf(body, sizeof(body), "{\"capabilities\":{\"iotEdge\":true},\"parentScopes\":[\"%s\"]}",
             scope);
    (void)rest(&hub, NULL, "PUT", "/devices/edge2", NULL, body, &out);
    snprintf(body, sizeof(body), "{\"deviceScope\":\"%s\"}", json_str(out, "deviceScope", ""));
    (void)call("PUT", "/devices/deep", NULL, body);
}

static void test_scopes(void)
{
    char key[128];

    make_family();
    (void)rest_text(&hub, NULL, "GET", "/devices/edge1", NULL, NULL, &answer);
    auto_json cJSON *device = body_of_answer();

    snprintf(
        key, sizeof(key), "%s",
        json_str(json_get(json_get(device, "authentication"), "symmetricKey"), "primaryKey", ""));
    expect("an edge hub gets its device, its children and all of their modules",
           target_scope("{\"pageSize\":100,\"authChain\":\"edge1\"}") == 200 &&
               says("{\"devices\":[{\"deviceId\":\"edge1\"") && says("\"deviceId\":\"edge2\"") &&
               says("\"deviceId\":\"leaf1\"") && says("\"moduleId\":\"part\"") &&
               says("\"moduleId\":\"$edgeAgent\"") && says("\"continuationLink\":null") &&
               says("\"primaryKey\":\"") && !says("\"deviceId\":\"deep\""));
    expect("also with the key of its device",
           scope_call("POST", "edge1", key, "devicesAndModulesInTargetDeviceScope",
                      "{\"authChain\":\"edge1\"}") == 200);
    expect("page by page",
           target_scope("{\"pageSize\":1,\"authChain\":\"edge1\"}") == 200 &&
               says("\"continuationLink\":\"edge2\"") && !says("\"leaf1\"") &&
               target_scope("{\"pageSize\":2,\"continuationLink\":\"edge2\",\"authChain\":"
                            "\"edge1\"}") == 200 &&
               says("\"leaf1\"") && says("\"leaf2\"") &&
               !says("{\"devices\":[{\"deviceId\":\"edge1\""));
    expect("it asks for the scope of an edge device below",
           target_scope("{\"authChain\":\"edge2;edge1\"}") == 200 &&
               says("{\"devices\":[{\"deviceId\":\"edge2\"") && says("\"deviceId\":\"deep\""));
    expect("but of no other", target_scope("{\"authChain\":\"own;edge1\"}") == 401 &&
                                  says("\"ErrorMessage\":\"authChain: "));
    expect("nor does a chain end elsewhere", target_scope("{\"authChain\":\"edge2\"}") == 401);
    expect("nor skip one", target_scope("{\"authChain\":\"deep;edge1\"}") == 401);
    expect("nor can it be missing", target_scope("{\"pageSize\":1}") == 400);
    expect(
        "one identity is given on behalf of the hub below",
        on_behalf("{\"targetDeviceId\":\"deep\",\"authChain\":\"edge2/$edgeHub;edge2;edge1\"}") ==
                200 &&
            says("{\"devices\":[{\"deviceId\":\"deep\"") && says("\"modules\":[]"));
    expect("and a module with its device",
           on_behalf("{\"targetDeviceId\":\"leaf1\",\"targetModuleId\":\"part\",\"authChain\":"
                     "\"edge1/$edgeHub;edge1\"}") == 200 &&
               says("\"deviceId\":\"leaf1\"") && says("\"moduleId\":\"part\""));
    expect("nothing outside of the scope",
           on_behalf("{\"targetDeviceId\":\"own\",\"authChain\":\"edge1/$edgeHub;edge1\"}") == 404);
    expect("hubs of before ask for their own scope",
           scope_call("GET", "edge1", hub_key,
                      "devicesAndModulesInDeviceScope?deviceCount=1&continuationToken=", NULL) ==
                   200 &&
               says("\"continuationLink\":\"/devices/edge1/modules/%24edgeHub/"
                    "devicesAndModulesInDeviceScope?deviceCount=1&continuationToken=edge2&"
                    "api-version=2018-08-30-preview\""));
    expect("and for one in it",
           scope_call("GET", "edge1", hub_key,
                      "deviceAndModuleInDeviceScope?targetDeviceId=edge1&targetModuleId=%24edgeHub",
                      NULL) == 200 &&
               says("\"moduleId\":\"$edgeHub\""));
    expect("a wrong key is refused",
           scope_call("POST", "edge1", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
                      "devicesAndModulesInTargetDeviceScope", "{\"authChain\":\"edge1\"}") == 401);
    expect("so is the owner of the hub",
           call("POST", "/devices/edge1/modules/$edgeHub/devicesAndModulesInTargetDeviceScope",
                NULL, "{\"authChain\":\"edge1\"}") == 401);
    expect("children lose a parent that is deleted",
           call("DELETE", "/devices/edge2", "If-Match: *\r\n", NULL) == 204 &&
               call("GET", "/devices/deep", NULL, NULL) == 200 && says("\"parentScopes\":[]"));
}

int main(void)
{
    if (!hub_begin(&hub))
        return 1;
    test_errors();
    test_identities();
    test_rights();
    test_twins();
    test_queries();
    test_large_pages();
    test_scopes();
    buf_done(&answer);
    return hub_finish(&hub);
}
