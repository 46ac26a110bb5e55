/* Life-cycle events of our VMs as they happen. libvirt's event loop has a thread of its own; the
 * callback runs there, gets values only, and must return at once (copy and wake somebody). */
#ifndef BERTH_VM_WATCH_H
#define BERTH_VM_WATCH_H

#include "core/base/model.h"
#include "vm/conn.h"

struct vm_watch;

struct vm_event {
    char name[MODEL_NAME_MAX]; /* any domain of this libvirt, ours or not; empty: the connection
                                  itself */
    enum vm_state state; /* as in struct domain_status; UNKNOWN with an empty name: the connection
                            was lost, open a new one and a new watch */
    char reason[200];
    bool gone; /* the definition was removed */
};
typedef void (*vm_watch_fn)(void *arg, const struct vm_event *event);

/* Subscribes. The caller keeps CONN until vm_watch_close(). */
int vm_watch_open(struct vm_conn *conn, vm_watch_fn fn, void *arg, struct vm_watch **ret_watch,
                  struct err *err);

/* No callback runs after it returned. Must not be called from the callback. NULL is fine. */
void vm_watch_close(struct vm_watch *watch);

#endif
