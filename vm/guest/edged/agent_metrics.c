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
    [AGENT_TIME_RUNNING] = {"edgeAgent_total_time_running_correctly_seconds", METER_GAUGE,
                            METER_TELEMETRY, MODULE, "Time that a module was deployed and running"},
    [AGENT_TIME_EXPECTED] = {"edgeAgent_total_time_expected_running_seconds", METER_GAUGE,
                             METER_TELEMETRY, MODULE, "Time that a module was deployed to run"},
    [AGENT_MODULE_START] = {"edgeAgent_module_start_total", METER_COUNTER, METER_TELEMETRY, VERSION,
                            "Starts of a module"},
    [AGENT_MODULE_STOP] = {"edgeAgent_module_stop_total", METER_COUNTER, METER_TELEMETRY, VERSION,
                           "Stops of a module"},
    [AGENT_MODULE_PREPARE] = {"edgeAgent_module_prepare_update_total", METER_COUNTER,
                              METER_TELEMETRY, VERSION, "Images that were fetched for a module"},
    [AGENT_COMMAND_LATENCY] = {"edgeAgent_command_latency_seconds", METER_SUMMARY, METER_TELEMETRY,
                               "command ", "Time that the container engine took for a command"},
    [AGENT_SYNCS] = {"edgeAgent_iothub_syncs_total", METER_COUNTER, METER_TELEMETRY, "",
                     "Exchanges of the twin with the hub that were attempted"},
    [AGENT_SYNCS_FAILED] = {"edgeAgent_unsuccessful_iothub_syncs_total", METER_COUNTER,
                            METER_TELEMETRY, "", "Those of them that failed"},
    [AGENT_DEPLOYMENT_TIME] = {"edgeAgent_deployment_time_seconds", METER_SUMMARY, METER_TELEMETRY,
                               "", "Time until a deployment was carried out"},
    [AGENT_METHODS] = {"edgeagent_direct_method_invocations_count", METER_COUNTER, METER_BARE,
                       "method_name ", "Direct methods that were called"},
    [AGENT_HOST_UPTIME] = {"edgeAgent_host_uptime_seconds", METER_GAUGE, METER_TELEMETRY, "",
                           "Time since the machine started"},
    [AGENT_UPTIME] = {"edgeAgent_iotedged_uptime_seconds", METER_GAUGE, METER_TELEMETRY, "",
                      "Time since the runtime started"},
    [AGENT_DISK_AVAILABLE] = {"edgeAgent_available_disk_space_bytes", METER_GAUGE, METER_TELEMETRY,
                              DISK, "What a disk has left"},
    [AGENT_DISK_TOTAL] = {"edgeAgent_total_disk_space_bytes", METER_GAUGE, METER_TELEMETRY, DISK,
                          "Size of a disk"},
    [AGENT_MEMORY_USED] = {"edgeAgent_used_memory_bytes", METER_GAUGE, METER_TELEMETRY, MODULE,
                           "Memory in use"},
    [AGENT_MEMORY_TOTAL] = {"edgeAgent_total_memory_bytes", METER_GAUGE, METER_TELEMETRY, MODULE,
                            "Memory that there is, or that a module may use"},
    [AGENT_CPU] = {"edgeAgent_used_cpu_percent", METER_SUMMARY, METER_TELEMETRY, MODULE,
                   "Share of all processors' time"},
    [AGENT_PIDS] = {"edgeAgent_created_pids_total", METER_GAUGE, METER_TELEMETRY, MODULE,
                    "Processes and threads of a module"},
    [AGENT_NETWORK_IN] = {"edgeAgent_total_network_in_bytes", METER_GAUGE, METER_TELEMETRY, MODULE,
                          "What a module received"},
    [AGENT_NETWORK_OUT] = {"edgeAgent_total_network_out_bytes", METER_GAUGE, METER_TELEMETRY,
                           MODULE, "What a module sent"},
    [AGENT_DISK_READ] = {"edgeAgent_total_disk_read_bytes", METER_GAUGE, METER_TELEMETRY, MODULE,
                         "What a module read from disks"},
    [AGENT_DISK_WRITE] = {"edgeAgent_total_disk_write_bytes", METER_GAUGE, METER_TELEMETRY, MODULE,
                          "What a module wrote to disks"},
    [AGENT_METADATA] = {"edgeAgent_metadata", METER_GAUGE, METER_TELEMETRY, HOST,
                        "Always 0: what it tells is in its labels"},
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
