/* See network.h. */
#include "vm/guest/edged/network.h"

#include <arpa/inet.h>

bool network_gateway(const cJSON *inspect, char to[NETWORK_ADDRESS_MAX])
{
    const cJSON *subnet = NULL;
    cJSON_ArrayForEach(subnet, json_get(json_get(inspect, "IPAM"), "Config"))
    {
        struct in_addr address;
        if (inet_pton(AF_INET, json_str(subnet, "Gateway", ""), &address) == 1)
            return inet_ntop(AF_INET, &address, to, NETWORK_ADDRESS_MAX) != NULL;
    }
    return false;
}
