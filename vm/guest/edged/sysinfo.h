/* What this machine is and how it fares, from /proc and /sys. Reads small files; loop thread. */
#ifndef BERTH_EDGED_SYSINFO_H
#define BERTH_EDGED_SYSINFO_H

#include "core/base/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Two readings give the CPU's use in between. */
struct sysinfo_cpu {
    uint64_t busy, total;
};
void sysinfo_cpu_read(struct sysinfo_cpu *ret);
double sysinfo_cpu_percent(const struct sysinfo_cpu *from, const struct sysinfo_cpu *to);

struct sysinfo_process {
    uint64_t memory; /* bytes in RAM */
    uint64_t cpu_ns; /* since its start */
    uint64_t threads;
};
/* False where there is no such process. */
bool sysinfo_process_read(pid_t pid, struct sysinfo_process *ret);

/* The members of GET /systeminfo that describe the machine. */
void sysinfo_describe(cJSON *to);
/* host_uptime, used_ram, total_ram, disks of GET /systeminfo/resources. */
void sysinfo_resources(cJSON *to);

#endif
