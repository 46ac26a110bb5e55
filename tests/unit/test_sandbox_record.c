/* sandbox.json, and the model of what the sandbox holds. */
#include "core/base/str.h"
#include "core/rpc/model_sandbox.h"
#include "provision/sandbox.h"

#include <criterion/criterion.h>
#include <string.h>

#define BASE                                                                                \
    "\"host\":\"hub-a\",\"mqttPort\":8883,\"httpsPort\":8443,\"caFile\":\"/ca\",\"pid\":7," \
    "\"pidStart\":8,\"serviceConnectionString\":\"HostName=hub-a\""

static int parse(const char *text, struct sandbox_record *ret, struct err *err)
{
    return sandbox_parse(text, strlen(text), ret, err);
}

Test(sandbox_record, one_hub_and_no_provisioning_service)
{
    auto_sandbox_record struct sandbox_record r = {0};
    struct err err = {0};
    cr_assert_eq(parse("{" BASE "}", &r, &err), 0, "%s", err.msg);
    cr_expect_eq(r.n_hubs, 1);
    cr_expect_str_eq(r.hubs[0], "hub-a");
    cr_expect_str_eq(r.dps_host, "");
    cr_expect_null(r.dps.data);
}

Test(sandbox_record, several_hubs_and_a_provisioning_service)
{
    auto_sandbox_record struct sandbox_record r = {0};
    struct err err = {0};
    cr_assert_eq(parse("{" BASE ",\"hubs\":[\"hub-a\",\"hub-b\\u001b\",3],\"dps\":{\"host\":"
                       "\"dps\",\"idScope\":\"0ne1\",\"serviceConnectionString\":\"HostName=d\"}}",
                       &r, &err),
                 0, "%s", err.msg);
    cr_expect_eq(r.n_hubs, 2);
    cr_expect_str_eq(r.hubs[1], "hub-b^[");
    cr_expect_str_eq(r.dps_host, "dps");
    cr_expect_str_eq(r.id_scope, "0ne1");
    cr_expect_str_eq(r.dps.data, "HostName=d");
}

Test(sandbox_record, what_is_missing_is_named)
{
    struct sandbox_record r = {0};
    struct err err = {0};
    cr_expect_eq(parse("{\"pid\":1}", &r, &err), -1);
    cr_expect_not_null(strstr(err.msg, "serviceConnectionString"));
    cr_expect_eq(parse("{", &r, &err), -1);
}

Test(model_sandbox, a_device_comes_back_as_it_was_sent)
{
    struct sandbox_device sent = {.id = "d",
                                  .module = "m",
                                  .parent = "p",
                                  .thumbprint = "AA",
                                  .auth = SANDBOX_AUTH_X509_CA,
                                  .edge = true,
                                  .enabled = true,
                                  .modules = -1,
                                  .waiting = 3,
                                  .activity_ms = 1795300000123};
    struct sandbox_device got;
    auto_json cJSON *json = model_json_device(&sent);
    cr_expect(cJSON_IsNull(json_get(json, "modules")), "not counted is not zero");
    cr_expect_str_eq(json_str(json, "auth", ""), "x509-ca");
    model_parse_device(json, &got);
    cr_expect_eq(memcmp(&sent, &got, sizeof(got)), 0);
    sent.modules = 2000;
    auto_json cJSON *many = model_json_device(&sent);
    model_parse_device(many, &got);
    cr_expect_eq(got.modules, 2000);
}

Test(model_sandbox, enrolments_authorities_and_configurations_come_back)
{
    const struct sandbox_enrolment e = {
        .id = "e", .group = true, .auth = SANDBOX_AUTH_TPM, .hub = "h", .enabled = true};
    const struct sandbox_authority a = {.thumbprint = "AA", .subject = "CN=x", .until_ms = 5};
    const struct sandbox_configuration c = {
        .id = "c", .target = "*", .priority = -3, .targeted = 1, .applied = -1, .updated_ms = 6};
    struct sandbox_enrolment e2;
    struct sandbox_authority a2;
    struct sandbox_configuration c2;
    auto_json cJSON *ej = model_json_enrolment(&e);
    auto_json cJSON *aj = model_json_authority(&a);
    auto_json cJSON *cj = model_json_configuration(&c);
    model_parse_enrolment(ej, &e2);
    model_parse_authority(aj, &a2);
    model_parse_configuration(cj, &c2);
    cr_expect_eq(memcmp(&e, &e2, sizeof(e)), 0);
    cr_expect_eq(memcmp(&a, &a2, sizeof(a)), 0);
    cr_expect_eq(memcmp(&c, &c2, sizeof(c)), 0);
}

Test(model_sandbox, a_way_that_is_not_known_is_none)
{
    cr_expect_eq(sandbox_auth_parse("x509-ca"), SANDBOX_AUTH_X509_CA);
    cr_expect_eq(sandbox_auth_parse("bearer"), SANDBOX_AUTH_NONE);
    cr_expect_str_eq(sandbox_auth_name((enum sandbox_auth)99), "none");
}
