/* Methods about the engine itself: hello, snapshot, jobs, end. */
#include "core/engine/methods.h"

#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "core/engine/engine.h"
#include "core/engine/jobs.h"
#include "core/engine/server.h"
#include "core/engine/state.h"
#include "core/engine/vms.h"
#include "core/rpc/model_json.h"

#include <unistd.h>

void method_reply_job(struct request *take_req, const struct job *job, const struct err *err)
{
    if (!job) {
        request_fail(take_req, err);
        return;
    }
    cJSON *result = cJSON_CreateObject();
    json_add_str(result, "job", job_status(job)->id);
    request_reply(take_req, result);
}

static void call_hello(struct request *req, const cJSON *params)
{
    (void)params; /* the dispatch has compared the protocols */
    cJSON *result = cJSON_CreateObject();
    json_add_u64(result, "protocol", BERTH_PROTOCOL);
    json_add_str(result, "version", BERTH_VERSION);
    json_add_u64(result, "pid", (uint64_t)getpid());
    request_reply(req, result);
}

static void call_snapshot_get(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    (void)params;
    request_reply(req, model_json_snapshot(state_now(e->state)));
}

static void call_snapshot_watch(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    server_watch(e->server, req->client);
    vms_watched(e->vms, true);
    call_snapshot_get(req, params);
}

static void call_job_list(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct job_status jobs[MODEL_JOBS_MAX];
    size_t n = jobs_list(e->jobs, jobs, ARRAY_LEN(jobs));
    (void)params;
    cJSON *result = cJSON_CreateObject();
    cJSON *list = json_add_array(result, "jobs");
    for (size_t i = 0; i < n; i++)
        json_push(list, model_json_job(&jobs[i]));
    request_reply(req, result);
}

static void call_job_get(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *id = NULL;
    const struct job_status *job = NULL;
    if (json_need_str(params, "id", &id, &err) == 0)
        job = jobs_find(e->jobs, id, &err);
    if (job)
        request_reply(req, model_json_job(job));
    else
        request_fail(req, &err);
}

static void call_job_cancel(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *id = NULL;
    if (json_need_str(params, "id", &id, &err) < 0 || jobs_cancel(e->jobs, id, &err) < 0)
        request_fail(req, &err);
    else
        request_reply_empty(req);
}

static void on_stop_answered(uv_timer_t *timer)
{
    struct engine *e = timer->data;
    engine_end(e, "a console asked for it");
}

/* The answer goes out first: the end comes with the loop's next turn. */
static void call_engine_stop(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    (void)params;
    request_reply_empty(req);
    (void)uv_timer_start(&e->idle_timer, on_stop_answered, 20, 0);
}

static void call_engine_log_level(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *name = NULL;
    enum log_level level = LOG_LEVEL_INFO;
    if (json_need_str(params, "level", &name, &err) < 0 ||
        log_level_parse(name, &level, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    log_set_level(level);
    request_reply_empty(req);
}

const struct rpc_method methods_core[] = {
    {"hello", call_hello},
    {"snapshot.get", call_snapshot_get},
    {"snapshot.watch", call_snapshot_watch},
    {"job.list", call_job_list},
    {"job.get", call_job_get},
    {"job.cancel", call_job_cancel},
    {"engine.stop", call_engine_stop},
    {"engine.log_level", call_engine_log_level},
    {NULL, NULL},
};
