/* The verbs: each does one command and gives its exit code. cli_table.c has what they are called.
 */
#ifndef BERTH_TUI_CLI_VERBS_H
#define BERTH_TUI_CLI_VERBS_H

struct cli;

int cli_vm_create(struct cli *cli);
int cli_vm_list(struct cli *cli);
int cli_vm_show(struct cli *cli);
int cli_vm_start(struct cli *cli);
int cli_vm_stop(struct cli *cli);
int cli_vm_restart(struct cli *cli);
int cli_vm_delete(struct cli *cli);
int cli_vm_tpm(struct cli *cli);
int cli_vm_exists(struct cli *cli);
int cli_vm_name_verb(struct cli *cli);
int cli_vm_addr(struct cli *cli);

int cli_host_check(struct cli *cli);
int cli_host_show(struct cli *cli);

int cli_sandbox_start(struct cli *cli);
int cli_sandbox_stop(struct cli *cli);
int cli_sandbox_reset(struct cli *cli);
int cli_sandbox_show(struct cli *cli);
int cli_sandbox_events(struct cli *cli);
int cli_sandbox_deploy(struct cli *cli);
int cli_sandbox_send(struct cli *cli);
int cli_sandbox_invoke(struct cli *cli);
int cli_sandbox_query(struct cli *cli);
int cli_sandbox_twin_show(struct cli *cli);
int cli_sandbox_twin_set(struct cli *cli);
int cli_sandbox_device_list(struct cli *cli);
int cli_sandbox_device_show(struct cli *cli);
int cli_sandbox_device_create(struct cli *cli);
int cli_sandbox_device_enable(struct cli *cli);
int cli_sandbox_device_disable(struct cli *cli);
int cli_sandbox_device_delete(struct cli *cli);
int cli_sandbox_enrol_list(struct cli *cli);
int cli_sandbox_enrol_show(struct cli *cli);
int cli_sandbox_enrol_create(struct cli *cli);
int cli_sandbox_enrol_delete(struct cli *cli);
int cli_sandbox_ca_list(struct cli *cli);
int cli_sandbox_ca_add(struct cli *cli);
int cli_sandbox_ca_remove(struct cli *cli);
int cli_sandbox_configuration_list(struct cli *cli);
int cli_sandbox_configuration_apply(struct cli *cli);
int cli_sandbox_configuration_delete(struct cli *cli);

int cli_provision_connection_string(struct cli *cli);
int cli_provision_sandbox(struct cli *cli);

int cli_status(struct cli *cli);

int cli_module_list(struct cli *cli);
int cli_module_show(struct cli *cli);
int cli_module_start(struct cli *cli);
int cli_module_stop(struct cli *cli);
int cli_module_restart(struct cli *cli);

int cli_logs(struct cli *cli);
int cli_metrics(struct cli *cli);

int cli_engine_stop(struct cli *cli);
int cli_engine_log_level(struct cli *cli);
int cli_engine_log(struct cli *cli);

int cli_info(struct cli *cli);
int cli_version(struct cli *cli);
int cli_help(struct cli *cli);

#endif
