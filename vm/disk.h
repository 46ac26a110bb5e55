/* The guest's one writable disk: a qcow2 file that grows as it fills. Made by qemu-img. Blocking;
 * any thread. */
#ifndef BERTH_VM_DISK_H
#define BERTH_VM_DISK_H

#include "core/base/err.h"

#include <stdint.h>

/* Makes PATH (0600) with GIB of virtual size; ERR_EXISTS where it is there: a data disk is never
 * overwritten. Not interrupted halfway: the file appears whole or not at all. */
int disk_create(const char *path, uint32_t gib, struct err *err);

/* Virtual size in bytes, from the file's header, and what the file takes on the host. ERR_INVALID
 * where it is no qcow2. */
int disk_size(const char *path, uint64_t *ret_virtual, uint64_t *ret_on_host, struct err *err);

int disk_remove(const char *path, struct err *err);

#endif
