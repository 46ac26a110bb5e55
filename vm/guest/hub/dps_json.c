/* See dps_json.h. */
#include "vm/guest/hub/dps_json.h"

#include "core/base/str.h"

void dps_path(char *to, size_t size, const char *root, const char *key)
{
    (void)str_format(to, size, "%s%s%s", root, root[0] ? "." : "", key);
}

/* The member, where it is there and not null. */
static const cJSON *given(const cJSON *obj, const char *key)
{
    const cJSON *item = obj ? json_get(obj, key) : NULL;

    return cJSON_IsNull(item) ? NULL : item;
}

static int wrong(const char *root, const char *key, const char *type, struct err *err)
{
    char path[DPS_PATH_MAX];

    dps_path(path, sizeof(path), root, key);
    return err_set(err, ERR_INVALID, "%s: must be %s", path, type);
}

int dps_json_text(const cJSON *obj, const char *root, const char *key, const char **ret,
                  struct err *err)
{
    const cJSON *item = given(obj, key);

    if (item && !cJSON_IsString(item))
        return wrong(root, key, "a text", err);
    if (item)
        *ret = item->valuestring;
    return 0;
}

int dps_json_bool(const cJSON *obj, const char *root, const char *key, bool *ret, struct err *err)
{
    const cJSON *item = given(obj, key);

    if (item && !cJSON_IsBool(item))
        return wrong(root, key, "true or false", err);
    if (item)
        *ret = cJSON_IsTrue(item);
    return 0;
}

int dps_json_object(const cJSON *obj, const char *root, const char *key, const cJSON **ret,
                    struct err *err)
{
    const cJSON *item = given(obj, key);

    if (item && !cJSON_IsObject(item))
        return wrong(root, key, "an object", err);
    if (item)
        *ret = item;
    return 0;
}

int dps_json_array(const cJSON *obj, const char *root, const char *key, const cJSON **ret,
                   struct err *err)
{
    const cJSON *item = given(obj, key);

    if (item && !cJSON_IsArray(item))
        return wrong(root, key, "an array", err);
    if (item)
        *ret = item;
    return 0;
}
