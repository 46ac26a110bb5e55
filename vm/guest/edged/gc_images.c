/* See gc_images.h. */
#include "vm/guest/edged/gc_images.h"

#include "core/base/str.h"

#include <string.h>

#define DAY_MS    86400000ULL
#define MINUTE_MS 60000ULL

static struct gc_image *find(struct gc_images *images, const char *id)
{
    for (size_t i = 0; i < images->n; i++)
        if (str_eq(images->at[i].id, id))
            return &images->at[i];
    return NULL;
}

static struct gc_image *add(struct gc_images *images, const char *id)
{
    if (images->n == GC_IMAGES_MAX || strlen(id) >= GC_ID_MAX)
        return NULL; /* the rest comes when some are gone */
    struct gc_image *image = &images->at[images->n++];
    *image = (struct gc_image){0};
    STR_SET(image->id, id);
    return image;
}

/* Engines write ids with "sha256:" or without. */
static bool same_id(const char *a, const char *b)
{
    static const char prefix[] = "sha256:";
    a += str_starts(a, prefix) ? strlen(prefix) : 0;
    b += str_starts(b, prefix) ? strlen(prefix) : 0;
    return *a && str_eq(a, b);
}

/* NAME as people write it, TAG as the engine tells it: whole, with the registry that was left out.
 */
static bool same_name(const char *name, const char *tag)
{
    if (str_eq(name, tag))
        return true;
    size_t n = strlen(name), m = strlen(tag);
    return m > n && tag[m - n - 1] == '/' && str_eq(tag + m - n, name);
}

static bool named(const cJSON *image, const char *name)
{
    static const char *const lists[] = {"RepoTags", "RepoDigests"};
    const cJSON *tag = NULL;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        cJSON_ArrayForEach(
            tag, json_get(image, lists[i])) if (cJSON_IsString(tag) &&
                                                same_name(name, tag->valuestring)) return true;
    return false;
}

static bool deployed(const cJSON *image, const struct deployment *d)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (named(image, d->modules[i].image))
            return true;
    return (d->agent && named(image, d->agent->image)) || (d->hub && named(image, d->hub->image));
}

static bool used(const cJSON *image, const cJSON *containers, const struct deployment *d)
{
    const cJSON *c = NULL;
    const char *id = json_str(image, "Id", "");
    cJSON_ArrayForEach(c, containers)
    {
        const char *name = json_str(c, "Image", "");
        if (same_id(json_str(c, "ImageID", ""), id) || (*name && named(image, name)))
            return true;
    }
    return !d || deployed(image, d);
}

static void forget_unseen(struct gc_images *images)
{
    for (size_t i = images->n; i-- > 0;)
        if (!images->at[i].seen)
            images->at[i] = images->at[--images->n];
}

void gc_images_look(struct gc_images *images, const cJSON *list, const cJSON *containers,
                    const struct deployment *d, uint64_t now_ms)
{
    const cJSON *item = NULL;
    for (size_t i = 0; i < images->n; i++)
        images->at[i].seen = false;
    cJSON_ArrayForEach(item, list)
    {
        const char *id = json_str(item, "Id", "");
        struct gc_image *image = *id ? find(images, id) : NULL;
        if (!image && *id)
            image = add(images, id);
        if (!image)
            continue;
        image->seen = true;
        if (used(item, containers, d))
            image->unused_ms = 0;
        else if (!image->unused_ms || image->unused_ms > now_ms) /* the clock was set back */
            image->unused_ms = now_ms;
    }
    forget_unseen(images);
}

bool gc_images_due(const struct gc_image *image, uint64_t age_s, uint64_t now_ms)
{
    return image->unused_ms && now_ms >= image->unused_ms &&
           now_ms - image->unused_ms >= age_s * 1000;
}

cJSON *gc_images_json(const struct gc_images *images)
{
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < images->n; i++)
        json_add_u64(json, images->at[i].id, images->at[i].unused_ms);
    return json;
}

void gc_images_parse(const cJSON *json, struct gc_images *ret)
{
    const cJSON *item = NULL;
    *ret = (struct gc_images){0};
    cJSON_ArrayForEach(item, json)
    {
        struct gc_image *image = item->string ? add(ret, item->string) : NULL;
        if (image && cJSON_IsNumber(item) && item->valuedouble > 0)
            image->unused_ms = json_u64(json, item->string, 0);
    }
}

/* Half a day of grace: a cleanup is recorded when it ends, which is after its time. */
uint64_t gc_next_ms(uint64_t now_ms, uint64_t last_ms, uint64_t every_s, uint32_t minute)
{
    uint64_t every_ms = every_s * 1000;
    uint64_t today = now_ms - now_ms % DAY_MS + minute * MINUTE_MS;
    uint64_t next = today > now_ms ? today : today + DAY_MS;
    bool rare = every_ms > DAY_MS && last_ms && last_ms <= now_ms;
    uint64_t least = rare ? last_ms + every_ms - DAY_MS / 2 : 0;
    if (next < least)
        next += (least - next + DAY_MS - 1) / DAY_MS * DAY_MS;
    return next;
}
