/* See json.h. */
#include "core/base/json.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <malloc.h>
#include <math.h>
#include <string.h>

static void wipe_and_free(void *p)
{
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

void json_init(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = xmalloc, .free_fn = wipe_and_free});
}

/* Depth is checked before cJSON sees the text: its own limit is far above what any of our formats
 * needs. */
static int check_depth(const char *data, size_t len, struct err *err)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return err_set(err, ERR_PROTOCOL, "JSON is nested deeper than %d levels",
                               JSON_DEPTH_MAX);
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return 0;
}

static bool only_blanks(const char *from, const char *end)
{
    for (; from < end; from++)
        if (*from != ' ' && *from != '\t' && *from != '\r' && *from != '\n')
            return false;
    return true;
}

cJSON *json_parse(const char *data, size_t len, struct err *err)
{
    if (check_depth(data, len, err) < 0)
        return NULL;

    const char *end = NULL;
    cJSON *value = cJSON_ParseWithLengthOpts(data, len, &end, false);
    if (value && only_blanks(end, data + len))
        return value;

    cJSON_Delete(value);
    err_set(err, ERR_PROTOCOL, "not valid JSON (at byte %zu of %zu)",
            end ? (size_t)(end - data) : 0, len);
    return NULL;
}

void json_print(struct buf *out, const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    if (!text)
        abort();
    buf_puts(out, text);
    cJSON_free(text);
}

const cJSON *json_get(const cJSON *obj, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(obj, key);
}

static int missing(const cJSON *item, const char *key, const char *type, struct err *err)
{
    return err_set(err, ERR_INVALID, item ? "\"%s\" must be %s" : "\"%s\" is missing (%s)", key,
                   type);
}

int json_need_str(const cJSON *obj, const char *key, const char **ret_value, struct err *err)
{
    const cJSON *item = json_get(obj, key);
    if (!cJSON_IsString(item))
        return missing(item, key, "a string", err);
    *ret_value = item->valuestring;
    return 0;
}

static bool whole_number(const cJSON *item, uint64_t max, uint64_t *ret_value)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
        item->valuedouble > 9007199254740992.0 || floor(item->valuedouble) != item->valuedouble ||
        (uint64_t)item->valuedouble > max)
        return false;
    *ret_value = (uint64_t)item->valuedouble;
    return true;
}

int json_need_u64(const cJSON *obj, const char *key, uint64_t max, uint64_t *ret_value,
                  struct err *err)
{
    const cJSON *item = json_get(obj, key);
    if (!whole_number(item, max, ret_value))
        return missing(item, key, "a whole number within its range", err);
    return 0;
}

int json_need_obj(const cJSON *obj, const char *key, const cJSON **ret_value, struct err *err)
{
    const cJSON *item = json_get(obj, key);
    if (!cJSON_IsObject(item))
        return missing(item, key, "an object", err);
    *ret_value = item;
    return 0;
}

int json_need_array(const cJSON *obj, const char *key, const cJSON **ret_value, struct err *err)
{
    const cJSON *item = json_get(obj, key);
    if (!cJSON_IsArray(item))
        return missing(item, key, "an array", err);
    *ret_value = item;
    return 0;
}

const char *json_str(const cJSON *obj, const char *key, const char *fallback)
{
    const cJSON *item = json_get(obj, key);
    return cJSON_IsString(item) ? item->valuestring : fallback;
}

uint64_t json_u64(const cJSON *obj, const char *key, uint64_t fallback)
{
    uint64_t value = fallback;
    return whole_number(json_get(obj, key), UINT64_MAX, &value) ? value : fallback;
}

double json_num(const cJSON *obj, const char *key, double fallback)
{
    const cJSON *item = json_get(obj, key);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

bool json_bool(const cJSON *obj, const char *key, bool fallback)
{
    const cJSON *item = json_get(obj, key);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

static cJSON *made(cJSON *value)
{
    if (!value)
        abort(); /* cJSON returns NULL only where memory ran out */
    return value;
}

void json_add(cJSON *obj, const char *key, cJSON *take_value)
{
    if (!cJSON_AddItemToObject(obj, key, made(take_value)))
        abort();
}

void json_push(cJSON *array, cJSON *take_value)
{
    if (!cJSON_AddItemToArray(array, made(take_value)))
        abort();
}

void json_add_str(cJSON *obj, const char *key, const char *value)
{
    json_add(obj, key, cJSON_CreateString(value ? value : ""));
}

void json_add_str_or_null(cJSON *obj, const char *key, const char *value)
{
    json_add(obj, key, value && *value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void json_add_u64(cJSON *obj, const char *key, uint64_t value)
{
    json_add(obj, key, cJSON_CreateNumber((double)value));
}

void json_add_num(cJSON *obj, const char *key, double value)
{
    json_add(obj, key, cJSON_CreateNumber(value));
}

void json_add_bool(cJSON *obj, const char *key, bool value)
{
    json_add(obj, key, cJSON_CreateBool(value));
}

cJSON *json_add_obj(cJSON *obj, const char *key)
{
    cJSON *value = made(cJSON_CreateObject());
    json_add(obj, key, value);
    return value;
}

cJSON *json_add_array(cJSON *obj, const char *key)
{
    cJSON *value = made(cJSON_CreateArray());
    json_add(obj, key, value);
    return value;
}
