#include "core/base/str.h"
#include "vm/guest/hub/configuration_merge.h"

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

struct given {
    const char *content;
    bool whole, applied;
};

/* CONTENTS by rank, the highest first. */
static void expect_merge(const struct given *given, size_t n, bool need_base, const char *result)
{
    struct layer layers[5];
    cJSON *contents[5];
    cJSON *merged;

    for (size_t i = 0; i < n; i++) {
        contents[i] = parse(given[i].content);
        layers[i] = (struct layer){.content = contents[i], .whole = given[i].whole};
    }
    merged = layers_merge(layers, n, need_base);
    if (result)
        expect(merged, result);
    else
        cr_assert_null(merged);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(layers[i].applied, given[i].applied, "%zu of %s", i, result);
        cJSON_Delete(contents[i]);
    }
    cJSON_Delete(merged);
}

#define D "properties.desired"

Test(configuration_merge, puts_layers_on_the_base_that_they_outrank)
{
    const struct given given[] = {
        {"{\"m\":{\"" D ".a\":2},\"n\":{\"" D "\":{\"x\":1}}}", false, true},
        {"{\"m\":{\"" D ".a\":1,\"" D ".b\":1}}", false, true},
        {"{\"m\":{\"" D "\":{\"a\":0}}}", true, true},
        {"{\"m\":{\"" D ".c\":9}}", false, false},          /* below the base */
        {"{\"other\":{\"" D "\":{\"a\":9}}}", true, false}, /* a base below it */
    };

    expect_merge(given, ARRAY_LEN(given), true,
                 "{\"m\":{\"" D "\":{\"a\":0},\"" D ".b\":1,\"" D ".a\":2},"
                 "\"n\":{\"" D "\":{\"x\":1}}}");
}

Test(configuration_merge, needs_a_base_for_layers)
{
    const struct given given[] = {{"{\"m\":{\"" D ".a\":2}}", false, false}};

    expect_merge(given, 1, true, NULL);
    expect_merge(given, 0, true, NULL);
    expect_merge(given, 0, false, NULL);
}

Test(configuration_merge, lets_the_higher_rank_win_at_and_below_a_path)
{
    const struct given given[] = {
        {"{\"\":{\"" D ".a\":{\"x\":1}}}", false, true},
        {"{\"\":{\"" D ".a.y\":2,\"" D ".a\":3}}", false, false}, /* all of it is hidden */
        {"{\"\":{\"" D ".ab\":4,\"" D ".a.z\":5}}", false, true},
    };

    expect_merge(given, ARRAY_LEN(given), false, "{\"\":{\"" D ".ab\":4,\"" D ".a\":{\"x\":1}}}");
}

static void expect_desired(const char *now, const char *settings, const char *before,
                           const char *result)
{
    auto_json cJSON *desired = parse(now);
    auto_json cJSON *set = parse(settings);
    auto_json cJSON *old = before ? parse(before) : NULL;
    auto_json cJSON *made = layers_desired(desired, set, old);

    expect(made, result);
}

Test(configuration_merge, changes_what_it_sets_and_nothing_else)
{
    expect_desired("{\"own\":1}", "{\"" D ".a.b\":{\"c\":1}}", NULL,
                   "{\"own\":1,\"a\":{\"b\":{\"c\":1}}}");
    expect_desired("{\"a\":{\"b\":{\"old\":1},\"x\":2}}", "{\"" D ".a.b\":{\"c\":1}}", NULL,
                   "{\"a\":{\"x\":2,\"b\":{\"c\":1}}}");
    expect_desired("{\"a\":5}", "{\"" D ".a.b\":1}", NULL, "{\"a\":{\"b\":1}}");
    expect_desired("{\"own\":1}", "{\"" D "\":{\"n\":{\"gone\":null}},\"" D ".n.x\":1}", NULL,
                   "{\"n\":{\"x\":1}}");
    expect_desired("{\"a\":{\"b\":1},\"c\":2}", "{\"" D ".a.b\":null,\"" D ".z.y\":null}", NULL,
                   "{\"c\":2}");
}

Test(configuration_merge, takes_out_what_is_not_set_any_more)
{
    expect_desired("{\"own\":1,\"a\":{\"b\":1,\"c\":2}}", "{}", "{\"" D ".a.b\":true}",
                   "{\"own\":1,\"a\":{\"c\":2}}");
    expect_desired("{\"a\":{\"b\":1}}", "{}", "{\"" D ".a.b\":true}", "{}");
    expect_desired("{\"a\":1,\"b\":2}", "{\"" D ".b\":3}", "{\"" D ".a\":true,\"" D ".b\":true}",
                   "{\"b\":3}");
    /* Whole sections stay: a device keeps what it runs. */
    expect_desired("{\"a\":1}", "{}", "{\"" D "\":true}", "{\"a\":1}");
    expect_desired("{\"a\":1}", "{}", "{\"" D ".a.b\":true,\"" D ".none\":true}", "{\"a\":1}");
}

Test(configuration_merge, knows_the_paths_of_a_twin)
{
    const char *good[] = {D, D ".a", D ".a.b-c_d.\xc3\xa4"};
    const char *bad[] = {
        "",      "properties",          "properties.reported.a",     D ".", D ".a..b", D ".a b",
        D ".$x", "properties.desiredx", D ".1.2.3.4.5.6.7.8.9.10.11"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_assert(layers_path_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(layers_path_valid(bad[i]), "%s", bad[i]);
}
