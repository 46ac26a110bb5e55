/* A job: anything that takes time, as a const table of steps. Steps are applied in order; each
 * one's begin and end is in the journal, on disk, before the job goes on. When a step fails or
 * somebody cancels, every step that was begun is undone in reverse. After a kill of the engine the
 * journal tells where to go on, and `check` ("already so") keeps what was done from being done
 * twice.
 *
 * How to write a kind of job: a context struct, a table of struct job_step_def, one struct
 * job_kind; see job_vm_power.c for a short one. Loop thread only, but for what says otherwise. */
#ifndef BERTH_ENGINE_JOB_H
#define BERTH_ENGINE_JOB_H

#include "core/base/err.h"
#include "core/base/model.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct job;
struct job_work;

struct job_step_def {
    const char
        *name; /* "Verify and copy the image"; also names it in the journal: unique in its table */
    uint64_t limit_ms; /* then it is cancelled and fails with ERR_TIMEOUT; 0: none */
    uint64_t usual_ms; /* for the estimate, until there is experience */
    /* True: nothing to do. Quick. NULL: always apply. */
    bool (*check)(struct job *job, void *ctx);
    bool again; /* after a kill it is applied again even where it had ended: what it did may be gone
                 */
    /* Ends, now or later, with exactly one job_step_done(). Must be right also where an earlier try
     * got halfway. */
    void (*apply)(struct job *job, void *ctx);
    /* Takes back what apply did, also half of it or nothing; ends with job_step_done(). NULL:
     * nothing to take back. */
    void (*undo)(struct job *job, void *ctx);
};

struct job_kind {
    const char *name; /* "vm.create" */
    const struct job_step_def *steps;
    size_t n_steps;
    /* Makes the context from the parameters, also when an engine finds the job in its journal.
     * OWNER is the one of jobs_new(). */
    void *(*ctx_new)(void *owner, const cJSON *params, struct err *err);
    void (*ctx_free)(void *ctx);
    bool resumes; /* after a kill: go on; else undo */
    /* Called once when the job is over (its status says how). May be NULL. */
    void (*ended)(struct job *job, void *ctx);
};

/* For steps. ERR NULL: it is done (or undone). */
void job_step_done(struct job *job, const struct err *err);

/* What a person sees while the step runs. PERCENT -1: unknown. */
void job_progress(struct job *job, int percent, const char *fmt, ...) ATTR_PRINTF(3, 4);

/* True once somebody cancelled the job or the step's limit passed. */
bool job_cancelled(const struct job *job);

/* FN is called, once, when that happens while this step runs; it ends the step soon with
 * job_step_done(). A step that waits for something must have one, unless it waits in job_work(). */
void job_on_cancel(struct job *job, void (*fn)(struct job *job, void *ctx));

const struct job_status *job_status(const struct job *job);
void *job_ctx(struct job *job);

/* Runs FN in the thread pool; its result ends the step. Until then CTX belongs to FN: the loop
 * thread leaves it alone. */
typedef int (*job_work_fn)(struct job_work *work, void *ctx, struct err *err);
void job_work(struct job *job, job_work_fn fn);
/* The same, but AFTER, on the loop thread, decides how the step ends (ERR NULL: FN returned 0). */
void job_work_then(struct job *job, job_work_fn fn,
                   void (*after)(struct job *job, void *ctx, const struct err *err));

/* For FN, in its thread. */
const atomic_bool *job_work_cancel(const struct job_work *work);
bool job_work_cancelled(const struct job_work *work);
void job_work_progress(struct job_work *work, int percent, const char *fmt, ...) ATTR_PRINTF(3, 4);

#endif
