/* Methods about modules in a guest. */
#include "core/engine/methods.h"

#include "core/base/json.h"
#include "core/engine/engine.h"
#include "core/engine/guest.h"
#include "core/engine/vms.h"

static void on_done(void *arg, const struct err *err)
{
    struct request *req = arg;
    if (err)
        request_fail(req, err);
    else
        request_reply_empty(req);
}

static void act(struct request *req, const cJSON *params, enum guest_module_action action)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *vm = NULL;
    const char *module = NULL;
    struct guest *guest = NULL;
    if (json_need_str(params, "vm", &vm, &err) == 0 &&
        json_need_str(params, "module", &module, &err) == 0)
        guest = vms_guest(e->vms, vm, &err);
    if (!guest || !guest_module(guest, action, module, on_done, req, &err))
        request_fail(req, &err);
}

static void call_start(struct request *req, const cJSON *params)
{
    act(req, params, GUEST_MODULE_START);
}

static void call_stop(struct request *req, const cJSON *params)
{
    act(req, params, GUEST_MODULE_STOP);
}

static void call_restart(struct request *req, const cJSON *params)
{
    act(req, params, GUEST_MODULE_RESTART);
}

const struct rpc_method methods_module[] = {
    {"module.start", call_start},
    {"module.stop", call_stop},
    {"module.restart", call_restart},
    {NULL, NULL},
};
