/* See edge_patches.h. */
#include "vm/guest/hub/edge_patches.h"

/* Where a merge stands, from the top. */
struct place {
    const struct place *up; /* NULL: the top */
    const char *name;
};

/* The object that PATCH has at PLACE, made where there is none. NULL where it replaces or removes
 * what is on the way there, and so all that is below. */
static cJSON *object_at(cJSON *patch, const struct place *place)
{
    cJSON *above = place->up ? object_at(patch, place->up) : patch;
    cJSON *object =
        above && place->name ? cJSON_GetObjectItemCaseSensitive(above, place->name) : above;

    if (above && !object)
        object = json_add_obj(above, place->name);
    return cJSON_IsObject(object) ? object : NULL;
}

/* Lets PATCH remove NAME at PLACE. */
static void cut(cJSON *patch, const struct place *place, const char *name)
{
    cJSON *object = object_at(patch, place);

    if (!object)
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    json_add(object, name, cJSON_CreateNull());
}

/* Merges PATCH into TARGET, nulls kept. BEFORE is what is sent before TARGET. */
static void merge(cJSON *target, const cJSON *patch, const struct place *place, cJSON *before)
{
    for (const cJSON *item = patch->child; item; item = item->next) {
        if (!place->up && item->string[0] == '$')
            continue;

        cJSON *old = cJSON_GetObjectItemCaseSensitive(target, item->string);

        if (cJSON_IsObject(item) && cJSON_IsObject(old)) {
            merge(old, item, &(struct place){place, item->string}, before);
            continue;
        }
        if (cJSON_IsObject(item) && old)
            cut(before, place, item->string);
        if (old)
            cJSON_Delete(cJSON_DetachItemViaPointer(target, old));
        json_add(target, item->string, cJSON_Duplicate(item, true));
    }
}

void edge_patches_add(cJSON *list, const cJSON *patch, int fixed)
{
    const struct place top = {0};
    int n = cJSON_GetArraySize(list);
    cJSON *last = n > fixed ? cJSON_DetachItemFromArray(list, n - 1) : cJSON_CreateObject();
    cJSON *before = n > fixed + 1 ? cJSON_DetachItemFromArray(list, n - 2) : cJSON_CreateObject();

    merge(last, patch, &top, before);
    if (before->child)
        json_push(list, before);
    else
        cJSON_Delete(before);
    if (last->child)
        json_push(list, last);
    else
        cJSON_Delete(last);
}
