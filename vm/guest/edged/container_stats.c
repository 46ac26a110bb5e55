/* See container_stats.h. */
#include "vm/guest/edged/container_stats.h"

#include "core/base/str.h"

#include <strings.h>

static void add_networks(const cJSON *networks, struct container_stats *to)
{
    const cJSON *network = NULL;
    cJSON_ArrayForEach(network, networks)
    {
        to->network_in += json_u64(network, "rx_bytes", 0);
        to->network_out += json_u64(network, "tx_bytes", 0);
    }
}

/* A row for each disk and kind of access. Docker writes "Read" with the first cgroups, "read" with
 * the second. */
static void add_disks(const cJSON *rows, struct container_stats *to)
{
    const cJSON *row = NULL;
    cJSON_ArrayForEach(row, rows)
    {
        if (strcasecmp(json_str(row, "op", ""), "read") == 0)
            to->disk_read += json_u64(row, "value", 0);
        else if (strcasecmp(json_str(row, "op", ""), "write") == 0)
            to->disk_write += json_u64(row, "value", 0);
    }
}

void container_stats_parse(const cJSON *json, struct container_stats *ret)
{
    const cJSON *memory = json_get(json, "memory_stats");
    *ret = (struct container_stats){
        .cpu_ns = json_u64(json_get(json_get(json, "cpu_stats"), "cpu_usage"), "total_usage", 0),
        .memory = json_u64(memory, "usage", 0),
        .memory_limit = json_u64(memory, "limit", 0),
        .pids = json_u64(json_get(json, "pids_stats"), "current", 0),
    };
    add_networks(json_get(json, "networks"), ret);
    add_disks(json_get(json_get(json, "blkio_stats"), "io_service_bytes_recursive"), ret);
}
