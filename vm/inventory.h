/* What exists of our VMs, on disk and in libvirt: so that an engine that was killed anywhere
 * converges at its next start. Blocking; any thread. */
#ifndef BERTH_VM_INVENTORY_H
#define BERTH_VM_INVENTORY_H

#include "vm/conn.h"
#include "vm/record.h"

#define INVENTORY_MAX 64

struct inventory_vm {
    char name[MODEL_NAME_MAX];
    bool folder; /* STATE/vms/NAME is there */
    bool record; /* with a readable vm.json */
    bool domain; /* libvirt has a domain of that name with our mark and our state folder */
    bool running;
};

struct inventory {
    struct inventory_vm vms[INVENTORY_MAX];
    size_t n;
};

/* Domains of other engines (another state folder) and of other programs are not listed. Sorted by
 * name. */
int inventory_read(struct vm_conn *conn, struct inventory *ret_inventory, struct err *err);

/* Removes whatever is there of NAME: plug, definition, record, folder. Fine where nothing is. */
int inventory_purge(struct vm_conn *conn, const char *name, struct err *err);

#endif
