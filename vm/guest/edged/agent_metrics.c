/* See agent_metrics.h. */
#include "vm/guest/edged/agent_metrics.h"

#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/base/uuid.h"

#define MODULE  "module_name "
#define VERSION "module_name module_version "
#define DISK    "disk_name disk_filesystem disk_filetype "
#define HOST    "edge_agent_version experimental_features host_information "

static const struct meter_kind kinds[] = {
    [AGENT_TIME_RUNNING] = {"edgeAgent_total_time_running_correctly_seconds", METER_GAUGE, true,
                            MODULE, "Time that a module was deployed and running", false},
    [AGENT_TIME_EXPECTED] = {"edgeAgent_total_time_expected_running_seconds", METER_GAUGE, true,
                             MODULE, "Time that a module was deployed to run", false},
    [AGENT_MODULE_START] = {"edgeAgent_module_start_total", METER_COUNTER, true, VERSION,
                            "Starts of a module", false},
    [AGENT_MODULE_STOP] = {"edgeAgent_module_stop_total", METER_COUNTER, true, VERSION,
                           "Stops of a module", false},
    [AGENT_MODULE_PREPARE] = {"edgeAgent_module_prepare_update_total", METER_COUNTER, true, VERSION,
                              "Images that were fetched for a module", false},
    [AGENT_COMMAND_LATENCY] = {"edgeAgent_command_latency_seconds", METER_SUMMARY, true, "command ",
                               "Time that the container engine took for a command", false},
    [AGENT_SYNCS] = {"edgeAgent_iothub_syncs_total", METER_COUNTER, true, "",
                     "Exchanges of the twin with the hub that were attempted", false},
    [AGENT_SYNCS_FAILED] = {"edgeAgent_unsuccessful_iothub_syncs_total", METER_COUNTER, true, "",
                            "Those of them that failed", false},
    [AGENT_DEPLOYMENT_TIME] = {"edgeAgent_deployment_time_seconds", METER_SUMMARY, true, "",
                               "Time until a deployment was carried out", false},
    [AGENT_METHODS] = {"edgeagent_direct_method_invocations_count", METER_COUNTER, false,
                       "method_name ", "Direct methods that were called", .bare = true},
    [AGENT_HOST_UPTIME] = {"edgeAgent_host_uptime_seconds", METER_GAUGE, true, "",
                           "Time since the machine started", false},
    [AGENT_UPTIME] = {"edgeAgent_iotedged_uptime_seconds", METER_GAUGE, true, "",
                      "Time since the runtime started", false},
    [AGENT_DISK_AVAILABLE] = {"edgeAgent_available_disk_space_bytes", METER_GAUGE, true, DISK,
                              "What a disk has left", false},
    [AGENT_DISK_TOTAL] = {"edgeAgent_total_disk_space_bytes", METER_GAUGE, true, DISK,
                          "Size of a disk", false},
    [AGENT_MEMORY_USED] = {"edgeAgent_used_memory_bytes", METER_GAUGE, true, MODULE,
                           "Memory in use", false},
    [AGENT_MEMORY_TOTAL] = {"edgeAgent_total_memory_bytes", METER_GAUGE, true, MODULE,
                            "Memory that there is, or that a module may use", false},
    [AGENT_CPU] = {"edgeAgent_used_cpu_percent", METER_SUMMARY, true, MODULE,
                   "Share of all processors' time", false},
    [AGENT_PIDS] = {"edgeAgent_created_pids_total", METER_GAUGE, true, MODULE,
                    "Processes and threads of a module", false},
    [AGENT_NETWORK_IN] = {"edgeAgent_total_network_in_bytes", METER_GAUGE, true, MODULE,
                          "What a module received", false},
    [AGENT_NETWORK_OUT] = {"edgeAgent_total_network_out_bytes", METER_GAUGE, true, MODULE,
                           "What a module sent", false},
    [AGENT_DISK_READ] = {"edgeAgent_total_disk_read_bytes", METER_GAUGE, true, MODULE,
                         "What a module read from disks", false},
    [AGENT_DISK_WRITE] = {"edgeAgent_total_disk_write_bytes", METER_GAUGE, true, MODULE,
                          "What a module wrote to disks", false},
    [AGENT_METADATA] = {"edgeAgent_metadata", METER_GAUGE, true, HOST,
                        "Always 0: what it tells is in its labels", false},
};
_Static_assert(ARRAY_LEN(kinds) == AGENT_METRIC_COUNT, "a row for each metric");

struct meters *agent_metrics_new(void)
{
    return meters_new(kinds, ARRAY_LEN(kinds));
}

void agent_metrics_set_device(struct meters *m, const struct device *device)
{
    char instance[UUID_SIZE];
    const char *const common[] = {"iothub",          device->hub, "edge_device", device->id,
                                  "instance_number", instance,    NULL};
    uuid_make(instance);
    meters_set_common(m, common);
}

struct meter *agent_metrics_of(struct meters *m, enum agent_metric metric, const char *label)
{
    return meters_get(m, metric, &label);
}

void agent_metrics_command(struct meters *m, const char *module, const char *version,
                           const char *command, uint64_t ms)
{
    static const struct {
        const char *command;
        enum agent_metric counts_as;
    } counted[] = {
        {"start", AGENT_MODULE_START},
        {"restart", AGENT_MODULE_START},
        {"stop", AGENT_MODULE_STOP},
        {"prepareUpdate", AGENT_MODULE_PREPARE},
    };
    const char *const labels[] = {module, version};
    meter_observe(agent_metrics_of(m, AGENT_COMMAND_LATENCY, command), (double)ms / 1000,
                  clock_mono_ms());
    for (size_t i = 0; i < ARRAY_LEN(counted); i++)
        if (str_eq(counted[i].command, command))
            meter_add(meters_get(m, counted[i].counts_as, labels), 1);
}

void agent_metrics_sync(struct meters *m, bool ok)
{
    meter_add(agent_metrics_of(m, AGENT_SYNCS, NULL), 1);
    if (!ok)
        meter_add(agent_metrics_of(m, AGENT_SYNCS_FAILED, NULL), 1);
}
