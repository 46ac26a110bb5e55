/* Can this computer run the VM? One line a question, each with what was found and what a technician
 * should do about it. */
#ifndef BERTH_VM_HOST_H
#define BERTH_VM_HOST_H

#include "core/base/model.h"

/* Size of this computer, for plans. */
struct host_size {
    uint32_t cpus;
    uint32_t memory_mib;
    uint32_t memory_free_mib;
    uint64_t disk_free; /* bytes, where state is kept */
};
int host_size_read(struct host_size *ret_size, struct err *err);

/* The checks "cpu", "kvm", "libvirt", "qemu", "memory", "disk", "clock", "image", "tpm", in this
 * order.
 * PLAN may be NULL: then memory and disk are held against the smallest VM. Changes nothing on the
 * host (it starts no daemon). Blocking, up to about 10 s where libvirt is ill. Any thread. Fails
 * only by ERR_BUG; whatever is wrong with the host is in the report. */
int host_check(const struct vm_plan *plan, struct host_report *ret_report, struct err *err);

#endif
