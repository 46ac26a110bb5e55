/* Methods about this host and its VMs. */
#include "core/engine/methods.h"

#include "core/azure/tpm_public.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/guest.h"
#include "core/engine/jobs.h"
#include "core/engine/pool.h"
#include "core/engine/vms.h"
#include "core/rpc/model_json.h"
#include "vm/host.h"
#include "vm/plan.h"

#include <unistd.h>

/* ---- host ---- */

struct host_question {
    struct request *req;
    struct vm_plan plan;
    bool has_plan;
    struct host_report report;
};

static int check_host(void *arg, struct err *err)
{
    struct host_question *q = arg;
    return host_check(q->has_plan ? &q->plan : NULL, &q->report, err);
}

static void host_checked(void *arg, const struct err *err)
{
    struct host_question *q = arg;
    if (err)
        request_fail(q->req, err);
    else
        request_reply(q->req, model_json_host_report(&q->report));
    free(q);
}

static void call_host_check(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    struct vm_plan plan = {0};
    const cJSON *json = json_get(params, "plan");
    bool has_plan = cJSON_IsObject(json);
    if (has_plan && model_parse_plan(json, &plan, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    struct host_question *q = xcalloc(1, sizeof(*q));
    q->req = req;
    q->plan = plan;
    q->has_plan = has_plan;
    pool_run(e->loop, check_host, host_checked, q);
}

static void call_plan_default(struct request *req, const cJSON *params)
{
    struct err err = {0};
    struct host_size size;
    struct vm_plan plan;
    char host[MODEL_NAME_MAX] = "";
    (void)params;
    (void)gethostname(host, sizeof(host) - 1);
    if (host_size_read(&size, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    plan_default(&size, host, &plan);
    request_reply(req, model_json_plan(&plan));
}

/* ---- create ---- */

static int check_create(struct engine *e, const cJSON *params, struct vm_plan *plan,
                        struct err *err)
{
    const cJSON *json = NULL;
    struct host_size size;
    if (json_need_obj(params, "plan", &json, err) < 0 || model_parse_plan(json, plan, err) < 0 ||
        host_size_read(&size, err) < 0 || plan_check(plan, &size, err) < 0)
        return -1;
    if (vms_status(e->vms, plan->name)) {
        err_set(err, ERR_EXISTS, "there is a VM \"%s\" already", plan->name);
        return err_hint(err, "choose another name, or delete it first: berth vm delete %s",
                        plan->name);
    }
    if (vms_count(e->vms) >= MODEL_VMS_MAX) {
        err_set(err, ERR_UNSUPPORTED,
                "this computer has %d VMs already, and Berth looks after no more", MODEL_VMS_MAX);
        return err_hint(err, "delete one that is no longer needed: berth vm delete NAME");
    }
    /* A job that installs it holds the name before there is a record; jobs_start says so. */
    return jobs_holding(e->jobs, plan->name) ? 0 : plan_check_name_free(plan->name, err);
}

static void call_vm_create(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    struct vm_plan plan;
    char title[96];
    if (check_create(e, params, &plan, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    char by[MODEL_NAME_MAX];
    str_sanitise_to(by, sizeof(by), json_str(params, "by", ""));
    cJSON *kept = cJSON_CreateObject();
    json_add(kept, "plan", model_json_plan(&plan));
    json_add_str(kept, "by", by);
    (void)str_format(title, sizeof(title), "Install %s", plan.name);
    const struct job_request request = {
        .kind = "vm.create", .title = title, .vm = plan.name, .by = by, .take_params = kept};
    const struct job *job = jobs_start(e->jobs, &request, &err);
    method_reply_job(req, job, &err);
}

/* ---- the others ---- */

/* A job for {"vm": NAME, "force"?: bool}. */
static void start_vm_job(struct request *req, const cJSON *params, const char *kind,
                         const char *verb)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *name = NULL;
    char title[96];
    const struct job *job = NULL;
    if (json_need_str(params, "vm", &name, &err) == 0 && vms_find(e->vms, name, &err)) {
        char by[MODEL_NAME_MAX];
        str_sanitise_to(by, sizeof(by), json_str(params, "by", ""));
        cJSON *kept = cJSON_CreateObject();
        json_add_str(kept, "vm", name);
        json_add_bool(kept, "force", json_bool(params, "force", false));
        (void)str_format(title, sizeof(title), "%s %s", verb, name);
        const struct job_request request = {
            .kind = kind, .title = title, .vm = name, .by = by, .take_params = kept};
        job = jobs_start(e->jobs, &request, &err);
    }
    method_reply_job(req, job, &err);
}

static void call_vm_start(struct request *req, const cJSON *params)
{
    start_vm_job(req, params, "vm.start", "Start");
}

static void call_vm_stop(struct request *req, const cJSON *params)
{
    start_vm_job(req, params, "vm.stop", "Stop");
}

static void call_vm_restart(struct request *req, const cJSON *params)
{
    start_vm_job(req, params, "vm.restart", "Restart");
}

static void call_vm_delete(struct request *req, const cJSON *params)
{
    start_vm_job(req, params, "vm.delete", "Delete");
}

/* ---- its TPM ---- */

/* What an enrolment of the device wants to know. The guest's word is taken only for the key. */
static void on_tpm_keys(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct request *req = arg;
    struct err why;
    char id[TPM_REGISTRATION_ID_SIZE];
    (void)text;
    if (err) {
        request_fail(req, err);
        return;
    }
    auto_json cJSON *json = json_parse(buf_str(body), body->len, NULL);
    const char *key = json_str(json, "endorsementKey", "");
    if (tpm_registration_id(key, id, &why) < 0) {
        err_wrap(&why, "the endorsement key of the VM's TPM");
        request_fail(req, &why);
        return;
    }
    cJSON *reply = cJSON_CreateObject();
    json_add_str(reply, "registrationId", id);
    json_add_str(reply, "endorsementKey", key);
    request_reply(req, reply);
}

static void call_vm_tpm(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *vm = NULL;
    struct guest *guest = NULL;
    if (json_need_str(params, "vm", &vm, &err) == 0)
        guest = vms_guest(e->vms, vm, &err);
    if (!guest || !guest_admin(guest, "tpm-keys", NULL, 0, 0, on_tpm_keys, req, &err))
        request_fail(req, &err);
}

const struct rpc_method methods_vm[] = {
    {"host.check", call_host_check},
    {"plan.default", call_plan_default},
    {"vm.create", call_vm_create},
    {"vm.start", call_vm_start},
    {"vm.stop", call_vm_stop},
    {"vm.restart", call_vm_restart},
    {"vm.delete", call_vm_delete},
    {"vm.tpm", call_vm_tpm},
    {NULL, NULL},
};
