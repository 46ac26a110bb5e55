/* Methods about figures. */
#include "core/engine/methods.h"

#include "core/base/json.h"
#include "core/engine/engine.h"
#include "core/engine/metrics.h"
#include "core/engine/vms.h"

static void call_metrics_get(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *vm = NULL;
    if (json_need_str(params, "vm", &vm, &err) < 0 || !vms_find(e->vms, vm, &err))
        request_fail(req, &err);
    else
        request_reply(req, metrics_json(vms_metrics(e->vms, vm), json_u64(params, "since", 0)));
}

const struct rpc_method methods_metrics[] = {
    {"metrics.get", call_metrics_get},
    {NULL, NULL},
};
