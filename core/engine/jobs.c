/* See jobs.h. Journals of jobs that ended stay as the history, the latest KEPT of them; from them
 * also comes what a step usually takes. */
#include "core/engine/job_impl.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <dirent.h>
#include <string.h>

#define JOBS_KEPT    50 /* journals of ended jobs */
#define JOBS_TICK_MS 1000

static void on_news(uv_async_t *async);
static void on_tick(uv_timer_t *timer);

struct jobs *jobs_new(const struct jobs_options *options, struct err *err)
{
    if (file_mkdirs(options->dir, 0700, err) < 0)
        return NULL;
    struct jobs *jobs = xcalloc(1, sizeof(*jobs));
    jobs->options = *options;
    jobs->dir = xstrdup(options->dir);
    jobs->options.dir = jobs->dir;
    jobs->next_id = 1;
    (void)uv_async_init(options->loop, &jobs->news, on_news);
    (void)uv_timer_init(options->loop, &jobs->tick);
    jobs->news.data = jobs;
    jobs->tick.data = jobs;
    uv_unref((uv_handle_t *)&jobs->news);
    return jobs;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct jobs *jobs = handle->data;
    if (--jobs->handles)
        return;
    free(jobs->running);
    free(jobs->dir);
    free(jobs);
}

static void on_job_closed(uv_handle_t *handle)
{
    struct job *job = handle->data;
    free(job);
}

static void job_free(struct job *job)
{
    assert(job_at_rest(job));
    if (job->ctx)
        job->kind->ctx_free(job->ctx);
    if (job->created)
        journal_close(&job->journal);
    cJSON_Delete(job->params);
    free(job->path);
    uv_close((uv_handle_t *)&job->limit, on_job_closed);
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    for (size_t i = 0; i < jobs->n_running; i++)
        job_free(jobs->running[i]);
    jobs->n_running = 0;
    jobs->handles = 2;
    uv_close((uv_handle_t *)&jobs->news, on_handle_closed);
    uv_close((uv_handle_t *)&jobs->tick, on_handle_closed);
}

/* ---- looking things up ---- */

size_t jobs_running(const struct jobs *jobs)
{
    return jobs->n_running;
}

/* What a kind holds besides its VM. */
static bool holds_sandbox(const char *kind)
{
    return str_starts(kind, "sandbox.") || str_eq(kind, "provision.sandbox");
}

static const struct job *holder(const struct jobs *jobs, const char *vm, bool sandbox)
{
    for (size_t i = 0; i < jobs->n_running; i++) {
        const struct job *job = jobs->running[i];
        if ((vm && *vm && str_eq(job->status.vm, vm)) ||
            (sandbox && holds_sandbox(job->status.kind)))
            return job;
    }
    return NULL;
}

const struct job_status *jobs_holding(struct jobs *jobs, const char *vm)
{
    const struct job *job = holder(jobs, vm, !*vm);
    return job ? &job->status : NULL;
}

const struct job_status *jobs_find(struct jobs *jobs, const char *id, struct err *err)
{
    for (size_t i = 0; i < jobs->n_running; i++)
        if (str_eq(jobs->running[i]->status.id, id))
            return &jobs->running[i]->status;
    for (size_t i = 0; i < jobs->n_history; i++)
        if (str_eq(jobs->history[i].id, id))
            return &jobs->history[i];
    err_set(err, ERR_NOT_FOUND, "there is no job \"%.16s\"", id);
    err_hint(err, "list the jobs with: berth job list");
    return NULL;
}

static const struct job_kind *kind_find(const struct jobs *jobs, const char *name)
{
    for (const struct job_kind *const *kind = jobs->options.kinds; *kind; kind++)
        if (str_eq((*kind)->name, name))
            return *kind;
    return NULL;
}

/* ---- estimate ---- */

uint64_t jobs_usual_ms(const struct jobs *jobs, const struct job_kind *kind, size_t step)
{
    for (size_t i = 0; i < jobs->n_history; i++) {
        const struct job_status *old = &jobs->history[i];
        if (old->state != JOB_STATE_DONE || !str_eq(old->kind, kind->name) || step >= old->n_steps)
            continue;
        if (str_eq(old->steps[step].name, kind->steps[step].name) && old->steps[step].took_ms)
            return old->steps[step].took_ms;
    }
    return kind->steps[step].usual_ms;
}

static void estimate(const struct job *job, struct job_status *status)
{
    status->left_ms = 0;
    if (status->state != JOB_STATE_RUNNING)
        return;
    for (size_t i = status->step; i < status->n_steps; i++) {
        uint64_t usual = jobs_usual_ms(job->jobs, job->kind, i);
        uint64_t gone =
            i == status->step && job->step_began_ms ? clock_mono_ms() - job->step_began_ms : 0;
        /* Where the step counts its progress, that is better than experience. */
        if (i == status->step && status->percent > 5)
            usual = gone * 100 / (uint64_t)status->percent;
        status->left_ms += usual > gone ? usual - gone : 0;
    }
}

size_t jobs_list(struct jobs *jobs, struct job_status *to, size_t max)
{
    size_t n = 0;
    for (size_t i = jobs->n_running; i-- > 0 && n < max;) {
        to[n] = jobs->running[i]->status;
        estimate(jobs->running[i], &to[n++]);
    }
    for (size_t i = 0; i < jobs->n_history && n < max; i++)
        to[n++] = jobs->history[i];
    return n;
}

static void on_news(uv_async_t *async)
{
    struct jobs *jobs = async->data;
    for (size_t i = 0; i < jobs->n_running; i++)
        job_work_collect(jobs->running[i]);
}

/* The estimate goes down while nothing else happens. */
static void on_tick(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;
    jobs->options.on_change(jobs->options.owner);
}

/* ---- start, cancel, end ---- */

static struct job *job_new(struct jobs *jobs, const struct job_kind *kind, cJSON *take_params,
                           struct err *err)
{
    assert(kind->n_steps > 0 && kind->n_steps <= MODEL_STEPS_MAX);
    struct job *job = xcalloc(1, sizeof(*job));
    job->ctx = kind->ctx_new(jobs->options.owner, take_params, err);
    if (!job->ctx) {
        cJSON_Delete(take_params);
        free(job);
        return NULL;
    }
    job->jobs = jobs;
    job->kind = kind;
    job->params = take_params;
    job->journal.fd = -1;
    job->status.percent = -1;
    job->status.n_steps = kind->n_steps;
    STR_SET(job->status.kind, kind->name);
    for (size_t i = 0; i < kind->n_steps; i++) {
        STR_SET(job->status.steps[i].name, kind->steps[i].name);
        job->status.steps[i].light = LIGHT_TODO;
    }
    return job;
}

static void jobs_add(struct jobs *jobs, struct job *job)
{
    if (jobs->n_running == jobs->cap_running) {
        jobs->cap_running = jobs->cap_running ? 2 * jobs->cap_running : 4;
        jobs->running = xreallocarray(jobs->running, jobs->cap_running, sizeof(struct job *));
    }
    jobs->running[jobs->n_running++] = job;
    (void)uv_timer_init(jobs->options.loop, &job->limit);
    job->limit.data = job;
    job->path = xasprintf("%s/%s.jsonl", jobs->dir, job->status.id);
    if (!uv_is_active((uv_handle_t *)&jobs->tick))
        (void)uv_timer_start(&jobs->tick, on_tick, JOBS_TICK_MS, JOBS_TICK_MS);
}

static int busy(const struct job *job, struct err *err)
{
    err_set(err, ERR_BUSY, "job %s is at work on %s%s: %s", job->status.id,
            *job->status.vm ? "VM " : "the sandbox", job->status.vm, job->status.title);
    return err_hint(err, "wait for it (berth job attach %s) or cancel it (berth job cancel %s)",
                    job->status.id, job->status.id);
}

struct job *jobs_start(struct jobs *jobs, const struct job_request *request, struct err *err)
{
    const struct job_kind *kind = kind_find(jobs, request->kind);
    const struct job *other = holder(jobs, request->vm, holds_sandbox(request->kind));
    assert(kind);
    if (other || jobs->stopping) {
        cJSON_Delete(request->take_params);
        (void)(other ? busy(other, err) : err_set(err, ERR_BUSY, "the engine is about to end"));
        return NULL;
    }
    struct job *job = job_new(jobs, kind, request->take_params, err);
    if (!job)
        return NULL;
    (void)str_format(job->status.id, sizeof(job->status.id), "%llu",
                     (unsigned long long)jobs->next_id++);
    STR_SET(job->status.title, request->title);
    STR_SET(job->status.vm, request->vm ? request->vm : "");
    STR_SET(job->status.by, request->by ? request->by : "");
    job->status.started_ms = clock_wall_ms();
    jobs_add(jobs, job);
    job_begin(job);
    job_changed(job);
    return job;
}

int jobs_cancel(struct jobs *jobs, const char *id, struct err *err)
{
    const struct job_status *status = jobs_find(jobs, id, err);
    if (!status)
        return -1;
    for (size_t i = 0; i < jobs->n_running; i++) {
        struct job *job = jobs->running[i];
        if (&job->status != status || status->state != JOB_STATE_RUNNING)
            continue;
        job_request_cancel(job);
        return 0;
    }
    return err_set(err, ERR_INVALID, "job %s is %s", status->id,
                   job_state_ended(status->state) ? "over already" : "being undone already");
}

static void remember(struct jobs *jobs, const struct job_status *status)
{
    size_t keep = jobs->n_history < MODEL_JOBS_MAX ? jobs->n_history : MODEL_JOBS_MAX - 1;
    memmove(&jobs->history[1], &jobs->history[0], keep * sizeof(jobs->history[0]));
    jobs->history[0] = *status;
    jobs->n_history = keep + 1;
}

void jobs_over(struct jobs *jobs, struct job *job)
{
    remember(jobs, &job->status);
    for (size_t i = 0; i < jobs->n_running; i++) {
        if (jobs->running[i] != job)
            continue;
        memmove(&jobs->running[i], &jobs->running[i + 1],
                (jobs->n_running - i - 1) * sizeof(struct job *));
        jobs->n_running--;
        break;
    }
    if (!jobs->n_running)
        (void)uv_timer_stop(&jobs->tick);
    job_free(job);
    jobs->options.on_change(jobs->options.owner);
}

void jobs_check_stopped(struct jobs *jobs)
{
    if (!jobs->stopping || !jobs->stopped)
        return;
    for (size_t i = 0; i < jobs->n_running; i++)
        if (!job_at_rest(jobs->running[i]))
            return;
    void (*done)(void *) = steal(jobs->stopped);
    done(jobs->options.owner);
}

void jobs_stop(struct jobs *jobs, void (*done)(void *owner))
{
    jobs->stopping = true;
    jobs->stopped = done;
    for (size_t i = 0; i < jobs->n_running; i++)
        job_work_request_cancel(jobs->running[i]);
    jobs_check_stopped(jobs);
}

/* ---- after a start of the engine ---- */

static void history_from(struct jobs *jobs, const struct journal_replay *r)
{
    struct job_status status = {
        .percent = -1, .started_ms = r->head.started_ms, .ended_ms = r->ended_ms};
    STR_SET(status.id, r->head.id);
    STR_SET(status.kind, r->head.kind);
    STR_SET(status.title, r->head.title);
    STR_SET(status.vm, r->head.vm);
    STR_SET(status.by, r->head.by);
    status.state = r->state;
    status.error = r->error;
    status.n_steps = r->n_steps;
    for (size_t i = 0; i < r->n_steps; i++) {
        static const enum light lights[] = {LIGHT_TODO, LIGHT_BAD, LIGHT_OK, LIGHT_OFF};
        STR_SET(status.steps[i].name, r->steps[i].name);
        status.steps[i].light = lights[r->steps[i].progress];
        status.steps[i].took_ms = r->steps[i].took_ms;
        status.step = i;
    }
    remember(jobs, &status);
}

static void load_one(struct jobs *jobs, struct journal_replay *r)
{
    struct err err = {0};
    const struct job_kind *kind = kind_find(jobs, r->head.kind);
    if (!kind) {
        log_error("job", "job=%s is of kind %s, which this Berth does not know: left alone",
                  r->head.id, r->head.kind);
        return;
    }
    struct job *job = job_new(jobs, kind, steal(r->head.params), &err);
    if (!job) {
        log_error("job", "job=%s cannot go on: %s", r->head.id, err.msg);
        return;
    }
    STR_SET(job->status.id, r->head.id);
    STR_SET(job->status.title, r->head.title);
    STR_SET(job->status.vm, r->head.vm);
    STR_SET(job->status.by, r->head.by);
    job->status.started_ms = r->head.started_ms;
    job->created = true;
    jobs_add(jobs, job);
    job_take_over(job, r);
}

/* The number of a journal's file name; 0 where it is none. */
static uint64_t journal_number(const char *file)
{
    char number[16];
    uint64_t id = 0;
    size_t len = strlen(file);
    if (!str_ends(file, ".jsonl") || len - 6 >= sizeof(number))
        return 0;
    memcpy(number, file, len - 6);
    number[len - 6] = '\0';
    return str_to_u64(number, UINT32_MAX, &id) ? id : 0;
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static size_t journal_ids(const struct jobs *jobs, uint64_t **ret_ids)
{
    size_t n = 0;
    struct dirent **entries = NULL;
    int found = scandir(jobs->dir, &entries, NULL, NULL);
    *ret_ids = NULL;
    for (int i = 0; i < found; i++) {
        uint64_t id = journal_number(entries[i]->d_name);
        free(entries[i]);
        if (!id)
            continue;
        *ret_ids = xreallocarray(*ret_ids, n + 1, sizeof(**ret_ids));
        (*ret_ids)[n++] = id;
    }
    free(entries);
    if (n)
        qsort(*ret_ids, n, sizeof(**ret_ids), compare_ids);
    return n;
}

void jobs_load(struct jobs *jobs)
{
    auto_free uint64_t *ids = NULL;
    size_t n = journal_ids(jobs, &ids);
    for (size_t i = 0; i < n; i++) {
        auto_free char *path = xasprintf("%s/%llu.jsonl", jobs->dir, (unsigned long long)ids[i]);
        auto_replay struct journal_replay r = {0};
        struct err err = {0};
        jobs->next_id = ids[i] + 1;
        if (journal_read(path, &r, &err) < 0) {
            /* Where its first line never got to the disk as a whole, nothing was begun. */
            log_warn("job", "%s: %s", path, err.msg);
            if (err.kind == ERR_PROTOCOL)
                (void)unlink(path);
        } else if (!r.closed) {
            load_one(jobs, &r);
        } else if (n - i > JOBS_KEPT) {
            (void)unlink(path);
        } else {
            history_from(jobs, &r);
        }
    }
}

void jobs_resume(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n_running; i++)
        if (jobs->running[i]->phase == JOB_PHASE_LOADED)
            job_begin(jobs->running[i]);
    jobs->options.on_change(jobs->options.owner);
}
