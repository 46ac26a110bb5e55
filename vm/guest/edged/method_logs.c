/* GetModuleLogs and UploadModuleLogs: one module's log after the other, from the engine through the
 * filters into the answer or into a blob. Neither holds more than its limit, whatever the engine
 * has: the answer is refused beyond it, an upload stops the engine while a block is on its way. */
#include "vm/guest/edged/method_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "logs/docker_frames.h"
#include "vm/guest/edged/agent_log.h"
#include "vm/guest/edged/method_text.h"
#include "vm/guest/edged/method_upload.h"

#include <string.h>

#define JOBS_MAX   4
#define ANSWER_MAX 127000
#define LIMIT_MS   600000

struct method_job {
    struct agent_methods *m;
    struct method_job *next;
    struct method_request request;
    char *rid;            /* of the answer; NULL: an upload */
    char task[UUID_SIZE]; /* of an upload */
    uv_timer_t *timer;    /* first turn, then the limit */
    char (*modules)[DEPLOYMENT_NAME_MAX];
    size_t n, at;
    cJSON *answer;
    /* of the module at `at` */
    struct log_query query;
    struct method_text *text;
    struct docker_frames frames;
    struct http_call *logs;
    struct method_upload *upload;
    bool ended; /* its log is read */
};

static void next_module(struct method_job *job);

/* ------------------------------------------------------------------------------- ends */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void module_done(struct method_job *job)
{
    http_call_cancel(steal(job->logs));
    method_upload_free(steal(job->upload));
    method_text_free(steal(job->text));
    job->ended = false;
}

static void job_free(struct method_job *job)
{
    struct method_job **at = &job->m->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    job->m->n_jobs--;
    module_done(job);
    uv_close((uv_handle_t *)job->timer, on_closed);
    method_request_done(&job->request);
    cJSON_Delete(job->answer);
    free(job->modules);
    free(job->rid);
    free(job);
}

static void job_fail(struct method_job *job, const struct err *why)
{
    struct err err = *why;
    if (job->at < job->n && err.kind != ERR_INVALID)
        err_wrap(&err, "%s", job->modules[job->at]);
    log_warn("method", "logs: %s", err.msg);
    if (job->rid)
        method_refuse(job->m, job->rid, &err);
    else
        method_task_end(&job->m->tasks, job->task, err.msg);
    job_free(job);
}

static void too_long(struct method_job *job)
{
    struct err err;
    err_set(&err, ERR_INVALID,
            "the logs are longer than the %d bytes of an answer; ask for fewer lines (tail, since, "
            "until), use encoding gzip or UploadModuleLogs",
            ANSWER_MAX);
    job_fail(job, &err);
}

static void job_end(struct method_job *job)
{
    auto_buf struct buf text = {0};
    if (!job->rid) {
        method_task_end(&job->m->tasks, job->task, "");
        job_free(job);
        return;
    }
    json_print(&text, job->answer);
    if (text.len > ANSWER_MAX) {
        too_long(job);
        return;
    }
    method_answer(job->m, job->rid, 200, job->answer);
    job_free(job);
}

/* ------------------------------------------------------------------------------- one module */

static void add_to_answer(struct method_job *job)
{
    auto_buf struct buf bytes = {0};
    const struct buf *out = method_text_out(job->text);
    cJSON *entry = cJSON_CreateObject();
    json_push(job->answer, entry);
    json_add_str(entry, "id", job->modules[job->at]);
    if (job->request.gzip)
        base64_encode(out->data, out->len, &bytes);
    json_add_str_or_null(entry, "payloadBytes", buf_str(&bytes));
    if (job->request.gzip)
        json_add(entry, "payload", cJSON_CreateNull());
    else
        json_add_str(entry, "payload", buf_str(out));
}

static void on_uploaded(void *arg, const struct err *err)
{
    struct method_job *job = arg;
    if (err) {
        job_fail(job, err);
    } else if (job->ended) {
        job->at++;
        next_module(job);
    } else {
        buf_clear(method_text_out(job->text));
        http_call_resume(job->logs);
    }
}

/* False where no more is wanted for now, or JOB is gone. */
static bool on_data(void *arg, const char *data, size_t len)
{
    struct method_job *job = arg;
    struct err err;
    if (docker_frames_feed(&job->frames, data, len, &err) < 0) {
        job_fail(job, &err);
        return false;
    }
    const struct buf *out = method_text_out(job->text);
    if (job->upload && out->len >= METHOD_BLOCK_BYTES) {
        method_upload_put(job->upload, out->data, out->len, false);
        return false;
    }
    if (!job->upload && out->len > ANSWER_MAX) {
        too_long(job);
        return false;
    }
    return true;
}

static void log_read(struct method_job *job)
{
    (void)docker_frames_end(&job->frames, NULL); /* cut off: what is there is told */
    method_text_end(job->text);
    job->ended = true;
    const struct buf *out = method_text_out(job->text);
    if (job->upload) {
        method_upload_put(job->upload, buf_str(out), out->len, true);
        return;
    }
    if (out->len > ANSWER_MAX) {
        too_long(job);
        return;
    }
    add_to_answer(job);
    job->at++;
    next_module(job);
}

static void on_log_end(void *arg, int status, const struct buf *body, const struct err *error)
{
    (void)body;
    struct method_job *job = arg;
    struct err err;
    job->logs = NULL;
    if (!error && status >= 300)
        err_set(&err, ERR_REMOTE, "the container engine answered %d", status);
    else if (error)
        err = *error;
    if (error || status >= 300)
        job_fail(job, &err);
    else
        log_read(job);
}

static void read_own_log(struct method_job *job, enum agent_log which)
{
    auto_buf struct buf frames = {0};
    agent_log_recent(which, &job->query, &frames);
    (void)docker_frames_feed(&job->frames, frames.data, frames.len, NULL);
    log_read(job);
}

static int begin_upload(struct method_job *job, struct err *err)
{
    if (job->rid)
        return 0;
    auto_free char *end =
        xasprintf("%s%s", job->request.json ? "json" : "log", job->request.gzip ? ".gz" : "");
    auto_free char *blob = method_upload_name(job->m->c.device, job->modules[job->at], end);
    job->upload = method_upload_new(job->m->c.loop, job->m->c.config, job->request.url, blob,
                                    on_uploaded, job, err);
    return job->upload ? 0 : -1;
}

static void next_module(struct method_job *job)
{
    struct err err;
    auto_buf struct buf target = {0};
    module_done(job);
    if (job->at == job->n) {
        job_end(job);
        return;
    }
    if (begin_upload(job, &err) < 0) {
        job_fail(job, &err);
        return;
    }
    const char *module = job->modules[job->at];
    const struct method_text_options options = {
        .item = method_request_find(&job->request, module),
        .gzip = job->request.gzip,
        .json = job->request.json,
        .hub = job->m->c.device->hub,
        .device = job->m->c.device->id,
        .module = module,
    };
    job->query = options.item->query;
    job->query.timestamps = job->request.json;
    job->text = method_text_new(&options);
    docker_frames_init(&job->frames, DOCKER_MODE_DETECT, method_text_feed, job->text);
    bool hub = str_eq(module, EDGE_HUB_NAME);
    if (hub || str_eq(module, METHOD_AGENT)) {
        read_own_log(job, hub ? AGENT_LOG_HUB : AGENT_LOG_OWN);
        return;
    }
    log_query_target(&job->query, module, &target);
    job->logs = docker_stream(job->m->c.docker, buf_str(&target), on_data, on_log_end, job);
}

/* ------------------------------------------------------------------------------- begin */

static void on_limit(uv_timer_t *timer)
{
    struct err err;
    err_set(&err, ERR_TIMEOUT, "not done within %d s", LIMIT_MS / 1000);
    job_fail(timer->data, &err);
}

static void on_first_turn(uv_timer_t *timer)
{
    (void)uv_timer_start(timer, on_limit, LIMIT_MS, 0);
    next_module(timer->data);
}

static void add_module(struct method_job *job, const char *name)
{
    if (method_request_find(&job->request, name))
        (void)str_copy(job->modules[job->n++], DEPLOYMENT_NAME_MAX, name);
}

/* Those that have a log: this process, the edge hub, and each container. */
static void choose_modules(struct method_job *job)
{
    struct module_view views[PLAN_TRACKS_MAX];
    size_t n = agent_modules(job->m->c.agent, views, ARRAY_LEN(views));
    struct module_view hub;
    job->modules = xcalloc(n + 2, sizeof(*job->modules));
    add_module(job, METHOD_AGENT);
    if (edge_hub_view(job->m->c.hub, &hub))
        add_module(job, EDGE_HUB_NAME);
    for (size_t i = 0; i < n; i++)
        if (views[i].container)
            add_module(job, views[i].name);
}

/* NULL where the request was refused. */
static struct method_job *begin(struct agent_methods *m, const char *rid, const cJSON *payload,
                                bool upload)
{
    struct err err;
    struct method_request request;
    if (method_request_parse(payload, upload, clock_wall_ms() / 1000, &request, &err) < 0) {
        method_refuse(m, rid, &err);
        return NULL;
    }
    if (m->n_jobs == JOBS_MAX) {
        method_request_done(&request);
        err_set(&err, ERR_BUSY, "%d requests for logs are being served; try again later", JOBS_MAX);
        method_refuse(m, rid, &err);
        return NULL;
    }
    struct method_job *job = xcalloc(1, sizeof(*job));
    job->m = m;
    job->request = request;
    job->next = m->jobs;
    m->jobs = job;
    m->n_jobs++;
    choose_modules(job);
    job->timer = xcalloc(1, sizeof(*job->timer));
    (void)uv_timer_init(m->c.loop, job->timer);
    job->timer->data = job;
    (void)uv_timer_start(job->timer, on_first_turn, 0, 0);
    return job;
}

void method_get_logs(struct agent_methods *m, const char *rid, const cJSON *payload)
{
    struct method_job *job = begin(m, rid, payload, false);
    if (!job)
        return;
    job->rid = xstrdup(rid);
    job->answer = cJSON_CreateArray();
}

void method_upload_logs(struct agent_methods *m, const char *rid, const cJSON *payload)
{
    struct method_job *job = begin(m, rid, payload, true);
    if (!job)
        return;
    STR_SET(job->task, method_task_begin(&m->tasks)->id);
    method_answer_task(m, rid, job->task);
}

void method_jobs_done(struct agent_methods *m)
{
    for (struct method_job *job = m->jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
}
