/* The guest's one writable disk: a qcow2 file that grows as it fills. Made by qemu-img. Blocking;
 * any thread. */
#ifndef BERTH_VM_DISK_H
#define BERTH_VM_DISK_H

#include "core/base/err.h"

#include <stdint.h>

/* Makes PATH (0600) with GIB of virtual size; ERR_EXISTS where it is there: a data disk is never
 * overwritten. Not interrupted halfway: the file appears whole or not at all. */
int disk_create(const char *path, uint32_t gib, struct err *err);

#endif
