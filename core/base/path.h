/* Where Berth keeps things on the host: as root under /var/lib, /run, /etc and /var/cache, as a
 * user in the XDG folders. BERTH_STATE_DIR and BERTH_RUNTIME_DIR override (state also moves
 * settings and cache below it, so that a test owns it all). */
#ifndef BERTH_BASE_PATH_H
#define BERTH_BASE_PATH_H

#include "core/base/err.h"

enum path_base {
    PATH_STATE,   /* VMs, slots, disks, jobs, sandbox, logs */
    PATH_RUNTIME, /* engine socket and locks */
    PATH_CONFIG,  /* settings, plans, hosts */
    PATH_CACHE,   /* bundles and other things that can be made again */
};

/* "BASE/LEAF" (FMT formats the leaf; "" gives the base) as a heap string. Creates nothing. Never
 * NULL. */
char *path_of(enum path_base base, const char *leaf_fmt, ...) ATTR_PRINTF(2, 3) ATTR_MALLOC;

/* Creates state and runtime base folders: 0700; state as root 0711, since libvirt's QEMU user must
 * pass through it to the disks. */
int path_prepare(struct err *err);

/* The socket of the engine. Heap string. */
char *path_engine_socket(void) ATTR_MALLOC;

#endif
