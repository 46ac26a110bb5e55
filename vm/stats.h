/* What the host can tell about a running VM without asking the guest. Blocking; any thread. */
#ifndef BERTH_VM_STATS_H
#define BERTH_VM_STATS_H

#include "vm/conn.h"

struct vm_stats {
    uint64_t at_ms;  /* monotonic */
    uint64_t cpu_ns; /* spent since power-on, all virtual CPUs */
    uint32_t cpus;
    uint64_t memory;                  /* given to the guest */
    uint64_t memory_used;             /* as the guest's balloon tells; 0 unknown */
    uint64_t memory_host;             /* what QEMU takes on the host; 0 unknown */
    uint64_t disk_read, disk_written; /* bytes, data disk and root */
    uint64_t disk_allocated;          /* of the data disk on the host */
    bool net_known;                   /* false with the user network: libvirt does not see it */
    uint64_t net_rx, net_tx;
};

int vm_stats_read(struct vm_conn *conn, const char *name, struct vm_stats *ret_stats,
                  struct err *err);

/* Percent of all of the VM's CPUs between two readings of one run; below 0 where it cannot be told.
 * Pure. */
double vm_stats_cpu_percent(const struct vm_stats *before, const struct vm_stats *now);

#endif
