/* See rest.h: automatic configurations, and a deployment to one device. */
#include "core/base/str.h"
#include "vm/guest/hub/configuration.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/rest.h"

#define CONFIGURATION(r) ((r)->segments[1])

static void configuration_get(struct rest *r)
{
    auto_json cJSON *out = NULL;
    struct err err = {0};

    if (configuration_show(r->hub, rest_hub_key(r), CONFIGURATION(r), &out, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_tagged(r, out);
}

static void configuration_change(struct rest *r)
{
    struct err err = {0};

    if (configuration_put(r->hub, rest_hub_key(r), CONFIGURATION(r), r->body, rest_if_match(r),
                          &err) < 0)
        rest_fail(r, &err);
    else
        configuration_get(r);
}

static void configuration_remove(struct rest *r)
{
    struct err err = {0};

    if (configuration_delete(r->hub, rest_hub_key(r), CONFIGURATION(r), rest_if_match(r), &err) < 0)
        rest_fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

static void configurations_list(struct rest *r)
{
    auto_json cJSON *array = NULL;
    struct err err = {0};
    uint64_t max;

    if (rest_top(r, CONFIGURATIONS_MAX, &max, &err) < 0 ||
        configuration_list(r->hub, rest_hub_key(r), max, &array, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_json(r->x, 200, array);
}

static void queries_test(struct rest *r)
{
    auto_json cJSON *out = configuration_test(r->body);

    rest_reply_json(r->x, 200, out);
}

static void deploy(struct rest *r)
{
    struct err err = {0};

    if (registry_deploy(r->hub, REST_DEVICE(r), r->body, &err) < 0)
        rest_fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

#define READ  (RIGHT_REGISTRY_READ | RIGHT_SERVICE)
#define WRITE RIGHT_REGISTRY_WRITE

static const struct rest_route routes[] = {
    {"POST", "devices/*/applyConfigurationContent", WRITE, true, deploy},
    {"GET", "configurations", READ, false, configurations_list},
    {"GET", "configurations/*", READ, false, configuration_get},
    {"PUT", "configurations/*", WRITE, true, configuration_change},
    {"DELETE", "configurations/*", WRITE, false, configuration_remove},
    {"POST", "configurations/testQueries", READ, true, queries_test},
};

const struct rest_table rest_configurations = {
    .routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
