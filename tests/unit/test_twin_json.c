#include "core/base/str.h"
#include "vm/guest/hub/twin_json.h"

#include <criterion/criterion.h>
#include <string.h>

static cJSON *parse(const char *text)
{
    cJSON *value = json_parse(text, strlen(text), NULL);

    cr_assert(value, "%s", text);
    return value;
}

static void expect(const cJSON *value, const char *text)
{
    auto_buf struct buf printed = {0};

    json_print(&printed, value);
    cr_assert_str_eq(printed.data, text);
}

Test(twin_json, merges_as_a_twin_does)
{
    const struct {
        const char *target, *patch, *result;
    } cases[] = {
        {"{}", "{\"a\":1}", "{\"a\":1}"},
        {"{\"a\":1}", "{\"a\":null}", "{}"},
        {"{\"a\":1}", "{\"b\":null}", "{\"a\":1}"},
        {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":null,\"d\":3}}", "{\"a\":{\"c\":2,\"d\":3}}"},
        {"{\"a\":1}", "{\"a\":{\"b\":null,\"c\":2}}", "{\"a\":{\"c\":2}}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":2}", "{\"a\":2}"},
        {"{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"},
        {"{\"a\":1}", "{\"$version\":7,\"$metadata\":{},\"A\":2}", "{\"a\":1,\"A\":2}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json cJSON *target = parse(cases[i].target);
        auto_json cJSON *patch = parse(cases[i].patch);

        twin_json_merge(target, patch);
        expect(target, cases[i].result);
    }
}

/* The property that matters: applying the difference to the old gives the new. */
Test(twin_json, difference_leads_from_old_to_new)
{
    const char *values[] = {"{}",
                            "{\"a\":1,\"b\":{\"c\":true,\"d\":\"x\"}}",
                            "{\"a\":2,\"b\":{\"c\":true}}",
                            "{\"b\":{\"c\":{\"deep\":[1,2]}}}",
                            "{\"b\":5}",
                            "{\"b\":{}}"};

    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        for (size_t k = 0; k < ARRAY_LEN(values); k++) {
            auto_json cJSON *old = parse(values[i]);
            auto_json cJSON *new = parse(values[k]);
            auto_json cJSON *patch = twin_json_diff(old, new);

            twin_json_merge(old, patch);
            cr_assert(cJSON_Compare(old, new, true), "%s -> %s", values[i], values[k]);
            if (i == k)
                cr_assert_null(patch->child, "%s", values[i]);
        }
}

Test(twin_json, stamps_what_was_touched)
{
    auto_json cJSON *meta = parse("{}");
    auto_json cJSON *first = parse("{\"a\":1,\"b\":{\"c\":2}}");
    auto_json cJSON *second = parse("{\"a\":null,\"b\":{\"d\":3}}");

    twin_json_stamp(meta, first, "t1", 2);
    twin_json_stamp(meta, second, "t2", 3);
    expect(meta, "{\"$lastUpdated\":\"t2\",\"$lastUpdatedVersion\":3,"
                 "\"b\":{\"$lastUpdated\":\"t2\",\"$lastUpdatedVersion\":3,"
                 "\"c\":{\"$lastUpdated\":\"t1\",\"$lastUpdatedVersion\":2},"
                 "\"d\":{\"$lastUpdated\":\"t2\",\"$lastUpdatedVersion\":3}}}");
}

Test(twin_json, refuses_what_a_twin_cannot_hold)
{
    const struct {
        const char *json, *path;
    } bad[] = {
        {"[]", "desired: must be"},
        {"{\"a\":{\"b.c\":1}}", "desired.a: the name \"b.c\""},
        {"{\"a b\":1}", "desired: the name"},
        {"{\"a\":{\"$x\":1}}", "desired.a: the name"},
        {"{\"a\":[{\"b\":4503599627370496}]}", "desired.a[0].b: the number"},
        {"{\"a\":-4503599627370497}", "desired.a: the number"},
        {"{\"$x\":1}", "desired: the name \"$x\""},
        {"{\"a\":{\"$version\":1}}", "desired.a: the name"},
        {"{\"a\":{\"b\\u0001\":1}}", "desired.a: the name"},
        {"{\"\":1}", "desired: a name"},
        {"{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{\"9\":{\"10\":{\"11\":{}}}}}}}}}"
         "}"
         "}}",
         "nested"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_json cJSON *value = parse(bad[i].json);
        struct err err = {0};

        cr_assert_eq(twin_json_check(value, "desired", &err), -1, "accepted: %s", bad[i].json);
        cr_assert(strstr(err.msg, bad[i].path), "\"%s\" does not say \"%s\"", err.msg, bad[i].path);
    }
}

Test(twin_json, holds_what_iot_hub_holds)
{
    const char *good[] = {
        "{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{\"9\":{\"10\":{\"11\":1}}}}}}}}}"
        "}}",
        "{\"$version\":3,\"$metadata\":{\"$lastUpdated\":\"x\"},\"$etag\":\"x\"}",
        "{\"a\":-4503599627370496,\"b\":4503599627370495,\"d\":[[null]]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        auto_json cJSON *value = parse(good[i]);
        struct err err = {0};

        cr_assert_eq(twin_json_check(value, "desired", &err), 0, "%s: %s", good[i], err.msg);
    }
}

Test(twin_json, counts_as_iot_hub_counts)
{
    auto_json cJSON *value = parse("{\"abc\":\"d\\ne\",\"n\":12345,\"b\":true,\"z\":null,"
                                   "\"o\":{\"x\":[1,\"yy\"]},\"$version\":9}");

    /* abc+de, n+8, b+4, z, o+x+8+yy */
    cr_assert_eq(twin_json_size(value), 5 + 9 + 5 + 1 + 12);
}
