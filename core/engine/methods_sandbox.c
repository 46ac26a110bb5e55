/* Methods about the sandbox itself, and the table of all its methods. */
#include "core/engine/methods_sandbox.h"
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

#include <string.h>

/* ---- start, stop, show ---- */

static void start_job(struct request *req, const char *kind, const char *title, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    char by[MODEL_NAME_MAX];
    str_sanitise_to(by, sizeof(by), json_str(params, "by", ""));
    const struct job_request request = {
        .kind = kind, .title = title, .by = by, .take_params = cJSON_Duplicate(params, true)};
    const struct job *job = jobs_start(e->jobs, &request, &err);
    method_reply_job(req, job, &err);
}

/* {mqttPort?, httpsPort?, registryPort?, hubs?: [names]}: {job} */
static void call_start(struct request *req, const cJSON *params)
{
    start_job(req, "sandbox.start", "Start the sandbox", params);
}

static void call_stop(struct request *req, const cJSON *params)
{
    start_job(req, "sandbox.stop", "Stop the sandbox", params);
}

/* Whoever asks has asked a person before. */
static void call_reset(struct request *req, const cJSON *params)
{
    start_job(req, "sandbox.reset", "Reset the sandbox", params);
}

/* Its hubs, each with its service connection string: only the name is another one. */
static void add_hubs(cJSON *json, const struct sandbox_record *r)
{
    const char *rest = strchr(r->service.data, ';');
    cJSON_DeleteItemFromObjectCaseSensitive(json, "hubs");
    cJSON *hubs = json_add_array(json, "hubs");
    for (size_t i = 0; i < r->n_hubs; i++) {
        cJSON *hub = cJSON_CreateObject();
        char *service = xasprintf("HostName=%s%s", r->hubs[i], rest ? rest : "");
        json_add_str(hub, "host", r->hubs[i]);
        json_add_str(hub, "serviceConnectionString", service);
        secret_free(service);
        json_push(hubs, hub);
    }
}

/* The whole record, for scripts; its reader is our own user, who may read the file as well. */
static cJSON *show_json(struct engine *e, uint32_t devices)
{
    struct sandbox_status status;
    auto_sandbox_record struct sandbox_record r = {0};
    sandbox_state_fill(e->sandbox, &status);
    status.devices = devices;
    cJSON *json = model_json_sandbox(&status);
    if (sandbox_load_running(&r, NULL) < 0)
        return json;
    json_add_str_or_null(json, "serviceConnectionString", r.service.data);
    if (r.dps.len) {
        cJSON *dps = json_add_obj(json, "dps");
        json_add_str(dps, "host", r.dps_host);
        json_add_str(dps, "idScope", r.id_scope);
        json_add_str(dps, "serviceConnectionString", r.dps.data);
    }
    if (r.registry_port) {
        cJSON *registry = json_add_obj(json, "registry");
        json_add_str(registry, "host", r.host);
        json_add_u64(registry, "port", r.registry_port);
    }
    add_hubs(json, &r);
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

const struct rpc_method methods_sandbox[] = {
    {"sandbox.start", call_start},
    {"sandbox.stop", call_stop},
    {"sandbox.reset", call_reset},
    {"sandbox.show", call_show},
    {"sandbox.device_list", sandbox_device_list},
    {"sandbox.device_show", sandbox_device_show},
    {"sandbox.device_create", sandbox_device_create},
    {"sandbox.device_set", sandbox_device_set},
    {"sandbox.device_delete", sandbox_device_delete},
    {"sandbox.deploy", sandbox_deploy},
    {"sandbox.configuration_list", sandbox_configuration_list},
    {"sandbox.configuration_apply", sandbox_configuration_apply},
    {"sandbox.configuration_delete", sandbox_configuration_delete},
    {"sandbox.enrol_list", sandbox_enrol_list},
    {"sandbox.enrol_show", sandbox_enrol_show},
    {"sandbox.enrol_create", sandbox_enrol_create},
    {"sandbox.enrol_delete", sandbox_enrol_delete},
    {"sandbox.ca_list", sandbox_ca_list},
    {"sandbox.ca_add", sandbox_ca_add},
    {"sandbox.ca_remove", sandbox_ca_remove},
    {"sandbox.send", sandbox_send},
    {"sandbox.invoke", sandbox_invoke},
    {"sandbox.twin_get", sandbox_twin_get},
    {"sandbox.twin_set", sandbox_twin_set},
    {"sandbox.query", sandbox_query},
    {"sandbox.events_follow", sandbox_events_follow},
    {"sandbox.events_stop", sandbox_events_stop},
    {NULL, NULL},
};
