#include "core/base/str.h"
#include "vm/guest/hub/query.h"
#include "vm/guest/hub/twin_json.h"

#include <criterion/criterion.h>
#include <string.h>

static const char twin_text[] =
    "{\"deviceId\":\"edge-1\",\"status\":\"enabled\",\"connectionState\":\"Connected\","
    "\"capabilities\":{\"iotEdge\":true},\"parentScopes\":[\"ms-azure-iot-edge://p-1\"],"
    "\"tags\":{\"env\":\"lab\",\"floor\":2,\"spare\":null,\"odd.name\":1,\"a b\":{\"c\":true}},"
    "\"properties\":{\"desired\":{\"rate\":5,\"$version\":4},"
    "\"reported\":{\"rate\":5,\"name\":\"it's\",\"list\":[1,\"x\"],\"$version\":9}},"
    "\"configurations\":{\"base-1\":{\"status\":\"Applied\"}}}";

static bool selects(const char *where)
{
    auto_json cJSON *twin = json_parse(twin_text, strlen(twin_text), NULL);
    auto_query struct query *q = NULL;
    char text[600];
    struct err err = {0};

    (void)str_format(text, sizeof(text), "SELECT * FROM devices WHERE %s", where);
    cr_assert_eq(query_parse(text, &q, &err), 0, "%s: %s", where, err.msg);
    return query_matches(q, twin);
}

Test(query, selects_what_the_condition_says)
{
    const char *yes[] = {
        "deviceId = 'edge-1'",
        "DEVICEID='edge-1' and Tags.env = \"lab\"",
        "tags.floor > 1 AND tags.floor <= 2.0 AND tags.floor <> 0x3",
        "tags.floor > -1e3",
        "capabilities.iotEdge",
        "capabilities.iotedge = true",
        "NOT capabilities.iotEdge = false",
        "NOT NOT tags.env = 'lab'",
        "tags.env = 'x' OR tags.env = 'y' OR tags.env = 'lab'",
        "(tags.env = 'x' OR tags.env = 'lab') AND status != 'disabled'",
        "tags.env = 'lab' NOT deviceId = 'other'",
        "properties.desired.rate = properties.reported.rate",
        "properties.desired.$version < properties.reported.$version",
        "properties.reported.name = 'it''s'",
        "properties.reported.name = 'it\\'s'",
        "tags.env IN ['prod', 'lab']",
        "tags.env NIN ['prod', 'test'] AND tags.env not in ['x']",
        "is_defined(tags.env) AND is_defined(tags.spare) AND NOT is_defined(tags.none)",
        "IS_NULL(tags.spare) AND tags.spare = null AND tags.env != null",
        "is_string(tags.env) AND is_number(tags.floor) AND is_object(tags)",
        "startswith(deviceId, 'edge') AND ends_with(deviceId, '-1') AND contains(deviceId, 'ge-')",
        "array_contains(parentScopes, 'ms-azure-iot-edge://p-1')",
        "array_contains(properties.reported.list, 1)",
        "configurations.[[base-1]].status = 'Applied'",
        "tags.[[odd.name]] = 1 AND tags.[[a b]].c",
        "tags.floor != '2'", /* another type is another value */
    };
    const char *no[] = {
        "deviceId = 'EDGE-1'",
        "tags.none != 'x'", /* what is not there compares with nothing */
        "NOT tags.none = 'x'",
        "tags.none = undefined",
        "tags.none IN ['x'] OR tags.none NIN ['x']",
        "tags.floor > '1'",
        "tags.env",
        "tags = tags",
        "tags.env.deeper = 1",
        "startswith(tags.floor, '2')",
        "tags.env = 'lab' AND tags.none = 1",
    };

    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        cr_assert(selects(yes[i]), "%s", yes[i]);
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        cr_assert_not(selects(no[i]), "%s", no[i]);
}

Test(query, knows_what_it_needs_of_a_twin)
{
    const struct {
        const char *text;
        unsigned condition, row;
        bool modules, raw, grouped;
    } cases[] = {
        {"SELECT * FROM devices", 0, TWIN_ALL, false, false, false},
        {"select * from Devices.Modules where moduleId='m'", 0, TWIN_ALL, true, false, false},
        {"SELECT deviceId FROM devices WHERE tags.a = 1", TWIN_TAGS, 0, false, true, false},
        {"SELECT deviceId AS d, properties.reported.x FROM devices", 0, TWIN_REPORTED, false, true,
         false},
        {"SELECT properties.desired FROM devices", 0, TWIN_DESIRED | TWIN_METADATA, false, true,
         false},
        {"SELECT tags FROM devices WHERE is_defined(properties.desired.$metadata.a)",
         TWIN_DESIRED | TWIN_METADATA, TWIN_TAGS, false, true, false},
        {"SELECT tags.a, COUNT() AS n FROM devices WHERE configurations.[[c]].status = 'Targeted' "
         "GROUP BY tags.a",
         TWIN_CONFIGURATIONS, TWIN_TAGS, false, true, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_query struct query *q = NULL;

        cr_assert_eq(query_parse(cases[i].text, &q, NULL), 0, "%s", cases[i].text);
        cr_assert_eq(query_condition_parts(q), cases[i].condition, "%s", cases[i].text);
        cr_assert_eq(query_row_parts(q), cases[i].row, "%s", cases[i].text);
        cr_assert_eq(query_over_modules(q), cases[i].modules, "%s", cases[i].text);
        cr_assert_eq(query_is_raw(q), cases[i].raw, "%s", cases[i].text);
        cr_assert_eq(query_is_grouped(q), cases[i].grouped, "%s", cases[i].text);
    }
}

Test(query, names_the_place_of_a_mistake)
{
    const struct {
        const char *text, *why;
    } bad[] = {
        {"", "character 1: SELECT is missing"},
        {"SELECT", "character 7: a name is missing"},
        {"SELECT * FROM", "character 14: twins are in devices"},
        {"SELECT * FROM users", "character 15: twins are in devices"},
        {"SELECT * FROM devices.jobs", "has no jobs"},
        {"SELECT * FROM devices WHERE", "character 28: a name or a value is missing"},
        {"SELECT * FROM devices WHERE tags.", "behind the dot"},
        {"SELECT * FROM devices WHERE tags.[[x", "[[ needs a name"},
        {"SELECT * FROM devices WHERE a = ", "a name or a value is missing"},
        {"SELECT * FROM devices WHERE a = 'x", "character 33: the text that begins here"},
        {"SELECT * FROM devices WHERE a = 'x\\n'", "behind a backslash"},
        {"SELECT * FROM devices WHERE a = 1x", "this is not a number"},
        {"SELECT * FROM devices WHERE (a = 1", ") is missing"},
        {"SELECT * FROM devices WHERE a = 1)", "nothing can follow"},
        {"SELECT * FROM devices WHERE a IN 1", "[ is missing"},
        {"SELECT * FROM devices WHERE a ; b", "character 31: this character"},
        {"SELECT * FROM devices WHERE exists(a)", "no such function"},
        {"SELECT * FROM devices WHERE is_defined(a, b)", "takes one value"},
        {"SELECT * FROM devices ORDER BY deviceId", "ORDER BY is not possible"},
        {"SELECT AVG(a) FROM devices", "is COUNT()"},
        {"SELECT a, COUNT() FROM devices", "must be in GROUP BY"},
        {"SELECT * FROM devices GROUP BY a", "SELECT * cannot be grouped"},
        {"SELECT TOP 0 * FROM devices", "TOP needs"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct query *q = NULL;
        struct err err = {0};

        cr_assert_eq(query_parse(bad[i].text, &q, &err), -1, "accepted: %s", bad[i].text);
        cr_assert_eq(err.kind, ERR_INVALID);
        cr_assert(strstr(err.msg, bad[i].why), "\"%s\" does not say \"%s\"", err.msg, bad[i].why);
    }
}

Test(query, is_bounded)
{
    auto_buf struct buf deep = {0};
    auto_buf struct buf wide = {0};
    auto_buf struct buf huge = {0};
    struct query *q = NULL;
    struct err err = {0};

    buf_puts(&deep, "SELECT * FROM devices WHERE ");
    for (int i = 0; i < 1000; i++)
        buf_putc(&deep, '(');
    cr_assert_eq(query_parse(deep.data, &q, &err), -1);
    cr_assert(strstr(err.msg, "nested too deep"), "%s", err.msg);
    buf_puts(&wide, "SELECT * FROM devices WHERE a=1");
    while (wide.len < QUERY_TEXT_MAX - 20)
        buf_puts(&wide, wide.len % 2 ? " AND a=1" : " OR NOT a=1");
    cr_assert_eq(query_parse(wide.data, &q, &err), 0, "%s", err.msg);
    query_free(q);
    while (huge.len <= QUERY_TEXT_MAX)
        buf_puts(&huge, "SELECT ");
    cr_assert_eq(query_parse(huge.data, &q, &err), -1);
    cr_assert(strstr(err.msg, "longer than 8192"), "%s", err.msg);
}

static void expect_row(const char *select, const char *row)
{
    auto_json cJSON *twin = json_parse(twin_text, strlen(twin_text), NULL);
    auto_query struct query *q = NULL;
    auto_buf struct buf text = {0};
    struct err err = {0};

    cr_assert_eq(query_parse(select, &q, &err), 0, "%s: %s", select, err.msg);
    auto_json cJSON *made = query_row(q, twin);
    json_print(&text, made);
    cr_assert_str_eq(text.data, row);
}

Test(query, makes_rows)
{
    expect_row("SELECT deviceid, tags.env FROM devices",
               "{\"deviceId\":\"edge-1\",\"env\":\"lab\"}");
    expect_row("SELECT tags.env AS where_, tags.none, tags.spare FROM devices",
               "{\"where_\":\"lab\",\"spare\":null}");
    expect_row("SELECT tags.[[a b]] FROM devices", "{\"a b\":{\"c\":true}}");
}

static void expect_groups(const char *select, const char *const *twins, size_t n, const char *rows)
{
    auto_query struct query *q = NULL;
    auto_query_groups struct query_groups *g = NULL;
    auto_buf struct buf text = {0};

    cr_assert_eq(query_parse(select, &q, NULL), 0, "%s", select);
    g = query_groups_new(q);
    for (size_t i = 0; i < n; i++) {
        auto_json cJSON *twin = json_parse(twins[i], strlen(twins[i]), NULL);

        cr_assert_eq(query_groups_add(g, twin, NULL), 0);
    }
    auto_json cJSON *made = query_groups_rows(g, 0, 100);
    json_print(&text, made);
    cr_assert_str_eq(text.data, rows);
}

Test(query, counts_and_groups)
{
    const char *twins[] = {"{\"tags\":{\"a\":1}}", "{\"tags\":{\"a\":\"1\"}}", "{\"tags\":{}}",
                           "{\"tags\":{\"a\":1}}"};

    expect_groups("SELECT COUNT() AS n FROM devices", twins, 4, "[{\"n\":4}]");
    expect_groups("SELECT COUNT(*) FROM devices", twins, 0, "[{\"$1\":0}]");
    expect_groups("SELECT tags.a AS a, COUNT() AS n FROM devices GROUP BY tags.a", twins, 4,
                  "[{\"a\":1,\"n\":2},{\"a\":\"1\",\"n\":1},{\"n\":1}]");
    expect_groups("SELECT tags.a AS a, COUNT() AS n FROM devices GROUP BY tags.a", twins, 0, "[]");
}

Test(query, bounds_the_number_of_groups)
{
    auto_query struct query *q = NULL;
    auto_query_groups struct query_groups *g = NULL;
    struct err err = {0};
    int status = 0;

    cr_assert_eq(query_parse("SELECT tags.a FROM devices GROUP BY tags.a", &q, NULL), 0);
    g = query_groups_new(q);
    for (int i = 0; i <= QUERY_GROUPS_MAX && status == 0; i++) {
        auto_json cJSON *twin = cJSON_CreateObject();

        json_add_u64(json_add_obj(twin, "tags"), "a", (uint64_t)i);
        status = query_groups_add(g, twin, &err);
    }
    cr_assert_eq(status, -1);
    cr_assert_eq(query_groups_count(g), QUERY_GROUPS_MAX);
}

static int condition(const char *text, bool modules, const char *twin_json, bool *ret,
                     struct err *err)
{
    auto_json cJSON *twin = json_parse(twin_json, strlen(twin_json), NULL);
    auto_query struct query *q = NULL;

    if (query_parse_condition(text, modules, &q, err) < 0)
        return -1;
    *ret = query_matches(q, twin);
    return 0;
}

Test(query, reads_target_conditions)
{
    const char *twin = "{\"deviceId\":\"d\",\"moduleId\":\"m\",\"tags\":{\"env\":\"lab\"},"
                       "\"capabilities\":{\"iotEdge\":true}}";
    const struct {
        const char *text;
        bool modules, result;
    } good[] = {
        {"*", false, true},
        {"", false, false},
        {"  ", false, false},
        {"tags.env='lab'", false, true},
        {"tags.env='lab' AND NOT deviceId='d'", false, false},
        {"FROM devices.modules WHERE moduleId = 'm'", true, true},
        {"from devices.modules", true, true},
        {"moduleId = 'x'", true, false},
    };
    const struct {
        const char *text, *why;
    } bad[] = {
        {"tags.env=", "the target condition, character 10"},
        {"properties.desired.x = 1", "a target condition looks at"},
        {"connectionState = 'Connected'", "a target condition looks at"},
        {"FROM devices.modules WHERE moduleId = 'm'", "are in devices"},
        {"* AND 1", "nothing can follow"},
    };
    bool result = false;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_assert_eq(condition(good[i].text, good[i].modules, twin, &result, &err), 0, "%s: %s",
                     good[i].text, err.msg);
        cr_assert_eq(result, good[i].result, "%s", good[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(condition(bad[i].text, false, twin, &result, &err), -1, "%s", bad[i].text);
        cr_assert(strstr(err.msg, bad[i].why), "\"%s\" does not say \"%s\"", err.msg, bad[i].why);
    }
}

Test(query, bounds_the_size_of_groups)
{
    auto_query struct query *q = NULL;
    auto_query_groups struct query_groups *g = NULL;
    auto_buf struct buf text = {0};
    struct err err = {0};
    int status = 0;

    for (int i = 0; i < 20000; i++)
        buf_putc(&text, 'x');
    cr_assert_eq(query_parse("SELECT tags.a FROM devices GROUP BY tags.a", &q, NULL), 0);
    g = query_groups_new(q);
    for (int i = 0; i < 500 && status == 0; i++) {
        auto_json cJSON *twin = cJSON_CreateObject();

        text.data[0] = (char)('A' + i % 26);
        text.data[1] = (char)('A' + i / 26);
        json_add_str(json_add_obj(twin, "tags"), "a", text.data);
        status = query_groups_add(g, twin, &err);
    }
    cr_assert_eq(status, -1);
    cr_assert(strstr(err.msg, "or 4 MB"), "%s", err.msg);
}
