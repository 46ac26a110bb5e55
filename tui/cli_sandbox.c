/* berth sandbox ...: the small cloud on this host. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#define MANIFEST_MAX (512U << 10)

int cli_sandbox_start(struct cli *cli)
{
    static const char *const ports[][2] = {
        {"mqtt-port", "mqttPort"}, {"https-port", "httpsPort"}, {"registry-port", "registryPort"}};
    struct err err = {0};
    auto_json cJSON *params = cJSON_CreateObject();
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        uint64_t port = 0;
        if (cli_args_number(cli->args, ports[i][0], 1, UINT16_MAX, &port, &err) < 0)
            return cli_fail(cli, &err);
        if (port)
            json_add_u64(params, ports[i][1], port);
    }
    return cli_job_run(cli, "sandbox.start", steal(params));
}

int cli_sandbox_stop(struct cli *cli)
{
    return cli_job_run(cli, "sandbox.stop", NULL);
}

int cli_sandbox_show(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    if (cli_call(cli, "sandbox.show", NULL, &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json("Sandbox", steal(result));
        return CLI_EXIT_DONE;
    }
    bool runs = light_parse(json_str(result, "light", "")) == LIGHT_OK;
    cli_out_printf("%-10s %s%s%s\n", "sandbox", runs ? "running" : "not running",
                   json_str(result, "reason", NULL) ? ": " : "", json_str(result, "reason", ""));
    if (!runs)
        return CLI_EXIT_DONE;
    cli_out_printf("%-10s %s\n", "host", json_str(result, "host", "-"));
    cli_out_printf("%-10s MQTT %d, HTTPS %d, registry %d\n", "ports",
                   (int)json_u64(result, "mqttPort", 0), (int)json_u64(result, "httpsPort", 0),
                   (int)json_u64(result, "registryPort", 0));
    cli_out_printf("%-10s %s\n", "CA file", json_str(result, "caFile", "-"));
    cli_out_printf("%-10s %d\n", "devices", (int)json_u64(result, "devices", 0));
    return CLI_EXIT_DONE;
}

/* The device that the VM is provisioned as. Heap string. */
static int device_of_vm(struct cli *cli, char **ret_device, struct err *err)
{
    auto_free char *name = NULL;
    auto_json cJSON *snapshot = NULL;
    if (cli_vm_name(cli, CLI_PLACES_MAX, &name, err) < 0 ||
        cli_call(cli, "snapshot.get", NULL, &snapshot, err) < 0)
        return -1;
    const cJSON *vm = NULL;
    cJSON_ArrayForEach(vm, json_get(snapshot, "vms"))
    {
        const char *device = json_str(vm, "deviceId", "");
        if (str_eq(json_str(vm, "name", ""), name) && *device) {
            *ret_device = xstrdup(device);
            return 0;
        }
    }
    err_set(err, ERR_NOT_FOUND, "VM \"%s\" is not known as a device yet", name);
    return err_hint(err, "name the device with --device, or run `berth provision sandbox` first");
}

int cli_sandbox_deploy(struct cli *cli)
{
    struct err err = {0};
    const char *given = cli_args_value(cli->args, "device");
    auto_free char *device = given ? xstrdup(given) : NULL;
    auto_json cJSON *manifest = NULL;
    if (cli_read_json(cli->args->places[0], MANIFEST_MAX, &manifest, &err) < 0 ||
        (!device && device_of_vm(cli, &device, &err) < 0))
        return cli_fail(cli, &err);

    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "deviceId", device);
    json_add(params, "manifest", steal(manifest));
    if (cli_call(cli, "sandbox.deploy", params, NULL, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_str(out, "deviceId", device);
        cli_out_json("Deployment", out);
    } else if (!cli->args->quiet) {
        cli_out_note("The sandbox holds the deployment for %s; the device fetches it as soon as it "
                     "is connected.",
                     device);
    }
    return CLI_EXIT_DONE;
}

int cli_sandbox_device_create(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "deviceId", cli->args->places[0]);
    if (cli_call(cli, "sandbox.device_create", params, &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json)
        cli_out_json("Device", steal(result));
    else
        cli_out_printf("%s\n", json_str(result, "connectionString", ""));
    return CLI_EXIT_DONE;
}
