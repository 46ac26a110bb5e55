/* Every kind of job, one file a group, and the table of all of them. */
#ifndef BERTH_ENGINE_JOB_KINDS_H
#define BERTH_ENGINE_JOB_KINDS_H

#include "core/engine/job.h"

extern const struct job_kind job_vm_create;
extern const struct job_kind job_vm_start;
extern const struct job_kind job_vm_stop;
extern const struct job_kind job_vm_restart;
extern const struct job_kind job_vm_delete;
extern const struct job_kind job_sandbox_start;
extern const struct job_kind job_sandbox_stop;
extern const struct job_kind job_sandbox_reset;
extern struct job_kind job_provision_connection_string; /* their steps come from provision/ */
extern struct job_kind job_provision_sandbox;

extern const struct job_kind *const job_kinds[]; /* NULL-terminated */

#endif
