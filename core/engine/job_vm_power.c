/* Starting, stopping, restarting and deleting a VM. Nothing to take back: each step is safe to
 * repeat, and an interrupted job goes on. */
#include "core/engine/job_kinds.h"

#include "core/engine/engine.h"
#include "core/engine/host.h"
#include "core/engine/vm_steps.h"
#include "core/engine/vms.h"
#include "vm/inventory.h"

#define STOP_LIMIT_MS (VM_SHUTDOWN_MS + 30000)

static const struct job_step_def start_steps[] = {
    {"Verify the image", .limit_ms = 300000, .usual_ms = 1000, .apply = step_verify_image},
    {"Define the VM", .limit_ms = 60000, .usual_ms = 200, .apply = step_define},
    {"Start the VM", .limit_ms = 120000, .usual_ms = 1500, .apply = step_start, .again = true},
    {"Wait until the guest answers", .limit_ms = VM_BOOT_LIMIT_MS, .usual_ms = VM_BOOT_USUAL_MS,
     .apply = step_wait_ready, .again = true},
};

static const struct job_step_def stop_steps[] = {
    {"Shut the guest down", .limit_ms = STOP_LIMIT_MS, .usual_ms = 8000, .apply = step_shut_down},
};

static const struct job_step_def restart_steps[] = {
    {"Shut the guest down", .limit_ms = STOP_LIMIT_MS, .usual_ms = 8000, .apply = step_shut_down},
    {"Verify the image", .limit_ms = 300000, .usual_ms = 1000, .apply = step_verify_image},
    {"Define the VM", .limit_ms = 60000, .usual_ms = 200, .apply = step_define},
    {"Start the VM", .limit_ms = 120000, .usual_ms = 1500, .apply = step_start, .again = true},
    {"Wait until the guest answers", .limit_ms = VM_BOOT_LIMIT_MS, .usual_ms = VM_BOOT_USUAL_MS,
     .apply = step_wait_ready, .again = true},
};

/* ---- delete ---- */

static int purge(struct job_work *work, void *ctx, struct err *err)
{
    struct vm_ctx *c = ctx;
    (void)work;
    struct vm_conn *conn = host_conn(c->host, err);
    return conn ? inventory_purge(conn, c->name, err) : -1;
}

static void purged(struct job *job, void *ctx, const struct err *err)
{
    struct vm_ctx *c = ctx;
    if (!err)
        vms_forget(c->engine->vms, c->name);
    job_step_done(job, err);
}

static void apply_purge(struct job *job, void *ctx)
{
    (void)ctx;
    job_work_then(job, purge, purged);
}

static const struct job_step_def delete_steps[] = {
    {"Switch the VM off", .limit_ms = 60000, .usual_ms = 500, .apply = step_power_off},
    {"Remove definition, disk and keys", .limit_ms = 120000, .usual_ms = 500, .apply = apply_purge},
};

const struct job_kind job_vm_start = {"vm.start", start_steps, ARRAY_LEN(start_steps),
                                      vm_ctx_new, vm_ctx_free, .resumes = true};
const struct job_kind job_vm_stop = {"vm.stop",  stop_steps,  ARRAY_LEN(stop_steps),
                                     vm_ctx_new, vm_ctx_free, .resumes = true};
const struct job_kind job_vm_restart = {"vm.restart", restart_steps, ARRAY_LEN(restart_steps),
                                        vm_ctx_new,   vm_ctx_free,   .resumes = true};
const struct job_kind job_vm_delete = {"vm.delete", delete_steps, ARRAY_LEN(delete_steps),
                                       vm_ctx_new,  vm_ctx_free,  .resumes = true};
