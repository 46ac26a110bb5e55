/* What the agent counts and measures, under the names that Microsoft's edgeAgent has for it: the
 * table behind core/base/meters.h, and what is counted in more than one place. Loop thread only. */
#ifndef BERTH_EDGED_AGENT_METRICS_H
#define BERTH_EDGED_AGENT_METRICS_H

#include "core/base/meters.h"
#include "vm/guest/edged/device.h"

enum agent_metric {
    AGENT_TIME_RUNNING,    /* module_name */
    AGENT_TIME_EXPECTED,   /* module_name */
    AGENT_MODULE_START,    /* module_name, module_version */
    AGENT_MODULE_STOP,     /* module_name, module_version */
    AGENT_MODULE_PREPARE,  /* module_name, module_version */
    AGENT_COMMAND_LATENCY, /* command */
    AGENT_SYNCS,           /* none */
    AGENT_SYNCS_FAILED,    /* none */
    AGENT_DEPLOYMENT_TIME, /* none */
    AGENT_METHODS,         /* method_name */
    AGENT_HOST_UPTIME,     /* none */
    AGENT_UPTIME,          /* none */
    AGENT_DISK_AVAILABLE,  /* disk_name, disk_filesystem, disk_filetype */
    AGENT_DISK_TOTAL,      /* disk_name, disk_filesystem, disk_filetype */
    AGENT_MEMORY_USED,     /* module_name; "host" is the machine */
    AGENT_MEMORY_TOTAL,    /* module_name */
    AGENT_CPU,             /* module_name */
    AGENT_PIDS,            /* module_name */
    AGENT_NETWORK_IN,      /* module_name */
    AGENT_NETWORK_OUT,     /* module_name */
    AGENT_DISK_READ,       /* module_name */
    AGENT_DISK_WRITE,      /* module_name */
    AGENT_METADATA,        /* edge_agent_version, experimental_features, host_information */
    AGENT_METRIC_COUNT
};

struct meters *agent_metrics_new(void);
/* Whose they are: the labels that nearly all carry. */
void agent_metrics_set_device(struct meters *m, const struct device *device);

/* The series of a kind with at most one label. */
struct meter *agent_metrics_of(struct meters *m, enum agent_metric metric, const char *label);

/* COMMAND was carried out on a module in MS milliseconds. One of Microsoft's: "create", "update",
 * "prepareUpdate", "remove", "start", "stop", "restart". */
void agent_metrics_command(struct meters *m, const char *module, const char *version,
                           const char *command, uint64_t ms);
/* The twin went from or to the hub, or failed to. */
void agent_metrics_sync(struct meters *m, bool ok);

#endif
