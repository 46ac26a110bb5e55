#include "vm/guest/hub/route.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(route, reads_sources_and_sinks)
{
    static const struct {
        const char *text, *endpoint, *module, *input;
    } good[] = {
        {"FROM /* INTO $upstream", "$upstream", NULL, NULL},
        {"select * from /messages/* into $UPSTREAM", "$upstream", NULL, NULL},
        {"FROM /messages INTO BrokeredEndpoint(\"/modules/b/inputs/i\")", "b/i", "b", "i"},
        {"FROM/messages/modules/a/outputs/o INTO brokeredendpoint('modules/b/inputs/i/')", "b/i",
         "b", "i"},
        {" FROM /* all */ /messages/* WHERE a = 'b*/c' INTO $upstream ", "$upstream", NULL, NULL},
        {"FROM / messages / * INTO $upstream", "$upstream", NULL, NULL},
        {"FROM /messages/modules/123/* INTO $upstream", "$upstream", NULL, NULL},
    };
    static const char *const bad[] = {
        "",
        "FROM",
        "FROM INTO $upstream",
        "FROM /messages/ INTO $upstream",
        "FROM messages INTO $upstream",
        "FROM /messages/*",
        "FROM /messages/* INTO",
        "FROM /messages/* INTO upstream",
        "FROM /messages/* INTO $downstream",
        "FROM /messages/* INTO $upstream WHERE a = 'b'",
        "FROM /messages/* INTO $upstream;",
        "FROM /messages/* WHERE INTO $upstream",
        "FROM /messages/* INTO BrokeredEndpoint",
        "FROM /messages/* INTO BrokeredEndpoint(/modules/b/inputs/i)",
        "FROM /messages/* INTO BrokeredEndpoint(\"/modules/b/inputs\")",
        "FROM /messages/* INTO BrokeredEndpoint(\"/modules//inputs/i\")",
        "FROM /messages/* INTO BrokeredEndpoint(\"/modules/b/inputs/i/x\")",
        "FROM /messages/* INTO OtherEndpoint(\"/modules/b/inputs/i\")",
        "SELECT a FROM /messages/* INTO $upstream",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct route *r = NULL;
        struct err err = {0};

        cr_assert_eq(route_compile(good[i].text, strlen(good[i].text), &r, &err), 0, "%s: %s",
                     good[i].text, err.msg);
        cr_expect_str_eq(route_endpoint(r), good[i].endpoint);
        cr_expect((good[i].module != NULL) == (route_module(r) != NULL));
        if (good[i].module) {
            cr_expect_str_eq(route_module(r), good[i].module);
            cr_expect_str_eq(route_input_name(r), good[i].input);
        }
        route_free(r);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct route *r = NULL;

        cr_expect_eq(route_compile(bad[i], strlen(bad[i]), &r, NULL), -1, "accepted: %s", bad[i]);
    }
}

Test(route, matches_sources_by_prefix)
{
    static const struct {
        const char *source, *module, *output;
        enum edge_message_kind kind;
        bool matches;
    } cases[] = {
        {"/*", "m", "o", EDGE_TELEMETRY, true},
        {"/*", "", "", EDGE_TWIN_CHANGE, true},
        {"/messages/*", "m", "o", EDGE_TELEMETRY, true},
        {"/messages/*", "", "", EDGE_TELEMETRY, true},
        {"/messages", "", "", EDGE_TELEMETRY, true},
        {"/messages/*", "", "", EDGE_TWIN_CHANGE, false},
        {"/messages/modules/*", "m", "", EDGE_TELEMETRY, true},
        {"/messages/modules/*", "", "", EDGE_TELEMETRY, false},
        {"/messages/modules/m/*", "m", "o", EDGE_TELEMETRY, true},
        {"/messages/modules/M", "m", "o", EDGE_TELEMETRY, true},
        {"/messages/modules/m/*", "mm", "o", EDGE_TELEMETRY, false},
        {"/messages/modules/m/outputs/*", "m", "o", EDGE_TELEMETRY, true},
        {"/messages/modules/m/outputs/*", "m", "", EDGE_TELEMETRY, false},
        {"/messages/modules/m/outputs/o", "m", "o", EDGE_TELEMETRY, true},
        {"/messages/modules/m/outputs/o", "m", "o2", EDGE_TELEMETRY, false},
        {"/twinChangeNotifications", "m", "", EDGE_TWIN_CHANGE, true},
        {"/twinChangeNotifications/*", "m", "", EDGE_TELEMETRY, false},
        {"/deviceLifecycleEvents", "m", "", EDGE_TWIN_CHANGE, false},
    };
    struct route_input *in = route_input_new();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[200];
        struct route *r = NULL;
        struct edge_message m = {.kind = cases[i].kind,
                                 .device = "dev",
                                 .module = cases[i].module,
                                 .output = cases[i].output,
                                 .model = "",
                                 .bag = "",
                                 .body = ""};

        (void)snprintf(text, sizeof(text), "FROM %s INTO $upstream", cases[i].source);
        cr_assert_eq(route_compile(text, strlen(text), &r, NULL), 0, "%s", text);
        route_input_set(in, &m);
        cr_expect_eq(route_matches(r, in), cases[i].matches, "%s: %s/%s", text, m.module, m.output);
        route_free(r);
    }
    route_input_free(in);
}

Test(route, bounds_its_own_text)
{
    static char text[ROUTE_TEXT_MAX + 2];
    struct route *r = NULL;
    struct err err;

    memset(text, ' ', sizeof(text));
    cr_assert_eq(route_compile(text, sizeof(text), &r, &err), -1);
    cr_assert(strstr(err.msg, "longer than"));

    memset(text, '(', sizeof(text));
    memcpy(text, "FROM /* WHERE ", 14);
    cr_assert_eq(route_compile(text, ROUTE_TEXT_MAX, &r, &err), -1);
    cr_assert(strstr(err.msg, "nested deeper"), "%s", err.msg);

    /* A long chain is not deep. */
    char *at = text;

    at += sprintf(at, "FROM /* WHERE false");
    for (int i = 0; i < 900; i++)
        at += sprintf(at, " or 3=3");
    at += sprintf(at, " INTO $upstream");
    cr_assert_eq(route_compile(text, strlen(text), &r, &err), 0, "%s", err.msg);
    route_free(r);
    cr_assert_eq(route_compile("FROM /*\0 INTO", 13, &r, &err), -1);
}
