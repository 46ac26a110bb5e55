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
static const struct cli_option check_options[] = {
    {"plan", 0, "FILE", "check for this plan (- for standard input)"},
    {"strict", 0, NULL, "warnings count as failures"},
    {0},
};
static const struct cli_option sandbox_options[] = {
    {"mqtt-port", 0, "PORT", "MQTT over TLS (default 8883, or a high port for users)"},
    {"https-port", 0, "PORT", "HTTPS and WebSocket"},
    {"registry-port", 0, "PORT", "container registry"},
    {"hub", 0, "NAME", "a second hub of this name; again for more"},
    {0},
};
static const struct cli_option hub_options[] = {
    {"hub", 0, "NAME", "which of the sandbox's hubs, where it has several"}, {0}};
static const struct cli_option deploy_options[] = {
    {"device", 0, "ID", "the device (default: the one that the VM is)"}, {0}};
static const struct cli_option sure_options[] = {{"yes", 0, NULL, "do not ask back"}, {0}};
static const struct cli_option device_show_options[] = {
    {"connection-string", 0, NULL, "print only that; it holds the device's key"}, {0}};
static const struct cli_option device_create_options[] = {
    {"edge", 0, NULL, "an IoT Edge device: it can run modules"},
    {"auth", 0, "sas|x509-self-signed|x509-ca", "how it proves who it is (default: sas, a key)"},
    {"thumbprint", 0, "HEX", "of its certificate (x509-self-signed); again for a second one"},
    {"parent", 0, "ID", "the IoT Edge device that it is a child of"},
    {0},
};
static const struct cli_option enrol_show_options[] = {
    {"group", 0, NULL, "ID is a group's"},
    {"for", 0, "REGISTRATION-ID", "what this device of the group needs"},
    {0},
};
static const struct cli_option enrol_create_options[] = {
    {"key", 0, NULL, "with a key that is made now (the default)"},
    {"key-file", 0, "FILE", "with this key, base64 (- for standard input)"},
    {"x509", 0, "FILE", "with this certificate; for a group, that of its authority"},
    {"tpm", 0, "EK", "with a TPM: its endorsement key, base64"},
    {"device", 0, "ID", "the device gets this name (default: the registration ID)"},
    {"edge", 0, NULL, "it becomes an IoT Edge device"},
    {"assign-to", 0, "HUB", "to this one of several hubs (default: any)"},
    {0},
};
static const struct cli_option enrol_delete_options[] = {
    {"group", 0, NULL, "ID is a group's"}, {"yes", 0, NULL, "do not ask back"}, {0}};
static const struct cli_option configuration_options[] = {
    {"id", 0, "ID", "its name (default: as the file says)"},
    {"target", 0, "CONDITION", "which devices: tags.site='a', deviceId='x', *"},
    {"priority", 0, "N", "the highest one wins"},
    {0},
};
static const struct cli_option events_options[] = {
    {"follow", 'f', NULL, "go on as they come, until interrupted"},
    {"device", 0, "ID", "only of this device and its modules"},
    {"tail", 0, "N", "begin with the last N (0: only new ones)"},
    {0},
};
static const struct cli_option send_options[] = {
    {"file", 0, "FILE", "the message (default: standard input)"},
    {"property", 0, "NAME=VALUE", "of the message; again for several"},
    {"id", 0, "ID", "of the message"},
    {"ack", 0, "none|full|positive|negative", "what the sender wants to be told"},
    {0},
};
static const struct cli_option invoke_options[] = {
    {"payload", 0, "JSON", "what the method is called with (- for standard input)"},
    {"timeout", 0, "SECONDS", "the device has so long, 5 to 300 (default: 30)"},
    {0},
};
static const struct cli_option twin_set_options[] = {
    {"etag", 0, "ETAG", "only if the twin is still the one with this etag"}, {0}};
static const struct cli_option connection_options[] = {
    {"file", 0, "FILE", "where the connection string is (- for standard input)"},
    {0},
};
static const struct cli_option provision_sandbox_options[] = {
    {"device", 0, "ID", "the device; made where there is none (default: as the VM)"},
    {"no-sample", 0, NULL, "deploy no sample modules: it has a deployment already"},
    {0},
};
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
    {"vm tpm", "[NAME]", 0, 1, {NULL}, "What an enrolment needs to know of a VM's TPM", cli_vm_tpm},
    {"vm delete", "NAME", 1, 1, {sure_options, job_options},
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
    {"sandbox reset", NULL, 0, 0, {sure_options, job_options},
     "Stop it and delete all that it holds", cli_sandbox_reset},
    {"sandbox events", NULL, 0, 0, {events_options},
     "What devices send, as it arrives", cli_sandbox_events},
    {"sandbox deploy", "FILE", 1, 1, {deploy_options, vm_options, hub_options},
     "Apply a deployment manifest to a device", cli_sandbox_deploy},
    {"sandbox send", "DEVICE", 1, 1, {send_options, hub_options},
     "Send a message to a device", cli_sandbox_send},
    {"sandbox invoke", "DEVICE[/MODULE] METHOD", 2, 2, {invoke_options, hub_options},
     "Call a method of a device; exit code 1 if it refuses", cli_sandbox_invoke},
    {"sandbox query", "\"SELECT ...\"", 1, 1, {hub_options},
     "Ask for twins: SELECT * FROM devices WHERE ...", cli_sandbox_query},
    {"sandbox twin show", "DEVICE[/MODULE]", 1, 1, {hub_options},
     "Desired and reported properties, tags", cli_sandbox_twin_show},
    {"sandbox twin set", "DEVICE[/MODULE] FILE", 2, 2, {twin_set_options, hub_options},
     "Change tags and desired properties", cli_sandbox_twin_set},
    {"sandbox device list", NULL, 0, 0, {hub_options}, "All devices", cli_sandbox_device_list},
    {"sandbox device show", "DEVICE[/MODULE]", 1, 1, {device_show_options, hub_options},
     "Everything known about a device", cli_sandbox_device_show},
    {"sandbox device create", "ID", 1, 1, {device_create_options, hub_options},
     "Make a device and print its connection string", cli_sandbox_device_create},
    {"sandbox device enable", "ID", 1, 1, {hub_options},
     "Let it connect again", cli_sandbox_device_enable},
    {"sandbox device disable", "ID", 1, 1, {hub_options},
     "Cut it off, but keep it", cli_sandbox_device_disable},
    {"sandbox device delete", "DEVICE[/MODULE]", 1, 1, {sure_options, hub_options},
     "Delete a device with all that belongs to it", cli_sandbox_device_delete},
    {"sandbox enrol list", NULL, 0, 0, {NULL},
     "Who may register with the provisioning service", cli_sandbox_enrol_list},
    {"sandbox enrol show", "ID", 1, 1, {enrol_show_options},
     "What a device needs to register", cli_sandbox_enrol_show},
    {"sandbox enrol create", "ID", 1, 1, {enrol_show_options, enrol_create_options},
     "Let a device, or a group, register", cli_sandbox_enrol_create},
    {"sandbox enrol delete", "ID", 1, 1, {enrol_delete_options},
     "Let it register no longer", cli_sandbox_enrol_delete},
    {"sandbox ca list", NULL, 0, 0, {NULL},
     "Authorities whose device certificates are accepted", cli_sandbox_ca_list},
    {"sandbox ca add", "FILE", 1, 1, {NULL},
     "Accept certificates of this authority (PEM)", cli_sandbox_ca_add},
    {"sandbox ca remove", "THUMBPRINT", 1, 1, {sure_options},
     "Accept them no longer", cli_sandbox_ca_remove},
    {"sandbox configuration list", NULL, 0, 0, {hub_options},
     "Deployments for all devices that fit", cli_sandbox_configuration_list},
    {"sandbox configuration apply", "FILE", 1, 1, {configuration_options, hub_options},
     "Make or replace one (a manifest, or all of it)", cli_sandbox_configuration_apply},
    {"sandbox configuration delete", "ID", 1, 1, {sure_options, hub_options},
     "Delete one", cli_sandbox_configuration_delete},

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
