/* Blocking work of a job's step in libuv's thread pool. While it runs, the job's context is the
 * thread's; what it has to tell goes through this struct, and one uv_async of all jobs wakes the
 * loop. */
#include "core/engine/job_impl.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdarg.h>
#include <stdio.h>

static void run(uv_work_t *req)
{
    struct job_work *w = req->data;
    w->rc = w->fn(w, w->job->ctx, &w->err);
}

static void on_ran(uv_work_t *req, int status)
{
    struct job_work *w = req->data;
    struct job *job = w->job;
    (void)status;
    job_work_collect(job);
    job->work = NULL;
    const struct err *err = w->rc < 0 ? &w->err : NULL;
    if (w->after && !job->jobs->stopping)
        w->after(job, job->ctx, err);
    else
        job_step_done(job, err);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

void job_work_then(struct job *job, job_work_fn fn,
                   void (*after)(struct job *job, void *ctx, const struct err *err))
{
    struct job_work *w = xcalloc(1, sizeof(*w));
    w->req.data = w;
    w->job = job;
    w->fn = fn;
    w->after = after;
    w->percent = -1;
    (void)pthread_mutex_init(&w->lock, NULL);
    job->work = w;
    if (job_cancelled(job) && job->phase == JOB_PHASE_APPLYING)
        atomic_store(&w->cancel, true);
    (void)uv_queue_work(job->jobs->options.loop, &w->req, run, on_ran);
}

void job_work(struct job *job, job_work_fn fn)
{
    job_work_then(job, fn, NULL);
}

void job_work_request_cancel(struct job *job)
{
    if (job->work)
        atomic_store(&job->work->cancel, true);
}

void job_work_collect(struct job *job)
{
    struct job_work *w = job->work;
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    bool news = w->news;
    w->news = false;
    if (news) {
        job->status.percent = w->percent;
        STR_SET(job->status.message, w->message);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (news)
        job_changed(job);
}

/* ---- in the thread ---- */

const atomic_bool *job_work_cancel(const struct job_work *work)
{
    return &work->cancel;
}

bool job_work_cancelled(const struct job_work *work)
{
    return atomic_load(&work->cancel);
}

void job_work_progress(struct job_work *work, int percent, const char *fmt, ...)
{
    char text[sizeof(work->message)];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)pthread_mutex_lock(&work->lock);
    work->news = true;
    work->percent = percent;
    str_sanitise_to(work->message, sizeof(work->message), text);
    (void)pthread_mutex_unlock(&work->lock);
    (void)uv_async_send(&work->job->jobs->news);
}
