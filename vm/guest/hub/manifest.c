/* See manifest.h: places in the JSON, and manifests as a whole. What the two system modules are
 * told is checked in manifest_agent.c and manifest_hub.c. */
#include "core/base/str.h"
#include "vm/guest/hub/manifest_private.h"
#include "vm/guest/hub/topic.h"
#include "vm/guest/hub/twin_json.h"

#include <math.h>
#include <string.h>

#define DESIRED "properties.desired"

/* ---- places ---- */

static struct at at_item(const struct at *up, const char *name, const cJSON *json)
{
    struct at a = {.json = json};
    char shown[140];

    str_sanitise_to(shown, sizeof(shown), name);
    (void)str_format(a.path, sizeof(a.path), "%s%s%s", up->path, up->path[0] ? "." : "", shown);
    return a;
}

struct at at_member(const struct at *up, const char *name)
{
    return at_item(up, name, json_get(up->json, name));
}

struct at at_member_any_case(const struct at *up, const char *name)
{
    return at_item(up, name, cJSON_GetObjectItem(up->json, name));
}

int at_wrong(const struct at *a, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: %s", a->path, why);
}

int at_need_object(const struct at *a, struct err *err)
{
    if (!a->json)
        return at_wrong(a, "is missing", err);
    return cJSON_IsObject(a->json) ? 0 : at_wrong(a, "must be an object", err);
}

int at_need_text(const struct at *a, struct err *err)
{
    if (!a->json)
        return at_wrong(a, "is missing", err);
    if (!cJSON_IsString(a->json) || !a->json->valuestring[0])
        return at_wrong(a, "must be text that is not empty", err);
    return 0;
}

int at_may_be_text(const struct at *a, struct err *err)
{
    return !a->json || cJSON_IsString(a->json) ? 0 : at_wrong(a, "must be text", err);
}

int at_need_word(const struct at *a, const char *const *words, bool optional, struct err *err)
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
    return at_wrong(a, why.data, err);
}

int at_whole_within(const struct at *a, double max, struct err *err)
{
    char why[80];

    if (!a->json)
        return 0;
    if (!cJSON_IsNumber(a->json) || !(a->json->valuedouble >= 0) || a->json->valuedouble > max ||
        floor(a->json->valuedouble) != a->json->valuedouble) {
        (void)str_format(why, sizeof(why), "must be a whole number of 0 to %.0f", max);
        return at_wrong(a, why, err);
    }
    return 0;
}

int at_need_schema(const struct at *desired, unsigned max, unsigned *ret_minor, struct err *err)
{
    struct at a = at_member(desired, "schemaVersion");
    uint64_t minor;
    char text[16], why[80];

    if (at_need_text(&a, err) < 0)
        return -1;
    STR_SET(text, a.json->valuestring);
    if (str_ends(text, ".0") && strlen(text) == 5) /* "1.1.0" */
        text[3] = '\0';
    if (!str_starts(text, "1.") || !str_to_u64(text + 2, max, &minor)) {
        (void)str_format(why, sizeof(why), "is not supported; known are 1.0 to 1.%u", max);
        return at_wrong(&a, why, err);
    }
    *ret_minor = (unsigned)minor;
    return 0;
}

/* ---- desired properties ---- */

/* What a twin can hold: a deployment happens as a whole or not at all. */
static int check_twin(const struct at *desired, struct err *err)
{
    size_t size;

    if (twin_json_check(desired->json, desired->path, err) < 0)
        return -1;
    size = twin_json_size(desired->json);
    if (size > TWIN_SECTION_MAX)
        return err_set(err, ERR_INVALID,
                       "%s: %zu bytes are more than the %zu KB that a twin may have", desired->path,
                       size, TWIN_SECTION_MAX / 1024);
    return 0;
}

static int check_desired(const struct at *desired, const char *module, struct err *err)
{
    if (at_need_object(desired, err) < 0)
        return -1;
    if (str_eq(module, "$edgeAgent") && manifest_check_agent(desired, err) < 0)
        return -1;
    if (str_eq(module, "$edgeHub") && manifest_check_hub(desired, err) < 0)
        return -1;
    return check_twin(desired, err);
}

int manifest_check_desired(const char *module, const cJSON *desired, struct err *err)
{
    struct at top = {0};
    struct at entry = at_item(&top, module, NULL);
    struct at at = at_item(&entry, DESIRED, desired);

    return check_desired(&at, module, err);
}

const cJSON *manifest_desired(const cJSON *entry)
{
    return json_get(entry, DESIRED);
}

/* ---- one device ---- */

static int check_entry(const struct at *entry, const char *module, struct err *err)
{
    struct at desired;

    if (!identity_id_valid(module))
        return at_wrong(entry, "is not a module id", err);
    if (at_need_object(entry, err) < 0)
        return -1;
    for (const cJSON *item = entry->json->child; item; item = item->next)
        if (!str_eq(item->string, DESIRED)) {
            struct at other = at_member(entry, item->string);

            return at_wrong(
                &other, "is not known here; a deployment to one device has only properties.desired",
                err);
        }
    desired = at_member(entry, DESIRED);
    return check_desired(&desired, module, err);
}

static int need_modules(const struct at *modules, struct err *err)
{
    if (at_need_object(modules, err) < 0)
        return -1;
    return modules->json->child ? 0 : at_wrong(modules, "is empty", err);
}

int manifest_check(const cJSON *body, const cJSON **ret_modules, struct err *err)
{
    struct at top = {.json = body};

    if (!cJSON_IsObject(body))
        return err_set(err, ERR_INVALID, "a manifest is a JSON object with modulesContent");
    if (!json_get(body, "modulesContent") && json_get(body, "content"))
        top = at_member(&top, "content");

    struct at modules = at_member(&top, "modulesContent");

    if (need_modules(&modules, err) < 0)
        return -1;
    for (const cJSON *item = modules.json->child; item; item = item->next) {
        struct at entry = at_member(&modules, item->string);

        if (check_entry(&entry, item->string, err) < 0)
            return -1;
    }
    *ret_modules = modules.json;
    return 0;
}

/* ---- automatic deployments ---- */

/* One module or one route, where the path names it; other paths can be checked only with what they
 * are put on. */
static int check_setting(const struct at *setting, const char *module, const char *path,
                         struct err *err)
{
    if (str_eq(module, "$edgeAgent") && str_starts(path, "modules.") && !strchr(path + 8, '.'))
        return manifest_check_agent_module(setting, path + 8, err);
    if (str_eq(module, "$edgeHub") && str_starts(path, "routes.") && !strchr(path + 7, '.'))
        return manifest_check_hub_route(setting, path + 7, true, err);
    return 0;
}

static int check_settings(const struct at *entry, const char *module, bool layered, struct err *err)
{
    if (!identity_id_valid(module))
        return at_wrong(entry, "is not a module id", err);
    if (at_need_object(entry, err) < 0)
        return -1;
    for (const cJSON *item = entry->json->child; item; item = item->next) {
        struct at setting = at_member(entry, item->string);
        const char *path = item->string + strlen(DESIRED ".");

        if (str_eq(item->string, DESIRED)) {
            if (check_desired(&setting, module, err) < 0)
                return -1;
        } else if (!layered || !str_starts(item->string, DESIRED ".")) {
            return at_wrong(&setting,
                            layered ? "a layered deployment has properties.desired and paths below"
                                    : "a deployment with a whole $edgeAgent has only "
                                      "properties.desired",
                            err);
        } else if (!twin_json_path(path)) {
            return at_wrong(&setting, "the path has a name that twins do not allow", err);
        } else if (check_setting(&setting, module, path, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int manifest_check_automatic(const cJSON *modules, bool *ret_layered, struct err *err)
{
    struct at top = {.path = "content"};
    struct at all = at_item(&top, "modulesContent", modules);
    const cJSON *agent;

    if (need_modules(&all, err) < 0)
        return -1;
    agent = json_get(modules, "$edgeAgent");
    *ret_layered = !agent || !manifest_desired(agent);
    if (!*ret_layered) {
        struct at hub = at_member(&all, "$edgeHub");

        if (at_need_object(&hub, err) < 0)
            return -1;
    }
    for (const cJSON *item = modules->child; item; item = item->next) {
        struct at entry = at_member(&all, item->string);

        if (check_settings(&entry, item->string, *ret_layered, err) < 0)
            return -1;
    }
    return 0;
}
