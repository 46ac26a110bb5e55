/* What a VM is given at power-on through fw_cfg, made before its first boot so that its host key is
 * pinned from the first packet. */
#ifndef BERTH_VM_SEED_H
#define BERTH_VM_SEED_H

#include "vm/record.h"

/* Makes, where missing, the guest's host key, our client key and the seed files of R->name, and
 * sets r->host_key to the public line. Keys that exist are kept (a resumed installation must not
 * change them). Blocking; any thread. The record is not saved here. */
int seed_prepare(struct vm_record *r, struct err *err);

#endif
