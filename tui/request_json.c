/* See request.h: the console's messages to the engine and what comes back, as plain structs. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/event_json.h"
#include "tui/request.h"
#include "tui/request_private.h"
#include "tui/who.h"

#include <string.h>

/* A call under way. */
struct request {
    struct ui *ui;
    uint64_t screen_id;
    enum reply_kind kind;
    char what[96];
    struct request *next, **link; /* in the list of the ui */
};

static void deliver_metrics(struct ui *ui, uint64_t screen_id, struct reply *reply,
                            const cJSON *result);

static void changed(struct ui *ui)
{
    const struct ui_ops *ops = ui_ops(ui);
    if (ops->changed)
        ops->changed(ops->arg);
}

static void request_free(struct request *request)
{
    *request->link = request->next;
    if (request->next)
        request->next->link = request->link;
    free(request);
}

void request_drop(struct ui *ui)
{
    while (*ui_requests(ui))
        request_free(*ui_requests(ui));
}

static void on_answer(void *arg, const cJSON *result, const struct err *err)
{
    struct request *request = arg;
    struct ui *ui = request->ui;
    struct host_report report;
    struct vm_plan plan;
    struct err bad;
    struct reply reply = {.kind = request->kind, .what = request->what, .err = err};
    memset(&bad, 0, sizeof(bad));
    if (err) {
        ui_reply(ui, request->screen_id, &reply);
    } else if (request->kind >= REPLY_DEVICES) {
        request_deliver_sandbox(ui, request->screen_id, &reply, result);
    } else if (request->kind == REPLY_METRICS) {
        deliver_metrics(ui, request->screen_id, &reply, result);
    } else {
        if (request->kind == REPLY_JOB || request->kind == REPLY_STREAM) {
            if (json_need_str(result, request->kind == REPLY_JOB ? "job" : "stream", &reply.id,
                              &bad) < 0)
                reply.err = &bad;
        } else if (request->kind == REPLY_HOST_REPORT) {
            model_parse_host_report(result, &report);
            reply.report = &report;
        } else if (request->kind == REPLY_PLAN) {
            if (model_parse_plan(result, &plan, &bad) < 0)
                reply.err = &bad;
            reply.plan = &plan;
        } else if (request->kind == REPLY_TPM) {
            if (json_need_str(result, "registrationId", &reply.id, &bad) < 0 ||
                json_need_str(result, "endorsementKey", &reply.text, &bad) < 0)
                reply.err = &bad;
        }
        ui_reply(ui, request->screen_id, &reply);
    }
    request_free(request);
    changed(ui);
}

void request_ask(struct ui *ui, enum reply_kind kind, const char *what, const char *method,
                 cJSON *take_params, uint64_t timeout_ms)
{
    struct request *request = xcalloc(1, sizeof(*request));
    const struct ui_ops *ops = ui_ops(ui);
    request->ui = ui;
    request->screen_id = ui_top_id(ui);
    request->kind = kind;
    STR_SET(request->what, what);
    request->link = ui_requests(ui);
    request->next = *request->link;
    if (request->next)
        request->next->link = &request->next;
    *request->link = request;
    ops->call(ops->arg, method, take_params, timeout_ms, on_answer, request);
}

static cJSON *params_vm(const char *vm)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", vm);
    return params;
}

void request_add_by(cJSON *params)
{
    char who[MODEL_NAME_MAX];
    who_describe(who, sizeof(who));
    json_add_str(params, "by", who);
}

void request_host_check(struct ui *ui, const struct vm_plan *plan_or_null)
{
    cJSON *params = cJSON_CreateObject();
    if (plan_or_null)
        json_add(params, "plan", model_json_plan(plan_or_null));
    request_ask(ui, REPLY_HOST_REPORT, "check this computer", "host.check", params, 60000);
}

void request_plan_default(struct ui *ui)
{
    request_ask(ui, REPLY_PLAN, "suggest a plan", "plan.default", cJSON_CreateObject(), 0);
}

void request_vm_create(struct ui *ui, const struct vm_plan *plan)
{
    cJSON *params = cJSON_CreateObject();
    json_add(params, "plan", model_json_plan(plan));
    request_add_by(params);
    request_ask(ui, REPLY_JOB, "install the VM", "vm.create", params, 0);
}

void request_vm(struct ui *ui, const char *verb, const char *vm, bool force)
{
    char method[32], what[96];
    cJSON *params = params_vm(vm);
    if (force)
        json_add_bool(params, "force", true);
    (void)str_format(method, sizeof(method), "vm.%s", verb);
    (void)str_format(what, sizeof(what), "%s VM %s", verb, vm);
    request_add_by(params);
    request_ask(ui, REPLY_JOB, what, method, params, 0);
}

void request_tpm(struct ui *ui, const char *vm)
{
    request_ask(ui, REPLY_TPM, "ask for the TPM's key", "vm.tpm", params_vm(vm), 90000);
}

void request_module(struct ui *ui, const char *verb, const char *vm, const char *module)
{
    char method[32], what[96];
    cJSON *params = params_vm(vm);
    json_add_str(params, "module", module);
    (void)str_format(method, sizeof(method), "module.%s", verb);
    (void)str_format(what, sizeof(what), "%s %s", verb, module);
    request_ask(ui, REPLY_DONE, what, method, params, 60000);
}

void request_connection_string(struct ui *ui, const char *vm, const char *secret)
{
    cJSON *params = params_vm(vm);
    json_add_str(params, "connectionString", secret);
    request_add_by(params);
    request_ask(ui, REPLY_JOB, "connect to Azure", "provision.connection_string", params, 0);
}

void request_provision_sandbox(struct ui *ui, const char *vm, const char *device_or_null)
{
    cJSON *params = params_vm(vm);
    if (device_or_null) {
        json_add_str(params, "deviceId", device_or_null);
        json_add_bool(params, "sample", false);
    }
    request_add_by(params);
    request_ask(ui, REPLY_JOB, "connect to the sandbox", "provision.sandbox", params, 0);
}

void request_job_cancel(struct ui *ui, const char *id)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "id", id);
    request_ask(ui, REPLY_DONE, "cancel the job", "job.cancel", params, 0);
}

void request_logs_follow(struct ui *ui, const char *vm, const char *module, unsigned tail)
{
    cJSON *params = params_vm(vm);
    json_add_str(params, "module", module);
    json_add_u64(params, "tail", tail);
    json_add_bool(params, "follow", true);
    request_ask(ui, REPLY_STREAM, "follow the log", "logs.follow", params, 0);
}

void request_logs_stop(struct ui *ui, const char *stream)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "stream", stream);
    const struct ui_ops *ops = ui_ops(ui);
    ops->call(ops->arg, "logs.stop", params, 0, NULL, NULL);
}

void request_metrics(struct ui *ui, const char *vm, uint64_t since_ms)
{
    cJSON *params = params_vm(vm);
    json_add_u64(params, "since", since_ms);
    request_ask(ui, REPLY_METRICS, "read the metrics", "metrics.get", params, 0);
}

/* ---- what comes back */

static void parse_metric(const cJSON *json, struct metric *ret)
{
    const cJSON *point;
    str_sanitise_to(ret->name, sizeof(ret->name), json_str(json, "name", ""));
    str_sanitise_to(ret->unit, sizeof(ret->unit), json_str(json, "unit", ""));
    str_sanitise_to(ret->module, sizeof(ret->module), json_str(json, "module", ""));
    ret->series = series_new(METRIC_POINTS_MAX);
    cJSON_ArrayForEach(point, json_get(json, "points"))
    {
        const cJSON *at = cJSON_GetArrayItem(point, 0);
        const cJSON *value = cJSON_GetArrayItem(point, 1);
        if (cJSON_IsNumber(at) && cJSON_IsNumber(value) && at->valuedouble >= 0)
            (void)series_push(ret->series, (uint64_t)at->valuedouble, value->valuedouble);
    }
}

static void deliver_metrics(struct ui *ui, uint64_t screen_id, struct reply *reply,
                            const cJSON *result)
{
    const cJSON *item;
    struct metric_set *set = xcalloc(1, sizeof(*set));
    cJSON_ArrayForEach(item, json_get(result, "series"))
    {
        if (set->n == METRIC_MAX)
            break;
        parse_metric(item, &set->of[set->n++]);
    }
    reply->metrics = set;
    ui_reply(ui, screen_id, reply);
    metric_set_done(set);
    free(set);
}

static void event_log(struct ui *ui, const cJSON *params)
{
    const cJSON *item;
    struct err err;
    int n = cJSON_GetArraySize(json_get(params, "entries"));
    struct log_batch batch = {
        .stream = json_str(params, "stream", ""),
        .end = json_bool(params, "end", false),
    };
    struct log_entry *entries = xcalloc((size_t)(n > 0 ? n : 1), sizeof(*entries));
    cJSON_ArrayForEach(item, json_get(params, "entries"))
    {
        struct log_entry *e = &entries[batch.n++];
        e->seq = json_u64(item, "seq", 0);
        e->gap = json_u64(item, "gap", 0);
        e->at_ms = json_u64(item, "at", 0);
        e->stream = (uint8_t)json_u64(item, "stream", 0);
        e->cut = json_bool(item, "cut", false);
        e->text = json_str(item, "text", "");
        e->len = strlen(e->text);
    }
    batch.entries = entries;
    if (json_get(params, "error")) {
        model_parse_error(json_get(params, "error"), &err);
        batch.err = &err;
    }
    ui_log(ui, &batch);
    free(entries);
}

/* Events of the sandbox are shown as lines of a log. */
static void event_sandbox(struct ui *ui, const cJSON *params)
{
    const cJSON *item;
    auto_json cJSON *lines = cJSON_CreateObject();
    cJSON *entries = json_add_array(lines, "entries");
    static const char *const copied[] = {"stream", "end", "error"};
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        if (json_get(params, copied[i]))
            json_add(lines, copied[i], cJSON_Duplicate(json_get(params, copied[i]), true));
    cJSON_ArrayForEach(item, json_get(params, "entries"))
    {
        auto_buf struct buf text = {0};
        cJSON *line = cJSON_CreateObject();
        if (json_get(item, "mark"))
            buf_puts(&text, "-- ");
        event_json_line(item, &text);
        json_add_u64(line, "seq", json_u64(item, "seq", 0));
        json_add_u64(line, "gap", json_u64(item, "gap", 0));
        json_add_u64(line, "at", json_u64(item, "at", 0));
        json_add_str(line, "text", buf_str(&text));
        json_push(entries, line);
    }
    event_log(ui, lines);
}

void request_event(struct ui *ui, const char *method, const cJSON *params)
{
    if (str_eq(method, "event.snapshot")) {
        model_parse_snapshot(params, &ui_view(ui)->snap);
        ui_snapshot(ui);
    } else if (str_eq(method, "event.log")) {
        event_log(ui, params);
    } else if (str_eq(method, "event.sandbox")) {
        event_sandbox(ui, params);
    }
}

static void on_watch(void *arg, const cJSON *result, const struct err *err)
{
    struct ui *ui = arg;
    if (err) {
        ui_view(ui)->link_err = *err;
        return;
    }
    model_parse_snapshot(result, &ui_view(ui)->snap);
    ui_snapshot(ui);
    changed(ui);
}

void request_watch(struct ui *ui)
{
    const struct ui_ops *ops = ui_ops(ui);
    ops->call(ops->arg, "snapshot.watch", cJSON_CreateObject(), 0, on_watch, ui);
}
