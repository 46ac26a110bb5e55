/* All jobs of the engine: those at work, and the last ones that ended. Loop thread only. */
#ifndef BERTH_ENGINE_JOBS_H
#define BERTH_ENGINE_JOBS_H

#include "core/engine/job.h"

#include <uv.h>

struct jobs;

struct jobs_options {
    uv_loop_t *loop;
    const char *dir;                     /* of the journals; made where missing */
    const struct job_kind *const *kinds; /* NULL-terminated */
    void *owner;                         /* handed to ctx_new and on_change */
    void (*on_change)(void *owner);      /* something that job_status shows is different */
};

struct jobs *jobs_new(const struct jobs_options *options, struct err *err);
/* No job may be at work; see jobs_stop(). NULL is fine. */
void jobs_free(struct jobs *jobs);

/* Reads the journals: what ended becomes history, what did not shows as running. Call once. */
void jobs_load(struct jobs *jobs);
/* Those go on, or are undone: call when what their steps need is there. */
void jobs_resume(struct jobs *jobs);

struct job_request {
    const char *kind;
    const char *title;  /* "Install edge-07-vm" */
    const char *vm;     /* only one job at a time per VM; NULL: none */
    const char *by;     /* who asked; NULL: unknown */
    cJSON *take_params; /* what ctx_new gets, now and after a kill: no secrets */
};

/* Starts a job; its first step begins in a later turn of the loop, so that the caller can still
 * hand a secret to its context. ERR_BUSY names the job that holds the VM (or, for a kind that
 * begins with "sandbox.", the sandbox). NULL on failure. */
struct job *jobs_start(struct jobs *jobs, const struct job_request *request, struct err *err);

/* ERR_NOT_FOUND; ERR_INVALID where it is over or being undone. */
int jobs_cancel(struct jobs *jobs, const char *id, struct err *err);

/* Cancels nothing: jobs stop where they are, to be resumed by the next engine. Then calls DONE, as
 * soon as no thread works for them. */
void jobs_stop(struct jobs *jobs, void (*done)(void *owner));

/* NULL with ERR_NOT_FOUND. The status stays valid until the loop's next turn. */
const struct job_status *jobs_find(struct jobs *jobs, const char *id, struct err *err);

/* The job at work on VM ("": on the sandbox), or NULL. */
const struct job_status *jobs_holding(struct jobs *jobs, const char *vm);

size_t jobs_running(const struct jobs *jobs);

/* Running ones first, then the latest ended. Fills at most MAX; returns how many. */
size_t jobs_list(struct jobs *jobs, struct job_status *to, size_t max);

#endif
