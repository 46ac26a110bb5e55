/* See provisioning_state.h. */
#include "vm/guest/edged/provisioning_state.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"

#include <string.h>

#define STATE_MAX 8192

bool provisioning_known_will_do(enum config_reprovisioning mode, enum provisioning_doubt doubt,
                                bool registered)
{
    if (doubt == PROVISIONING_IDENTITY_REFUSED)
        return false;
    if (doubt == PROVISIONING_CONNECTION_REFUSED && mode == CONFIG_DYNAMIC)
        return false;
    return registered || mode != CONFIG_ALWAYS_ON_STARTUP;
}

void provisioning_source(const struct config_provisioning *p, char ret[DIGEST_HEX_SIZE])
{
    auto_buf struct buf text = {0};
    buf_printf(&text, "%s\n%s\n%s\n%s\n", config_method_name(p->method), p->dps, p->id_scope,
               p->registration_id);
    digest_sha256(text.data, text.len, ret);
}

int provisioning_state_write(const char *path, enum config_method method, const char *source,
                             const struct device *device, struct err *err)
{
    auto_json cJSON *json = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    char now[CLOCK_TEXT_MAX];
    clock_format(now, sizeof(now), clock_wall_ms());
    json_add_str(json, "method", config_method_name(method));
    json_add_str(json, "source", source);
    json_add_str(json, "hub", device->hub);
    json_add_u64(json, "port", device->port);
    json_add_str(json, "device", device->id);
    json_add_str(json, "since", now);
    json_print(&text, json);
    return file_write(path, text.data, text.len, 0600, err);
}

bool provisioning_state_read(const char *path, const char *source, struct device *ret,
                             struct err *err)
{
    auto_buf struct buf text = {0};
    struct device device = {0};
    uint64_t port = 0;
    const char *hub = "", *id = "";
    if (!file_exists(path) || file_read(path, STATE_MAX, &text, err) < 0)
        return false;
    auto_json cJSON *json = json_parse(buf_str(&text), text.len, err);
    if (!json || json_need_str(json, "hub", &hub, err) < 0 ||
        json_need_str(json, "device", &id, err) < 0 ||
        json_need_u64(json, "port", UINT16_MAX, &port, err) < 0) {
        err_wrap(err, "%s", path);
        return false;
    }
    device.port = (uint16_t)port;
    if (!str_eq(json_str(json, "source", ""), source) || !*hub || !*id ||
        !str_copy(device.hub, sizeof(device.hub), hub) ||
        !str_copy(device.id, sizeof(device.id), id))
        return false;
    *ret = device;
    return true;
}
