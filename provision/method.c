/* The provisioning methods: what they do, in order. */
#include "provision/provision_private.h"

#define SECONDS(n) ((n)*1000ULL)

/* Limits are for a guest under software emulation on a busy host. */
static const struct provision_step connection_string_steps[] = {
    {"Check the connection string", SECONDS(5), 10, true, NULL, step_check_string, NULL},
    {"Ask the VM", SECONDS(90), SECONDS(1), false, NULL, step_find_guest, NULL},
    {"Look for the hub from inside the VM", SECONDS(60), SECONDS(1), false, NULL, step_reach_hub,
     NULL},
    {"Write the runtime's configuration", SECONDS(90), SECONDS(3), false, NULL, step_write_config,
     step_undo_config},
    {"Wait until the device is connected", SECONDS(240), SECONDS(15), false, NULL,
     step_wait_connected, NULL},
    {"Keep the configuration", SECONDS(150), SECONDS(1), false, NULL, step_keep_config, NULL},
};

const struct provision_method provision_connection_string = {
    .name = "connection-string",
    .steps = connection_string_steps,
    .n_steps = ARRAY_LEN(connection_string_steps),
};

static const struct provision_step sandbox_steps[] = {
    {"Register a device in the sandbox", SECONDS(30), 300, true, NULL, step_register_device, NULL},
    {"Store the sample module's image", SECONDS(120), SECONDS(2), false, NULL, step_store_image,
     NULL},
    {"Assign the sample modules", SECONDS(30), 300, false, NULL, step_deploy_sample, NULL},
    {"Ask the VM", SECONDS(90), SECONDS(1), false, NULL, step_find_guest, NULL},
    {"Make the VM trust the sandbox", SECONDS(90), SECONDS(3), false, NULL, step_trust_sandbox,
     step_undo_trust},
    {"Look for the sandbox from inside the VM", SECONDS(60), SECONDS(1), false, NULL,
     step_reach_hub, NULL},
    {"Write the runtime's configuration", SECONDS(90), SECONDS(3), false, NULL, step_write_config,
     step_undo_config},
    {"Wait until the device is connected", SECONDS(240), SECONDS(15), false, NULL,
     step_wait_connected, NULL},
    {"Keep the configuration", SECONDS(150), SECONDS(1), false, NULL, step_keep_config, NULL},
};

const struct provision_method provision_sandbox = {
    .name = "sandbox",
    .steps = sandbox_steps,
    .n_steps = ARRAY_LEN(sandbox_steps),
};
