#include "vm/guest/hub/manifest.h"

#include "core/base/str.h"

#include <criterion/criterion.h>
#include <string.h>

#define AGENT(rest) "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{" rest "}}}}"
#define RUNTIME     "\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":\"docker\"},"
#define SYSTEM \
    "\"systemModules\":{\"edgeAgent\":{\"type\":\"docker\",\"settings\":{\"image\":\"a\"}}}"
#define MODULE(rest)                                                                              \
    AGENT(RUNTIME SYSTEM ",\"modules\":{\"m1\":{\"type\":\"docker\",\"status\":\"running\"," rest \
                         "}}")
#define SETTINGS(rest) MODULE("\"settings\":{\"image\":\"r:5000/x:1\"" rest "}")
#define HUB(rest)      "{\"modulesContent\":{\"$edgeHub\":{\"properties.desired\":{" rest "}}}}"

static int check(const char *text, struct err *err)
{
    auto_json cJSON *body = json_parse(text, strlen(text), NULL);
    const cJSON *modules = NULL;

    cr_assert(body, "%s", text);
    return manifest_check(body, &modules, err);
}

Test(manifest, accepts_what_iot_edge_accepts)
{
    const char *good[] = {
        SETTINGS(""),
        SETTINGS(",\"createOptions\":\"{\\\"a\\\":\",\"createOptions01\":\"1}\""),
        SETTINGS(",\"createOptions\":\"\""),
        SETTINGS(",\"createOptions\":{\"HostConfig\":{}}"),
        MODULE("\"restartPolicy\":\"on-failure\",\"imagePullPolicy\":\"never\",\"startupOrder\":4,"
               "\"env\":{\"A\":{\"value\":\"1\"}},\"settings\":{\"image\":\"x@sha256:00\"}"),
        "{\"content\":" SETTINGS("") "}",
        HUB("\"schemaVersion\":\"1.2\",\"routes\":{\"r\":\"FROM /messages/* INTO $upstream\","
            "\"s\":{\"route\":\"x\",\"priority\":3}},\"storeAndForwardConfiguration\":{"
            "\"timeToLiveSecs\":-1}"),
        "{\"modulesContent\":{\"own\":{\"properties.desired\":{\"anything\":[1]}}}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err err = {0};

        cr_assert_eq(check(good[i], &err), 0, "%s: %s", good[i], err.msg);
    }
}

Test(manifest, names_the_place_of_a_mistake)
{
    const char *agent = "modulesContent.$edgeAgent.properties.desired";
    const struct {
        const char *json, *where; /* below agent where it begins with a dot */
    } bad[] = {
        {"{}", "modulesContent: is missing"},
        {"{\"modulesContent\":{}}", "modulesContent: is empty"},
        {"{\"modulesContent\":{\"a b\":{}}}", "modulesContent.a b: is not"},
        {"{\"modulesContent\":{\"m\":{}}}", "modulesContent.m.properties.desired: is missing"},
        {"{\"modulesContent\":{\"m\":{\"properties.desired.x\":1}}}",
         "properties.desired.x: is not known"},
        {AGENT(""), ".schemaVersion: is missing"},
        {AGENT("\"schemaVersion\":\"1.2\""), ".schemaVersion: is not supported"},
        {AGENT("\"schemaVersion\":\"1.1\""), ".runtime: is missing"},
        {AGENT("\"schemaVersion\":\"1.1\",\"runtime\":{\"type\":\"kata\"}"),
         ".runtime.type: must be one of docker"},
        {AGENT(RUNTIME "\"modules\":{}"), ".systemModules: is missing"},
        {AGENT(RUNTIME "\"systemModules\":{\"x\":{}}"), ".systemModules.x: is no system module"},
        {MODULE("\"x\":1"), ".modules.m1.settings: is missing"},
        {MODULE("\"settings\":{\"image\":\"\"}"), ".modules.m1.settings.image: must be text"},
        {MODULE("\"settings\":{\"image\":\"a b\"}"), ".modules.m1.settings.image: an image name"},
        {MODULE("\"settings\":{\"image\":\"a:\"}"), ".modules.m1.settings.image: is not an image"},
        {MODULE("\"restartPolicy\":\"sometimes\""),
         ".modules.m1.restartPolicy: must be one of never"},
        {MODULE("\"startupOrder\":-1"), ".modules.m1.startupOrder: must be a whole"},
        {MODULE("\"env\":{\"A\":\"1\"}"), ".modules.m1.env.A: must be an object"},
        {SETTINGS(",\"createOptions\":\"{\""),
         ".modules.m1.settings.createOptions: is not a JSON object"},
        {SETTINGS(",\"createOptions\":\"\",\"createOptions02\":\"{}\""),
         ".modules.m1.settings.createOptions: its numbered"},
        {SETTINGS(",\"createOptions01\":\"{}\""),
         ".modules.m1.settings.createOptions: its numbered"},
        {HUB("\"schemaVersion\":\"1.4\""),
         "$edgeHub.properties.desired.schemaVersion: is not supported"},
        {HUB("\"schemaVersion\":\"1.1\",\"routes\":{\"r\":1}"),
         "$edgeHub.properties.desired.routes.r: must be a route"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        char where[200];

        (void)str_format(where, sizeof(where), "%s%s", bad[i].where[0] == '.' ? agent : "",
                         bad[i].where);
        cr_assert_eq(check(bad[i].json, &err), -1, "accepted: %s", bad[i].json);
        cr_assert_eq(err.kind, ERR_INVALID);
        cr_assert(strstr(err.msg, where), "\"%s\" does not say \"%s\"", err.msg, where);
    }
}

Test(manifest, wants_a_status_for_user_modules)
{
    struct err err = {0};

    cr_assert_eq(check(AGENT(RUNTIME SYSTEM ",\"modules\":{\"m\":{}}"), &err), -1);
    cr_assert(strstr(err.msg, "modules.m: a module's name"), "%s", err.msg);
    cr_assert_eq(check(AGENT(RUNTIME SYSTEM ",\"modules\":{\"m1\":{\"type\":\"docker\"}}"), &err),
                 -1);
    cr_assert(strstr(err.msg, "modules.m1.status: is missing; it must be one of running, stopped"),
              "%s", err.msg);
}
