#include "vm/guest/hub/method_json.h"

#include "core/base/str.h"

#include <criterion/criterion.h>
#include <string.h>

static int parse(const char *text, struct method_call *call, struct buf *payload, struct err *err)
{
    static cJSON *body;

    cJSON_Delete(body);
    body = json_parse(text, strlen(text), NULL);
    *call = (struct method_call){0};
    buf_clear(payload);
    return method_json_read(body, call, payload, err);
}

Test(method_json, reads_a_call)
{
    struct method_call call;
    auto_buf struct buf payload = {0};
    struct err err = {0};

    cr_assert_eq(parse("{\"methodName\":\"blink\",\"payload\":{\"n\":[1]},"
                       "\"responseTimeoutInSeconds\":300,\"connectTimeoutInSeconds\":5}",
                       &call, &payload, &err),
                 0, "%s", err.msg);
    cr_expect_str_eq(call.name, "blink");
    cr_expect_str_eq(call.payload, "{\"n\":[1]}");
    cr_expect_eq(call.response_ms, 300000);
    cr_expect_eq(call.connect_ms, 5000);
    cr_assert_eq(parse("{\"methodName\":\"m\"}", &call, &payload, &err), 0);
    cr_expect_eq(call.len, 0);
    cr_expect_eq(call.response_ms, 30000);
    cr_expect_eq(call.connect_ms, 0);
}

Test(method_json, names_what_is_wrong)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{}", "methodName"},
        {"{\"methodName\":7}", "methodName"},
        {"{\"methodName\":\"\"}", "methodName"},
        {"{\"methodName\":\"a/b\"}", "methodName"},
        {"{\"methodName\":\"a#\"}", "methodName"},
        {"{\"methodName\":\"m\",\"responseTimeoutInSeconds\":4}", "responseTimeoutInSeconds"},
        {"{\"methodName\":\"m\",\"responseTimeoutInSeconds\":301}", "responseTimeoutInSeconds"},
        {"{\"methodName\":\"m\",\"connectTimeoutInSeconds\":-1}", "connectTimeoutInSeconds"},
    };
    struct method_call call;
    auto_buf struct buf payload = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};

        cr_expect_eq(parse(cases[i].text, &call, &payload, &err), -1, "%s", cases[i].text);
        cr_expect_eq(err.kind, ERR_INVALID);
        cr_expect_not_null(strstr(err.msg, cases[i].says), "%s: %s", cases[i].text, err.msg);
    }
}

Test(method_json, answers_null_for_what_is_no_json)
{
    static const struct {
        const char *payload, *text;
    } cases[] = {
        {"{\"a\":1}", "{\"status\":200,\"payload\":{\"a\":1}}"},
        {"", "{\"status\":200,\"payload\":null}"},
        {"{oops", "{\"status\":200,\"payload\":null}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json cJSON *out = method_json_answer(200, cases[i].payload, strlen(cases[i].payload));
        auto_buf struct buf text = {0};

        json_print(&text, out);
        cr_expect_str_eq(text.data, cases[i].text);
    }
}
