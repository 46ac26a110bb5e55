/* libvirt's states and events in our words. Pure; shared by domain.c and watch.c, which know
 * libvirt's numbers. */
#ifndef BERTH_VM_DOMAIN_STATE_H
#define BERTH_VM_DOMAIN_STATE_H

#include "core/base/model.h"

/* STATE is a virDomainState, REASON belongs to it. Static strings; "" where there is nothing to
 * explain. */
enum vm_state domain_state_of(int state);
const char *domain_state_reason(int state, int reason);

/* EVENT is a virDomainEventType, DETAIL belongs to it. VM_STATE_UNKNOWN: the event says nothing
 * about power. */
enum vm_state domain_state_of_event(int event, int detail);
const char *domain_state_event_reason(int event, int detail);

#endif
