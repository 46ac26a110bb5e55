#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_patches.h"
#include "vm/guest/hub/edge_twin.h"
#include "vm/guest/hub/twin_json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static cJSON *parse(const char *text)
{
    cJSON *value = json_parse(text, strlen(text), NULL);

    cr_assert(value, "%s", text);
    return value;
}

static char *print(const cJSON *value)
{
    struct buf text = {0};

    json_print(&text, value);
    return buf_steal(&text);
}

/* ---- patches that wait ---- */

Test(edge_patches, become_one_where_that_says_the_same)
{
    static const struct {
        const char *first, *second, *list;
    } cases[] = {
        {"{\"a\":1}", "{\"b\":2}", "[{\"a\":1,\"b\":2}]"},
        {"{\"a\":1}", "{\"a\":null}", "[{\"a\":null}]"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":null,\"c\":2}}", "[{\"a\":{\"b\":null,\"c\":2}}]"},
        {"{\"a\":{\"b\":1}}", "{\"a\":7}", "[{\"a\":7}]"},
        {"{\"a\":1}", "{}", "[{\"a\":1}]"},
        {"{}", "{\"$version\":4}", "[]"},
        /* An object in place of something else: what the cloud has there must go first. */
        {"{\"a\":null}", "{\"a\":{\"b\":1}}", "[{\"a\":null},{\"a\":{\"b\":1}}]"},
        {"{\"a\":{\"b\":5}}", "{\"a\":{\"b\":{}}}", "[{\"a\":{\"b\":null}},{\"a\":{\"b\":{}}}]"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json cJSON *list = cJSON_CreateArray();
        auto_json cJSON *first = parse(cases[i].first);
        auto_json cJSON *second = parse(cases[i].second);

        edge_patches_add(list, first, 0);
        edge_patches_add(list, second, 0);

        auto_free char *text = print(list);

        cr_expect_str_eq(text, cases[i].list);
    }
}

static unsigned long long seed = 88172645463325252ULL;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % sides);
}

/* A value of few names, so that they meet often. */
static cJSON *make_value(int depth, bool nulls)
{
    unsigned kind = dice(depth > 0 ? 5 : 3);

    if (kind == 0 && nulls)
        return cJSON_CreateNull();
    if (kind <= 2)
        return cJSON_CreateNumber(dice(3));

    cJSON *object = cJSON_CreateObject();

    for (unsigned n = dice(3); n > 0; n--) {
        const char *name = (const char *[]){"a", "b", "c"}[dice(3)];

        cJSON_DeleteItemFromObjectCaseSensitive(object, name);
        json_add(object, name, make_value(depth - 1, nulls));
    }
    return object;
}

static cJSON *make_object(bool nulls)
{
    cJSON *object = cJSON_CreateObject();

    for (int i = 0; i < 3; i++)
        if (dice(2))
            json_add(object, (const char *[]){"a", "b", "c"}[i], make_value(3, nulls));
    return object;
}

/* Whatever the cloud has, and whenever one of them was sent: in the end it has what the client
 * reported. They stay three at most. */
Test(edge_patches, lead_where_the_reports_lead)
{
    for (int round = 0; round < 20000; round++) {
        auto_json cJSON *cloud = make_object(false);
        auto_json cJSON *wanted = cJSON_Duplicate(cloud, true);
        auto_json cJSON *list = cJSON_CreateArray();
        int under_way = 0;

        for (int i = 0; i < 8; i++) {
            auto_json cJSON *patch = make_object(true);
            unsigned what = dice(4);

            twin_json_merge(wanted, patch);
            edge_patches_add(list, patch, under_way);
            cr_assert_leq(cJSON_GetArraySize(list), 3);
            if (what == 0 && list->child) { /* it was taken */
                twin_json_merge(cloud, list->child);
                cJSON_DeleteItemFromArray(list, 0);
                under_way = 0;
            } else if (what == 1 && list->child) { /* it was taken, and the answer lost */
                twin_json_merge(cloud, list->child);
                under_way = 0;
            } else if (what == 2) {
                under_way = list->child != NULL;
            }
        }
        for (const cJSON *patch = list->child; patch; patch = patch->next)
            twin_json_merge(cloud, patch);

        auto_free char *got = print(cloud);
        auto_free char *want = print(wanted);

        cr_assert(cJSON_Compare(cloud, wanted, true), "round %d: %s, not %s", round, got, want);
    }
}

/* ---- the twin ---- */

static struct edge_twin_row row;
static struct buf text;

static void teardown(void)
{
    edge_twin_row_done(&row);
    buf_done(&text);
}

TestSuite(edge_twin, .fini = teardown);

static void set(const char *twin, const char *change)
{
    struct err err = {0};

    buf_clear(&text);
    cr_assert_eq(edge_twin_set(&row, twin, strlen(twin), &text, &err), 0, "%s", err.msg);
    cr_expect_str_eq(buf_str(&text), change);
}

static int report(const char *patch, bool under_way)
{
    struct err err = {0};

    return edge_twin_report(&row, patch, strlen(patch), NULL, under_way, &err) < 0 ? (int)err.kind
                                                                                   : 0;
}

static void shows(const char *twin)
{
    buf_clear(&text);
    edge_twin_show(&row, &text);
    cr_expect_str_eq(buf_str(&text), twin);
}

static void pends(const char *patch)
{
    buf_clear(&text);
    cr_expect_eq(edge_twin_pending(&row, &text), patch != NULL);
    cr_expect_str_eq(buf_str(&text), patch ? patch : "");
}

Test(edge_twin, is_what_the_cloud_says_and_what_it_does_not_know_yet)
{
    cr_expect_not(edge_twin_known(&row));
    cr_expect_eq(report("{\"r\":{\"x\":1}}", false), 0);
    cr_expect_not(edge_twin_known(&row));
    pends("{\"r\":{\"x\":1}}");
    set("{\"desired\":{\"d\":1,\"$version\":4},\"reported\":{\"old\":true,\"$version\":9}}",
        "{\"d\":1,\"$version\":4}");
    cr_expect(edge_twin_known(&row));
    shows("{\"desired\":{\"d\":1,\"$version\":4},"
          "\"reported\":{\"old\":true,\"r\":{\"x\":1},\"$version\":9}}");
    pends("{\"r\":{\"x\":1}}");
    edge_twin_settle(&row, &text);
    pends(NULL);
    cr_expect_str_eq(buf_str(&row.pending), "");
}

Test(edge_twin, numbers_reports_as_the_client_counts_them)
{
    const char *twin = "{\"desired\":{\"$version\":1},\"reported\":{\"$version\":5}}";
    const uint64_t old = 5, now = 7;
    struct err err = {0};

    set(twin, "");
    cr_expect_eq(report("{\"a\":1}", false), 0);
    cr_expect_eq(report("{\"a\":2}", false), 0);
    cr_expect_eq(row.reported_version, 7);
    cr_expect_lt(edge_twin_report(&row, "{\"a\":3}", 7, &old, false, &err), 0);
    cr_expect_eq(err.kind, ERR_BUSY);
    cr_expect_eq(edge_twin_report(&row, "{\"a\":3}", 7, &now, false, &err), 0);
    /* The cloud got one report for three: the number stays ours while the content does. */
    pends("{\"a\":3}");
    edge_twin_settle(&row, &text);
    set("{\"desired\":{\"$version\":1},\"reported\":{\"a\":3,\"$version\":6}}", "");
    cr_expect_eq(row.reported_version, 8);
    set("{\"desired\":{\"$version\":1},\"reported\":{\"a\":4,\"$version\":7}}", "");
    cr_expect_eq(row.reported_version, 9);
}

Test(edge_twin, leaves_alone_what_is_under_way)
{
    struct buf other = {0};

    cr_expect_eq(report("{\"a\":1}", false), 0);
    cr_expect_eq(report("{\"a\":2}", true), 0);
    cr_expect_eq(report("{\"b\":null}", true), 0);
    cr_expect_str_eq(buf_str(&row.pending), "[{\"a\":1},{\"a\":2,\"b\":null}]");
    buf_puts(&other, "{\"z\":1}");
    edge_twin_settle(&row, &other);
    pends("{\"a\":1}");
    edge_twin_settle(&row, &text);
    pends("{\"a\":2,\"b\":null}");
    buf_done(&other);
}

Test(edge_twin, refuses_reports_as_the_cloud_would)
{
    auto_buf struct buf big = {0};

    cr_expect_eq(report("{\"a\":", false), ERR_INVALID);
    cr_expect_eq(report("[]", false), ERR_INVALID);
    cr_expect_eq(report("{\"a.b\":1}", false), ERR_INVALID);
    for (int i = 0; i < 12; i++)
        buf_puts(&big, "{\"a\":");
    buf_puts(&big, "1}}}}}}}}}}}}");
    cr_expect_eq(report(big.data, false), ERR_INVALID, "nested too deeply");
    buf_clear(&big);
    buf_puts(&big, "{");
    for (int i = 0; i < 9; i++)
        buf_printf(&big, "%s\"k%d\":\"%04000d\"", i ? "," : "", i, i);
    buf_puts(&big, "}");
    cr_expect_eq(report(big.data, false), ERR_INVALID, "more than a twin may have");
    cr_expect_eq(row.pending.len, 0);
    cr_expect_eq(row.reported.len, 0);
    cr_expect_eq(row.reported_version, 0);
}

Test(edge_twin, bounds_what_waits_for_the_cloud)
{
    int status = 0, n = 0;

    for (; n < 1000 && status == 0; n++) {
        char patch[1100];

        (void)str_format(patch, sizeof(patch), "{\"%01000d\":1}", n);
        status = report(patch, false);
        if (status != 0)
            break;
        (void)str_format(patch, sizeof(patch), "{\"%01000d\":null}", n);
        status = report(patch, false);
    }
    cr_expect_eq(status, ERR_NO_SPACE);
    cr_expect_geq(n, 60);
    cr_expect_str_eq(buf_str(&row.reported), "{}");
}

Test(edge_twin, takes_desired_changes_in_order)
{
    const struct {
        uint64_t version;
        const char *patch;
        enum edge_twin_news news;
    } cases[] = {
        {4, "{\"a\":0,\"$version\":4}", EDGE_TWIN_STALE},
        {6, "{\"a\":6,\"$version\":6}", EDGE_TWIN_GAP},
        {5, "{\"a\":", EDGE_TWIN_GAP},
        {5, "[1]", EDGE_TWIN_GAP},
        {5, "{\"a\":null,\"b\":{\"c\":null,\"d\":1},\"$version\":5}", EDGE_TWIN_MERGED},
        {5, "{\"a\":1,\"$version\":5}", EDGE_TWIN_STALE},
        {6, "{\"e\":1,\"$version\":6}", EDGE_TWIN_MERGED},
    };

    cr_expect_eq(edge_twin_desired(&row, 1, "{}", 2), EDGE_TWIN_GAP, "nothing is known yet");
    set("{\"desired\":{\"a\":1,\"b\":{\"c\":2},\"$version\":4},\"reported\":{\"$version\":1}}",
        "{\"a\":1,\"b\":{\"c\":2},\"$version\":4}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(
            edge_twin_desired(&row, cases[i].version, cases[i].patch, strlen(cases[i].patch)),
            cases[i].news, "%zu", i);
    shows("{\"desired\":{\"b\":{\"d\":1},\"e\":1,\"$version\":6},\"reported\":{\"$version\":1}}");
}

Test(edge_twin, tells_what_changed_while_nobody_listened)
{
    set("{\"desired\":{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"$version\":4},"
        "\"reported\":{\"$version\":1}}",
        "{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"$version\":4}");
    set("{\"desired\":{\"b\":{\"d\":4},\"e\":5,\"$version\":9},\"reported\":{\"$version\":1}}",
        "{\"a\":null,\"b\":{\"c\":null,\"d\":4},\"e\":5,\"$version\":9}");
    /* An identity that was deleted and made again begins anew. */
    set("{\"desired\":{\"$version\":1},\"reported\":{\"$version\":1}}",
        "{\"b\":null,\"e\":null,\"$version\":1}");
    cr_expect_eq(row.desired_version, 1);
}

Test(edge_twin, is_not_touched_by_what_makes_no_sense)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"desired\":{\"$version\":2}}",
        "{\"desired\":{},\"reported\":{\"$version\":1}}",
        "{\"desired\":{\"$version\":\"2\"},\"reported\":{\"$version\":1}}",
        "{\"desired\":{\"$version\":-2},\"reported\":{\"$version\":1}}",
        "{\"desired\":[],\"reported\":{\"$version\":1}}",
    };

    set("{\"desired\":{\"a\":1,\"$version\":4},\"reported\":{\"$version\":1}}",
        "{\"a\":1,\"$version\":4}");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};

        buf_clear(&text);
        cr_expect_lt(edge_twin_set(&row, bad[i], strlen(bad[i]), &text, &err), 0, "%s", bad[i]);
        cr_expect(err.msg[0]);
        cr_expect_eq(text.len, 0);
    }
    shows("{\"desired\":{\"a\":1,\"$version\":4},\"reported\":{\"$version\":1}}");
}
