/* See job.h. The machine of one job: write BEGIN, apply, write END, next step; on failure write
 * FAIL, then for each step that was begun, in reverse, undo and write UNDONE; at last write CLOSE.
 * Every write happens in the thread pool and is on disk before the next thing begins.
 *
 *   begin -> [BEGIN] -> apply -> [END] -> ... -> [CLOSE done]
 *                         | error, cancel, limit
 *                       [FAIL] -> undo -> [UNDONE] -> ... -> [CLOSE failed | cancelled]
 */
#include "core/engine/job_impl.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdarg.h>
#include <stdio.h>

#define JOB_RESUMES_MAX 3 /* a step that takes the engine down with it is not tried for ever */

typedef void (*job_next_fn)(struct job *job, const struct err *err);

/* One journal line on its way to the disk. */
struct job_write {
    uv_work_t req;
    struct job *job;
    struct journal_entry entry;
    struct journal_head head; /* of a new journal */
    bool create, reopen;
    job_next_fn next;
    int rc;
    struct err err;
};

static void job_step(struct job *job);
static void job_fail(struct job *job, const struct err *why);
static void job_undo(struct job *job);
static void step_undone(struct job *job, const struct err *err);
static void job_close(struct job *job, enum job_state state);

/* ---- journal ---- */

static void write_run(uv_work_t *req)
{
    struct job_write *w = req->data;
    struct job *job = w->job;
    if (w->create)
        w->rc = journal_create(&job->journal, job->path, &w->head, &w->err);
    else if (w->reopen && (w->rc = journal_reopen(&job->journal, job->path, &w->err)) < 0)
        return;
    if (!w->create)
        w->rc = journal_append(&job->journal, &w->entry, &w->err);
}

static void write_after(uv_work_t *req, int status)
{
    struct job_write *w = req->data;
    struct job *job = w->job;
    (void)status;
    job->write = NULL;
    if (w->create)
        job->created = w->rc == 0;
    if (job->jobs->stopping)
        jobs_check_stopped(job->jobs);
    else
        w->next(job, w->rc < 0 ? &w->err : NULL);
    free(w);
}

static struct job_write *write_new(struct job *job, enum journal_mark mark, job_next_fn next)
{
    struct job_write *w = xcalloc(1, sizeof(*w));
    w->req.data = w;
    w->job = job;
    w->entry.mark = mark;
    w->next = next;
    return w;
}

static void write_queue(struct job_write *w)
{
    w->job->phase = JOB_PHASE_WRITING;
    w->job->write = w;
    (void)uv_queue_work(w->job->jobs->options.loop, &w->req, write_run, write_after);
}

static const struct job_step_def *step_def(const struct job *job)
{
    return &job->kind->steps[job->status.step];
}

/* ---- what people see ---- */

void job_changed(struct job *job)
{
    job->jobs->options.on_change(job->jobs->options.owner);
}

void job_progress(struct job *job, int percent, const char *fmt, ...)
{
    char text[sizeof(job->status.message)];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    job->status.percent = percent;
    str_sanitise_to(job->status.message, sizeof(job->status.message), text);
    job_changed(job);
}

const struct job_status *job_status(const struct job *job)
{
    return &job->status;
}

void *job_ctx(struct job *job)
{
    return job->ctx;
}

bool job_cancelled(const struct job *job)
{
    return job->cancel || job->timed_out;
}

bool job_at_rest(const struct job *job)
{
    return !job->work && !job->write;
}

static void show_step(struct job *job, enum light light)
{
    job->status.steps[job->status.step].light = light;
    job->status.percent = -1;
    job->status.message[0] = '\0';
    job_changed(job);
}

/* ---- cancel and limit ---- */

static void interrupt_step(struct job *job)
{
    if (job->phase != JOB_PHASE_APPLYING)
        return;
    job_work_request_cancel(job);
    void (*fn)(struct job *, void *) = steal(job->on_cancel);
    if (fn)
        fn(job, job->ctx);
}

void job_on_cancel(struct job *job, void (*fn)(struct job *job, void *ctx))
{
    job->on_cancel = fn;
}

void job_request_cancel(struct job *job)
{
    log_info("job", "job=%s cancel requested", job->status.id);
    job->cancel = true;
    job_progress(job, -1, "Stopping");
    interrupt_step(job);
}

static void on_limit(uv_timer_t *timer)
{
    struct job *job = timer->data;
    job->timed_out = true;
    log_warn("job", "job=%s \"%s\" passed its limit", job->status.id, step_def(job)->name);
    interrupt_step(job);
}

/* ---- forward ---- */

static void step_begun(struct job *job, const struct err *err)
{
    if (err || job->cancel) {
        job_fail(job, err);
        return;
    }
    const struct job_step_def *def = step_def(job);
    job->memory[job->status.step].progress = JOURNAL_STEP_BEGUN;
    job->phase = JOB_PHASE_APPLYING;
    job->on_cancel = NULL;
    job->timed_out = false;
    job->step_began_ms = clock_mono_ms();
    job->status.limit_ms = def->limit_ms;
    show_step(job, LIGHT_BUSY);
    if (def->limit_ms)
        (void)uv_timer_start(&job->limit, on_limit, def->limit_ms, 0);
    def->apply(job, job->ctx);
}

static void step_ended(struct job *job, const struct err *err)
{
    if (err) {
        job_fail(job, err);
        return;
    }
    job->memory[job->status.step].progress = JOURNAL_STEP_ENDED;
    show_step(job, LIGHT_OK);
    job->status.step++;
    job_step(job);
}

/* The step at work, or the end of all steps. */
static void job_step(struct job *job)
{
    while (job->status.step < job->kind->n_steps) {
        const struct job_step_def *def = step_def(job);
        if (job->cancel) {
            job_fail(job, NULL);
            return;
        }
        bool ended = job->memory[job->status.step].progress == JOURNAL_STEP_ENDED && !def->again;
        if (!ended && (!def->check || !def->check(job, job->ctx)))
            break;
        show_step(job, LIGHT_OK);
        job->status.step++;
    }
    if (job->status.step == job->kind->n_steps) {
        job->status.step--; /* an index stays an index */
        job_close(job, JOB_STATE_DONE);
        return;
    }
    struct job_write *w = write_new(job, JOURNAL_BEGIN, step_begun);
    w->entry.step = step_def(job)->name;
    show_step(job, LIGHT_BUSY);
    write_queue(w);
}

/* How a step that did not end well is told: limit and cancel come first, since they are why it gave
 * up. */
static void step_failed(struct job *job, const struct err *err)
{
    struct err why = {0};
    if (job->timed_out && !job->cancel) {
        char limit[32];
        str_duration(limit, sizeof(limit), step_def(job)->limit_ms / 1000);
        err_set(&why, ERR_TIMEOUT, "\"%s\" took longer than %s%s%s", step_def(job)->name, limit,
                err ? ": " : "", err ? err->msg : "");
        if (err && *err->hint)
            err_hint(&why, "%s", err->hint);
    } else if (err) {
        why = *err;
    }
    job_fail(job, job->cancel ? NULL : &why);
}

void job_step_done(struct job *job, const struct err *err)
{
    if (job->jobs->stopping) {
        jobs_check_stopped(job->jobs); /* the next engine goes on from the journal */
        return;
    }
    job->on_cancel = NULL;
    if (job->phase == JOB_PHASE_UNDOING) {
        step_undone(job, err);
        return;
    }
    (void)uv_timer_stop(&job->limit);
    struct job_step *step = &job->status.steps[job->status.step];
    step->took_ms = clock_mono_ms() - job->step_began_ms;
    if (err || job->cancel) {
        step_failed(job, err);
        return;
    }
    struct job_write *w = write_new(job, JOURNAL_END, step_ended);
    w->entry.step = step_def(job)->name;
    w->entry.took_ms = step->took_ms;
    write_queue(w);
}

/* ---- back ---- */

/* The journal could not be written, the disk is full perhaps: taking back goes on, since it is what
 * frees it. */
static void undo_next(struct job *job, const struct err *err)
{
    if (err)
        log_error("job", "job=%s journal: %s", job->status.id, err->msg);
    job_undo(job);
}

/* WHY NULL: it was cancelled. */
static void job_fail(struct job *job, const struct err *why)
{
    struct err *error = &job->status.error;
    if (why && !job->cancel) {
        *error = *why;
    } else {
        err_set(error, ERR_CANCELLED, "cancelled");
        err_hint(error, "what was begun has been taken back");
    }
    log_warn("job", "job=%s %s failed at \"%s\": %s", job->status.id, job->kind->name,
             step_def(job)->name, error->msg);
    show_step(job, LIGHT_BAD);
    job->status.state = JOB_STATE_UNDOING;
    job_progress(job, -1, "Taking back what was done");
    struct job_write *w = write_new(job, JOURNAL_FAIL, undo_next);
    w->entry.state = why && !job->cancel ? JOB_STATE_FAILED : JOB_STATE_CANCELLED;
    w->entry.error = *error;
    write_queue(w);
}

static void step_undone(struct job *job, const struct err *err)
{
    size_t i = job->status.step;
    if (err) {
        log_error("job", "job=%s undo of \"%s\": %s", job->status.id, step_def(job)->name,
                  err->msg);
        if (!*job->left)
            STR_SET(job->left, err->msg);
    }
    job->memory[i].progress = JOURNAL_STEP_UNDONE;
    if (job->status.steps[i].light != LIGHT_BAD)
        show_step(job, LIGHT_OFF);
    struct job_write *w = write_new(job, JOURNAL_UNDONE, undo_next);
    w->entry.step = step_def(job)->name;
    write_queue(w);
}

static bool was_begun(const struct job *job, size_t i)
{
    return job->memory[i].progress == JOURNAL_STEP_BEGUN ||
           job->memory[i].progress == JOURNAL_STEP_ENDED;
}

/* Undoes the last step that was begun and can be undone, or ends the job where there is none. */
static void job_undo(struct job *job)
{
    for (size_t i = job->kind->n_steps; i-- > 0;) {
        if (!was_begun(job, i) || !job->kind->steps[i].undo)
            continue;
        job->status.step = i;
        job->phase = JOB_PHASE_UNDOING;
        job_progress(job, -1, "Taking back: %s", job->kind->steps[i].name);
        job->kind->steps[i].undo(job, job->ctx);
        return;
    }
    struct err *error = &job->status.error;
    if (*job->left) {
        char cause[sizeof(error->msg)];
        STR_SET(cause, error->msg);
        (void)str_format(error->msg, sizeof(error->msg), "%s; and not all could be taken back: %s",
                         cause, job->left);
    }
    job_close(job, error->kind == ERR_CANCELLED ? JOB_STATE_CANCELLED : JOB_STATE_FAILED);
}

/* ---- end and begin ---- */

static void job_closed(struct job *job, const struct err *err)
{
    if (err)
        log_error("job", "job=%s journal: %s", job->status.id, err->msg);
    job->phase = JOB_PHASE_OVER;
    job->status.state = job->final;
    job->status.ended_ms = clock_wall_ms();
    job->status.percent = -1;
    job->status.limit_ms = 0;
    job->status.message[0] = '\0';
    log_info("job", "job=%s %s %s", job->status.id, job->kind->name,
             job_state_name(job->status.state));
    if (job->kind->ended)
        job->kind->ended(job, job->ctx);
    jobs_over(job->jobs, job);
}

static void job_close(struct job *job, enum job_state state)
{
    struct job_write *w = write_new(job, JOURNAL_CLOSE, job_closed);
    w->entry.state = state;
    w->entry.error = job->status.error;
    job->final = state; /* shown once it is on disk */
    write_queue(w);
}

static void job_created(struct job *job, const struct err *err)
{
    if (!err) {
        job_step(job);
        return;
    }
    /* Nothing was begun, nothing is on disk. */
    job->status.error = *err;
    job->final = JOB_STATE_FAILED;
    show_step(job, LIGHT_BAD);
    job_closed(job, NULL);
}

static void job_resumed(struct job *job, const struct err *err)
{
    if (job->status.state == JOB_STATE_UNDOING) {
        undo_next(job, err);
    } else if (err) {
        job_fail(job, err);
    } else if (!job->kind->resumes || job->resumes >= JOB_RESUMES_MAX) {
        struct err why = {0};
        err_set(&why, ERR_SYSTEM, "the engine ended while this job ran%s",
                job->kind->resumes ? ", again and again" : "");
        err_hint(&why, "start it again; if that happens again, see engine.log in the state folder");
        job_fail(job, &why);
    } else {
        job_step(job);
    }
}

/* Steps that ended count as done, but for those that have to be applied again. */
void job_take_over(struct job *job, const struct journal_replay *replay)
{
    for (size_t i = 0; i < job->kind->n_steps; i++) {
        struct job_step *step = &job->status.steps[i];
        job->memory[i].progress =
            journal_progress_of(replay, job->kind->steps[i].name, &step->took_ms);
        if (job->memory[i].progress == JOURNAL_STEP_ENDED)
            step->light = LIGHT_OK;
        else if (job->memory[i].progress == JOURNAL_STEP_UNDONE)
            step->light = LIGHT_OFF;
    }
    job->resumes = replay->resumes;
    if (replay->failing) {
        job->status.state = JOB_STATE_UNDOING;
        job->status.error = replay->error;
    }
}

void job_begin(struct job *job)
{
    struct job_write *w = write_new(job, JOURNAL_RESUME, job->created ? job_resumed : job_created);
    if (job->created) {
        w->reopen = true;
    } else {
        w->create = true;
        STR_SET(w->head.id, job->status.id);
        STR_SET(w->head.kind, job->status.kind);
        STR_SET(w->head.title, job->status.title);
        STR_SET(w->head.vm, job->status.vm);
        STR_SET(w->head.by, job->status.by);
        w->head.started_ms = job->status.started_ms;
        w->head.params = job->params;
    }
    log_info("job", "job=%s %s %s", job->status.id, job->kind->name,
             job->created ? "goes on" : "begins");
    write_queue(w);
}
