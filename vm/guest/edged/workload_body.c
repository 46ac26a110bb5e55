/* See workload_body.h. */
#include "vm/guest/edged/workload_body.h"

#include "core/base/str.h"
#include "core/io/base64.h"

#include <string.h>

int workload_body_text(const cJSON *body, const char *key, const char **ret, struct err *err)
{
    const cJSON *member = json_get(body, key);
    if (!body)
        return err_set(err, ERR_INVALID, "missing request body");
    if (!cJSON_IsString(member))
        return err_set(err, ERR_PROTOCOL,
                       member ? "field `%s` must be a string" : "missing field `%s`", key);
    *ret = member->valuestring;
    return 0;
}

int workload_body_bytes(const cJSON *body, const char *key, struct buf *out, struct err *err)
{
    const char *text = "";
    if (workload_body_text(body, key, &text, err) < 0)
        return -1;
    size_t len = strlen(text);
    if (len % 4)
        return err_set(err, ERR_INVALID, "%s: not base64: it must be padded", key);
    if (base64_decode(text, len, out, err) < 0)
        return err_wrap(err, "%s", key);
    return 0;
}

bool workload_body_top_has(const cJSON *top, const char *title, uint64_t pid)
{
    const cJSON *item = NULL;
    int column = 0;
    uint64_t listed = 0;
    cJSON_ArrayForEach(item, json_get(top, "Titles"))
    {
        if (cJSON_IsString(item) && str_eq(item->valuestring, title))
            break;
        column++;
    }
    if (!item)
        return false;
    cJSON_ArrayForEach(item, json_get(top, "Processes"))
    {
        const cJSON *cell = cJSON_GetArrayItem(item, column);
        if (cJSON_IsString(cell) && str_to_u64(cell->valuestring, UINT32_MAX, &listed) &&
            listed == pid)
            return true;
    }
    return false;
}
