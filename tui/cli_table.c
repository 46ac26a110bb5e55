/* What the command line can do: parsing, help and usage texts all come from these tables. */
#include "tui/cli_args.h"
#include "tui/cli_job.h"
#include "tui/cli_verbs.h"

const struct cli_option cli_common_options[] = {
    {"json", 0, NULL, "print JSON for scripts"},
    {"quiet", 'q', NULL, "no messages but errors"},
    {"help", 'h', NULL, "show this"},
    {0},
};

/* What every command that starts a job takes. */
static const struct cli_option job_options[] = {
    {"wait", 0, NULL, "wait for the end (the default)"},
    {"no-wait", 0, NULL, "only start it and print the job's ID"},
    {"timeout", 0, "SECONDS", "wait no longer; the job goes on (exit code 8)"},
    {0},
};
static const struct cli_option attach_options[] = {
    {"timeout", 0, "SECONDS", "wait no longer; the job goes on (exit code 8)"}, {0}};
static const struct cli_option vm_options[] = {{"vm", 0, "NAME", "the VM, where there are several"},
                                               {0}};
static const struct cli_option create_options[] = {
    {"name", 0, "NAME", "its name (default: the host's name and -vm)"},
    {"cpu", 0, "N", "processors"},
    {"memory", 0, "MIB", "memory in MiB"},
    {"disk", 0, "GIB", "data disk in GiB"},
    {"network", 0, "user|nat", "how it reaches the network"},
    {"accel", 0, "auto|kvm|tcg", "how it runs"},
    {"bundle", 0, "DIR", "guest image to install"},
    {"plan", 0, "FILE", "take all this from a JSON file (- for standard input)"},
    {0},
};
static const struct cli_option stop_options[] = {
    {"force", 0, NULL, "pull the plug instead of asking the guest to shut down"},
    {"yes", 0, NULL, "do not ask back"},
    {0},
};
static const struct cli_option delete_options[] = {{"yes", 0, NULL, "do not ask back"}, {0}};
static const struct cli_option check_options[] = {
    {"plan", 0, "FILE", "check for this plan (- for standard input)"},
    {"strict", 0, NULL, "warnings count as failures"},
    {0},
};
static const struct cli_option sandbox_options[] = {
    {"mqtt-port", 0, "PORT", "MQTT over TLS (default 8883, or a high port for users)"},
    {"https-port", 0, "PORT", "HTTPS and WebSocket"},
    {"registry-port", 0, "PORT", "container registry"},
    {0},
};
static const struct cli_option deploy_options[] = {
    {"device", 0, "ID", "the device (default: the one that the VM is)"}, {0}};
static const struct cli_option connection_options[] = {
    {"file", 0, "FILE", "where the connection string is (- for standard input)"},
    {0},
};
static const struct cli_option provision_sandbox_options[] = {
    {"device", 0, "ID", "name of the device"}, {0}};
static const struct cli_option logs_options[] = {
    {"follow", 'f', NULL, "go on as lines come, until interrupted"},
    {"tail", 0, "N", "begin with the last N lines"},
    {"since", 0, "TIME", "only lines after 10m, 2h, 3d ago or an RFC 3339 time"},
    {"grep", 0, "PATTERN", "only lines that match"},
    {"hide", 0, "PATTERN", "no lines that match"},
    {"level", 0, "info|warn|error", "only lines of this level or worse"},
    {"timestamps", 't', NULL, "show when each line was written"},
    {0},
};
static const struct cli_option metrics_options[] = {
    {"csv", 0, NULL, "print every point as time,name,module,unit,value"},
    {"since", 0, "TIME", "only points after 10m, 2h ago or an RFC 3339 time"},
    {0},
};
static const struct cli_option engine_log_options[] = {
    {"follow", 'f', NULL, "go on as lines come, until interrupted"},
    {"tail", 0, "N", "begin with the last N lines"},
    {0},
};

/* words, arguments, least and most of them, options, help, what does it. One row a verb reads
 * better than what clang-format makes of it. */
/* clang-format off */
const struct cli_verb cli_verbs[] = {
    {"status", NULL, 0, 0, {NULL}, "VM, runtime, cloud and modules at a glance", cli_status},
    {"logs", "MODULE", 1, 1, {logs_options, vm_options},
     "Log of a module (@serial: the VM's console)", cli_logs},
    {"metrics", NULL, 0, 0, {metrics_options, vm_options},
     "Measured values of the VM and its modules", cli_metrics},

    {"vm create", NULL, 0, 0, {create_options, job_options},
     "Install a VM and start it", cli_vm_create},
    {"vm list", NULL, 0, 0, {NULL}, "All VMs", cli_vm_list},
    {"vm show", "[NAME]", 0, 1, {NULL}, "Everything known about a VM", cli_vm_show},
    {"vm start", "[NAME]", 0, 1, {job_options}, "Start a VM", cli_vm_start},
    {"vm stop", "[NAME]", 0, 1, {stop_options, job_options}, "Shut a VM down", cli_vm_stop},
    {"vm restart", "[NAME]", 0, 1, {job_options},
     "Shut a VM down and start it again", cli_vm_restart},
    {"vm delete", "NAME", 1, 1, {delete_options, job_options},
     "Delete a VM with its disks", cli_vm_delete},
    {"vm exists", "[NAME]", 0, 1, {NULL},
     "Exit code 0 if there is such a VM, else 3", cli_vm_exists},
    {"vm name", NULL, 0, 0, {NULL}, "Name of the VM", cli_vm_name_verb},
    {"vm addr", "[NAME]", 0, 1, {NULL}, "How to reach a VM", cli_vm_addr},

    {"host check", NULL, 0, 0, {check_options},
     "Can this host run a VM? Exit code 11 if not", cli_host_check},
    {"host show", NULL, 0, 0, {NULL}, "What was found on this host", cli_host_show},

    {"provision connection-string", NULL, 0, 0, {connection_options, vm_options, job_options},
     "Connect a VM to Azure", cli_provision_connection_string},
    {"provision sandbox", NULL, 0, 0, {provision_sandbox_options, vm_options, job_options},
     "Connect a VM to the sandbox, without Azure", cli_provision_sandbox},

    {"sandbox start", NULL, 0, 0, {sandbox_options, job_options},
     "Start the sandbox, a small cloud on this host", cli_sandbox_start},
    {"sandbox stop", NULL, 0, 0, {job_options}, "Stop the sandbox", cli_sandbox_stop},
    {"sandbox show", NULL, 0, 0, {NULL},
     "Where the sandbox is; with --json all a script needs", cli_sandbox_show},
    {"sandbox deploy", "FILE", 1, 1, {deploy_options, vm_options},
     "Apply a deployment manifest to a device", cli_sandbox_deploy},
    {"sandbox device create", "ID", 1, 1, {NULL},
     "Make a device and print its connection string", cli_sandbox_device_create},

    {"module list", NULL, 0, 0, {vm_options}, "Modules of a VM", cli_module_list},
    {"module show", "MODULE", 1, 1, {vm_options},
     "Everything known about a module", cli_module_show},
    {"module start", "MODULE", 1, 1, {vm_options}, "Start a module", cli_module_start},
    {"module stop", "MODULE", 1, 1, {vm_options}, "Stop a module", cli_module_stop},
    {"module restart", "MODULE", 1, 1, {vm_options}, "Restart a module", cli_module_restart},

    {"job list", NULL, 0, 0, {NULL}, "Jobs that run or ran lately", cli_job_list},
    {"job show", "ID", 1, 1, {NULL}, "Steps of a job", cli_job_show},
    {"job attach", "[ID]", 0, 1, {attach_options},
     "Come back to a job and wait for its end", cli_job_attach},
    {"job cancel", "[ID]", 0, 1, {NULL}, "Ask a job to stop and undo itself", cli_job_cancel},

    {"engine log", NULL, 0, 0, {engine_log_options}, "The engine's own log", cli_engine_log},
    {"engine log-level", "LEVEL", 1, 1, {NULL},
     "Set it to debug, info, warn or error", cli_engine_log_level},
    {"engine stop", NULL, 0, 0, {NULL}, "Stop the engine; VMs go on", cli_engine_stop},

    {"info", NULL, 0, 0, {NULL}, "Where Berth keeps things on this host", cli_info},
    {"version", NULL, 0, 0, {NULL}, "Version of this program", cli_version},
    {"help", "[WORD]...", 0, CLI_PLACES_MAX, {NULL}, "Commands and their options", cli_help},
    {0},
};
/* clang-format on */
