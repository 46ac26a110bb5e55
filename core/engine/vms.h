/* The VMs that this engine owns: record, power state by libvirt's events, and, while one runs, the
 * session to its guest. Loop thread only. */
#ifndef BERTH_ENGINE_VMS_H
#define BERTH_ENGINE_VMS_H

#include "core/base/model.h"
#include "vm/record.h"
#include "vm/watch.h"

struct engine;
struct guest;
struct metrics;
struct vms;

/* Reads the records; touches neither libvirt nor guests yet. */
struct vms *vms_new(struct engine *e);
void vms_free(struct vms *v); /* NULL is fine */

void vms_on_event(struct vms *v, const struct vm_event *event);

/* Borrowed until the loop turns. ERR_NOT_FOUND names what there is. */
const struct vm_record *vms_find(struct vms *v, const char *name, struct err *err);
const struct vm_status *vms_status(struct vms *v, const char *name);

/* A job made or changed the record; the VM shows from now on. */
void vms_put(struct vms *v, const struct vm_record *record);
/* It is gone; its session ends. Fine where it is not there. */
void vms_forget(struct vms *v, const char *name);

/* A job is about to change the power state: shown at once, and its effect on the guest's session is
 * not a fault. */
void vms_expect(struct vms *v, const char *name, enum vm_state state);
/* The power state is known first hand: from libvirt's events, from a job, from a look at all of
 * them. On: the session begins; off: it ends. */
void vms_power(struct vms *v, const char *name, enum vm_state state, const char *reason,
               uint64_t started_ms);
/* libvirt does not answer. */
void vms_unknown(struct vms *v, const struct err *why);

/* FN is called after each change of the VM's state, until FN is NULL. One at a time for a VM. */
void vms_await(struct vms *v, const char *name,
               void (*fn)(void *arg, const struct vm_status *status), void *arg);

/* The session to the guest where it answers. ERR_UNREACHABLE says why it does not. */
struct guest *vms_guest(struct vms *v, const char *name, struct err *err);

/* The figures kept of it, or NULL. */
struct metrics *vms_metrics(struct vms *v, const char *name);

/* Somebody looks at the guests: they are asked more often. */
void vms_watched(struct vms *v, bool watched);

size_t vms_count(const struct vms *v);
size_t vms_fill(struct vms *v, struct vm_status *to, size_t max);
bool vms_any_running(const struct vms *v);

#endif
