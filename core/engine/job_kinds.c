/* The table of all kinds of jobs. */
#include "core/engine/job_kinds.h"

const struct job_kind *const job_kinds[] = {
    &job_vm_create,
    &job_vm_start,
    &job_vm_stop,
    &job_vm_restart,
    &job_vm_delete,
    &job_sandbox_start,
    &job_sandbox_stop,
    &job_sandbox_reset,
    &job_provision_connection_string,
    &job_provision_sandbox,
    NULL,
};
