/* What methods_provision.c needs of the provisioning jobs. */
#ifndef BERTH_ENGINE_JOB_PROVISION_H
#define BERTH_ENGINE_JOB_PROVISION_H

#include "core/engine/job.h"

/* Builds the tables of the provisioning jobs from provision/'s. Once, before jobs_new(). */
void job_provision_init(void);

/* Hands the connection string to a job that was just started. Copies. */
int job_provision_set_string(struct job *job, const char *text, size_t len, struct err *err);

#endif
