/* See network.h. */
#include "vm/guest/edged/network.h"

#include "core/base/str.h"

#include <arpa/inet.h>

bool network_gateway(const cJSON *inspect, char *to, size_t size)
{
    static const int families[] = {AF_INET, AF_INET6};
    const cJSON *subnets = json_get(json_get(inspect, "IPAM"), "Config");
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const cJSON *subnet = NULL;
        cJSON_ArrayForEach(subnet, subnets)
        {
            struct in6_addr address;
            const char *text = json_str(subnet, "Gateway", "");
            if (inet_pton(families[i], text, &address) == 1)
                return str_copy(to, size, text);
        }
    }
    return false;
}
