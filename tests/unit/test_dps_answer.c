/* What the provisioning service answers, and what is said of it. */
#include "core/azure/clock_hint.h"
#include "core/azure/cloud_error.h"
#include "core/azure/dps_answer.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>
#include <time.h>

static struct dps_answer good(int status, const char *body)
{
    struct dps_answer a = {0};
    struct err err = {0};
    cr_assert_eq(dps_answer_parse(status, body, strlen(body), &a, &err), 0, "%s", err.msg);
    return a;
}

Test(dps_answer, takes_an_operation_to_ask_for)
{
    auto_dps_answer struct dps_answer first =
        good(202, "{\"operationId\":\"4.ab.cd-1\",\"status\":\"assigning\"}");
    cr_assert_eq(first.kind, DPS_ASSIGNING);
    cr_assert_str_eq(first.operation, "4.ab.cd-1");
    auto_dps_answer struct dps_answer later =
        good(202, "{\"operationId\":\"4.ab.cd-1\",\"status\":\"assigning\",\"registrationState\":{"
                  "\"registrationId\":\"r\",\"status\":\"assigning\"}}");
    cr_assert_eq(later.kind, DPS_ASSIGNING);
}

Test(dps_answer, takes_the_hub_and_the_device)
{
    auto_dps_answer struct dps_answer a =
        good(200, "{\"operationId\":\"4.x\",\"status\":\"assigned\",\"registrationState\":{"
                  "\"registrationId\":\"r\",\"assignedHub\":\"h.azure-devices.net\",\"deviceId\":"
                  "\"Dev:1\",\"status\":\"assigned\"}}");
    cr_assert_eq(a.kind, DPS_ASSIGNED);
    cr_assert_str_eq(a.device.hub, "h.azure-devices.net");
    cr_assert_eq(a.device.port, 0);
    cr_assert_str_eq(a.device.id, "Dev:1");
    cr_assert_eq(a.tpm_key.len, 0);
}

Test(dps_answer, takes_a_sandbox_and_a_tpm_key)
{
    auto_dps_answer struct dps_answer a =
        good(200, "{\"status\":\"assigned\",\"registrationState\":{\"assignedHub\":\"box:18883\","
                  "\"deviceId\":\"d-1\",\"substatus\":\"initialAssignment\",\"tpm\":{"
                  "\"authenticationKey\":\"QUJD\"}}}");
    cr_assert_eq(a.kind, DPS_ASSIGNED);
    cr_assert_str_eq(a.device.hub, "box");
    cr_assert_eq(a.device.port, 18883);
    cr_assert_str_eq(a.device.id, "d-1");
    cr_assert_str_eq(a.device.detail, "initialAssignment");
    cr_assert(a.tpm_key.len == 3 && memcmp(a.tpm_key.data, "ABC", 3) == 0);
}

Test(dps_answer, takes_a_challenge_for_what_it_is)
{
    auto_dps_answer struct dps_answer a = good(
        401, "{\"authenticationKey\":\"QUJD\",\"keyName\":\"registration\",\"message\":\"x\"}");
    cr_assert_eq(a.kind, DPS_CHALLENGE);
    cr_assert_eq(a.tpm_key.len, 3);
}

struct refusal {
    int status;
    char body[200];
    enum err_kind kind;
    char message[80];
    char explained[16]; /* cloud_error's id */
};

ParameterizedTestParameters(dps_answer, says_what_was_refused)
{
    static struct refusal rows[] = {
        {401, "{\"errorCode\":401002,\"message\":\"Unauthorized\"}", ERR_REMOTE,
         "refused the device's key or certificate (401, 401002: Unauthorized)", "dps_refused"},
        {401, "", ERR_REMOTE, "(401)", "dps_refused"},
        {403, "{\"errorCode\":403000,\"message\":\"\\u001b[2Jquota\"}", ERR_REMOTE, "^[[2Jquota",
         ""},
        {404, "{\"code\":404201,\"errorMessage\":\"no\"}", ERR_NOT_FOUND,
         "knows no such ID scope or enrolment (404, 404201: no)", "dps_unknown"},
        {400, "<html>", ERR_REMOTE, "found the request wrong (400)", ""},
        {429, "{}", ERR_UNREACHABLE, "is too busy", "dps_busy"},
        {503, "", ERR_UNREACHABLE, "answered 503", "dps_busy"},
        {302, "", ERR_PROTOCOL, "answered 302", ""},
        {200, "<html>", ERR_PROTOCOL, "is not JSON", ""},
        {200, "[]", ERR_PROTOCOL, "is not JSON", ""},
        {200, "{}", ERR_PROTOCOL, "an unknown status", ""},
        {202, "{\"status\":\"assigning\"}", ERR_PROTOCOL, "no usable operationId", ""},
        {202, "{\"status\":\"assigning\",\"operationId\":\"a/../b\"}", ERR_PROTOCOL,
         "no usable operationId", ""},
        {200, "{\"status\":\"disabled\"}", ERR_REMOTE, "disabled", "dps_disabled"},
        {200,
         "{\"status\":\"failed\",\"registrationState\":{\"errorCode\":400207,\"errorMessage\":"
         "\"custom\"}}",
         ERR_REMOTE, "could not assign the device to a hub (400207: custom)", "dps_no_hub"},
        {200, "{\"status\":\"assigned\"}", ERR_PROTOCOL, "no host name", ""},
        {200,
         "{\"status\":\"assigned\",\"registrationState\":{\"assignedHub\":\"a b\",\"deviceId\":"
         "\"d\"}}",
         ERR_PROTOCOL, "no host name", ""},
        {200,
         "{\"status\":\"assigned\",\"registrationState\":{\"assignedHub\":\"h\",\"deviceId\":"
         "\"d/e\"}}",
         ERR_PROTOCOL, "a device id that is none", ""},
        {401, "{\"authenticationKey\":\"!\"}", ERR_PROTOCOL, "not base64", ""},
    };
    return cr_make_param_array(struct refusal, rows, ARRAY_LEN(rows), NULL);
}

ParameterizedTest(struct refusal *row, dps_answer, says_what_was_refused)
{
    struct dps_answer a = {0};
    struct err err = {0};
    cr_assert_lt(dps_answer_parse(row->status, row->body, strlen(row->body), &a, &err), 0,
                 "accepted: %s", row->body);
    cr_assert_eq(err.kind, row->kind, "%s", err.msg);
    cr_assert(strstr(err.msg, row->message), "\"%s\" does not say \"%s\"", err.msg, row->message);
    const struct cloud_error *known = cloud_error_find(err.msg);
    if (row->explained[0])
        cr_assert_str_eq(known ? known->id : "", row->explained, "%s", err.msg);
}

Test(dps_answer, splits_only_host_names)
{
    char host[254];
    uint16_t port = 1;
    cr_assert(dps_split_host("h-1.example", host, sizeof(host), &port));
    cr_assert_eq(port, 0);
    cr_assert(dps_split_host("h:65535", host, sizeof(host), &port));
    cr_assert_str_eq(host, "h");
    cr_assert_eq(port, 65535);
    static const char *const bad[] = {"",     ":1",  "h:",  "h:0", "h:65536",
                                      "h:1x", "h/x", "h@x", "h\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(dps_split_host(bad[i], host, sizeof(host), &port), "%s", bad[i]);
}

/* ------------------------------------------------------------------------------- clock */

static const char *hint_for(int64_t their_offset_s)
{
    static struct err err;
    char date[64];
    struct tm tm;
    time_t when = (time_t)(clock_wall_ms() / 1000) + their_offset_s;
    gmtime_r(&when, &tm);
    (void)strftime(date, sizeof(date), " %a, %d %b %Y %H:%M:%S GMT", &tm);
    err_set(&err, ERR_REMOTE, "refused");
    clock_hint_answer(date, &err);
    return err.hint;
}

Test(clock_hint, says_which_way_the_clock_is_wrong)
{
    struct err err;
    cr_assert_str_eq(hint_for(0), "");
    cr_assert_str_eq(hint_for(200), "");
    cr_assert(strstr(hint_for(86400 * 3), "behind"), "%s", hint_for(86400 * 3));
    cr_assert(strstr(hint_for(-86400 * 3), "ahead"), "%s", hint_for(-86400 * 3));
    err_set(&err, ERR_REMOTE, "refused");
    clock_hint_answer("yesterday", &err);
    cr_assert_str_eq(err.hint, "");
    err_set(&err, ERR_AUTH, "the server's certificate is not trusted: certificate has expired");
    clock_hint_tls(&err);
    cr_assert(strstr(err.hint, "this machine's clock says 20"), "%s", err.hint);
}
