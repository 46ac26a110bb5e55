/* See configuration_merge.h. */
#include "vm/guest/hub/configuration_merge.h"

#include "core/base/str.h"
#include "vm/guest/hub/twin_json.h"

#include <string.h>

#define WHOLE "properties.desired"

/* PATH is PLACE or inside it. */
static bool is_within(const char *path, const char *place)
{
    size_t len = strlen(place);

    return strncmp(path, place, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

/* ---- merging ---- */

/* What a higher rank sets at PATH takes the place of what stands there and below. */
static void add_setting(cJSON *settings, const char *path, cJSON *take_value)
{
    for (cJSON *item = settings->child, *next; item; item = next) {
        next = item->next;
        if (is_within(item->string, path))
            cJSON_Delete(cJSON_DetachItemViaPointer(settings, item));
    }
    json_add(settings, path, take_value);
}

static cJSON *need_member(cJSON *object, const char *name)
{
    cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return member ? member : json_add_obj(object, name);
}

/* OWNERS has the shape of RESULT, with the rank that set each value. */
static void add_layer(cJSON *result, cJSON *owners, const cJSON *content, size_t rank)
{
    for (const cJSON *module = content->child; module; module = module->next) {
        cJSON *settings = need_member(result, module->string);
        cJSON *owned = need_member(owners, module->string);

        for (const cJSON *item = module->child; item; item = item->next) {
            add_setting(settings, item->string, cJSON_Duplicate(item, true));
            add_setting(owned, item->string, cJSON_CreateNumber((double)rank));
        }
    }
}

cJSON *layers_merge(struct layer *layers, size_t n, bool need_base)
{
    auto_json cJSON *owners = cJSON_CreateObject();
    size_t count = n;
    cJSON *result;

    for (size_t i = 0; i < n; i++)
        layers[i].applied = false;
    if (need_base) {
        count = 0;
        while (count < n && !layers[count].whole)
            count++;
        if (count == n)
            return NULL;
        count++;
    }
    if (count == 0)
        return NULL;
    result = cJSON_CreateObject();
    for (size_t i = count; i-- > 0;) {
        add_layer(result, owners, layers[i].content, i);
        layers[i].applied = need_base; /* such a layer counts even where others hide it */
    }
    for (const cJSON *module = owners->child; module; module = module->next)
        for (const cJSON *item = module->child; item; item = item->next)
            layers[(size_t)item->valuedouble].applied = true;
    return result;
}

/* ---- into a twin ---- */

/* The name that PATH goes on with behind "properties.desired"; NULL at its end. RET_LEN: its
 * length. */
static const char *next_name(const char *at, size_t *ret_len)
{
    if (*at != '.')
        return NULL;
    *ret_len = strcspn(at + 1, ".");
    return at + 1;
}

/* Takes what stands at the rest of a path out of OBJECT, and objects that are empty then. */
static void take_out(cJSON *object, const char *at)
{
    char name[1025];
    size_t len = 0;
    const char *first = next_name(at, &len);
    cJSON *item;

    if (!first || len >= sizeof(name))
        return;
    memcpy(name, first, len);
    name[len] = '\0';
    item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!item)
        return;
    if (first[len] == '.') {
        if (!cJSON_IsObject(item))
            return;
        take_out(item, first + len);
        if (item->child)
            return;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

/* {"a":{"b":VALUE}} for the rest of a path ".a.b". */
static cJSON *wrap(const char *at, const cJSON *value)
{
    size_t len = 0;
    const char *first = next_name(at, &len);
    cJSON *object;
    char name[1025];

    if (!first)
        return cJSON_Duplicate(value, true);
    object = cJSON_CreateObject();
    (void)str_format(name, sizeof(name), "%.*s", (int)len, first);
    json_add(object, name, wrap(first + len, value));
    return object;
}

static void put_in(cJSON *desired, const char *path, const cJSON *value)
{
    const char *at = path + strlen(WHOLE);
    auto_json cJSON *patch = cJSON_IsNull(value) ? NULL : wrap(at, value);

    take_out(desired, at);
    if (patch)
        twin_json_merge(desired, patch);
}

bool layers_path_valid(const char *path)
{
    return str_eq(path, WHOLE) ||
           (str_starts(path, WHOLE ".") && twin_json_path(path + strlen(WHOLE ".")));
}

cJSON *layers_desired(const cJSON *desired, const cJSON *settings, const cJSON *before)
{
    bool whole = json_get(settings, WHOLE) != NULL;
    cJSON *result = whole ? cJSON_CreateObject() : cJSON_Duplicate(desired, true);

    if (!whole && before)
        for (const cJSON *item = before->child; item; item = item->next)
            if (!json_get(settings, item->string))
                take_out(result, item->string + strlen(WHOLE));
    for (const cJSON *item = settings->child; item; item = item->next)
        put_in(result, item->string, item);
    return result;
}
