/* See manifest.h: what $edgeAgent is told to run. */
#include "core/base/str.h"
#include "vm/guest/hub/manifest_private.h"
#include "vm/guest/hub/twin_json.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define CHUNKS_MAX  100
#define MODULES_MAX 50
#define ORDER_MAX   4294967295.0

/* What edgeAgent makes of an image name: no white space, one tag at most behind the last slash. */
static int check_image(const struct at *a, struct err *err)
{
    const char *text, *last;
    unsigned colons = 0;

    if (at_need_text(a, err) < 0)
        return -1;
    text = a->json->valuestring;
    last = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
    for (const char *c = text; *c; c++)
        if (isspace((unsigned char)*c) || (unsigned char)*c < 0x20)
            return at_wrong(a, "an image name has no white space", err);
    for (const char *c = last; *c; c++)
        colons += *c == ':';
    if (!*last || *last == ':' || last[strlen(last) - 1] == ':' || colons > 1)
        return at_wrong(a, "is not an image name (NAME, NAME:TAG or NAME@sha256:DIGEST)", err);
    return 0;
}

/* Joins createOptions, createOptions01, ... RET_USED: how many there are without a gap. */
static int join_create_options(const struct at *settings, struct buf *whole, size_t *ret_used,
                               struct err *err)
{
    size_t i;

    for (i = 0; i < CHUNKS_MAX; i++) {
        char name[24];

        (void)str_format(name, sizeof(name), i == 0 ? "createOptions" : "createOptions%02zu", i);

        struct at a = at_member_any_case(settings, name);

        if (!a.json)
            break;
        if (i == 0 && (cJSON_IsObject(a.json) || cJSON_IsNull(a.json)))
            continue;
        if (!cJSON_IsString(a.json))
            return at_wrong(&a, "must be text (JSON as a string)", err);
        if (strlen(a.json->valuestring) > TWIN_TEXT_MAX) {
            (void)at_wrong(&a, "is longer than the 4096 bytes that a text in a twin may have", err);
            return err_hint(err, "Split it into createOptions, createOptions01, createOptions02");
        }
        buf_puts(whole, a.json->valuestring);
    }
    *ret_used = i;
    return 0;
}

/* The parts together are one JSON object. */
static int check_create_options(const struct at *settings, struct err *err)
{
    struct at first = at_member_any_case(settings, "createOptions");
    auto_buf struct buf whole = {0};
    size_t found = 0, used = 0;

    for (const cJSON *item = settings->json->child; item; item = item->next)
        found += strncasecmp(item->string, "createOptions", 13) == 0;
    if (join_create_options(settings, &whole, &used, err) < 0)
        return -1;
    if (used < found)
        return at_wrong(&first, "its numbered parts have a gap or another name", err);

    char *text = str_trim(whole.data ? whole.data : (char[]){""});
    auto_json cJSON *options = *text ? json_parse(text, strlen(text), NULL) : cJSON_CreateObject();

    if (!options || !(cJSON_IsObject(options) || cJSON_IsNull(options)))
        return at_wrong(&first, "is not a JSON object", err);
    return 0;
}

static int check_env(const struct at *module, struct err *err)
{
    struct at env = at_member(module, "env");

    if (!env.json)
        return 0;
    if (at_need_object(&env, err) < 0)
        return -1;
    for (const cJSON *item = env.json->child; item; item = item->next) {
        struct at a = at_member(&env, item->string);
        struct at value = at_member(&a, "value");

        if (at_need_object(&a, err) < 0)
            return err_hint(err, "An environment variable is written {\"value\": \"...\"}");
        if (cJSON_IsObject(value.json) || cJSON_IsArray(value.json))
            return at_wrong(&value, "must be text, a number or a truth value", err);
    }
    return 0;
}

static int check_settings(const struct at *module, struct err *err)
{
    struct at settings = at_member(module, "settings");
    struct at image;

    if (at_need_object(&settings, err) < 0)
        return -1;
    image = at_member_any_case(&settings, "image");
    return check_image(&image, err) < 0 ? -1 : check_create_options(&settings, err);
}

/* STATUS_NEEDED: user modules and edgeHub, which the agent does not start without. */
static int check_module(const struct at *module, bool status_needed, struct err *err)
{
    static const char *const types[] = {"docker", NULL};
    static const char *const statuses[] = {"running", "stopped", NULL};
    static const char *const restarts[] = {"never", "on-failure", "on-unhealthy", "always", NULL};
    static const char *const pulls[] = {"on-create", "never", NULL};
    const struct {
        const char *name;
        const char *const *words;
        bool optional;
    } words[] = {
        {"type", types, false},
        {"status", statuses, !status_needed},
        {"restartPolicy", restarts, true},
        {"imagePullPolicy", pulls, true},
    };
    struct at order, version;

    if (at_need_object(module, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct at a = at_member(module, words[i].name);

        if (at_need_word(&a, words[i].words, words[i].optional, err) < 0)
            return -1;
    }
    order = at_member(module, "startupOrder");
    version = at_member(module, "version");
    if (at_whole_within(&order, ORDER_MAX, err) < 0 || at_may_be_text(&version, err) < 0 ||
        check_env(module, err) < 0)
        return -1;
    return check_settings(module, err);
}

/* A user module's name becomes the container's name. */
static int check_module_name(const struct at *module, const char *name, struct err *err)
{
    bool ok = isalnum((unsigned char)name[0]) && strlen(name) >= 2 && strlen(name) <= 128;

    for (const char *c = name; *c && ok; c++)
        ok = isalnum((unsigned char)*c) || strchr("_-", *c);
    if (!ok)
        return at_wrong(
            module,
            "a module's name has letters, digits, - and _, and begins with a letter or digit", err);
    return 0;
}

int manifest_check_agent_module(const struct at *module, const char *name, struct err *err)
{
    return check_module_name(module, name, err) < 0 ? -1 : check_module(module, true, err);
}

static int check_credentials(const struct at *settings, struct err *err)
{
    static const char *const needed[] = {"address", "username", "password"};
    struct at all = at_member(settings, "registryCredentials");

    if (!all.json)
        return 0;
    if (at_need_object(&all, err) < 0)
        return -1;
    for (const cJSON *item = all.json->child; item; item = item->next) {
        struct at one = at_member(&all, item->string);

        if (at_need_object(&one, err) < 0)
            return -1;
        for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
            struct at a = at_member(&one, needed[i]);

            if (at_need_text(&a, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int check_runtime(const struct at *desired, struct err *err)
{
    static const char *const types[] = {"docker", NULL};
    struct at runtime = at_member(desired, "runtime");
    struct at type, settings;

    if (at_need_object(&runtime, err) < 0)
        return -1;
    type = at_member(&runtime, "type");
    settings = at_member(&runtime, "settings");
    if (at_need_word(&type, types, false, err) < 0)
        return -1;
    if (!settings.json)
        return 0;
    return at_need_object(&settings, err) < 0 ? -1 : check_credentials(&settings, err);
}

static int check_system_modules(const struct at *desired, struct err *err)
{
    struct at system = at_member(desired, "systemModules");
    struct at agent, hub;

    if (at_need_object(&system, err) < 0)
        return -1;
    for (const cJSON *item = system.json->child; item; item = item->next)
        if (!str_eq(item->string, "edgeAgent") && !str_eq(item->string, "edgeHub")) {
            struct at other = at_member(&system, item->string);

            return at_wrong(&other, "is no system module; put it into modules", err);
        }
    agent = at_member(&system, "edgeAgent");
    hub = at_member(&system, "edgeHub");
    if (check_module(&agent, false, err) < 0)
        return -1;
    return hub.json ? check_module(&hub, true, err) : 0;
}

int manifest_check_agent(const struct at *desired, struct err *err)
{
    struct at modules = at_member(desired, "modules");
    unsigned minor;

    if (at_need_schema(desired, 1, &minor, err) < 0 || check_runtime(desired, err) < 0 ||
        check_system_modules(desired, err) < 0)
        return -1;
    if (!modules.json)
        return 0;
    if (at_need_object(&modules, err) < 0)
        return -1;
    if (cJSON_GetArraySize(modules.json) > MODULES_MAX)
        return at_wrong(&modules, "has more than 50 modules", err);
    for (const cJSON *item = modules.json->child; item; item = item->next) {
        struct at module = at_member(&modules, item->string);

        if (manifest_check_agent_module(&module, item->string, err) < 0)
            return -1;
    }
    return 0;
}
