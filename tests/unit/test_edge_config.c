#include "vm/guest/hub/edge_config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static int parse(const char *text, struct edge_config **ret, struct err *err)
{
    auto_json cJSON *json = cJSON_Parse(text);

    cr_assert_not_null(json, "%s", text);
    return edge_config_parse(json, ret, err);
}

#define STORE "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}"

static struct edge_config *good(const char *text)
{
    struct edge_config *c = NULL;
    struct err err = {0};

    cr_assert_eq(parse(text, &c, &err), 0, "%s: %s", text, err.msg);
    return c;
}

Test(edge_config, reads_routes_of_both_forms)
{
    struct edge_config *c = good(
        "{\"schemaVersion\":\"1.1\",\"routes\":{\"a\":\"FROM /messages/* INTO $upstream\","
        "\"b\":{\"route\":\"FROM /messages/modules/a/outputs/o INTO"
        " BrokeredEndpoint(\\\"/modules/b/inputs/i\\\")\",\"priority\":0,\"timeToLiveSecs\":60},"
        "\"c\":{\"route\":\"FROM /* INTO $upstream\",\"priority\":2000000000},"
        "\"off\":\" \",\"gone\":null},\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200,"
        "\"storeLimits\":{\"maxBytes\":104857600}},\"$version\":4}");

    cr_assert_eq(c->routes.n_rules, 3);
    cr_expect_eq(c->routes.rules[0].priority, ROUTE_PRIORITY_LAST);
    cr_expect_eq(c->routes.rules[0].ttl_s, 0);
    cr_expect_eq(c->routes.rules[1].priority, 0);
    cr_expect_eq(c->routes.rules[1].ttl_s, 60);
    cr_expect_eq(c->routes.rules[2].priority, ROUTE_PRIORITY_LAST);
    cr_expect_eq(c->routes.n_endpoints, 2);
    cr_expect_eq(c->ttl_s, 7200);
    cr_expect_eq(c->max_bytes, 104857600);
    cr_expect_eq(edge_config_ttl(c, &(struct route_target){.ttl_s = 0}), 7200);
    cr_expect_eq(edge_config_ttl(c, &(struct route_target){.ttl_s = 60}), 60);
    edge_config_free(c);
}

Test(edge_config, knows_schema_versions)
{
    static const char *const right[] = {"1.0", "1.1", "1.1.0", "1.2", "1.3"};
    static const char *const wrong[] = {"0.1", "1", "1.4", "2.0", "2.0.1", "", "1.x", "1.1.1.1.1"};

    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        char text[200];

        (void)snprintf(text, sizeof(text), "{\"schemaVersion\":\"%s\",\"routes\":{},%s}", right[i],
                       STORE);
        edge_config_free(good(text));
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char text[200];
        struct edge_config *c = NULL;
        struct err err = {0};

        (void)snprintf(text, sizeof(text), "{\"schemaVersion\":\"%s\",\"routes\":{},%s}", wrong[i],
                       STORE);
        cr_expect_eq(parse(text, &c, &err), -1, "accepted: %s", wrong[i]);
        cr_expect(strstr(err.msg, "schemaVersion"), "%s", err.msg);
    }
}

Test(edge_config, needs_less_of_the_oldest_schema)
{
    struct edge_config *c = good("{\"schemaVersion\":\"1.0\"}");

    cr_expect_eq(c->ttl_s, EDGE_CONFIG_NEVER);
    cr_expect_eq(c->routes.n_rules, 0);
    edge_config_free(c);
    c = good("{\"schemaVersion\":\"1.1\",\"routes\":{},"
             "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":-1}}");
    cr_expect_eq(c->ttl_s, EDGE_CONFIG_NEVER);
    edge_config_free(c);
}

Test(edge_config, refuses_the_whole_for_one_fault_and_names_it)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"[]", "not an object"},
        {"{}", "schemaVersion is missing"},
        {"{\"schemaVersion\":1.1}", "schemaVersion is missing"},
        {"{\"schemaVersion\":\"1.1\"," STORE "}", "routes are missing"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":[]," STORE "}", "routes must be an object"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{}}", "storeAndForwardConfiguration is missing"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{},\"storeAndForwardConfiguration\":7}",
         "must be an object"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{},"
         "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":\"7200\"}}",
         "timeToLiveSecs must be a whole number"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{},"
         "\"storeAndForwardConfiguration\":{\"storeLimits\":{\"maxBytes\":-1}}}",
         "storeLimits: maxBytes"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"ok\":\"FROM /* INTO $upstream\","
         "\"r2\":\"FROM /* WHERE t > 3 INTO $upstream\"}," STORE "}",
         "route r2: at character 17 (>): a text and a number"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"r\":\"FROM /* INTO $upstream\","
         "\"r\":{\"route\":\"FROM /* INTO $upstream\"}}," STORE "}",
         "route r is there twice"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"r2\":7}," STORE "}",
         "route r2: must be a text or an object"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"a.b\":\"\"}," STORE "}",
         "route \"a.b\": a name"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"\":\"\"}," STORE "}", "must not be empty"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"r\":{\"priority\":1}}," STORE "}",
         "route r: its text"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"r\":{\"route\":\"FROM /* INTO $upstream\","
         "\"priority\":10}}," STORE "}",
         "route r: priority must be a whole number from 0 to 9"},
        {"{\"schemaVersion\":\"1.1\",\"routes\":{\"r\":{\"route\":\"FROM /* INTO $upstream\","
         "\"timeToLiveSecs\":-1}}," STORE "}",
         "route r: timeToLiveSecs"},
        {"{\"schemaVersion\":\"1.0\",\"routes\":{\"r\":{\"route\":\"FROM /* INTO "
         "$upstream\"}}," STORE "}",
         "route r: schemaVersion 1.0 knows routes as texts only"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct edge_config *c = NULL;
        struct err err = {0};

        cr_expect_eq(parse(bad[i].text, &c, &err), -1, "accepted: %s", bad[i].text);
        cr_expect_null(c);
        cr_expect(strstr(err.msg, bad[i].says), "%s: %s", bad[i].text, err.msg);
    }
}

static void note(void *arg, enum edge_change change, const char *name)
{
    static const char *const words[] = {
        [EDGE_ROUTE_ADDED] = "+",         [EDGE_ROUTE_CHANGED] = "~",
        [EDGE_ROUTE_REMOVED] = "-",       [EDGE_ENDPOINT_ADDED] = "+>",
        [EDGE_ENDPOINT_REMOVED] = "->",   [EDGE_TTL_CHANGED] = "ttl",
        [EDGE_MAX_BYTES_CHANGED] = "max",
    };
    char *to = arg;

    (void)sprintf(to + strlen(to), "%s%s ", words[change], name);
}

Test(edge_config, tells_what_changed)
{
    char changes[300] = "";
    struct edge_config *first = edge_config_default();
    struct edge_config *old =
        good("{\"schemaVersion\":\"1.1\",\"routes\":{\"a\":\"FROM /* INTO $upstream\","
             "\"b\":\"FROM /x INTO BrokeredEndpoint('/modules/m/inputs/i')\","
             "\"c\":\"FROM /y INTO $upstream\"}," STORE "}");
    struct edge_config *new =
        good("{\"schemaVersion\":\"1.1\",\"routes\":{\"a\":{\"route\":\"FROM /* INTO $upstream\","
             "\"priority\":1},\"c\":\"FROM /y INTO $upstream\","
             "\"d\":\"FROM /x INTO BrokeredEndpoint('/modules/n/inputs/i')\"},"
             "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":1}}");

    edge_config_diff(old, old, note, changes);
    cr_expect_str_eq(changes, "");
    edge_config_diff(old, new, note, changes);
    cr_expect_str_eq(changes, "-b ~a +d ->m/i +>n/i ttl ");
    changes[0] = '\0';
    edge_config_diff(first, old, note, changes);
    cr_expect_str_eq(changes, "-route +a +b +c +>m/i ttl ");
    edge_config_free(first);
    edge_config_free(old);
    edge_config_free(new);
}

Test(edge_config, sends_once_to_each_endpoint_by_the_best_priority)
{
    struct edge_config *c =
        good("{\"schemaVersion\":\"1.1\",\"routes\":{\"a\":\"FROM /* INTO $upstream\","
             "\"b\":{\"route\":\"FROM /* WHERE k = 'v' INTO $upstream\",\"priority\":3,"
             "\"timeToLiveSecs\":9},"
             "\"c\":{\"route\":\"FROM /* INTO "
             "BrokeredEndpoint('/modules/m/inputs/i')\",\"priority\":5}}," STORE "}");
    struct route_input *in = route_input_new();
    struct route_target targets[2];
    struct edge_message m = {.device = "d",
                             .module = "m",
                             .output = "",
                             .model = "",
                             .bag = "k=v",
                             .bag_len = 3,
                             .body = "",
                             .len = 0};

    route_input_set(in, &m);
    cr_assert_eq(route_table_match(&c->routes, in, targets), 2);
    cr_expect_str_eq(c->routes.endpoints[targets[0].endpoint], "$upstream");
    cr_expect_eq(targets[0].priority, 3);
    cr_expect_eq(targets[0].ttl_s, 9);
    cr_expect_eq(targets[1].priority, 5);
    m.bag_len = 0;
    route_input_set(in, &m);
    cr_assert_eq(route_table_match(&c->routes, in, targets), 2);
    cr_expect_eq(targets[0].priority, ROUTE_PRIORITY_LAST);
    route_input_free(in);
    edge_config_free(c);
}
