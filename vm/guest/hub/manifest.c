/* See manifest.h. */
#include "vm/guest/hub/manifest.h"

#include "core/base/str.h"
#include "vm/guest/hub/topic.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define CHUNK_MAX    512
#define CHUNKS_MAX   100
#define MODULES_MAX  50
#define PATH_MAX_LEN 400

/* Where in the manifest we are, for the error. */
struct at {
    const cJSON *json; /* NULL where the member is missing */
    char path[PATH_MAX_LEN];
};

static struct at member(const struct at *up, const char *name)
{
    struct at a = {.json = json_get(up->json, name)};
    char shown[140];

    str_sanitise_to(shown, sizeof(shown), name);
    (void)str_format(a.path, sizeof(a.path), "%s%s%s", up->path, up->path[0] ? "." : "", shown);
    return a;
}

static int wrong(const struct at *a, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: %s", a->path, why);
}

static int need_object(const struct at *a, struct err *err)
{
    if (!a->json)
        return wrong(a, "is missing", err);
    return cJSON_IsObject(a->json) ? 0 : wrong(a, "must be an object", err);
}

static int need_text(const struct at *a, struct err *err)
{
    if (!a->json)
        return wrong(a, "is missing", err);
    if (!cJSON_IsString(a->json) || !a->json->valuestring[0])
        return wrong(a, "must be text that is not empty", err);
    return 0;
}

/* One of WORDS (NULL-terminated); OPTIONAL allows it to be missing. */
static int need_word(const struct at *a, const char *const *words, bool optional, struct err *err)
{
    auto_buf struct buf why = {0};

    if (!a->json && optional)
        return 0;
    const char *text = a->json && cJSON_IsString(a->json) ? a->json->valuestring : NULL;
    for (const char *const *w = words; *w; w++)
        if (str_eq(text, *w))
            return 0;
    buf_puts(&why, a->json ? "must be one of" : "is missing; it must be one of");
    for (const char *const *w = words; *w; w++)
        buf_printf(&why, "%s %s", w == words ? "" : ",", *w);
    return wrong(a, why.data, err);
}

static int whole_within(const struct at *a, double max, struct err *err)
{
    if (!a->json)
        return 0;
    if (!cJSON_IsNumber(a->json) || a->json->valuedouble < 0 || a->json->valuedouble > max ||
        floor(a->json->valuedouble) != a->json->valuedouble)
        return wrong(a, "must be a whole number that is not negative", err);
    return 0;
}

/* "1.MINOR" with MINOR at most MAX. */
static int check_schema(const struct at *desired, int max, struct err *err)
{
    struct at a = member(desired, "schemaVersion");
    uint64_t minor;
    char text[16];

    if (need_text(&a, err) < 0)
        return -1;
    STR_SET(text, a.json->valuestring);
    if (str_ends(text, ".0") && strlen(text) == 5) /* "1.1.0" */
        text[3] = '\0';
    if (!str_starts(text, "1.") || !str_to_u64(text + 2, (uint64_t)max, &minor)) {
        char why[80];

        (void)str_format(why, sizeof(why), "is not supported; known are 1.0 to 1.%d", max);
        return wrong(&a, why, err);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * modules of $edgeAgent */

/* What edgeAgent makes of an image name: no white space, one tag at most behind the last slash. */
static int check_image(const struct at *a, struct err *err)
{
    const char *text, *last;
    unsigned colons = 0;

    if (need_text(a, err) < 0)
        return -1;
    text = a->json->valuestring;
    last = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
    for (const char *c = text; *c; c++)
        if (isspace((unsigned char)*c) || (unsigned char)*c < 0x20)
            return wrong(a, "an image name has no white space", err);
    for (const char *c = last; *c; c++)
        colons += *c == ':';
    if (!*last || *last == ':' || last[strlen(last) - 1] == ':' || colons > 1)
        return wrong(a, "is not an image name (NAME, NAME:TAG or NAME@sha256:DIGEST)", err);
    return 0;
}

/* createOptions, createOptions01, ... without a gap, together one JSON object. */
static int check_create_options(const struct at *settings, struct err *err)
{
    struct at first = member(settings, "createOptions");
    auto_buf struct buf whole = {0};
    size_t found = 0, used = 0;

    for (const cJSON *item = settings->json->child; item; item = item->next)
        found += str_starts(item->string, "createOptions");
    for (size_t i = 0; i < CHUNKS_MAX; i++) {
        char name[24];

        (void)str_format(name, sizeof(name), i == 0 ? "createOptions" : "createOptions%02zu", i);

        struct at a = member(settings, name);

        if (!a.json)
            break;
        used++;
        if (i == 0 && (cJSON_IsObject(a.json) || cJSON_IsNull(a.json)))
            continue;
        if (!cJSON_IsString(a.json))
            return wrong(&a, "must be text (JSON as a string)", err);
        if (strlen(a.json->valuestring) > CHUNK_MAX)
            return wrong(
                &a,
                "is longer than 512 characters; split it into createOptions01, createOptions02 ...",
                err);
        buf_puts(&whole, a.json->valuestring);
    }
    if (used < found)
        return wrong(&first, "its numbered parts have a gap or another name", err);

    char *text = str_trim(whole.data ? whole.data : (char[]){""});
    auto_json cJSON *options = *text ? json_parse(text, strlen(text), NULL) : cJSON_CreateObject();

    if (!options || !(cJSON_IsObject(options) || cJSON_IsNull(options)))
        return wrong(&first, "is not a JSON object", err);
    return 0;
}

static int check_env(const struct at *module, struct err *err)
{
    struct at env = member(module, "env");

    if (!env.json)
        return 0;
    if (need_object(&env, err) < 0)
        return -1;
    for (const cJSON *item = env.json->child; item; item = item->next) {
        struct at a = member(&env, item->string);

        if (need_object(&a, err) < 0)
            return err_hint(err, "An environment variable is written {\"value\": \"...\"}");
    }
    return 0;
}

static int check_settings(const struct at *module, struct err *err)
{
    struct at settings = member(module, "settings");
    struct at image;

    if (need_object(&settings, err) < 0)
        return -1;
    image = member(&settings, "image");
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
    struct at order;

    if (need_object(module, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct at a = member(module, words[i].name);

        if (need_word(&a, words[i].words, words[i].optional, err) < 0)
            return -1;
    }
    order = member(module, "startupOrder");
    if (whole_within(&order, 4294967295.0, err) < 0 || check_env(module, err) < 0)
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
        return wrong(
            module,
            "a module's name has letters, digits, - and _, and begins with a letter or digit", err);
    return 0;
}

static int check_credentials(const struct at *settings, struct err *err)
{
    static const char *const needed[] = {"address", "username", "password"};
    struct at all = member(settings, "registryCredentials");

    if (!all.json)
        return 0;
    if (need_object(&all, err) < 0)
        return -1;
    for (const cJSON *item = all.json->child; item; item = item->next) {
        struct at one = member(&all, item->string);

        if (need_object(&one, err) < 0)
            return -1;
        for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
            struct at a = member(&one, needed[i]);

            if (need_text(&a, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int check_runtime(const struct at *desired, struct err *err)
{
    static const char *const types[] = {"docker", NULL};
    struct at runtime = member(desired, "runtime");
    struct at type, settings;

    if (need_object(&runtime, err) < 0)
        return -1;
    type = member(&runtime, "type");
    settings = member(&runtime, "settings");
    if (need_word(&type, types, false, err) < 0)
        return -1;
    if (!settings.json)
        return 0;
    return need_object(&settings, err) < 0 ? -1 : check_credentials(&settings, err);
}

static int check_system_modules(const struct at *desired, struct err *err)
{
    struct at system = member(desired, "systemModules");
    struct at agent, hub;

    if (need_object(&system, err) < 0)
        return -1;
    for (const cJSON *item = system.json->child; item; item = item->next)
        if (!str_eq(item->string, "edgeAgent") && !str_eq(item->string, "edgeHub")) {
            struct at other = member(&system, item->string);

            return wrong(&other, "is no system module; put it into modules", err);
        }
    agent = member(&system, "edgeAgent");
    hub = member(&system, "edgeHub");
    if (check_module(&agent, false, err) < 0)
        return -1;
    return hub.json ? check_module(&hub, true, err) : 0;
}

static int check_agent(const struct at *desired, struct err *err)
{
    struct at modules = member(desired, "modules");

    if (check_schema(desired, 1, err) < 0 || check_runtime(desired, err) < 0 ||
        check_system_modules(desired, err) < 0)
        return -1;
    if (!modules.json)
        return 0;
    if (need_object(&modules, err) < 0)
        return -1;
    if (cJSON_GetArraySize(modules.json) > MODULES_MAX)
        return wrong(&modules, "has more than 50 modules", err);
    for (const cJSON *item = modules.json->child; item; item = item->next) {
        struct at module = member(&modules, item->string);

        if (check_module_name(&module, item->string, err) < 0 ||
            check_module(&module, true, err) < 0)
            return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * $edgeHub */

static int check_route(const struct at *route, struct err *err)
{
    if (cJSON_IsObject(route->json)) {
        struct at text = member(route, "route");
        struct at priority = member(route, "priority");
        struct at ttl = member(route, "timeToLiveSecs");

        return need_text(&text, err) < 0 || whole_within(&priority, 9, err) < 0
                   ? -1
                   : whole_within(&ttl, 4294967295.0, err);
    }
    return cJSON_IsString(route->json) ? 0
                                       : wrong(route, "must be a route (text or an object)", err);
}

static int check_hub(const struct at *desired, struct err *err)
{
    struct at routes = member(desired, "routes");
    struct at store = member(desired, "storeAndForwardConfiguration");
    struct at ttl;

    if (check_schema(desired, 3, err) < 0)
        return -1;
    if (routes.json && need_object(&routes, err) < 0)
        return -1;
    for (const cJSON *item = routes.json ? routes.json->child : NULL; item; item = item->next) {
        struct at route = member(&routes, item->string);

        if (check_route(&route, err) < 0)
            return -1;
    }
    if (!store.json)
        return 0;
    if (need_object(&store, err) < 0)
        return -1;
    ttl = member(&store, "timeToLiveSecs"); /* negative: for ever */
    return ttl.json && !cJSON_IsNumber(ttl.json) ? wrong(&ttl, "must be a number of seconds", err)
                                                 : 0;
}

/* ------------------------------------------------------------------------------------------ whole
 */

const cJSON *manifest_desired(const cJSON *entry)
{
    return json_get(entry, "properties.desired");
}

static int check_entry(const struct at *entry, const char *module, struct err *err)
{
    struct at desired;

    if (!identity_id_valid(module))
        return wrong(entry, "is not a module id", err);
    if (need_object(entry, err) < 0)
        return -1;
    for (const cJSON *item = entry->json->child; item; item = item->next)
        if (!str_eq(item->string, "properties.desired")) {
            struct at other = member(entry, item->string);

            return wrong(
                &other, "is not known here; a deployment to one device has only properties.desired",
                err);
        }
    desired = member(entry, "properties.desired");
    if (need_object(&desired, err) < 0)
        return -1;
    if (str_eq(module, "$edgeAgent"))
        return check_agent(&desired, err);
    return str_eq(module, "$edgeHub") ? check_hub(&desired, err) : 0;
}

int manifest_check(const cJSON *body, const cJSON **ret_modules, struct err *err)
{
    struct at top = {.json = body};

    if (!cJSON_IsObject(body))
        return err_set(err, ERR_INVALID, "a manifest is a JSON object with modulesContent");
    if (!json_get(body, "modulesContent") && json_get(body, "content"))
        top = member(&top, "content");

    struct at modules = member(&top, "modulesContent");

    if (need_object(&modules, err) < 0)
        return -1;
    if (!modules.json->child)
        return wrong(&modules, "is empty", err);
    for (const cJSON *item = modules.json->child; item; item = item->next) {
        struct at entry = member(&modules, item->string);

        if (check_entry(&entry, item->string, err) < 0)
            return -1;
    }
    *ret_modules = modules.json;
    return 0;
}
