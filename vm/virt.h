/* Shared by the files of vm/ that call libvirt; nobody else includes it. */
#ifndef BERTH_VM_VIRT_H
#define BERTH_VM_VIRT_H

#include "vm/conn.h"

#include <libvirt/libvirt.h>

/* Sets ERR from libvirt's last error on this thread: kind from its code, message "WHAT: libvirt's
 * text". Always -1. */
int virt_err(struct err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* The code of that last error (virErrorNumber). */
int virt_code(void);

/* Starts libvirt's event loop on a thread of its own, once per process; silences libvirt's own
 * messages on standard error. */
void virt_events_start(void);

/* Starts virtlogd and libvirtd where none answers, and makes /dev/kvm theirs where nobody did. Root
 * only. */
int virt_daemon_start(struct err *err);
/* Somebody listens on libvirt's system socket. */
bool virt_daemon_answers(void);

virConnectPtr vm_conn_virt(const struct vm_conn *conn);

DEFINE_AUTO(virt_domain, struct _virDomain, virDomainFree)
DEFINE_AUTO(virt_network, struct _virNetwork, virNetworkFree)
#define auto_virt_domain  ATTR_CLEANUP(virt_domain_freep)
#define auto_virt_network ATTR_CLEANUP(virt_network_freep)

/* The domain of that name that is ours, for the caller to free. ERR_NOT_FOUND; ERR_EXISTS where it
 * is somebody else's. */
virDomainPtr virt_domain_find(struct vm_conn *conn, const char *name, struct err *err);
/* It has our mark and our state folder. */
bool virt_domain_is_ours(virDomainPtr domain);

#endif
