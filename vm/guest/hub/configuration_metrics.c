/* See configuration.h: how many twins a configuration targets, and what became of it. */
#include "core/base/str.h"
#include "vm/guest/hub/configuration_private.h"
#include "vm/guest/hub/query_run.h"
#include "vm/guest/hub/twins.h"

#include <string.h>

struct counts {
    struct hub *hub;
    bool edge;
    uint64_t targeted, applied, successful, failed;
    cJSON *edge_devices; /* that have it applied */
};

static void on_target(void *arg, const char *device, const char *module, bool applied)
{
    struct counts *n = arg;

    if (n->edge && module[0])
        return; /* the row of $edgeAgent repeats the device's */
    n->targeted++;
    n->applied += applied;
    if (n->edge && applied)
        json_push(n->edge_devices, cJSON_CreateString(device));
}

/* What the agent of one device says about the deployment that it has. */
static int count_reported(struct counts *n, const char *device, struct err *err)
{
    auto_twin_row struct twin_row t = {0};
    auto_json cJSON *reported = NULL;
    const cJSON *status;

    if (store_twin_get(n->hub->store, device, "$edgeAgent", &t, err) < 0)
        return -1;
    reported = json_parse(t.reported, strlen(t.reported), err);
    if (!reported)
        return -1;
    status = json_get(reported, "lastDesiredStatus");
    if (!status || json_u64(reported, "lastDesiredVersion", 0) != t.desired_version)
        return 0;
    if (json_u64(status, "code", 0) == 200)
        n->successful++;
    else
        n->failed++;
    return 0;
}

static int add_system_results(struct counts *n, const char *hub_key, const char *id, cJSON *to,
                              struct err *err)
{
    if (store_targeted_each(n->hub->store, hub_key, id, on_target, n, err) < 0)
        return -1;
    for (const cJSON *device = n->edge_devices->child; device; device = device->next)
        if (count_reported(n, device->valuestring, err) < 0)
            return -1;
    json_add_u64(to, "targetedCount", n->targeted);
    json_add_u64(to, "appliedCount", n->applied);
    if (n->edge) {
        json_add_u64(to, "reportedSuccessfulCount", n->successful);
        json_add_u64(to, "reportedFailedCount", n->failed);
    }
    return 0;
}

static int add_own_results(struct hub *hub, const char *hub_key, const cJSON *queries, cJSON *to,
                           struct err *err)
{
    for (const cJSON *item = queries->child; item; item = item->next) {
        auto_query struct query *q = NULL;
        uint64_t rows = 0;

        if (query_parse(item->valuestring, &q, err) < 0 ||
            query_count(hub, hub_key, q, &rows, err) < 0)
            return -1;
        json_add_u64(to, item->string, rows);
    }
    return 0;
}

int configuration_add_results(struct hub *hub, const char *hub_key, const struct configuration *c,
                              cJSON *to, struct err *err)
{
    auto_json cJSON *devices = cJSON_CreateArray();
    struct counts n = {
        .hub = hub,
        .edge = c->kind == CONFIGURATION_BASE || c->kind == CONFIGURATION_LAYERED,
        .edge_devices = devices,
    };
    cJSON *system = cJSON_GetObjectItemCaseSensitive(to, "systemMetrics");
    cJSON *own = cJSON_GetObjectItemCaseSensitive(to, "metrics");

    if (add_system_results(&n, hub_key, c->id, json_add_obj(system, "results"), err) < 0)
        return -1;
    return add_own_results(hub, hub_key, json_get(own, "queries"), json_add_obj(own, "results"),
                           err);
}
