/* Methods about the sandbox. */
#include "core/engine/methods.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/jobs.h"
#include "core/engine/sandbox_state.h"
#include "core/rpc/model_json.h"
#include "provision/hub_rest.h"
#include "provision/sandbox.h"

/* ---- start, stop, show ---- */

static void call_start(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const struct job_request request = {.kind = "sandbox.start",
                                        .title = "Start the sandbox",
                                        .take_params = cJSON_Duplicate(params, true)};
    const struct job *job = jobs_start(e->jobs, &request, &err);
    method_reply_job(req, job, &err);
}

static void call_stop(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    (void)params;
    const struct job_request request = {.kind = "sandbox.stop", .title = "Stop the sandbox"};
    const struct job *job = jobs_start(e->jobs, &request, &err);
    method_reply_job(req, job, &err);
}

/* The whole record, for scripts; its reader is our own user, who may read the file as well. */
static cJSON *show_json(struct engine *e, uint32_t devices)
{
    struct sandbox_status status;
    auto_sandbox_record struct sandbox_record r = {0};
    sandbox_state_fill(e->sandbox, &status);
    status.devices = devices;
    cJSON *json = model_json_sandbox(&status);
    if (status.light != LIGHT_OK || sandbox_load(&r, NULL) < 0)
        return json;
    json_add_str_or_null(json, "serviceConnectionString", r.service.data);
    if (r.registry_port) {
        cJSON *registry = json_add_obj(json, "registry");
        json_add_str(registry, "host", r.host);
        json_add_u64(registry, "port", r.registry_port);
    }
    return json;
}

struct show {
    struct request *req;
    struct hub_rest *rest;
};

static void on_counted(void *arg, uint32_t devices, const struct err *err)
{
    struct show *show = arg;
    (void)err; /* a sandbox that does not answer is shown all the same */
    request_reply(show->req, show_json(show->req->owner, devices));
    hub_rest_free(show->rest);
    free(show);
}

static void call_show(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct sandbox_status status;
    auto_sandbox_record struct sandbox_record r = {0};
    struct hub_rest *rest = NULL;
    (void)params;
    sandbox_state_fill(e->sandbox, &status);
    if (status.light == LIGHT_OK && sandbox_load(&r, NULL) == 0)
        rest = hub_rest_new(e->loop, &r, NULL, NULL);
    if (!rest) {
        request_reply(req, show_json(e, 0));
        return;
    }
    struct show *show = xcalloc(1, sizeof(*show));
    show->req = req;
    show->rest = rest;
    hub_rest_count(rest, on_counted, show);
}

/* ---- devices and deployments ---- */

/* One call to the sandbox's REST for one request. */
struct hub_call {
    struct request *req;
    struct hub_rest *rest;
    char device[130];
};

static void hub_call_free(struct hub_call *c)
{
    hub_rest_free(c->rest);
    free(c);
}

static struct hub_call *hub_call_new(struct request *req, const cJSON *params, struct err *err)
{
    struct engine *e = req->owner;
    auto_sandbox_record struct sandbox_record r = {0};
    const char *device = NULL;
    if (json_need_str(params, "deviceId", &device, err) < 0)
        return NULL;
    if (sandbox_load(&r, NULL) < 0 || !sandbox_alive(&r)) {
        err_set(err, ERR_UNREACHABLE, "the sandbox does not run");
        err_hint(err, "start it with: berth sandbox start");
        return NULL;
    }
    struct hub_call *c = xcalloc(1, sizeof(*c));
    c->req = req;
    STR_SET(c->device, device);
    c->rest = hub_rest_new(e->loop, &r, NULL, err);
    if (c->rest)
        return c;
    free(c);
    return NULL;
}

static void on_device(void *arg, const char *connection_string, const struct err *err)
{
    struct hub_call *c = arg;
    if (err) {
        request_fail(c->req, err);
    } else {
        cJSON *result = cJSON_CreateObject();
        json_add_str(result, "deviceId", c->device);
        json_add_str(result, "connectionString", connection_string);
        request_reply(c->req, result);
    }
    hub_call_free(c);
}

static void call_device_create(struct request *req, const cJSON *params)
{
    struct err err = {0};
    struct hub_call *c = hub_call_new(req, params, &err);
    if (c)
        hub_rest_device(c->rest, c->device, on_device, c);
    else
        request_fail(req, &err);
}

static void on_deployed(void *arg, const struct err *err)
{
    struct hub_call *c = arg;
    if (err)
        request_fail(c->req, err);
    else
        request_reply_empty(c->req);
    hub_call_free(c);
}

static void call_deploy(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const cJSON *manifest = NULL;
    struct hub_call *c = NULL;
    if (json_need_obj(params, "manifest", &manifest, &err) == 0)
        c = hub_call_new(req, params, &err);
    if (!c) {
        request_fail(req, &err);
        return;
    }
    auto_buf struct buf text = {0};
    json_print(&text, manifest);
    hub_rest_deploy(c->rest, c->device, text.data, text.len, on_deployed, c);
}

const struct rpc_method methods_sandbox[] = {
    {"sandbox.start", call_start},   {"sandbox.stop", call_stop},
    {"sandbox.show", call_show},     {"sandbox.device_create", call_device_create},
    {"sandbox.deploy", call_deploy}, {NULL, NULL},
};
