/* What the guest's sockets answer, as plain structs. The guest is not trusted: everything is
 * bounded and sanitised, and a member that is missing or odd is "unknown", not an error. Pure; any
 * thread. */
#ifndef BERTH_ENGINE_GUEST_READ_H
#define BERTH_ENGINE_GUEST_READ_H

#include "core/base/err.h"
#include "core/base/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* GET /systeminfo of mgmt.sock. */
struct guest_info {
    char version[32];
    char device_id[130];
    char hub[130];
    enum cloud_state cloud;
    uint64_t cloud_since_ms;
    char cloud_error[400];
};
int guest_read_info(const char *json, size_t len, struct guest_info *ret, struct err *err);

/* GET /modules of mgmt.sock. Modules beyond MAX are left out, as are ones without a name. Restarts
 * and figures are zero or unknown. */
int guest_read_modules(const char *json, size_t len, struct module_status *to, size_t max,
                       size_t *ret_n, struct err *err);

/* GET /systeminfo/resources of mgmt.sock. */
struct guest_resources {
    double cpu_percent; /* below 0: unknown */
    uint64_t memory_used, memory_total;
    uint64_t disk_used, disk_total; /* of the largest disk: the data disk */
};
int guest_read_resources(const char *json, size_t len, struct guest_resources *ret,
                         struct err *err);

/* One answer of docker.sock's /containers/NAME/stats. */
struct guest_stats {
    uint64_t read_ms;
    uint64_t cpu_ns; /* used since the container's start; 0 unknown */
    uint64_t memory; /* in use, without page cache */
};
int guest_read_stats(const char *json, size_t len, struct guest_stats *ret, struct err *err);

/* Percent of one CPU between two samples; below 0 where they do not say. */
double guest_stats_cpu(const struct guest_stats *before, const struct guest_stats *now);

/* The value of KEY in the helper's "key=value" lines, sanitised; "" where missing. */
void guest_read_key(const char *text, const char *key, char *to, size_t size);

#endif
