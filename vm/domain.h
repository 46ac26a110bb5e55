/* Life cycle of a VM in libvirt. Blocking; any thread. Names are VM names; ERR_NOT_FOUND where
 * libvirt has none of that name. A domain that is not marked as ours is never touched: ERR_EXISTS.
 */
#ifndef BERTH_VM_DOMAIN_H
#define BERTH_VM_DOMAIN_H

#include "vm/conn.h"
#include "vm/record.h"
#include "vm/tpm.h"

#include <stdatomic.h>

/* Power as libvirt sees it. */
struct domain_status {
    enum vm_state state; /* OFF, STARTING (power is on; the guest is another matter), STOPPING,
                            PAUSED, CRASHED */
    char reason[200];    /* "shut down by its guest", "QEMU ended unexpectedly"... */
    uint64_t started_ms; /* last power-on where it is on and known, else 0 */
    bool persistent;
};

/* (Re)defines the VM from its record, its slot's manifest, its folder and what this host offers.
 * Same uuid: replaces the old definition; what its TPM keeps stays. */
int domain_define(struct vm_conn *conn, const struct vm_record *record, struct err *err);

/* Whether a VM defined over CONN gets a TPM, and of what model. */
bool domain_tpm(struct vm_conn *conn, char model[TPM_MODEL_MAX]);

/* Powers on; fine where it is on already. The NAT network is made ready first where the VM uses it.
 * A port that somebody else took meanwhile is ERR_BUSY. */
int domain_start(struct vm_conn *conn, const struct vm_record *record, struct err *err);

/* Presses the power button (again every few seconds: a guest in early boot does not listen) until
 * the VM is off; after LIMIT_MS pulls the plug and says so in *ret_forced. CANCEL may be NULL. Fine
 * where it is off. */
int domain_shutdown(struct vm_conn *conn, const char *name, uint64_t limit_ms,
                    const atomic_bool *cancel, bool *ret_forced, struct err *err);

/* Pulls the plug. Fine where it is off. */
int domain_force_off(struct vm_conn *conn, const char *name, struct err *err);

/* Forgets the definition; the VM must be off. Fine where there is none. */
int domain_undefine(struct vm_conn *conn, const char *name, struct err *err);

int domain_status(struct vm_conn *conn, const char *name, struct domain_status *ret_status,
                  struct err *err);

/* ERR_EXISTS where libvirt knows the name, whoever owns it. */
int domain_check_name_free(struct vm_conn *conn, const char *name, struct err *err);

#endif
