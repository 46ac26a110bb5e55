/* See twin.h. */
#include "vm/guest/edged/twin.h"

#include "core/base/str.h"

#define TWIN_MAX (256U << 10) /* the hub holds 32 KB a side; be generous */

void twin_done(struct twin *t)
{
    cJSON_Delete(t->desired);
    cJSON_Delete(t->reported);
    *t = (struct twin){0};
}

static cJSON *parse(const char *text, size_t len, struct err *err)
{
    if (len > TWIN_MAX) {
        err_set(err, ERR_PROTOCOL, "a twin of %zu bytes", len);
        return NULL;
    }
    cJSON *json = json_parse(text, len, err);
    if (json && !cJSON_IsObject(json)) {
        cJSON_Delete(json);
        err_set(err, ERR_PROTOCOL, "a twin that is no object");
        return NULL;
    }
    return json;
}

int twin_set(struct twin *t, const char *text, size_t len, struct err *err)
{
    auto_json cJSON *json = parse(text, len, err);
    if (!json)
        return -1;
    cJSON *desired = cJSON_DetachItemFromObjectCaseSensitive(json, "desired");
    cJSON *reported = cJSON_DetachItemFromObjectCaseSensitive(json, "reported");
    if (!cJSON_IsObject(desired)) {
        cJSON_Delete(desired);
        cJSON_Delete(reported);
        return err_set(err, ERR_PROTOCOL, "a twin without desired properties");
    }
    if (!cJSON_IsObject(reported)) {
        cJSON_Delete(reported);
        reported = cJSON_CreateObject();
    }
    cJSON_DeleteItemFromObjectCaseSensitive(reported, "$version");
    twin_done(t);
    t->desired = twin_merge(NULL, desired); /* each member once, whatever came */
    t->reported = twin_merge(NULL, reported);
    cJSON_Delete(desired);
    cJSON_Delete(reported);
    return 0;
}

int twin_patch(struct twin *t, const char *text, size_t len, enum twin_change *ret_change,
               struct err *err)
{
    uint64_t version = 0;
    auto_json cJSON *patch = parse(text, len, err);
    if (!patch || json_need_u64(patch, "$version", UINT64_MAX, &version, err) < 0)
        return -1;
    uint64_t have = json_u64(t->desired, "$version", 0);
    if (!t->desired || version > have + 1) {
        *ret_change = TWIN_GAP;
    } else if (version <= have) {
        *ret_change = TWIN_STALE;
    } else {
        t->desired = twin_merge(t->desired, patch);
        *ret_change = TWIN_APPLIED;
    }
    return 0;
}

cJSON *twin_merge(cJSON *take_target, const cJSON *patch)
{
    if (!cJSON_IsObject(patch)) {
        cJSON_Delete(take_target);
        return cJSON_Duplicate(patch, true);
    }
    if (!cJSON_IsObject(take_target)) {
        cJSON_Delete(take_target);
        take_target = cJSON_CreateObject();
    }
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, patch)
    {
        cJSON *old = cJSON_DetachItemFromObjectCaseSensitive(take_target, item->string);
        if (cJSON_IsNull(item))
            cJSON_Delete(old);
        else
            json_add(take_target, item->string, twin_merge(old, item));
    }
    return take_target;
}

cJSON *twin_diff(const cJSON *from, const cJSON *to)
{
    cJSON *diff = NULL;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, to)
    {
        const cJSON *old = json_get(from, item->string);
        cJSON *change = NULL;
        if (cJSON_IsObject(item) && cJSON_IsObject(old))
            change = twin_diff(old, item);
        else if (cJSON_IsNull(item) ? old != NULL : !old || !cJSON_Compare(old, item, true))
            change = cJSON_Duplicate(item, true);
        if (!change)
            continue;
        diff = diff ? diff : cJSON_CreateObject();
        json_add(diff, item->string, change);
    }
    cJSON_ArrayForEach(item, from)
    {
        if (json_get(to, item->string))
            continue;
        diff = diff ? diff : cJSON_CreateObject();
        json_add(diff, item->string, cJSON_CreateNull());
    }
    return diff;
}
