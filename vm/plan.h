/* A person's choices for a VM: sensible ones to begin with, and rules that name the field they
 * refuse. */
#ifndef BERTH_VM_PLAN_H
#define BERTH_VM_PLAN_H

#include "core/base/model.h"
#include "vm/host.h"

#define PLAN_NAME_MAX       40 /* characters; it is also the guest's host name */
#define PLAN_MEMORY_MIN_MIB 256
#define PLAN_DISK_MIN_GIB   2
#define PLAN_DISK_MAX_GIB   2048

/* 2 CPUs, 1024 MiB, 16 GiB, user network, accel auto, name HOST_NAME-vm made valid; all within
 * SIZE. Pure. */
void plan_default(const struct host_size *size, const char *host_name, struct vm_plan *ret_plan);

/* ERR_INVALID, message "name: ...", "cpus: ...", "memory: ...", "disk: ...", "accel: ...",
 * "network: ...", "bundle: ..." with a hint that says what is allowed. Pure: does not look whether
 * the name is free. */
int plan_check(const struct vm_plan *plan, const struct host_size *size, struct err *err);

/* a-z, 0-9 and '-' inside, starts with a letter, at most PLAN_NAME_MAX. ERR_INVALID. Pure. Safe to
 * use in a path afterwards. */
int plan_check_name(const char *name, struct err *err);

/* ERR_EXISTS where a VM of ours has the name. Looks into the state folder. */
int plan_check_name_free(const char *name, struct err *err);

#endif
