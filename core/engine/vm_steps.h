/* Steps that several kinds of VM jobs share, and the context they work on. */
#ifndef BERTH_ENGINE_VM_STEPS_H
#define BERTH_ENGINE_VM_STEPS_H

#include "core/engine/job.h"
#include "vm/record.h"

#define VM_BOOT_LIMIT_MS 600000 /* TCG on a slow, busy host */
#define VM_BOOT_USUAL_MS 30000
#define VM_SHUTDOWN_MS   45000 /* then the plug is pulled */

struct engine;
struct guest_call;
struct host;

/* Of the thread while a step is in one; else of the loop. */
struct vm_ctx {
    struct engine *engine;
    struct host *host;
    char name[MODEL_NAME_MAX];
    char by[MODEL_NAME_MAX];
    bool force;
    struct vm_plan plan;     /* vm.create */
    struct vm_record record; /* as it is on disk; name "" before there is one */
    struct guest_call *call; /* under way */
    char note[160]; /* what a thread wants to be said: "software emulation is used instead" */
};

/* Context for {"vm": NAME, "force"?: bool}; the record is read from disk. */
void *vm_ctx_new(void *owner, const cJSON *params, struct err *err);
void vm_ctx_free(void *ctx);

void step_verify_image(struct job *job, void *ctx);
void step_define(struct job *job, void *ctx);
void step_undefine(struct job *job, void *ctx); /* power off and undefine */
/* Powers on and, under KVM, watches for a sign of life; a guest that shows none goes on under TCG,
 * for good. */
void step_start(struct job *job, void *ctx);
void step_power_off(struct job *job, void *ctx); /* pulls the plug */
void step_shut_down(struct job *job, void *ctx); /* by the power button, unless ctx->force */
void step_wait_ready(struct job *job, void *ctx);
void step_self_test(struct job *job, void *ctx);

#endif
