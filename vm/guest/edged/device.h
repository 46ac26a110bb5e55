/* Who this machine is: a device of a hub. Plain data; all empty until it is known. */
#ifndef BERTH_EDGED_DEVICE_H
#define BERTH_EDGED_DEVICE_H

#include "core/base/str.h"

#include <stdint.h>

struct device {
    char hub[254]; /* host name */
    uint16_t port; /* of MQTT, where it is not the usual one (a sandbox's); else 0 */
    char id[130];
};

static inline bool device_known(const struct device *d)
{
    return d->hub[0] != '\0';
}

static inline bool device_same(const struct device *a, const struct device *b)
{
    return str_eq(a->hub, b->hub) && a->port == b->port && str_eq(a->id, b->id);
}

#endif
