/* The modules' network as the container engine tells it (GET /networks/NAME). Pure. */
#ifndef BERTH_EDGED_NETWORK_H
#define BERTH_EDGED_NETWORK_H

#include "core/base/json.h"

#include <stdbool.h>

#define NETWORK_ADDRESS_MAX 16

/* The IPv4 address under which its containers reach this machine: its bridge's. False where it has
 * none. */
bool network_gateway(const cJSON *inspect, char to[NETWORK_ADDRESS_MAX]);

#endif
