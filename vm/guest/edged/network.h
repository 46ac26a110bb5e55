/* The modules' network as the container engine tells it (GET /networks/NAME). Pure. */
#ifndef BERTH_EDGED_NETWORK_H
#define BERTH_EDGED_NETWORK_H

#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>

#define NETWORK_ADDRESS_MAX 46

/* The address under which its containers reach this machine: its bridge's, IPv4 before IPv6. False
 * where it has none. */
bool network_gateway(const cJSON *inspect, char *to, size_t size);

#endif
