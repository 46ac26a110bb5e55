/* The twin: merging what the hub sends, and telling it only what changed. */
#include "core/base/str.h"
#include "vm/guest/edged/log_query.h"
#include "vm/guest/edged/twin.h"

#include <criterion/criterion.h>
#include <string.h>

static cJSON *json(const char *text)
{
    cJSON *value = json_parse(text, strlen(text), NULL);
    cr_assert_not_null(value, "%s", text);
    return value;
}

static void check_diff(const char *from, const char *to, const char *want)
{
    auto_json cJSON *a = json(from), *b = json(to), *diff = twin_diff(a, b);
    auto_buf struct buf text = {0};
    if (diff)
        json_print(&text, diff);
    cr_expect_str_eq(buf_str(&text), want);
    /* the patch leads there */
    if (diff) {
        auto_json cJSON *merged = twin_merge(json(from), diff);
        cr_expect(cJSON_Compare(merged, b, true), "%s with %s", from, want);
    }
}

Test(twin, reports_only_differences)
{
    check_diff("{\"a\":1,\"b\":{\"c\":2}}", "{\"a\":1,\"b\":{\"c\":2}}", "");
    check_diff("{\"a\":1,\"b\":{\"c\":2}}", "{\"a\":1,\"b\":{\"c\":3}}", "{\"b\":{\"c\":3}}");
    check_diff("{\"m\":{\"x\":{\"s\":1}}}", "{\"m\":{}}", "{\"m\":{\"x\":null}}");
    check_diff("{}", "{\"m\":{\"x\":1}}", "{\"m\":{\"x\":1}}");
    check_diff("{\"a\":{\"b\":1}}", "{\"a\":[1]}", "{\"a\":[1]}");
    check_diff("{\"a\":1}", "{\"a\":{}}", "{\"a\":{}}");
}

static enum twin_change patch(struct twin *t, const char *text)
{
    struct err err = {0};
    enum twin_change change = TWIN_STALE;
    cr_assert_eq(twin_patch(t, text, strlen(text), &change, &err), 0, "%s", err.msg);
    return change;
}

Test(twin, applies_the_next_version_only)
{
    static const char whole[] = "{\"desired\":{\"a\":{\"b\":1,\"c\":2},\"$version\":4},"
                                "\"reported\":{\"x\":1,\"$version\":9}}";
    struct err err = {0};
    struct twin t = {0};
    cr_assert_eq(patch(&t, "{\"$version\":5}"), TWIN_GAP);
    cr_assert_eq(twin_set(&t, whole, strlen(whole), &err), 0, "%s", err.msg);
    cr_assert_null(json_get(t.reported, "$version"));
    cr_assert_eq(patch(&t, "{\"a\":{\"b\":null,\"d\":3},\"$version\":5}"), TWIN_APPLIED);
    cr_assert_null(json_get(json_get(t.desired, "a"), "b"));
    cr_assert_eq(json_u64(json_get(t.desired, "a"), "d", 0), 3);
    cr_assert_eq(json_u64(t.desired, "$version", 0), 5);
    cr_assert_eq(patch(&t, "{\"a\":null,\"$version\":5}"), TWIN_STALE);
    cr_assert_eq(patch(&t, "{\"a\":null,\"$version\":7}"), TWIN_GAP);
    cr_assert_not_null(json_get(t.desired, "a"));
    twin_done(&t);
}

Test(twin, refuses_what_is_none)
{
    struct err err = {0};
    struct twin t = {0};
    enum twin_change change;
    cr_assert_lt(twin_set(&t, "[]", 2, &err), 0);
    cr_assert_lt(twin_set(&t, "{}", 2, &err), 0);
    cr_assert_lt(twin_patch(&t, "{\"a\":1}", 7, &change, &err), 0);
}

Test(log_query, reads_times_in_every_form)
{
    struct err err = {0};
    struct log_query q = {.tail = LOG_QUERY_ALL};
    cr_assert_eq(log_query_set(&q, "since", "1700000000", 0, &err), 0);
    cr_assert_eq(q.since_s, 1700000000);
    cr_assert_eq(log_query_set(&q, "since", "2026-11-21T14:00:00+02:00", 0, &err), 0);
    cr_assert_eq(q.since_s, 1795262400);
    cr_assert_eq(log_query_set(&q, "since", "2 days 3h", 1700000000, &err), 0);
    cr_assert_eq(q.since_s, 1700000000 - 2 * 86400 - 3 * 3600);
    cr_assert_eq(log_query_set(&q, "until", "90m", 1700000000, &err), 0);
    cr_assert_eq(q.until_s, 1700000000 - 5400);
    cr_assert_eq(log_query_set(&q, "tail", "all", 0, &err), 0);
    cr_assert_eq(q.tail, LOG_QUERY_ALL);
    cr_assert_eq(log_query_set(&q, "tail", "12", 0, &err), 0);
    cr_assert_eq(q.tail, 12);
    cr_assert_eq(log_query_set(&q, "follow", "true", 0, &err), 0);
    cr_assert(q.follow);
}

Test(log_query, names_the_bad_parameter)
{
    static const char *const bad[][2] = {
        {"follow", "yes"},      {"tail", "-1"},     {"tail", "x"}, {"since", "soon"},
        {"until", "5 parsecs"}, {"timestamps", ""}, {"since", ""}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        struct log_query q = {0};
        cr_expect_lt(log_query_set(&q, bad[i][0], bad[i][1], 0, &err), 0, "%s=%s", bad[i][0],
                     bad[i][1]);
        char want[64];
        (void)str_format(want, sizeof(want), "invalid parameter: %s", bad[i][0]);
        cr_expect_str_eq(err.msg, want);
    }
}
