/* See agent_state.h. */
#include "vm/guest/edged/agent_state.h"

#include "core/base/file.h"
#include "core/base/str.h"

#define STATE_MAX (1U << 20)

int agent_state_write(const char *path, const struct device *device, const cJSON *desired,
                      const struct module_track *tracks, size_t n_tracks, struct err *err)
{
    auto_json cJSON *json = cJSON_CreateObject();
    auto_wiped_buf struct buf text = {0};
    json_add_str(json, "hub", device->hub);
    json_add_str(json, "device", device->id);
    if (desired)
        json_add(json, "desired", cJSON_Duplicate(desired, true));
    cJSON *modules = json_add_obj(json, "modules");
    for (size_t i = 0; i < n_tracks; i++) {
        if (!tracks[i].restart.count)
            continue;
        cJSON *module = json_add_obj(modules, tracks[i].name);
        json_add_u64(module, "restarts", tracks[i].restart.count);
        json_add_u64(module, "restarted", tracks[i].restart.last_ms);
    }
    json_print(&text, json);
    return file_write(path, text.data, text.len, 0600, err);
}

int agent_state_read(const char *path, const struct device *device, bool *ret_foreign,
                     cJSON **ret_desired, struct module_track *tracks, size_t max, size_t *ret_n,
                     struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    size_t n = 0;
    *ret_desired = NULL;
    *ret_n = 0;
    *ret_foreign = false;
    if (!file_exists(path))
        return 0;
    if (file_read(path, STATE_MAX, &text, err) < 0)
        return -1;
    auto_json cJSON *json = json_parse(buf_str(&text), text.len, err);
    if (!json)
        return err_wrap(err, "%s", path);
    if (!str_eq(json_str(json, "hub", ""), device->hub) ||
        !str_eq(json_str(json, "device", ""), device->id)) {
        *ret_foreign = true;
        return 0;
    }

    const cJSON *module = NULL;
    cJSON_ArrayForEach(module, json_get(json, "modules"))
    {
        if (n == max)
            break;
        STR_SET(tracks[n].name, module->string);
        tracks[n].restart.count = (uint32_t)json_u64(module, "restarts", 0);
        tracks[n].restart.last_ms = json_u64(module, "restarted", 0);
        n++;
    }
    *ret_n = n;
    *ret_desired = cJSON_DetachItemFromObjectCaseSensitive(json, "desired");
    return 0;
}
