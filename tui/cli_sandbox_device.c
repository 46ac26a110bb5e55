/* berth sandbox device ... */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_sandbox.h"
#include "tui/cli_confirm.h"
#include "tui/cli_out.h"
#include "tui/cli_sandbox.h"
#include "tui/cli_verbs.h"

#include <inttypes.h>

static void add_row(struct cli_grid *grid, const struct sandbox_device *d)
{
    char at[CLOCK_TEXT_MAX];
    cli_grid_add(grid, d->id);
    cli_grid_add(grid, sandbox_device_word(d));
    cli_grid_add(grid, d->edge ? "edge" : "device");
    cli_grid_add(grid, sandbox_auth_name(d->auth));
    if (d->modules >= 0)
        cli_grid_addf(grid, "%d", d->modules);
    else
        cli_grid_add(grid, "-");
    clock_format(at, sizeof(at), d->activity_ms);
    cli_grid_add(grid, at);
    cli_grid_add(grid, d->parent);
}

static void print_list(const cJSON *result)
{
    static const char *const head[] = {"DEVICE",  "STATE",         "KIND",  "AUTH",
                                       "MODULES", "LAST ACTIVITY", "PARENT"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *item = NULL, *devices = json_get(result, "devices");
    uint64_t total = json_u64(result, "total", 0);
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(item, devices)
    {
        struct sandbox_device d;
        model_parse_device(item, &d);
        add_row(&grid, &d);
    }
    if (grid.n == grid.columns) {
        cli_out_note("There is no device yet; `berth sandbox device create ID` makes one.");
        return;
    }
    cli_grid_show(&grid);
    if (total > (uint64_t)cJSON_GetArraySize(devices))
        cli_out_note("These are the first of %" PRIu64 "; `berth sandbox query` finds others.",
                     total);
}

int cli_sandbox_device_list(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    cJSON *params = cli_sandbox_params(cli);
    json_add_u64(params, "countModules", SANDBOX_LIST_MAX);
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.device_list", params, &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json)
        cli_out_json_list("DeviceList", cJSON_DetachItemFromObjectCaseSensitive(result, "devices"));
    else
        print_list(result);
    return CLI_EXIT_DONE;
}

/* ---- show ---- */

static void print_modules(const cJSON *list)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        struct sandbox_device m;
        model_parse_device(item, &m);
        cli_out_printf("%-10s %s (%s)\n", item == list->child ? "modules" : "", m.module,
                       sandbox_device_word(&m));
    }
}

static void print_device(const struct sandbox_device *d)
{
    char at[CLOCK_TEXT_MAX], since[CLOCK_TEXT_MAX];
    clock_format(at, sizeof(at), d->activity_ms);
    clock_format(since, sizeof(since), d->changed_ms);
    cli_out_printf("%-10s %s\n", "device", d->id);
    if (d->module[0])
        cli_out_printf("%-10s %s\n", "module", d->module);
    cli_out_printf("%-10s %s%s%s\n", "state", sandbox_device_word(d),
                   d->changed_ms ? " since " : "", d->changed_ms ? since : "");
    cli_out_printf("%-10s %s\n", "activity", at[0] ? at : "-");
    cli_out_printf("%-10s %s\n", "auth", sandbox_auth_name(d->auth));
    if (d->thumbprint[0])
        cli_out_printf("%-10s %s\n", "thumbprint", d->thumbprint);
    if (d->thumbprint2[0])
        cli_out_printf("%-10s %s\n", "", d->thumbprint2);
    if (!d->module[0])
        cli_out_printf("%-10s %s\n", "kind", d->edge ? "IoT Edge device" : "device");
    if (d->parent[0])
        cli_out_printf("%-10s %s\n", "parent", d->parent);
    if (d->waiting)
        cli_out_printf("%-10s %" PRIu32 " messages to it\n", "waiting", d->waiting);
}

int cli_sandbox_device_show(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    struct sandbox_device d;
    cJSON *params = cli_sandbox_target(cli, cli->args->places[0]);
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.device_show", params, &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json) {
        cli_out_json("Device", steal(result));
    } else if (cli_args_has(cli->args, "connection-string")) {
        cli_out_printf("%s\n", json_str(result, "connectionString", "-"));
    } else {
        model_parse_device(result, &d);
        print_device(&d);
        print_modules(json_get(result, "moduleList"));
        cli_out_note("Its connection string: berth sandbox device show %s --connection-string",
                     cli->args->places[0]);
    }
    return CLI_EXIT_DONE;
}

/* ---- create, change, delete ---- */

int cli_sandbox_device_create(struct cli *cli)
{
    static const char *const texts[] = {"auth", "parent"};
    static const char *const prints[] = {"thumbprint", "secondaryThumbprint"};
    enum cli_exit failed = CLI_EXIT_DONE;
    const struct cli_args *args = cli->args;
    cJSON *params = cli_sandbox_params(cli);
    json_add_str(params, "deviceId", args->places[0]);
    json_add_bool(params, "edge", cli_args_has(args, "edge"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (cli_args_has(args, texts[i]))
            json_add_str(params, texts[i], cli_args_value(args, texts[i]));
    for (size_t i = 0; i < ARRAY_LEN(prints) && cli_args_nth(args, "thumbprint", i); i++)
        json_add_str(params, prints[i], cli_args_nth(args, "thumbprint", i));
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.device_create", params, &failed);
    if (!result)
        return (int)failed;
    if (json_bool(result, "existed", false) && !args->quiet && !args->json)
        cli_out_note("There is such a device already; this is its connection string.");
    if (args->json)
        cli_out_json("Device", steal(result));
    else
        cli_out_printf("%s\n", json_str(result, "connectionString", ""));
    return CLI_EXIT_DONE;
}

static int set_enabled(struct cli *cli, bool enabled)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    const char *id = cli->args->places[0];
    cJSON *params = cli_sandbox_params(cli);
    json_add_str(params, "deviceId", id);
    json_add_bool(params, "enabled", enabled);
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.device_set", params, &failed);
    if (!result)
        return (int)failed;
    auto_free char *words = xasprintf(
        enabled ? "%s may connect." : "%s is cut off and may not connect until it is enabled.", id);
    cli_sandbox_did(cli, enabled ? "DeviceEnabled" : "DeviceDisabled", "deviceId", id, words);
    return CLI_EXIT_DONE;
}

int cli_sandbox_device_enable(struct cli *cli)
{
    return set_enabled(cli, true);
}

int cli_sandbox_device_disable(struct cli *cli)
{
    return set_enabled(cli, false);
}

int cli_sandbox_device_delete(struct cli *cli)
{
    const char *id = cli->args->places[0];
    enum cli_exit result = cli_confirm(
        cli, "The device, its keys, modules and twin are deleted; it is cut off at once.", id);
    if (result != CLI_EXIT_DONE)
        return (int)result;
    auto_json cJSON *answer =
        cli_sandbox_call(cli, "sandbox.device_delete", cli_sandbox_target(cli, id), &result);
    if (!answer)
        return (int)result;
    auto_free char *words = xasprintf("%s is deleted.", id);
    cli_sandbox_did(cli, "DeviceDeleted", "deviceId", id, words);
    return CLI_EXIT_DONE;
}
