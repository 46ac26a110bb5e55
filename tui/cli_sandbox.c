/* berth sandbox ...: the small cloud on this host as a whole, and deployments to one device. */
#include "tui/cli_sandbox.h"

#include "core/base/json.h"
#include "core/base/json_text.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/cli_confirm.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <string.h>

#define MANIFEST_MAX (512U << 10)
#define CALL_MS      60000

/* ---- shared ---- */

cJSON *cli_sandbox_params(const struct cli *cli)
{
    cJSON *params = cJSON_CreateObject();
    const char *hub = cli_args_takes(cli->args, "hub") ? cli_args_value(cli->args, "hub") : NULL;
    if (hub)
        json_add_str(params, "hub", hub);
    return params;
}

cJSON *cli_sandbox_target(const struct cli *cli, const char *target)
{
    cJSON *params = cli_sandbox_params(cli);
    size_t len = strcspn(target, "/");
    auto_free char *device = xstrndup(target, len);
    json_add_str(params, "deviceId", device);
    if (target[len])
        json_add_str(params, "moduleId", target + len + 1);
    return params;
}

cJSON *cli_sandbox_call(struct cli *cli, const char *method, cJSON *take_params,
                        enum cli_exit *ret_exit)
{
    struct err err = {0};
    cJSON *result = NULL;
    if (cli_rpc_call(cli_connect(cli, true), method, take_params, CALL_MS, &result, &err) < 0)
        *ret_exit = cli_fail(cli, &err);
    return result;
}

void cli_sandbox_did(const struct cli *cli, const char *kind, const char *key, const char *value,
                     const char *words)
{
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_str(out, key, value);
        cli_out_json(kind, out);
    } else if (!cli->args->quiet) {
        cli_out_note("%s", words);
    }
}

void cli_sandbox_print(const cJSON *document)
{
    auto_buf struct buf text = {0};
    json_text(&text, document, true);
    buf_putc(&text, '\n');
    cli_out_raw(text.data, text.len);
}

/* ---- start, stop, reset ---- */

static int start_params(const struct cli *cli, cJSON *params, struct err *err)
{
    static const char *const ports[][2] = {
        {"mqtt-port", "mqttPort"}, {"https-port", "httpsPort"}, {"registry-port", "registryPort"}};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        uint64_t port = 0;
        if (cli_args_number(cli->args, ports[i][0], 1, UINT16_MAX, &port, err) < 0)
            return -1;
        if (port)
            json_add_u64(params, ports[i][1], port);
    }
    const char *hub = cli_args_value(cli->args, "hub");
    cJSON *hubs = hub ? json_add_array(params, "hubs") : NULL;
    for (size_t i = 0; hub && (hub = cli_args_nth(cli->args, "hub", i)); i++)
        json_push(hubs, cJSON_CreateString(hub));
    return 0;
}

int cli_sandbox_start(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *params = cJSON_CreateObject();
    if (start_params(cli, params, &err) < 0)
        return (int)cli_fail(cli, &err);
    return (int)cli_job_run(cli, "sandbox.start", steal(params));
}

int cli_sandbox_stop(struct cli *cli)
{
    return (int)cli_job_run(cli, "sandbox.stop", NULL);
}

int cli_sandbox_reset(struct cli *cli)
{
    enum cli_exit result = cli_confirm(
        cli,
        "The sandbox is stopped; its devices, keys, deployments and images are deleted for good.\n"
        "A VM that is connected to it must be connected anew: berth provision sandbox.",
        "reset");
    if (result != CLI_EXIT_DONE)
        return (int)result;
    result = cli_job_run(cli, "sandbox.reset", NULL);
    if (result == CLI_EXIT_DONE && !cli->args->json && !cli->args->quiet)
        cli_out_note("A fresh one begins with: berth sandbox start");
    return (int)result;
}

/* ---- show ---- */

static void print_hubs(const cJSON *hubs)
{
    const cJSON *hub = NULL;
    if (cJSON_GetArraySize(hubs) < 2)
        return;
    cJSON_ArrayForEach(hub, hubs)
    {
        cli_out_printf("%-10s %s\n", hub == hubs->child ? "hubs" : "", json_str(hub, "host", "-"));
    }
}

static void print_sandbox(const cJSON *result)
{
    const cJSON *dps = json_get(result, "dps");
    cli_out_printf("%-10s %s\n", "host", json_str(result, "host", "-"));
    cli_out_printf("%-10s MQTT %d, HTTPS %d, registry %d\n", "ports",
                   (int)json_u64(result, "mqttPort", 0), (int)json_u64(result, "httpsPort", 0),
                   (int)json_u64(result, "registryPort", 0));
    print_hubs(json_get(result, "hubs"));
    if (dps) {
        cli_out_printf("%-10s %s\n", "DPS", json_str(dps, "host", "-"));
        cli_out_printf("%-10s %s\n", "ID scope", json_str(dps, "idScope", "-"));
    }
    cli_out_printf("%-10s %s\n", "CA file", json_str(result, "caFile", "-"));
    cli_out_printf("%-10s %d\n", "devices", (int)json_u64(result, "devices", 0));
}

int cli_sandbox_show(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.show", NULL, &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json) {
        cli_out_json("Sandbox", steal(result));
        return CLI_EXIT_DONE;
    }
    bool runs = light_parse(json_str(result, "light", "")) == LIGHT_OK;
    cli_out_printf("%-10s %s%s%s\n", "sandbox", runs ? "running" : "not running",
                   json_str(result, "reason", NULL) ? ": " : "", json_str(result, "reason", ""));
    if (runs)
        print_sandbox(result);
    else
        cli_out_note("Start it: berth sandbox start");
    return CLI_EXIT_DONE;
}

/* ---- deploy ---- */

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
    auto_free char *words = NULL;
    auto_json cJSON *manifest = NULL;
    if (cli_read_json(cli->args->places[0], MANIFEST_MAX, &manifest, &err) < 0 ||
        (!device && device_of_vm(cli, &device, &err) < 0))
        return (int)cli_fail(cli, &err);

    cJSON *params = cli_sandbox_params(cli);
    json_add_str(params, "deviceId", device);
    json_add(params, "manifest", steal(manifest));
    if (cli_call(cli, "sandbox.deploy", params, NULL, &err) < 0)
        return (int)cli_fail(cli, &err);
    words = xasprintf("The sandbox holds the deployment for %s; the device fetches it as soon as "
                      "it is connected.",
                      device);
    cli_sandbox_did(cli, "Deployment", "deviceId", device, words);
    return CLI_EXIT_DONE;
}
