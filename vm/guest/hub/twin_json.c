/* See twin_json.h. */
#include "vm/guest/hub/twin_json.h"

#include "core/base/str.h"

#include <math.h>
#include <string.h>

#define LEVELS_MAX  10
#define KEY_MAX     1024
#define INTEGER_MIN (-4503599627370496.0)
#define INTEGER_MAX 4503599627370495.0

static int check_key(const char *key, const char *path, struct err *err)
{
    char shown[80];

    str_sanitise_to(shown, sizeof(shown), key);
    if (!key[0] || strlen(key) > KEY_MAX)
        return err_set(err, ERR_INVALID, "%s: a name must have 1 to %d bytes", path, KEY_MAX);
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr(".$ ", *c))
            return err_set(
                err, ERR_INVALID,
                "%s: the name \"%s\" has a character that twins do not allow (. $ space)", path,
                shown);
    return 0;
}

static bool is_read_only(const char *key)
{
    return str_eq(key, "$version") || str_eq(key, "$metadata") || str_eq(key, "$etag");
}

static int check_value(const cJSON *value, const char *path, int level, struct err *err)
{
    if (cJSON_IsString(value) && strlen(value->valuestring) > TWIN_TEXT_MAX)
        return err_set(err, ERR_INVALID, "%s: text is longer than %d bytes", path, TWIN_TEXT_MAX);
    if (cJSON_IsNumber(value) && floor(value->valuedouble) == value->valuedouble &&
        (value->valuedouble < INTEGER_MIN || value->valuedouble > INTEGER_MAX))
        return err_set(err, ERR_INVALID, "%s: the number is out of range", path);
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
        return 0;
    if (level > LEVELS_MAX)
        return err_set(err, ERR_INVALID, "%s: nested deeper than %d levels", path, LEVELS_MAX);

    size_t i = 0;

    for (const cJSON *item = value->child; item; item = item->next, i++) {
        char below[300];

        if (cJSON_IsArray(value)) {
            (void)str_format(below, sizeof(below), "%s[%zu]", path, i);
        } else {
            char name[80];

            if (level == 0 && is_read_only(item->string))
                continue;
            if (check_key(item->string, path, err) < 0)
                return -1;
            str_sanitise_to(name, sizeof(name), item->string);
            (void)str_format(below, sizeof(below), "%s.%s", path, name);
        }
        if (check_value(item, below, level + 1, err) < 0)
            return -1;
    }
    return 0;
}

int twin_json_check(const cJSON *section, const char *root, struct err *err)
{
    if (!cJSON_IsObject(section))
        return err_set(err, ERR_INVALID, "%s: must be an object", root);
    return check_value(section, root, 0, err);
}

bool twin_json_path(const char *path)
{
    char name[KEY_MAX + 1];

    for (int level = 1;; level++) {
        size_t len = strcspn(path, ".");

        if (level > LEVELS_MAX || len > KEY_MAX)
            return false;
        memcpy(name, path, len);
        name[len] = '\0';
        if (check_key(name, "", NULL) < 0)
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

static size_t text_size(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += (unsigned char)*text >= 0x20 && *text != 0x7f;
    return n;
}

static size_t value_size(const cJSON *value, bool top)
{
    size_t n = 0;

    if (cJSON_IsString(value))
        return text_size(value->valuestring);
    if (cJSON_IsNumber(value))
        return 8;
    if (cJSON_IsBool(value))
        return 4;
    for (const cJSON *item = value->child; item; item = item->next)
        if (!(top && item->string && is_read_only(item->string)))
            n += (item->string ? text_size(item->string) : 0) + value_size(item, false);
    return n;
}

size_t twin_json_size(const cJSON *section)
{
    return value_size(section, true);
}

int twin_json_check_size(const cJSON *section, size_t max, const char *name, struct err *err)
{
    size_t size = twin_json_size(section);

    if (size > max)
        return err_set(err, ERR_INVALID,
                       "%s: %zu bytes are more than the %zu KB that a twin may have", name, size,
                       max / 1024);
    return 0;
}

int twin_json_check_patch(const cJSON *patch, size_t max, const char *root, struct err *err)
{
    size_t size = twin_json_size(patch);

    if (size > 2 * max)
        return err_set(
            err, ERR_INVALID,
            "%s: a change of %zu bytes is more than twice the %zu KB that a twin may have", root,
            size, max / 1024);
    return twin_json_check(patch, root, err);
}

/* One look-up for each member: cJSON's take as long as the object is large. */
static void merge(cJSON *target, const cJSON *patch, bool top)
{
    for (const cJSON *item = patch->child; item; item = item->next) {
        if (top && item->string[0] == '$')
            continue;

        cJSON *old = cJSON_GetObjectItemCaseSensitive(target, item->string);

        if (cJSON_IsObject(item) && cJSON_IsObject(old)) {
            merge(old, item, false);
            continue;
        }
        if (old)
            cJSON_Delete(cJSON_DetachItemViaPointer(target, old));
        if (cJSON_IsObject(item)) {
            cJSON *made = cJSON_CreateObject();

            json_add(target, item->string, made);
            merge(made, item, false); /* nulls inside must not be stored */
        } else if (!cJSON_IsNull(item)) {
            json_add(target, item->string, cJSON_Duplicate(item, true));
        }
    }
}

void twin_json_merge(cJSON *target, const cJSON *patch)
{
    merge(target, patch, true);
}

cJSON *twin_json_diff(const cJSON *old, const cJSON *new)
{
    cJSON *patch = cJSON_CreateObject();

    for (const cJSON *item = old->child; item; item = item->next)
        if (!cJSON_GetObjectItemCaseSensitive(new, item->string))
            json_add(patch, item->string, cJSON_CreateNull());
    for (const cJSON *item = new->child; item; item = item->next) {
        const cJSON *before = cJSON_GetObjectItemCaseSensitive(old, item->string);

        if (cJSON_IsObject(item) && cJSON_IsObject(before)) {
            cJSON *below = twin_json_diff(before, item);

            if (below->child)
                json_add(patch, item->string, below);
            else
                cJSON_Delete(below);
        } else if (!before || !cJSON_Compare(before, item, true)) {
            json_add(patch, item->string, cJSON_Duplicate(item, true));
        }
    }
    return patch;
}

static void set_member(cJSON *object, const char *key, cJSON *take_value)
{
    if (cJSON_GetObjectItemCaseSensitive(object, key))
        (void)cJSON_ReplaceItemInObjectCaseSensitive(object, key, take_value);
    else
        json_add(object, key, take_value);
}

static void stamp_here(cJSON *metadata, const char *when, uint64_t version)
{
    set_member(metadata, "$lastUpdated", cJSON_CreateString(when));
    if (version)
        set_member(metadata, "$lastUpdatedVersion", cJSON_CreateNumber((double)version));
}

static void stamp(cJSON *metadata, const cJSON *patch, const char *when, uint64_t version, bool top)
{
    stamp_here(metadata, when, version);
    for (const cJSON *item = patch->child; item; item = item->next) {
        cJSON *below = cJSON_GetObjectItemCaseSensitive(metadata, item->string);

        if (top && item->string[0] == '$')
            continue;
        if (cJSON_IsNull(item)) {
            cJSON_DeleteItemFromObjectCaseSensitive(metadata, item->string);
        } else if (cJSON_IsObject(item) && below) {
            stamp(below, item, when, version, false);
        } else {
            set_member(metadata, item->string, cJSON_CreateObject());
            below = cJSON_GetObjectItemCaseSensitive(metadata, item->string);
            if (cJSON_IsObject(item))
                stamp(below, item, when, version, false);
            else
                stamp_here(below, when, version);
        }
    }
}

void twin_json_stamp(cJSON *metadata, const cJSON *patch, const char *when, uint64_t version)
{
    stamp(metadata, patch, when, version, true);
}
