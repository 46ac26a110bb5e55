/* What a container uses, as the engine tells it (GET /containers/NAME/stats of the Docker Engine
 * API). Pure. */
#ifndef BERTH_EDGED_CONTAINER_STATS_H
#define BERTH_EDGED_CONTAINER_STATS_H

#include "core/base/json.h"

#include <stdint.h>

struct container_stats {
    uint64_t cpu_ns; /* of all processors, since its start */
    uint64_t memory, memory_limit;
    uint64_t pids;
    uint64_t network_in, network_out; /* of all its networks */
    uint64_t disk_read, disk_write;
};

/* What is not told is 0. */
void container_stats_parse(const cJSON *json, struct container_stats *ret);

#endif
