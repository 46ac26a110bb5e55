/* Methods that make a guest a device of a hub. */
#include "core/engine/methods.h"

#include "core/azure/connstr.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/job_provision.h"
#include "core/engine/jobs.h"
#include "core/engine/vms.h"

#include <string.h>

/* Starts KIND for the VM that PARAMS name, which must answer. */
static struct job *start(struct engine *e, const cJSON *params, const char *kind, const char *title,
                         struct err *err)
{
    const char *vm = NULL;
    if (json_need_str(params, "vm", &vm, err) < 0 || !vms_guest(e->vms, vm, err))
        return NULL;
    char text[96];
    char by[MODEL_NAME_MAX];
    (void)str_format(text, sizeof(text), "%s %s", title, vm);
    str_sanitise_to(by, sizeof(by), json_str(params, "by", ""));
    cJSON *kept = cJSON_CreateObject();
    json_add_str(kept, "vm", vm);
    if (json_get(params, "deviceId"))
        json_add_str(kept, "deviceId", json_str(params, "deviceId", vm));
    json_add_bool(kept, "sample", json_bool(params, "sample", true));
    const struct job_request request = {
        .kind = kind, .title = text, .vm = vm, .by = by, .take_params = kept};
    return jobs_start(e->jobs, &request, err);
}

/* A string that cannot work is refused before there is a job. */
static int check_string(const cJSON *params, const char **ret_text, struct err *err)
{
    auto_connstr struct connstr c = {0};
    if (json_need_str(params, "connectionString", ret_text, err) < 0 ||
        connstr_parse(*ret_text, strlen(*ret_text), &c, err) < 0)
        return -1;
    return connstr_check_device(&c, err);
}

static void call_connection_string(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *text = NULL;
    struct job *job = NULL;
    if (check_string(params, &text, &err) == 0)
        job = start(e, params, "provision.connection_string", "Connect to Azure:", &err);
    if (job && job_provision_set_string(job, text, strlen(text), &err) < 0) {
        (void)jobs_cancel(e->jobs, job_status(job)->id, NULL);
        job = NULL;
    }
    method_reply_job(req, job, &err);
}

static void call_sandbox(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const struct job *job = start(e, params, "provision.sandbox", "Connect to the sandbox:", &err);
    method_reply_job(req, job, &err);
}

const struct rpc_method methods_provision[] = {
    {"provision.connection_string", call_connection_string},
    {"provision.sandbox", call_sandbox},
    {NULL, NULL},
};
