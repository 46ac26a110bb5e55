/* Messages from devices, as the sandbox shows them: the answer of its own address /sandbox/events.
 * See hub_read.h. Pure; any thread. */
#ifndef BERTH_PROVISION_HUB_EVENT_H
#define BERTH_PROVISION_HUB_EVENT_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define HUB_EVENT_PROPERTIES_MAX 64

struct hub_property {
    const char *key, *value;
};

/* A message that a device sent. All pointers are borrowed for the call; the texts are as the device
 * sent them. */
struct hub_event {
    uint64_t sequence; /* numbered by the hub for as long as it runs */
    uint64_t at_ms;
    const char *device, *module;                              /* "" for a device */
    struct hub_property properties[HUB_EVENT_PROPERTIES_MAX]; /* the device's, then the system's */
    size_t n_properties, n_own;
    const char *body_base64;
};

/* Calls FN for each event of the answer, in its order. RET_LAST: the number of the newest that the
 * hub has. */
int hub_read_events(const char *text, size_t len, void (*fn)(void *arg, const struct hub_event *e),
                    void *arg, uint64_t *ret_last, struct err *err);

#endif
