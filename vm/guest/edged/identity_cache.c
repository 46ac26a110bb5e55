/* See identity_cache.h. */
#include "vm/guest/edged/identity_cache.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#include <string.h>

#define FILE_MAX 65536

struct entry {
    char module[130];
    char generation[IDENTITY_GENERATION_MAX];
};

struct identity_cache {
    char *path;
    const struct device *device;
    struct entry entries[IDENTITY_MODULES_MAX];
    size_t n;
};

/* Its place, or that behind the last. */
static size_t find(const struct identity_cache *c, const char *module)
{
    size_t i = 0;
    while (i < c->n && !str_eq(c->entries[i].module, module))
        i++;
    return i;
}

static bool put(struct identity_cache *c, const char *module, const char *generation)
{
    struct entry entry = {0};
    if (c->n == IDENTITY_MODULES_MAX || !str_copy(entry.module, sizeof(entry.module), module) ||
        !str_copy(entry.generation, sizeof(entry.generation), generation))
        return false;
    c->entries[c->n++] = entry;
    return true;
}

static int read_file(struct identity_cache *c, struct err *err)
{
    auto_buf struct buf text = {0};
    const cJSON *item = NULL;
    if (!file_exists(c->path))
        return 0;
    if (file_read(c->path, FILE_MAX, &text, err) < 0)
        return -1;
    auto_json cJSON *json = json_parse(buf_str(&text), text.len, err);
    if (!json)
        return err_wrap(err, "%s", c->path);
    if (!str_eq(json_str(json, "hub", ""), c->device->hub) ||
        !str_eq(json_str(json, "device", ""), c->device->id))
        return 0;
    cJSON_ArrayForEach(item, json_get(json, "modules"))
    {
        if (item->string && cJSON_IsString(item))
            (void)put(c, item->string, item->valuestring);
    }
    return 0;
}

static int write_file(const struct identity_cache *c, struct err *err)
{
    auto_json cJSON *json = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    json_add_str(json, "hub", c->device->hub);
    json_add_str(json, "device", c->device->id);
    cJSON *modules = json_add_obj(json, "modules");
    for (size_t i = 0; i < c->n; i++)
        json_add_str(modules, c->entries[i].module, c->entries[i].generation);
    json_print(&text, json);
    return file_write(c->path, text.data, text.len, 0600, err);
}

struct identity_cache *identity_cache_load(const char *state_dir, const struct device *device,
                                           struct err *err)
{
    struct identity_cache *c = xcalloc(1, sizeof(*c));
    c->path = xasprintf("%s/identities.json", state_dir);
    c->device = device;
    (void)read_file(c, err);
    return c;
}

void identity_cache_free(struct identity_cache *c)
{
    if (!c)
        return;
    free(c->path);
    free(c);
}

const char *identity_cache_get(const struct identity_cache *c, const char *module)
{
    size_t i = find(c, module);
    return i < c->n ? c->entries[i].generation : NULL;
}

const char *identity_cache_at(const struct identity_cache *c, size_t at)
{
    return at < c->n ? c->entries[at].module : NULL;
}

int identity_cache_set(struct identity_cache *c, const char *module, const char *generation,
                       struct err *err)
{
    size_t i = find(c, module);
    bool known = i < c->n;
    if (known ? generation && str_eq(c->entries[i].generation, generation) : !generation)
        return 0;
    if (known)
        c->entries[i] = c->entries[--c->n];
    if (generation && !put(c, module, generation))
        return err_set(err, ERR_NO_SPACE, "no room for the identity of one more module");
    return write_file(c, err);
}
