/* The Device Provisioning Service over HTTPS: its service API, and devices with symmetric keys. */
#include "tests/dps_client.h"

static struct test_hub hub;

static bool has_error(const struct answer *a, int status, unsigned code, const char *message)
{
    return a->status == status && a->body && json_u64(a->body, "errorCode", 0) == code &&
           strstr(json_str(a->body, "message", ""), message) &&
           json_str(a->body, "trackingId", "")[0] && json_str(a->body, "timestampUtc", "")[0];
}

/* ------------------------------------------------------------------------------------------
 * the service API */

static void test_record(void)
{
    bool hex = strlen(dps_scope) == 11 && str_starts(dps_scope, "0ne");

    for (const char *c = dps_scope + 3; hex && *c; c++)
        hex = isdigit((unsigned char)*c) || (*c >= 'A' && *c <= 'F');
    report("sandbox.json names host, id scope and service connection string", hex, dps_scope);
}

static void test_enrolment(void)
{
    auto_answer struct answer a = {0};
    char etag[64], header[100], key[128];
    const char *body = "{\"registrationId\":\"crud\",\"attestation\":{\"type\":\"symmetricKey\"}}";

    (void)service(&hub, "PUT", "/enrollments/crud", NULL, body, &a);
    snprintf(etag, sizeof(etag), "%s", a.body ? json_str(a.body, "etag", "") : "");
    report("an enrolment is created with keys and etag",
           a.status == 200 && etag[0] &&
               strlen(json_str(json_get(json_get(a.body, "attestation"), "symmetricKey"),
                               "primaryKey", "")) == 44,
           answer_text(&a));
    if (!etag[0])
        return;
    snprintf(key, sizeof(key), "%s",
             json_str(json_get(json_get(a.body, "attestation"), "symmetricKey"), "primaryKey", ""));

    (void)service(&hub, "GET", "/enrollments/CRUD", NULL, NULL, &a);
    report("a GET shows it without keys, in any case of its id",
           a.status == 200 && !json_get(json_get(a.body, "attestation"), "symmetricKey") &&
               str_eq(state_text(&a, "status"), "unassigned"),
           answer_text(&a));
    (void)service(&hub, "POST", "/enrollments/crud/attestationmechanism", NULL, NULL, &a);
    report("the attestation mechanism shows the keys",
           a.status == 200 &&
               str_eq(json_str(json_get(a.body, "symmetricKey"), "primaryKey", ""), key),
           answer_text(&a));
    (void)service(&hub, "PUT", "/enrollments/crud", NULL, body, &a);
    report("a second create is a conflict", has_error(&a, 409, 409201, "already exists"),
           answer_text(&a));
    (void)service(&hub, "PUT", "/enrollments/crud", "If-Match: \"other\"\r\n", body, &a);
    report("an update with another etag is refused", has_error(&a, 412, 412201, "etag"),
           answer_text(&a));
    snprintf(header, sizeof(header), "If-Match: %s\r\n", etag);
    (void)service(&hub, "PUT", "/enrollments/crud", header,
                  "{\"attestation\":{\"type\":\"symmetricKey\"},\"provisioningStatus\":"
                  "\"disabled\"}",
                  &a);
    report("an update keeps the keys that it does not name",
           a.status == 200 && str_eq(json_str(a.body, "provisioningStatus", ""), "disabled") &&
               !str_eq(json_str(a.body, "etag", ""), etag) &&
               str_eq(json_str(json_get(json_get(a.body, "attestation"), "symmetricKey"),
                               "primaryKey", ""),
                      key),
           answer_text(&a));
    (void)service(&hub, "DELETE", "/enrollments/crud", header, NULL, &a);
    report("a delete with an old etag is refused", a.status == 412, answer_text(&a));
    (void)service(&hub, "DELETE", "/enrollments/crud", NULL, NULL, &a);
    report("a delete without one is not", a.status == 204, answer_text(&a));
    (void)service(&hub, "GET", "/enrollments/crud", NULL, NULL, &a);
    report("then it is not found", has_error(&a, 404, 404201, "crud"), answer_text(&a));
    (void)service(&hub, "PUT", "/enrollments/crud", "If-Match: *\r\n", body, &a);
    report("an update of none is refused", a.status == 404, answer_text(&a));
}

static void test_refused_enrolments(void)
{
    static const struct {
        const char *target, *body, *message;
    } cases[] = {
        {"/enrollments/bad", "{", "JSON"},
        {"/enrollments/bad", "[]", "object"},
        {"/enrollments/bad", "{\"attestation\":{\"type\":\"tpm\"}}",
         "attestation.tpm.endorsementKey: is missing"},
        {"/enrollments/bad",
         "{\"attestation\":{\"type\":\"symmetricKey\"},\"allocationPolicy\":\"custom\"}",
         "allocationPolicy: the sandbox calls no function"},
        {"/enrollments/bad",
         "{\"attestation\":{\"type\":\"symmetricKey\"},\"iotHubs\":[\"x.azure-devices.net\"]}",
         "iotHubs[0]: is none of the sandbox's hubs. The first one is called " HUB_HOST},
        {"/enrollments/a%20b", "{\"attestation\":{\"type\":\"symmetricKey\"}}", "registrationId: "},
        {"/enrollmentGroups/bad.", "{\"attestation\":{\"type\":\"symmetricKey\"}}",
         "enrollmentGroupId: "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_answer struct answer a = {0};
        char name[200];

        snprintf(name, sizeof(name), "an enrolment is refused: %s", cases[i].message);
        (void)service(&hub, "PUT", cases[i].target, NULL, cases[i].body, &a);
        report(name, has_error(&a, 400, 400004, cases[i].message), answer_text(&a));
    }
}

static int as_policy(const char *policy, const char *method, const char *target, const char *body)
{
    auto_answer struct answer a = {0};
    auto_secret struct secret key = {0};
    auto_secret struct secret token = {0};
    struct store *store = NULL;
    char path[100], entry[60];

    snprintf(path, sizeof(path), "%s/hub.db", hub.dir);
    snprintf(entry, sizeof(entry), "policy:%s", policy);
    if (store_open(path, &store, NULL) < 0 || store_secret_get(store, entry, &key, NULL) < 0)
        return -1;
    store_close(store);
    (void)sas_make(HUB_HOST, key.data, clock_wall_ms() / 1000 + 60, policy, &token, NULL);
    dps_call_as(&hub, NULL, NULL, token.data, method, target, NULL, body, &a);
    return a.status;
}

static void test_policies(void)
{
    const char *body = "{\"attestation\":{\"type\":\"symmetricKey\"}}";
    static const char *const paths[] = {"/enrollments/policy", "/registrations/policy"};

    (void)enrol_key(&hub, false, "policy", "", NULL);
    report("enrollmentread reads enrolments",
           as_policy("enrollmentread", "GET", paths[0], NULL) == 200, NULL);
    report("but writes none", as_policy("enrollmentread", "PUT", paths[0], body) == 401, NULL);
    report("and sees no registrations", as_policy("enrollmentread", "GET", paths[1], NULL) == 401,
           NULL);
    report("enrollmentwrite writes and reads",
           as_policy("enrollmentwrite", "PUT", "/enrollments/policy2", body) == 200 &&
               as_policy("enrollmentwrite", "GET", paths[0], NULL) == 200,
           NULL);
    report("registrationstatusread sees registrations only",
           as_policy("registrationstatusread", "GET", paths[1], NULL) == 404 &&
               as_policy("registrationstatusread", "DELETE", paths[1], NULL) == 401 &&
               as_policy("registrationstatusread", "GET", paths[0], NULL) == 401,
           NULL);
    report("registrationstatuswrite may delete them",
           as_policy("registrationstatuswrite", "DELETE", paths[1], NULL) == 404, NULL);
    report("the hub's owner has no rights here",
           as_policy("iothubowner", "GET", paths[0], NULL) == 401, NULL);
    report("nor has the service's owner at the hub",
           as_policy("provisioningserviceowner", "GET", "/devices/x", NULL) == 401, NULL);
}

static void test_pages(void)
{
    auto_answer struct answer a = {0};
    char id[20], token[200] = "", header[300], type[40];
    auto_buf struct buf seen = {0};

    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof(id), "page-%d", i);
        (void)enrol_key(&hub, true, id, "", NULL);
    }
    for (int pages = 0; pages < 9 && (pages == 0 || token[0]); pages++) {
        snprintf(header, sizeof(header), "x-ms-max-item-count: 2\r\n%s%s%s",
                 token[0] ? "x-ms-continuation: " : "", token, token[0] ? "\r\n" : "");
        (void)service(&hub, "POST", "/enrollmentGroups/query", header,
                      "{\"query\":\"SELECT * FROM enrollmentGroups\"}", &a);
        for (const cJSON *e = a.body ? a.body->child : NULL; e; e = e->next)
            buf_printf(&seen, "%s ", json_str(e, "enrollmentGroupId", ""));
        buf_puts(&seen, "| ");
        (void)answer_header(&a, "x-ms-continuation", token, sizeof(token));
    }
    report("a query comes page by page",
           str_eq(buf_str(&seen), "page-0 page-1 | page-2 page-3 | page-4 | ") &&
               str_eq(answer_header(&a, "x-ms-item-type", type, sizeof(type)), "EnrollmentGroup"),
           buf_str(&seen));
    (void)service(&hub, "POST", "/enrollments/query", NULL,
                  "{\"query\":\"SELECT * WHERE etag = 'x'\"}", &a);
    report("a query with conditions is refused", has_error(&a, 400, 400004, "query: "),
           answer_text(&a));
    (void)service(&hub, "POST", "/enrollments/query", "x-ms-continuation: ?\r\n", "{}", &a);
    report("so is a continuation of somebody else's",
           has_error(&a, 400, 400004, "x-ms-continuation: "), answer_text(&a));
}

static void bulk(const char *mode, const char *more, struct answer *a)
{
    char body[600];

    snprintf(body, sizeof(body),
             "{\"mode\":\"%s\",\"enrollments\":[{\"registrationId\":\"bulk-1\",\"attestation\":"
             "{\"type\":\"symmetricKey\"}},{\"registrationId\":\"bulk-2\",\"attestation\":"
             "{\"type\":\"%s\"}}]}",
             mode, more);
    (void)service(&hub, "POST", "/enrollments", NULL, body, a);
}

static void test_bulk(void)
{
    auto_answer struct answer a = {0};
    const cJSON *first;

    bulk("create", "nonsense", &a);
    first = a.body ? json_get(a.body, "errors") : NULL;
    first = first ? first->child : NULL;
    report("a bulk operation says which of them failed",
           a.status == 200 && !json_bool(a.body, "isSuccessful", true) && first && !first->next &&
               str_eq(json_str(first, "registrationId", ""), "bulk-2") &&
               json_u64(first, "errorCode", 0) == 400004,
           answer_text(&a));
    bulk("update", "symmetricKey", &a);
    report("an update in bulk without an etag is the conflict that Azure makes of it",
           a.status == 200 && json_u64(json_get(a.body, "errors")->child, "errorCode", 0) == 409201,
           answer_text(&a));
    bulk("delete", "symmetricKey", &a);
    report("a bulk delete deletes", a.status == 200 && json_bool(a.body, "isSuccessful", false),
           answer_text(&a));
    bulk("mend", "symmetricKey", &a);
    report("an unknown mode is refused", has_error(&a, 400, 400004, "mode: "), answer_text(&a));
}

/* ------------------------------------------------------------------------------------------
 * devices */

static void test_register(void)
{
    auto_answer struct answer a = {0};
    auto_json cJSON *shown = NULL;
    auto_json cJSON *twin = NULL;
    auto_json cJSON *module = NULL;
    char key[128], text[200], operation[100], what[200];
    struct device d = {.id = "pump-1", .key = key};

    (void)enrol_key(&hub, false, "pump-1",
                    ",\"deviceId\":\"pump\",\"capabilities\":{\"iotEdge\":true},\"initialTwin\":"
                    "{\"tags\":{\"site\":\"north\"},\"properties\":{\"desired\":{\"rate\":5}}}",
                    key);
    (void)device_register(&hub, &d, "{\"registrationId\":\"pump-1\",\"payload\":{\"a\":[1]}}", &a);
    snprintf(operation, sizeof(operation), "%s", a.body ? json_str(a.body, "operationId", "") : "");
    report("a registration is accepted",
           a.status == 202 && operation[0] && str_eq(json_str(a.body, "status", ""), "assigning"),
           answer_text(&a));
    snprintf(what, sizeof(what), "/%s/registrations/pump-1/register", dps_scope);
    report("with a place to ask and a time to wait",
           str_eq(answer_header(&a, "Location", text, sizeof(text)), what) &&
               answer_header(&a, "Retry-After", text, sizeof(text))[0] &&
               answer_header(&a, "x-ms-request-id", text, sizeof(text))[0],
           buf_str(&a.head));
    snprintf(what, sizeof(what), "/operations/%s", operation);
    (void)device_call(&hub, &d, "GET", what, "{}", &a);
    report("the operation says to which hub, as what",
           a.status == 200 && str_eq(json_str(a.body, "status", ""), "assigned") &&
               str_eq(json_str(a.body, "operationId", ""), operation) &&
               str_eq(state_text(&a, "registrationId"), "pump-1") &&
               str_eq(state_text(&a, "assignedHub"), HUB_HOST) &&
               str_eq(state_text(&a, "deviceId"), "pump") &&
               str_eq(state_text(&a, "substatus"), "initialAssignment") &&
               json_get(json_get(json_get(a.body, "registrationState"), "payload"), "a"),
           answer_text(&a));
    (void)device_call(&hub, &d, "POST", "", "{\"registrationId\":\"pump-1\"}", &a);
    report("a lookup says the same",
           a.status == 200 && str_eq(json_str(a.body, "deviceId", ""), "pump"), answer_text(&a));

    shown = hub_shows(&hub, "devices", "pump");
    twin = hub_shows(&hub, "twins", "pump");
    module = hub_shows(&hub, "devices", "pump/modules/%24edgeAgent");
    report("the hub has the device with the enrolment's key, as an edge device",
           shown && module &&
               str_eq(json_str(json_get(json_get(shown, "authentication"), "symmetricKey"),
                               "primaryKey", ""),
                      key) &&
               str_eq(json_str(module, "moduleId", ""), "$edgeAgent"),
           NULL);
    report("and with the initial twin",
           twin && str_eq(json_str(json_get(twin, "tags"), "site", ""), "north") &&
               json_u64(json_get(json_get(twin, "properties"), "desired"), "rate", 0) == 5,
           NULL);
    (void)service(&hub, "GET", "/registrations/PUMP-1", NULL, NULL, &a);
    report("the service sees the registration",
           a.status == 200 && str_eq(json_str(a.body, "status", ""), "assigned"), answer_text(&a));

    struct device upper = {.id = "Pump-1", .key = key};

    (void)device_provision(&hub, &upper, NULL, &a);
    report("the same id in another case is the same device, provisioned again",
           a.status == 200 && str_eq(state_text(&a, "deviceId"), "pump") &&
               str_eq(state_text(&a, "substatus"), "reprovisionedToInitialAssignment"),
           answer_text(&a));
}

static void refuse(const char *name, const struct device *d, const char *body, int status,
                   unsigned code)
{
    auto_answer struct answer a = {0};

    (void)device_register(&hub, d, body, &a);
    report(name, has_error(&a, status, code, ""), answer_text(&a));
}

static void test_refused_devices(void)
{
    char key[128], sr[100], scope[32];
    auto_answer struct answer a = {0};
    auto_buf struct buf large = {0};

    (void)enrol_key(&hub, false, "guarded", "", key);

    struct device good = {.id = "guarded", .key = key};
    struct device late = {.id = "guarded", .key = key, .expires_in_s = -301};
    struct device skewed = {.id = "guarded", .key = key, .expires_in_s = -290};
    struct device plain = {.id = "guarded", .key = key, .skn = ""};
    struct device misnamed = {.id = "guarded", .key = key, .skn = "owner"};
    struct device elsewhere = {.id = "guarded", .key = key, .sr = sr};
    struct device unknown = {.id = "nobody", .key = key};
    struct device silent = {.id = "guarded"};
    struct device misspelt = {.id = "a%20b"};
    struct device wrong = {.id = "guarded", .key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="};

    snprintf(sr, sizeof(sr), "%s/registrations/other", dps_scope);
    refuse("a wrong key is refused", &wrong, NULL, 401, 401002);
    refuse("no token is refused", &silent, NULL, 401, 401002);
    refuse("an expired token is refused", &late, NULL, 401, 401002);
    refuse("a token for another registration is refused", &elsewhere, NULL, 401, 401002);
    refuse("a token of another policy is refused", &misnamed, NULL, 401, 401002);
    refuse("who is not enrolled is refused", &unknown, NULL, 401, 401002);
    refuse("what is no registration id is refused", &misspelt, NULL, 400, 400004);
    refuse("also where it asks for a challenge", &misspelt,
           "{\"tpm\":{\"endorsementKey\":\"AA==\",\"storageRootKey\":\"AA==\"}}", 400, 400004);
    refuse("a body for another registration is refused", &good, "{\"registrationId\":\"other\"}",
           400, 400004);
    refuse("a body that is no JSON is refused", &good, "{\"registrationId\"", 400, 400004);
    refuse("a body that is no object is refused", &good, "[]", 400, 400004);
    buf_puts(&large, "{\"payload\":\"");
    for (int i = 0; i < 70000; i++)
        buf_putc(&large, 'x');
    buf_puts(&large, "\"}");
    refuse("a payload of 70 KB is refused", &good, large.data, 400, 400004);
    snprintf(scope, sizeof(scope), "%s", dps_scope);
    snprintf(dps_scope, sizeof(dps_scope), "0ne00000000");
    refuse("another id scope is not found", &good, NULL, 404, 404202);
    snprintf(dps_scope, sizeof(dps_scope), "%s", scope);
    report("a token within five minutes after its end is good",
           device_register(&hub, &skewed, NULL, &a) == 202, answer_text(&a));
    report("so is one without a policy", device_register(&hub, &plain, NULL, &a) == 202,
           answer_text(&a));
    (void)device_call(&hub, &good, "GET", "/operations/4.x", NULL, &a);
    report("an unknown operation is not found", has_error(&a, 404, 404204, ""), answer_text(&a));
    (void)device_call(&hub, &good, "DELETE", "/register", NULL, &a);
    report("another method is not allowed", has_error(&a, 405, 405001, ""), answer_text(&a));
}

static void test_disabled(void)
{
    char key[128];
    auto_answer struct answer a = {0};
    struct device d = {.id = "off", .key = key};

    (void)enrol_key(&hub, false, "off", ",\"provisioningStatus\":\"disabled\"", key);
    (void)device_register(&hub, &d, NULL, &a);
    report("a disabled enrolment says so at once",
           a.status == 200 && str_eq(json_str(a.body, "status", ""), "disabled") &&
               str_eq(state_text(&a, "status"), "disabled") &&
               json_u64(a.body, "errorCode", 0) == 403001 && !state_text(&a, "deviceId")[0],
           answer_text(&a));
    report("and makes no device", rest(&hub, NULL, "GET", "/devices/off", NULL, NULL, NULL) == 404,
           NULL);
}

static void test_group(void)
{
    char key[128];
    auto_secret struct secret lower = {0};
    auto_secret struct secret same = {0};
    auto_answer struct answer a = {0};
    auto_json cJSON *shown = NULL;

    (void)enrol_key(&hub, true, "line", "", key);
    (void)derive_key(key, "sn-7", &lower, NULL);
    (void)derive_key(key, "SN-8", &same, NULL);

    struct device d7 = {.id = "SN-7", .key = lower.data};
    struct device d8 = {.id = "SN-8", .key = same.data};
    struct device thief = {.id = "SN-9", .key = same.data};
    struct device master = {.id = "SN-9", .key = key};

    (void)device_provision(&hub, &d7, NULL, &a);
    report("a device of a group registers with the key of its id in lower case",
           a.status == 200 && str_eq(state_text(&a, "deviceId"), "SN-7") &&
               str_eq(json_str(json_get(json_get(a.body, "registrationState"), "symmetricKey"),
                               "enrollmentGroupId", ""),
                      "line"),
           answer_text(&a));
    shown = hub_shows(&hub, "devices", "SN-7");
    report("which is then its key on the hub",
           shown && str_eq(json_str(json_get(json_get(shown, "authentication"), "symmetricKey"),
                                    "primaryKey", ""),
                           lower.data),
           NULL);
    report("or as it is written", device_provision(&hub, &d8, NULL, &a) == 200, answer_text(&a));
    refuse("a device's key is not another's", &thief, NULL, 401, 401002);
    refuse("the group's key is not a device's", &master, NULL, 401, 401002);
    (void)service(&hub, "POST", "/registrations/line/query", "x-ms-max-item-count: 1\r\n", NULL,
                  &a);
    report("the service lists the group's registrations",
           a.status == 200 && cJSON_GetArraySize(a.body) == 1 &&
               str_eq(json_str(a.body->child, "registrationId", ""), "SN-7"),
           answer_text(&a));
    (void)service(&hub, "DELETE", "/registrations/sn-7", NULL, NULL, &a);
    report("and deletes one", a.status == 204, answer_text(&a));
    report("which is then unknown to its device",
           device_call(&hub, &d7, "POST", "", "{}", &a) == 404, answer_text(&a));
    (void)service(&hub, "DELETE", "/enrollmentGroups/line", NULL, NULL, &a);
    (void)service(&hub, "GET", "/registrations/sn-8", NULL, NULL, &a);
    report("a group takes its registrations with it", a.status == 404, answer_text(&a));
    report("but not its devices", rest(&hub, NULL, "GET", "/devices/SN-8", NULL, NULL, NULL) == 200,
           NULL);
}

int main(void)
{
    json_init();
    if (!hub_begin(&hub) || !report("its record is there", dps_read_record(&hub), NULL))
        return 1;
    test_record();
    test_enrolment();
    test_refused_enrolments();
    test_policies();
    test_pages();
    test_bulk();
    test_register();
    test_refused_devices();
    test_disabled();
    test_group();
    return hub_finish(&hub);
}
