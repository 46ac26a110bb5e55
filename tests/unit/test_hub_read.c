/* What a hub answers, as plain structs; and what is no answer. */
#include "core/base/str.h"
#include "provision/hub_event.h"
#include "provision/hub_read.h"

#include <criterion/criterion.h>
#include <string.h>

#define EDGE                                                                                \
    "{\"deviceId\":\"gw\",\"status\":\"enabled\",\"connectionState\":\"Connected\","        \
    "\"etag\":\"AAE=\",\"deviceScope\":\"ms-azure-iot-edge://gw-638\","                     \
    "\"lastActivityTime\":\"2026-11-25T16:00:00Z\",\"capabilities\":{\"iotEdge\":true},"    \
    "\"parentScopes\":[\"ms-azure-iot-edge://top-gw-12\"],\"cloudToDeviceMessageCount\":3," \
    "\"connectionStateUpdatedTime\":\"0001-01-01T00:00:00Z\","                              \
    "\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"a2V5\"}}}"
#define LEAF                                                                      \
    "{\"deviceId\":\"leaf\",\"status\":\"disabled\",\"deviceScope\":"             \
    "\"ms-azure-iot-edge://gw-638\",\"authentication\":{\"type\":\"selfSigned\"," \
    "\"x509Thumbprint\":{\"primaryThumbprint\":\"AB\",\"secondaryThumbprint\":\"CD\"}}}"
#define ARGS(text) (text), strlen(text)

Test(hub_read, a_device_has_all_that_is_shown_of_it)
{
    struct sandbox_device d;
    struct err err = {0};
    cr_assert_eq(hub_read_device(ARGS(EDGE), &d, &err), 0, "%s", err.msg);
    cr_expect_str_eq(d.id, "gw");
    cr_expect_str_eq(d.parent, "top-gw", "a name may have a dash in it");
    cr_expect(d.edge && d.enabled && d.connected);
    cr_expect_eq(d.auth, SANDBOX_AUTH_SAS);
    cr_expect_eq(d.waiting, 3);
    cr_expect_gt(d.activity_ms, 0);
    cr_expect_eq(d.changed_ms, 0, "the year 1 means never");
    cr_expect_eq(d.modules, -1, "not counted");

    cr_assert_eq(hub_read_device(ARGS(LEAF), &d, &err), 0, "%s", err.msg);
    cr_expect_str_eq(d.parent, "gw", "a leaf is in its parent's scope");
    cr_expect(!d.edge && !d.enabled && !d.connected);
    cr_expect_eq(d.auth, SANDBOX_AUTH_X509_SELF_SIGNED);
    cr_expect_str_eq(d.thumbprint2, "CD");
}

Test(hub_read, foreign_names_are_sanitised_and_cut)
{
    auto_buf struct buf text = {0};
    struct sandbox_device d;
    buf_puts(&text, "{\"deviceId\":\"\\u001b[2J");
    for (int i = 0; i < 300; i++)
        buf_putc(&text, 'x');
    buf_puts(&text, "\"}");
    cr_assert_eq(hub_read_device(buf_str(&text), text.len, &d, NULL), 0);
    cr_expect(str_starts(d.id, "^[[2Jxxx"));
    cr_expect_leq(strlen(d.id), sizeof(d.id) - 1);
}

Test(hub_read, what_is_no_device_is_said)
{
    static const char *const texts[] = {"", "[]", "3", "{}", "{\"deviceId\":7}", "<html>", "{"};
    struct sandbox_device d;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = {0};
        cr_expect_eq(hub_read_device(ARGS(texts[i]), &d, &err), -1, "%s", texts[i]);
        cr_expect_eq(err.kind, ERR_PROTOCOL, "%s", texts[i]);
    }
}

Test(hub_read, a_list_stops_at_its_room_and_skips_what_is_none)
{
    struct sandbox_device d[2];
    size_t n = 0;
    cr_assert_eq(hub_read_devices(ARGS("[" EDGE ",3,{}," LEAF "," EDGE "]"), d, 2, &n, NULL), 0);
    cr_expect_eq(n, 2);
    cr_expect_str_eq(d[1].id, "leaf");
    cr_expect_eq(hub_read_devices(ARGS("{\"a\":1}"), d, 2, &n, NULL), -1);
    cr_assert_eq(hub_read_count(ARGS("[1,2,3]"), &n, NULL), 0);
    cr_expect_eq(n, 3);
}

Test(hub_read, a_connection_string_is_made_of_key_or_certificate)
{
    auto_secret struct secret s = {0};
    struct err err = {0};
    cr_assert_eq(hub_read_connection_string(ARGS(EDGE), "hub", &s, &err), 0, "%s", err.msg);
    cr_expect_str_eq(s.data, "HostName=hub;DeviceId=gw;SharedAccessKey=a2V5");
    cr_assert_eq(hub_read_connection_string(ARGS(LEAF), "hub", &s, &err), 0);
    cr_expect_str_eq(s.data, "HostName=hub;DeviceId=leaf;x509=true");
    static const char module[] = "{\"deviceId\":\"d\",\"moduleId\":\"$m\",\"authentication\":"
                                 "{\"type\":\"sas\",\"symmetricKey\":{\"primaryKey\":\"a2V5\"}}}";
    cr_assert_eq(hub_read_connection_string(ARGS(module), "h", &s, &err), 0);
    cr_expect_str_eq(s.data, "HostName=h;DeviceId=d;ModuleId=$m;SharedAccessKey=a2V5");
    static const char none[] = "{\"deviceId\":\"d\",\"authentication\":{\"type\":\"none\"}}";
    cr_expect_eq(hub_read_connection_string(ARGS(none), "h", &s, &err), -1);
    cr_expect_eq(err.kind, ERR_UNSUPPORTED);
}

Test(hub_read, only_an_edge_device_has_a_scope_for_children)
{
    char scope[256], etag[64];
    struct err err = {0};
    cr_assert_eq(hub_read_scope(ARGS(EDGE), scope, &err), 0);
    cr_expect_str_eq(scope, "ms-azure-iot-edge://gw-638");
    cr_expect_eq(hub_read_scope(ARGS(LEAF), scope, &err), -1);
    cr_expect_eq(err.kind, ERR_INVALID);
    cr_assert_eq(hub_read_etag(ARGS(EDGE), etag, &err), 0);
    cr_expect_str_eq(etag, "AAE=");
    cr_expect_eq(hub_read_etag(ARGS("{\"etag\":\"a\\r\\nX: y\"}"), etag, &err), -1,
                 "it becomes a header");
}

static void expect_refusal(int status, const char *text, enum err_kind kind, const char *words)
{
    struct err err = {0};
    cr_assert_eq(hub_read_status(status, ARGS(text), &err), -1, "%d", status);
    cr_expect_eq(err.kind, kind, "%d: %s", status, err_kind_name(err.kind));
    cr_expect_str_eq(err.msg, words);
}

Test(hub_read, a_refusal_is_told_in_the_hubs_words)
{
    cr_expect_eq(hub_read_status(204, "", 0, NULL), 0);
    expect_refusal(404, "{\"Message\":\"ErrorCode:DeviceNotFound;no device x\"}", ERR_NOT_FOUND,
                   "no device x");
    expect_refusal(404, "{\"errorCode\":404103,\"message\":\"not connected\"}", ERR_UNREACHABLE,
                   "not connected");
    expect_refusal(409, "{\"message\":\"there is one\"}", ERR_EXISTS, "there is one");
    expect_refusal(412, "{}", ERR_BUSY, "the hub answered 412");
    expect_refusal(504, "", ERR_TIMEOUT, "the hub answered 504");
    expect_refusal(500, "\033[2J", ERR_REMOTE, "the hub answered 500");
    expect_refusal(401, "{\"message\":\"\\u001b[2Jno\"}", ERR_AUTH, "^[[2Jno");
    expect_refusal(400, "{\"message\":\"the sandbox has no such address\"}", ERR_UNSUPPORTED,
                   "the sandbox that runs cannot do this");
    expect_refusal(302, "", ERR_REMOTE, "the hub answered 302");
}

Test(hub_read, enrolments_say_how_and_whose)
{
    static const char text[] =
        "[{\"registrationId\":\"r1\",\"deviceId\":\"d1\",\"provisioningStatus\":\"disabled\","
        "\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"a2V5\"}},"
        "\"registrationState\":{\"assignedHub\":\"hub-a\"}},"
        "{\"enrollmentGroupId\":\"g1\",\"capabilities\":{\"iotEdge\":true},\"attestation\":"
        "{\"type\":\"x509\",\"x509\":{\"signingCertificates\":{\"primary\":{\"info\":"
        "{\"sha1Thumbprint\":\"AA\",\"sha256Thumbprint\":\"BB\"}}}}}}]";
    struct sandbox_enrolment e[4];
    auto_secret struct secret key = {0};
    size_t n = 0;
    cr_assert_eq(hub_read_enrolments(ARGS(text), e, 4, &n, NULL), 0);
    cr_assert_eq(n, 2);
    cr_expect(!e[0].group && !e[0].enabled && e[0].auth == SANDBOX_AUTH_SAS);
    cr_expect_str_eq(e[0].device, "d1");
    cr_expect_str_eq(e[0].hub, "hub-a");
    cr_expect(e[1].group && e[1].edge && e[1].auth == SANDBOX_AUTH_X509_CA);
    cr_expect_str_eq(e[1].thumbprint, "BB");
    cr_assert_eq(
        hub_read_enrolment_key(ARGS("{\"symmetricKey\":{\"primaryKey\":\"a2V5\"}}"), &key, NULL),
        0);
    cr_expect_str_eq(key.data, "a2V5");
}

Test(hub_read, authorities_and_configurations)
{
    static const char list[] = "{\"authorities\":[{\"thumbprint\":\"AA\",\"subject\":\"CN=x\","
                               "\"notAfter\":\"2030-01-01T00:00:00Z\"}]}";
    static const char configurations[] =
        "[{\"id\":\"c\",\"targetCondition\":\"*\",\"priority\":7,\"systemMetrics\":{\"results\":"
        "{\"targetedCount\":2,\"appliedCount\":1}}},{\"id\":\"d\",\"priority\":1e99}]";
    struct sandbox_authority a[2];
    struct sandbox_configuration c[2];
    size_t n = 0;
    cr_assert_eq(hub_read_authorities(ARGS(list), a, 2, &n, NULL), 0);
    cr_assert_eq(n, 1, "a list in an object is one, too");
    cr_expect_str_eq(a[0].subject, "CN=x");
    cr_assert_eq(hub_read_configurations(ARGS(configurations), c, 2, &n, NULL), 0);
    cr_assert_eq(n, 2);
    cr_expect(c[0].priority == 7 && c[0].targeted == 2 && c[0].applied == 1);
    cr_expect(c[1].priority == 0 && c[1].targeted == -1);
}

struct seen {
    size_t n;
    uint64_t sum;
    char key[64], value[64];
    size_t own;
};

static void on_event(void *arg, const struct hub_event *e)
{
    struct seen *s = arg;
    s->n++;
    s->sum += e->sequence;
    s->own = e->n_own;
    if (e->n_properties) {
        STR_SET(s->key, e->properties[0].key);
        STR_SET(s->value, e->properties[0].value);
    }
}

Test(hub_read, events_come_in_order_with_their_properties)
{
    static const char text[] =
        "{\"last\":9,\"events\":[{\"sequence\":7,\"deviceId\":\"d\",\"properties\":{\"a\":\"1\","
        "\"n\":3},\"systemProperties\":{\"s\":\"2\"},\"bodyBase64\":\"aGk=\"},"
        "{\"deviceId\":\"no sequence\"},4,{\"sequence\":9,\"deviceId\":\"d\"}]}";
    struct seen seen = {0};
    uint64_t last = 0;
    struct err err = {0};
    cr_assert_eq(hub_read_events(ARGS(text), on_event, &seen, &last, &err), 0, "%s", err.msg);
    cr_expect_eq(last, 9);
    cr_expect_eq(seen.n, 2);
    cr_expect_eq(seen.sum, 16);
    cr_expect_str_eq(seen.key, "a");
    cr_expect_str_eq(seen.value, "1");
    cr_expect_eq(hub_read_events(ARGS("{\"last\":1}"), on_event, &seen, &last, &err), -1);
    cr_expect_eq(err.kind, ERR_PROTOCOL);
    cr_expect_eq(hub_read_events(ARGS("[]"), on_event, &seen, &last, &err), -1);
}
