/* The connection to libvirt. One may be shared by all threads of the pool. */
#ifndef BERTH_VM_CONN_H
#define BERTH_VM_CONN_H

#include "core/base/attr.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vm_conn;

enum vm_conn_flags {
    VM_CONN_START = 1, /* as root: start virtlogd and libvirtd where none answers */
};

/* URI NULL or "": $BERTH_LIBVIRT_URI, else root takes qemu:///system, others qemu:///system where
 * they may and else qemu:///session. Blocking (up to 30 s where daemons have to be started, a lock
 * file makes that one process's work). Starts libvirt's event thread once. ERR_UNREACHABLE or
 * ERR_AUTH with a hint. */
int vm_conn_open(const char *uri, unsigned int flags, struct vm_conn **ret_conn, struct err *err);
void vm_conn_free(struct vm_conn *conn);
DEFINE_AUTO(vm_conn, struct vm_conn, vm_conn_free)
#define auto_vm_conn ATTR_CLEANUP(vm_conn_freep)

const char *vm_conn_uri(const struct vm_conn *conn);
bool vm_conn_session(const struct vm_conn *conn);     /* QEMU runs as our own user */
bool vm_conn_alive(const struct vm_conn *conn);       /* false: open a new one */
uint32_t vm_conn_version(const struct vm_conn *conn); /* libvirt's: 9000000 = 9.0.0; 0 unknown */
void vm_conn_version_text(uint32_t version, char *to, size_t size);

#endif
