/* See edge_cloud.h. */
#include "vm/guest/hub/edge_cloud.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_methods.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_self.h"
#include "vm/guest/hub/edge_twins.h"

static bool is_self(const struct edge *e, const char *device, const char *module)
{
    return str_eq(device, e->settings->device) && str_eq(module, EDGE_HUB_ID);
}

static void on_online(void *arg, const char *device, const char *module)
{
    struct edge *e = arg;

    if (is_self(e, device, module)) {
        edge_scope_refresh_all(e->scope);
        edge_self_online(e->self);
    } else {
        edge_twins_online(e->twins, device, module);
    }
}

static void on_desired(void *arg, const char *device, const char *module, uint64_t version,
                       const char *patch, size_t len)
{
    struct edge *e = arg;

    if (is_self(e, device, module))
        edge_self_desired(e->self, version, patch, len);
    else
        edge_twins_desired(e->twins, device, module, version, patch, len);
}

static void on_method(void *arg, const char *device, const char *module, const char *name,
                      const char *rid, const char *payload, size_t len)
{
    edge_methods_call(arg, device, module, name, rid, payload, len);
}

static bool on_message(void *arg, const char *device, const char *module, const char *bag,
                       size_t bag_len, const void *body, size_t len)
{
    struct edge *e = arg;
    const struct edge_message m = {.kind = EDGE_TELEMETRY,
                                   .device = device,
                                   .module = module,
                                   .output = "",
                                   .model = "",
                                   .bag = bag,
                                   .bag_len = bag_len,
                                   .body = body,
                                   .len = len,
                                   .created_ms = clock_wall_ms()};
    struct err err = {0};

    if (edge_router_to_client(e->router, device, module, &m, &err) == 0)
        return true;
    log_warn("mqtt", "a message from the cloud for %s%s%s was not taken: %s", device,
             module[0] ? "/" : "", module, err.msg);
    return false;
}

const struct edge_upstream_events edge_cloud_events = {
    .on_online = on_online,
    .on_desired = on_desired,
    .on_method = on_method,
    .on_message = on_message,
};
