/* After a start of the engine, and after libvirt was lost: what is there in truth? */
#ifndef BERTH_ENGINE_RECONCILE_H
#define BERTH_ENGINE_RECONCILE_H

struct engine;

/* Compares records, folders and libvirt. What a killed engine left behind and no unfinished job
 * cares for is removed (only what bears our mark, and our state folder); power states are told to
 * vms. Then calls DONE (may be NULL). Without a VM and without an unfinished job libvirt is left in
 * peace. */
void reconcile_start(struct engine *e, void (*done)(struct engine *e));

#endif
