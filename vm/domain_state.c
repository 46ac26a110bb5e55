/* See domain_state.h. */
#include "vm/domain_state.h"

#include "core/base/attr.h"

#include <libvirt/libvirt.h>

enum vm_state domain_state_of(int state)
{
    static const enum vm_state states[] = {
        [VIR_DOMAIN_NOSTATE] = VM_STATE_UNKNOWN,   [VIR_DOMAIN_RUNNING] = VM_STATE_STARTING,
        [VIR_DOMAIN_BLOCKED] = VM_STATE_STARTING,  [VIR_DOMAIN_PAUSED] = VM_STATE_PAUSED,
        [VIR_DOMAIN_SHUTDOWN] = VM_STATE_STOPPING, [VIR_DOMAIN_SHUTOFF] = VM_STATE_OFF,
        [VIR_DOMAIN_CRASHED] = VM_STATE_CRASHED,   [VIR_DOMAIN_PMSUSPENDED] = VM_STATE_PAUSED,
    };
    return state >= 0 && (size_t)state < ARRAY_LEN(states) ? states[state] : VM_STATE_UNKNOWN;
}

static const char *off_reason(int reason)
{
    static const char *const reasons[] = {
        [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "it was shut down",
        [VIR_DOMAIN_SHUTOFF_DESTROYED] = "it was switched off",
        [VIR_DOMAIN_SHUTOFF_CRASHED] = "QEMU ended unexpectedly",
        [VIR_DOMAIN_SHUTOFF_FAILED] = "it could not be started",
        [VIR_DOMAIN_SHUTOFF_DAEMON] = "libvirt lost it while its daemon was down",
    };
    return reason >= 0 && (size_t)reason < ARRAY_LEN(reasons) && reasons[reason] ? reasons[reason]
                                                                                 : "";
}

static const char *pause_reason(int reason)
{
    static const char *const reasons[] = {
        [VIR_DOMAIN_PAUSED_USER] = "somebody paused it",
        [VIR_DOMAIN_PAUSED_IOERROR] = "its disk cannot be written: is the host's disk full?",
        [VIR_DOMAIN_PAUSED_WATCHDOG] = "its watchdog stopped it",
        [VIR_DOMAIN_PAUSED_CRASHED] = "its kernel crashed",
        [VIR_DOMAIN_PAUSED_STARTING_UP] = "it is being started",
    };
    return reason >= 0 && (size_t)reason < ARRAY_LEN(reasons) && reasons[reason] ? reasons[reason]
                                                                                 : "it is paused";
}

const char *domain_state_reason(int state, int reason)
{
    if (state == VIR_DOMAIN_SHUTOFF)
        return off_reason(reason);
    if (state == VIR_DOMAIN_PAUSED)
        return pause_reason(reason);
    return state == VIR_DOMAIN_CRASHED ? "its kernel crashed" : "";
}

/* What an event means: one row a pair; detail -1 is any other. */
static const struct {
    int event, detail;
    enum vm_state state;
    const char *reason;
} events[] = {
    {VIR_DOMAIN_EVENT_STARTED, -1, VM_STATE_STARTING, ""},
    {VIR_DOMAIN_EVENT_RESUMED, -1, VM_STATE_STARTING, ""},
    {VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_IOERROR, VM_STATE_PAUSED,
     "its disk cannot be written: is the host's disk full?"},
    {VIR_DOMAIN_EVENT_SUSPENDED, -1, VM_STATE_PAUSED, "it is paused"},
    {VIR_DOMAIN_EVENT_PMSUSPENDED, -1, VM_STATE_PAUSED, "it sleeps"},
    {VIR_DOMAIN_EVENT_SHUTDOWN, -1, VM_STATE_STOPPING, ""},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, VM_STATE_OFF, "it was shut down"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, VM_STATE_OFF,
     "it was switched off"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, VM_STATE_CRASHED,
     "QEMU ended unexpectedly"},
    {VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED, VM_STATE_CRASHED,
     "QEMU ended unexpectedly: it was killed, or it crashed"},
    {VIR_DOMAIN_EVENT_STOPPED, -1, VM_STATE_OFF, ""},
    {VIR_DOMAIN_EVENT_CRASHED, -1, VM_STATE_CRASHED, "its kernel crashed"},
};

static size_t find_event(int event, int detail)
{
    size_t i = 0;
    while (i < ARRAY_LEN(events) &&
           !(events[i].event == event && (events[i].detail == detail || events[i].detail == -1)))
        i++;
    return i;
}

enum vm_state domain_state_of_event(int event, int detail)
{
    size_t i = find_event(event, detail);
    return i < ARRAY_LEN(events) ? events[i].state : VM_STATE_UNKNOWN;
}

const char *domain_state_event_reason(int event, int detail)
{
    size_t i = find_event(event, detail);
    return i < ARRAY_LEN(events) ? events[i].reason : "";
}
