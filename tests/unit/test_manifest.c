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
            "\"s\":{\"route\":\"FROM /* INTO "
            "$upstream\",\"priority\":3}},\"storeAndForwardConfiguration\":{"
            "\"timeToLiveSecs\":-1}"),
        SETTINGS(",\"CreateOptions\":\"{}\""),
        MODULE("\"version\":\"1.0\",\"env\":{\"A\":{\"value\":1},\"B\":{}},"
               "\"settings\":{\"Image\":\"x\"}"),
        HUB("\"schemaVersion\":\"1.0\",\"routes\":{\"off\":\"\"}"),
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
        {MODULE("\"restartPolicy\":null"), ".modules.m1.restartPolicy: must be one of"},
        {MODULE("\"version\":1,\"settings\":{\"image\":\"x\"}"),
         ".modules.m1.version: must be text"},
        {MODULE("\"env\":{\"A\":{\"value\":{}}}"), ".modules.m1.env.A.value: must be text"},
        {MODULE("\"settings\":{\"image\":\"x\",\"odd.name\":1}"),
         ".modules.m1.settings: the name \"odd.name\""},
        {HUB("\"schemaVersion\":\"1.0\",\"routes\":{\"r\":{\"route\":\"x\"}}"),
         "routes.r: must be text where schemaVersion is 1.0"},
        {HUB("\"schemaVersion\":\"1.1\",\"routes\":{\"a b\":\"x\"}"), "routes.a b: a route's name"},
        {HUB("\"schemaVersion\":\"1.1\",\"routes\":{\"r\":{\"route\":\"FROM /* INTO "
             "$upstream\",\"priority\":10}}"),
         "routes.r.priority: must be a whole number of 0 to 9"},
        {HUB("\"schemaVersion\":\"1.1\""), "desired.storeAndForwardConfiguration: is missing"},
        {HUB("\"schemaVersion\":\"1.1\",\"storeAndForwardConfiguration\":{\"storeLimits\":{"
             "\"maxBytes\":-1}}"),
         "storeLimits.maxBytes: must be a whole"},
        {HUB("\"schemaVersion\":\"1.4\""),
         "$edgeHub.properties.desired.schemaVersion: is not supported"},
        {HUB("\"schemaVersion\":\"1.1\",\"routes\":{\"r\":\"FROM /* INTO nowhere\"}"),
         "$edgeHub.properties.desired.routes.r: "},
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

static int check_automatic(const char *text, bool *ret_layered, struct err *err)
{
    auto_json cJSON *body = json_parse(text, strlen(text), NULL);

    cr_assert(body, "%s", text);
    return manifest_check_automatic(body, ret_layered, err);
}

#define BASE                                                                      \
    "\"$edgeAgent\":{\"properties.desired\":{" RUNTIME SYSTEM "}},\"$edgeHub\":{" \
    "\"properties.desired\":{\"schemaVersion\":\"1.0\"}}"
#define SPEC "{\"type\":\"docker\",\"status\":\"running\",\"settings\":{\"image\":\"x\"}}"

Test(manifest, tells_layered_deployments_from_whole_ones)
{
    const struct {
        const char *json;
        bool layered;
    } good[] = {
        {"{" BASE "}", false},
        {"{" BASE ",\"m\":{\"properties.desired\":{\"a\":1}}}", false},
        {"{\"$edgeAgent\":{\"properties.desired.modules.m1\":" SPEC "}}", true},
        {"{\"$edgeHub\":{\"properties.desired.routes.r\":\"FROM /* INTO $upstream\"},"
         "\"m\":{\"properties.desired.a.b\":1,\"properties.desired\":{}}}",
         true},
        {"{\"$edgeAgent\":{\"properties.desired.modules.m1.env.A\":{\"value\":\"1\"}}}", true},
    };
    const struct {
        const char *json, *why;
    } bad[] = {
        {"{}", "content.modulesContent: is empty"},
        {"{\"$edgeAgent\":{\"properties.desired\":{" RUNTIME SYSTEM "}}}",
         "content.modulesContent.$edgeHub: is missing"},
        {"{" BASE ",\"m\":{\"properties.desired.a\":1}}",
         "m.properties.desired.a: a deployment with a whole"},
        {"{\"m\":{\"desired\":1}}", "m.desired: a layered deployment has"},
        {"{\"m\":{\"properties.desired.a..b\":1}}", "the path has a name"},
        {"{\"m\":{\"properties.desired.\":1}}", "the path has a name"},
        {"{\"$edgeAgent\":{\"properties.desired.modules.m1\":{\"type\":\"docker\"}}}",
         "$edgeAgent.properties.desired.modules.m1.status: is missing"},
        {"{\"$edgeAgent\":{\"properties.desired.modules.m\":" SPEC "}}", "a module's name"},
        {"{\"$edgeHub\":{\"properties.desired.routes.r\":1}}", "must be a route"},
    };
    bool layered = false;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_assert_eq(check_automatic(good[i].json, &layered, &err), 0, "%s: %s", good[i].json,
                     err.msg);
        cr_assert_eq(layered, good[i].layered, "%s", good[i].json);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(check_automatic(bad[i].json, &layered, &err), -1, "%s", bad[i].json);
        cr_assert(strstr(err.msg, bad[i].why), "\"%s\" does not say \"%s\"", err.msg, bad[i].why);
    }
}

Test(manifest, refuses_what_no_twin_holds)
{
    auto_buf struct buf large = {0};
    struct err err = {0};

    buf_puts(&large, "{\"modulesContent\":{\"m\":{\"properties.desired\":{");
    for (int i = 0; i < 9; i++) {
        buf_printf(&large, "%s\"k%d\":\"", i ? "," : "", i);
        for (int k = 0; k < 4000; k++)
            buf_putc(&large, 'x');
        buf_putc(&large, '"');
    }
    buf_puts(&large, "}}}}");
    cr_assert_eq(check(large.data, &err), -1);
    cr_assert(strstr(err.msg, "modulesContent.m.properties.desired: 36018 bytes are more than"),
              "%s", err.msg);
}
