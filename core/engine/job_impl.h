/* Between job.c, job_work.c and jobs.c; nobody else includes it. */
#ifndef BERTH_ENGINE_JOB_IMPL_H
#define BERTH_ENGINE_JOB_IMPL_H

#include "core/engine/job.h"
#include "core/engine/jobs.h"
#include "core/engine/journal.h"

#include <pthread.h>

enum job_phase {
    JOB_PHASE_LOADED,   /* from its journal; waits for jobs_resume() */
    JOB_PHASE_WRITING,  /* a journal line is on its way to the disk */
    JOB_PHASE_APPLYING, /* waits for job_step_done() of apply */
    JOB_PHASE_UNDOING,  /* the same of undo */
    JOB_PHASE_OVER,
};

/* A function that runs in the thread pool for a job. */
struct job_work {
    uv_work_t req;
    struct job *job;
    job_work_fn fn;
    void (*after)(struct job *job, void *ctx, const struct err *err);
    int rc;
    struct err err;
    atomic_bool cancel;
    pthread_mutex_t lock; /* of the three below */
    bool news;
    int percent;
    char message[sizeof(((struct job_status *)0)->message)];
};

/* What a job remembers about a step besides what people see. */
struct job_memory {
    enum journal_progress progress;
};

struct job {
    struct jobs *jobs;
    const struct job_kind *kind;
    void *ctx;
    struct job_status status;
    struct job_memory memory[MODEL_STEPS_MAX];
    enum job_phase phase;
    struct journal journal;
    char *path;
    cJSON *params;
    bool created; /* the journal's file is there */

    bool cancel;    /* somebody asked */
    bool timed_out; /* the step's limit passed */
    void (*on_cancel)(struct job *job, void *ctx);
    uv_timer_t limit;
    uint64_t step_began_ms; /* monotonic */
    struct job_work *work;

    struct job_write *write;
    unsigned resumes;
    enum job_state final;
    char left[160]; /* what could not be undone */
};

struct jobs {
    struct jobs_options options;
    char *dir;
    struct job **running;
    size_t n_running, cap_running;
    struct job_status history[MODEL_JOBS_MAX]; /* latest first */
    size_t n_history;
    uint64_t next_id;
    uv_async_t news; /* a worker has progress to show */
    uv_timer_t tick;
    bool stopping;
    bool freed;
    unsigned handles; /* still open while freed */
    void (*stopped)(void *owner);
};

/* job.c: takes over what an engine before us wrote down; sets the machine going. */
void job_take_over(struct job *job, const struct journal_replay *replay);
void job_begin(struct job *job);
void job_request_cancel(struct job *job);
void job_changed(struct job *job);
bool job_at_rest(const struct job *job); /* no thread works for it */

/* job_work.c */
void job_work_collect(struct job *job); /* takes progress over from the thread */
void job_work_request_cancel(struct job *job);

/* jobs.c: takes JOB out of the running ones and keeps its status. */
void jobs_over(struct jobs *jobs, struct job *job);
void jobs_check_stopped(struct jobs *jobs);
uint64_t jobs_usual_ms(const struct jobs *jobs, const struct job_kind *kind, size_t step);

#endif
