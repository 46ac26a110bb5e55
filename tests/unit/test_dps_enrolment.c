#include "core/base/json.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "tests/support/certs.h"
#include "vm/guest/hub/dps_enrolment.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const hubs[] = {"sandbox.berth.internal", "second.berth.internal", NULL};

#define EK                                                                                         \
    "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAthr2ZJiJ7T8X" \
    "Gt+1kRCZIXJIfk17vcohP9P6/23pSpNkSuuPOURzmLEznGSGvFE72q3ZnNf0S4USoDGcmWnYy6ur+BGlCHVnUEDJaZdX" \
    "Go7o4Vxf0Ojh7FqVvskBrnLsPEOk7qB005xkAPXT6H0huSlebJOEQKz93LPFMiqmi9fRYM0RqupfdUjJ0f4FGr4Tdufo" \
    "L"                                                                                            \
    "5sg5J5yHcUPbQs9xt2qdf3vNmkWeRvseKoq5Zj4ucDrPR+ZpKtbD1jL9PneZK97CxhZtZf8Cgwh78gxD2Qt6k7+Rud8d" \
    "mhJmoNpt9tmTjx8dev0DhFf1IeY9QIudenRCrmThrrkBmZ+aYXHiQ=="

static int read_it(const char *json, bool group, const struct dps_enrolment *old,
                   struct dps_enrolment *ret, struct err *err)
{
    auto_json cJSON *body = json_parse(json, strlen(json), NULL);

    cr_assert(body, "%s", json);
    return dps_enrolment_read(body, group, "e1", hubs, old, ret, err);
}

static struct dps_enrolment good(const char *json, bool group)
{
    struct dps_enrolment e = {0};
    struct err err = {0};

    cr_assert_eq(read_it(json, group, NULL, &e, &err), 0, "%s", err.msg);
    return e;
}

static char *shown(const struct dps_enrolment *e, enum dps_show what)
{
    auto_json cJSON *out = dps_enrolment_show(e, what);
    struct buf text = {0};

    json_print(&text, out);
    return buf_steal(&text);
}

/* ------------------------------------------------------------------------------------------
 * what is accepted */

Test(dps_enrolment, takes_the_smallest_and_fills_in_what_azure_does)
{
    auto_dps_enrolment struct dps_enrolment e =
        good("{\"registrationId\":\"E1\",\"attestation\":{\"type\":\"symmetricKey\"}}", false);
    auto_free char *text = shown(&e, DPS_SHOW_PUBLIC);

    cr_assert_str_eq(e.id, "e1");
    cr_assert_eq(strlen(e.attestation.keys[DPS_PRIMARY]), 44);
    cr_assert_neq(strcmp(e.attestation.keys[DPS_PRIMARY], e.attestation.keys[DPS_SECONDARY]), 0);
    cr_assert_eq(e.allocation, DPS_HASHED);
    cr_assert(e.update_hub && e.migrate && !e.disabled && !e.iot_edge);
    cr_assert(strstr(text, "\"attestation\":{\"type\":\"symmetricKey\"}"), "%s", text);
    cr_assert(strstr(text, "\"provisioningStatus\":\"enabled\""), "%s", text);
}

Test(dps_enrolment, takes_null_for_absent_as_python_sends_it)
{
    auto_dps_enrolment struct dps_enrolment e =
        good("{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":null,"
             "\"secondaryKey\":null}},\"capabilities\":null,\"reprovisionPolicy\":null,"
             "\"customAllocationDefinition\":null,\"provisioningStatus\":null,\"deviceId\":null,"
             "\"optionalDeviceInformation\":null,\"iotHubs\":null,\"iotHubHostName\":null,"
             "\"initialTwin\":null,\"allocationPolicy\":null}",
             false);

    cr_assert_eq(e.n_hubs, 0);
}

Test(dps_enrolment, keeps_all_of_it_through_the_database)
{
    auto_cert struct cert ca = cert_make(&(struct cert_spec){.cn = "Plant CA", .ca = true});
    auto_buf struct buf pem = {0};
    static const char json[] =
        "{\"attestation\":{\"type\":\"x509\",\"x509\":{\"signingCertificates\":{\"primary\":{}}}},"
        "\"capabilities\":{\"iotEdge\":true},\"provisioningStatus\":\"disabled\","
        "\"allocationPolicy\":\"static\",\"iotHubs\":[\"SECOND.berth.internal\"],"
        "\"reprovisionPolicy\":{\"updateHubAssignment\":false,\"migrateDeviceData\":false},"
        "\"initialTwin\":{\"tags\":{\"site\":\"a\"},"
        "\"properties\":{\"desired\":{\"x\":{\"y\":[1]}}}}}";
    auto_json cJSON *body = json_parse(json, strlen(json), NULL);
    auto_dps_enrolment struct dps_enrolment e = {0};
    auto_dps_enrolment struct dps_enrolment back = {0};
    auto_enrolment_row struct enrolment_row row = {0};
    struct err err = {0};

    cr_assert(body);
    cert_put_pem(&pem, &ca);

    cJSON *cert = cJSON_GetObjectItem(
        cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(body, "attestation"), "x509"),
                            "signingCertificates"),
        "primary");

    json_add_str(cert, "certificate", pem.data);
    cr_assert_eq(dps_enrolment_read(body, true, "plant", hubs, NULL, &e, &err), 0, "%s", err.msg);
    STR_SET(e.etag, "tag");
    e.created_ms = 1000;
    e.updated_ms = 2000;
    dps_enrolment_pack(&e, &row);
    cr_assert_str_eq(row.type, "x509");
    cr_assert_eq(dps_enrolment_unpack(&row, &back, &err), 0, "%s", err.msg);

    auto_free char *before = shown(&e, DPS_SHOW_STORED);
    auto_free char *after = shown(&back, DPS_SHOW_STORED);
    auto_free char *seen = shown(&back, DPS_SHOW_KEYS);

    cr_assert_str_eq(before, after);
    cr_assert(strstr(seen, "\"subjectName\":\"CN=Plant CA\""), "%s", seen);
    cr_assert_not(strstr(seen, "BEGIN CERTIFICATE"), "%s", seen);
    cr_assert_str_eq(back.hubs[0], "SECOND.berth.internal");
    cr_assert(back.group && back.disabled && back.iot_edge && !back.update_hub && !back.migrate);
}

static void read_cert_text(const char *text, struct dps_enrolment *e)
{
    auto_json cJSON *body = cJSON_CreateObject();
    cJSON *attestation = json_add_obj(body, "attestation");
    struct err err = {0};

    json_add_str(attestation, "type", "x509");
    json_add_str(json_add_obj(json_add_obj(json_add_obj(attestation, "x509"), "clientCertificates"),
                              "primary"),
                 "certificate", text);
    cr_assert_eq(dps_enrolment_read(body, false, "e1", hubs, NULL, e, &err), 0, "%s", err.msg);
}

Test(dps_enrolment, takes_certificates_in_the_forms_of_all_sdks)
{
    auto_cert struct cert c = cert_make(&(struct cert_spec){.cn = "pump"});
    auto_buf struct buf pem = {0};
    auto_buf struct buf twice = {0};
    auto_buf struct buf bare = {0};
    const char *forms[3];

    cert_put_pem(&pem, &c);
    base64_encode(pem.data, pem.len, &twice); /* C, Java */
    for (const char *at = strchr(pem.data, '\n') + 1; *at != '-'; at++)
        if (*at != '\n')
            buf_putc(&bare, *at); /* .NET */
    forms[0] = pem.data;
    forms[1] = twice.data;
    forms[2] = bare.data;
    for (size_t i = 0; i < 3; i++) {
        auto_dps_enrolment struct dps_enrolment e = {0};
        struct tls_cert_info info;
        const char *kept;

        read_cert_text(forms[i], &e);
        kept = e.attestation.certs[DPS_PRIMARY].pem;
        cr_assert_str_eq(e.attestation.certs[DPS_PRIMARY].info.common_name, "pump");
        cr_assert(str_starts(kept, "-----BEGIN CERTIFICATE-----\n"), "form %zu: %s", i, kept);
        cr_assert_eq(tls_cert_read(kept, strlen(kept), &info, NULL), 0);
    }
}

Test(dps_enrolment, update_with_what_a_get_showed_changes_no_secret)
{
    auto_dps_enrolment struct dps_enrolment key =
        good("{\"attestation\":{\"type\":\"symmetricKey\"}}", false);
    auto_dps_enrolment struct dps_enrolment same = {0};
    auto_dps_enrolment struct dps_enrolment cert = {0};
    auto_dps_enrolment struct dps_enrolment cert_same = {0};
    auto_cert struct cert c = cert_make(&(struct cert_spec){.cn = "pump"});
    auto_free char *text = shown(&key, DPS_SHOW_PUBLIC);
    auto_buf struct buf pem = {0};
    struct err err = {0};

    cr_assert_eq(read_it(text, false, &key, &same, &err), 0, "%s", err.msg);
    cr_assert_str_eq(same.attestation.keys[DPS_PRIMARY], key.attestation.keys[DPS_PRIMARY]);
    cr_assert_str_eq(same.attestation.keys[DPS_SECONDARY], key.attestation.keys[DPS_SECONDARY]);

    cert_put_pem(&pem, &c);
    read_cert_text(pem.data, &cert);

    auto_free char *cert_text = shown(&cert, DPS_SHOW_PUBLIC);

    cr_assert_eq(read_it(cert_text, false, &cert, &cert_same, &err), 0, "%s", err.msg);
    cr_assert_str_eq(cert_same.attestation.certs[0].pem, cert.attestation.certs[0].pem);
}

Test(dps_enrolment, takes_a_tpm_by_its_endorsement_key)
{
    auto_dps_enrolment struct dps_enrolment e =
        good("{\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"" EK "\"}}}", false);
    auto_free char *text = shown(&e, DPS_SHOW_PUBLIC);

    cr_assert_str_eq(e.attestation.endorsement_key, EK);
    cr_assert(strstr(text, "\"endorsementKey\":\"AToAAQ"), "%s", text);
}

/* ------------------------------------------------------------------------------------------
 * what is refused, by its path */

#define KEY "\"attestation\":{\"type\":\"symmetricKey\"}"

static const struct {
    const char *json, *path;
    bool group;
} wrong[] = {
    {"{}", "attestation: is missing", false},
    {"{\"attestation\":7}", "attestation: must be an object", false},
    {"{\"attestation\":{}}", "attestation.type: ", false},
    {"{\"attestation\":{\"type\":\"none\"}}", "attestation.type: ", false},
    {"{\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"" EK "\"}}}",
     "attestation.type: ", true},
    {"{\"attestation\":{\"type\":\"tpm\"}}", "attestation.tpm.endorsementKey: is missing", false},
    {"{\"attestation\":{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"AAAA\"}}}",
     "attestation.tpm.endorsementKey: ", false},
    {"{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"short\"}}}",
     "attestation.symmetricKey.primaryKey: ", false},
    {"{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"secondaryKey\":1}}}",
     "attestation.symmetricKey.secondaryKey: must be a text", false},
    {"{\"attestation\":{\"type\":\"x509\"}}", "attestation.x509: must have clientCertificates",
     false},
    {"{\"attestation\":{\"type\":\"x509\"}}", "attestation.x509: must have signingCertificates",
     true},
    {"{\"attestation\":{\"type\":\"x509\",\"x509\":{\"signingCertificates\":{}}}}",
     "attestation.x509.signingCertificates: ", false},
    {"{\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{}}}}",
     "attestation.x509.clientCertificates: ", true},
    {"{\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{}}}}",
     "attestation.x509.clientCertificates.primary.certificate: is missing", false},
    {"{\"attestation\":{\"type\":\"x509\",\"x509\":{\"clientCertificates\":{\"primary\":"
     "{\"certificate\":\"x\"}}}}}",
     "attestation.x509.clientCertificates.primary.certificate: ", false},
    {"{\"attestation\":{\"type\":\"x509\",\"x509\":{\"caReferences\":{\"primary\":3}}}}",
     "attestation.x509.caReferences.primary: must be a text", true},
    {"{\"registrationId\":\"e2\"," KEY "}", "registrationId: ", false},
    {"{\"enrollmentGroupId\":\"e2\"," KEY "}", "enrollmentGroupId: ", true},
    {"{" KEY ",\"deviceId\":\"a b\"}", "deviceId: ", false},
    {"{" KEY ",\"capabilities\":{\"iotEdge\":\"yes\"}}", "capabilities.iotEdge: ", false},
    {"{" KEY ",\"provisioningStatus\":\"on\"}", "provisioningStatus: ", false},
    {"{" KEY ",\"reprovisionPolicy\":{\"migrateDeviceData\":1}}",
     "reprovisionPolicy.migrateDeviceData: ", false},
    {"{" KEY ",\"iotHubHostName\":\"other.azure-devices.net\"}", "iotHubHostName: ", false},
    {"{" KEY ",\"iotHubs\":[\"sandbox.berth.internal\",\"x\"]}", "iotHubs[1]: ", false},
    {"{" KEY ",\"iotHubs\":[1]}", "iotHubs[0]: must be a text", false},
    {"{" KEY ",\"allocationPolicy\":\"custom\"}", "allocationPolicy: the sandbox calls no", false},
    {"{" KEY ",\"customAllocationDefinition\":{\"webhookUrl\":\"https://x\"}}",
     "customAllocationDefinition: the sandbox calls no", false},
    {"{" KEY ",\"allocationPolicy\":\"best\"}", "allocationPolicy: must be", false},
    {"{" KEY ",\"initialTwin\":{\"tags\":[]}}", "initialTwin.tags: must be an object", false},
    {"{" KEY ",\"initialTwin\":{\"tags\":{\"a\":{\"b.c\":1}}}}", "initialTwin.tags.a: ", false},
    {"{" KEY ",\"initialTwin\":{\"properties\":{\"desired\":{\"n\":1e300}}}}",
     "initialTwin.properties.desired.n: ", false},
    {"{" KEY ",\"optionalDeviceInformation\":{\"a\":{\"\":1}}}",
     "optionalDeviceInformation.a: ", false},
};

Test(dps_enrolment, says_by_its_path_what_is_wrong)
{
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        auto_dps_enrolment struct dps_enrolment e = {0};
        struct err err = {0};

        cr_expect_eq(read_it(wrong[i].json, wrong[i].group, NULL, &e, &err), -1, "%s",
                     wrong[i].json);
        cr_expect_eq(err.kind, ERR_INVALID, "%s", wrong[i].json);
        cr_expect(str_starts(err.msg, wrong[i].path), "%s: %s", wrong[i].path, err.msg);
    }
}

Test(dps_enrolment, knows_which_registration_ids_azure_allows)
{
    static const char longest[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    cr_assert(dps_id_valid("a"));
    cr_assert(dps_id_valid("sn-007_line.3:B-"));
    cr_assert(dps_id_valid(longest));
    cr_assert_not(dps_id_valid(""));
    cr_assert_not(dps_id_valid("a."));
    cr_assert_not(dps_id_valid("a/b"));
    cr_assert_not(dps_id_valid("a b"));
    cr_assert_not(dps_id_valid("\xc3\xa4"));

    char longer[sizeof(longest) + 1];

    (void)str_format(longer, sizeof(longer), "%sx", longest);
    cr_assert_not(dps_id_valid(longer));
}
