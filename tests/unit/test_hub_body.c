/* What a hub is sent: from what a person asked for to the JSON that the REST wants. */
#include "core/base/json.h"
#include "core/base/str.h"
#include "provision/hub_body.h"

#include <criterion/criterion.h>
#include <string.h>

#define ARGS(text) (text), strlen(text)

static void expect_json(const struct buf *got, const char *wanted)
{
    auto_json cJSON *a = json_parse(buf_str(got), got->len, NULL);
    auto_json cJSON *b = json_parse(wanted, strlen(wanted), NULL);
    cr_assert_not_null(b, "%s", wanted);
    cr_expect(cJSON_Compare(a, b, true), "%s", buf_str(got));
}

Test(hub_body, a_device_says_what_it_is_and_how_it_proves_it)
{
    auto_buf struct buf out = {0};
    hub_body_device(&(struct hub_device_options){.id = "d", .auth = SANDBOX_AUTH_SAS, .edge = true},
                    &out);
    expect_json(&out, "{\"deviceId\":\"d\",\"status\":\"enabled\",\"capabilities\":{\"iotEdge\":"
                      "true},\"authentication\":{\"type\":\"sas\"}}");
    buf_clear(&out);
    hub_body_device(&(struct hub_device_options){.id = "d",
                                                 .auth = SANDBOX_AUTH_X509_SELF_SIGNED,
                                                 .thumbprint = "AA",
                                                 .parent_scope = "scope"},
                    &out);
    expect_json(&out,
                "{\"deviceId\":\"d\",\"status\":\"enabled\",\"capabilities\":{\"iotEdge\":false},"
                "\"authentication\":{\"type\":\"selfSigned\",\"x509Thumbprint\":"
                "{\"primaryThumbprint\":\"AA\",\"secondaryThumbprint\":null}},"
                "\"deviceScope\":\"scope\",\"parentScopes\":[\"scope\"]}");
}

Test(hub_body, disabling_changes_nothing_else)
{
    auto_buf struct buf out = {0};
    static const char device[] = "{\"deviceId\":\"d\",\"status\":\"enabled\",\"x\":{\"y\":1}}";
    cr_assert_eq(hub_body_device_status(ARGS(device), false, &out, NULL), 0);
    expect_json(&out, "{\"deviceId\":\"d\",\"x\":{\"y\":1},\"status\":\"disabled\"}");
    cr_expect_eq(hub_body_device_status(ARGS("[]"), false, &out, NULL), -1);
}

Test(hub_body, enrolments_of_each_kind)
{
    auto_buf struct buf out = {0};
    hub_body_enrolment(&(struct hub_enrolment_options){.id = "r",
                                                       .edge = true,
                                                       .auth = SANDBOX_AUTH_SAS,
                                                       .key = "a2V5",
                                                       .device = "d",
                                                       .hub = "h"},
                       &out);
    expect_json(&out,
                "{\"registrationId\":\"r\",\"deviceId\":\"d\",\"attestation\":{\"type\":"
                "\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"a2V5\",\"secondaryKey\":"
                "\"a2V5\"}},\"capabilities\":{\"iotEdge\":true},\"provisioningStatus\":"
                "\"enabled\",\"reprovisionPolicy\":{\"updateHubAssignment\":true,"
                "\"migrateDeviceData\":true},\"allocationPolicy\":\"static\",\"iotHubs\":[\"h\"]}");
    static const struct {
        struct hub_enrolment_options o;
        const char *has;
    } cases[] = {
        {{.id = "g", .group = true, .auth = SANDBOX_AUTH_X509_CA, .certificate = "PEM"},
         "\"signingCertificates\":{\"primary\":{\"certificate\":\"PEM\"}}"},
        {{.id = "r", .auth = SANDBOX_AUTH_X509_SELF_SIGNED, .certificate = "PEM"},
         "\"clientCertificates\":{\"primary\":{\"certificate\":\"PEM\"}}"},
        {{.id = "r", .auth = SANDBOX_AUTH_TPM, .endorsement = "EK"},
         "{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"EK\"}}"},
        {{.id = "g", .group = true, .auth = SANDBOX_AUTH_SAS, .key = "k"},
         "\"enrollmentGroupId\":\"g\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&out);
        hub_body_enrolment(&cases[i].o, &out);
        cr_expect_not_null(strstr(buf_str(&out), cases[i].has), "%s", buf_str(&out));
    }
}

Test(hub_body, a_private_key_is_never_sent)
{
    auto_buf struct buf out = {0};
    struct err err = {0};
    static const char certificate[] =
        "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    auto_free char *both = NULL;
    cr_assert_eq(hub_body_authority(certificate, &out, &err), 0);
    cr_expect_eq(hub_body_authority("-----BEGIN CERTIFICATE-----\n"
                                    "-----BEGIN RSA PRIVATE KEY-----\n",
                                    &out, &err),
                 -1);
    cr_expect_not_null(strstr(err.msg, "private key"));
    cr_expect_eq(hub_body_authority("hello", &out, &err), -1);
    cr_expect_not_null(strstr(err.msg, "no certificate"));
}

Test(hub_body, a_manifest_alone_becomes_a_configuration)
{
    auto_buf struct buf out = {0};
    struct err err = {0};
    char id[SANDBOX_ID_MAX];
    const int priority = 3;
    const struct hub_configuration_options all = {
        .id = "site", .target = "tags.a='b'", .priority = &priority};
    const struct hub_configuration_options none = {0};
    cr_assert_eq(hub_body_configuration(ARGS("{\"modulesContent\":{}}"), &all, id, &out, &err), 0);
    cr_expect_str_eq(id, "site");
    expect_json(&out, "{\"content\":{\"modulesContent\":{}},\"id\":\"site\",\"targetCondition\":"
                      "\"tags.a='b'\",\"priority\":3}");
    buf_clear(&out);
    cr_assert_eq(
        hub_body_configuration(ARGS("{\"id\":\"x\",\"content\":{},\"priority\":5,\"etag\":\"e\"}"),
                               &none, id, &out, &err),
        0);
    expect_json(&out, "{\"id\":\"x\",\"content\":{},\"priority\":5}");
    cr_expect_eq(hub_body_configuration(ARGS("{\"modulesContent\":{}}"), &none, id, &out, &err),
                 -1);
    cr_expect_eq(err.kind, ERR_INVALID);
    cr_expect_not_null(strstr(err.hint, "--id"));
    cr_expect_eq(hub_body_configuration(ARGS("[]"), &all, id, &out, &err), -1);
}

Test(hub_body, a_twin_as_it_was_shown_is_a_patch)
{
    auto_buf struct buf out = {0};
    struct err err = {0};
    char etag[64];
    static const char shown[] =
        "{\"deviceId\":\"d\",\"etag\":\"AAE=\",\"version\":4,\"tags\":{\"site\":\"a\"},"
        "\"properties\":{\"desired\":{\"n\":1,\"$metadata\":{},\"$version\":3},"
        "\"reported\":{\"x\":1}}}";
    cr_assert_eq(hub_body_twin(ARGS(shown), etag, &out, &err), 0, "%s", err.msg);
    cr_expect_str_eq(etag, "AAE=");
    expect_json(&out, "{\"tags\":{\"site\":\"a\"},\"properties\":{\"desired\":{\"n\":1}}}");
    buf_clear(&out);
    cr_assert_eq(
        hub_body_twin(ARGS("{\"properties\":{\"desired\":{\"n\":null}}}"), etag, &out, &err), 0);
    cr_expect_str_eq(etag, "");
    expect_json(&out, "{\"properties\":{\"desired\":{\"n\":null}}}");
    cr_expect_eq(hub_body_twin(ARGS("{\"n\":1}"), etag, &out, &err), -1);
    cr_expect_not_null(strstr(err.msg, "properties.desired"));
    cr_expect_not_null(err.hint[0] ? err.hint : NULL);
}
