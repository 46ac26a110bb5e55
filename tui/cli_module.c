/* berth module ... */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <inttypes.h>

static int get_modules(struct cli *cli, cJSON **ret_modules, struct err *err)
{
    auto_free char *name = NULL;
    auto_json cJSON *snapshot = NULL;
    if (cli_vm_name(cli, CLI_PLACES_MAX, &name, err) < 0 ||
        cli_call(cli, "snapshot.get", NULL, &snapshot, err) < 0)
        return -1;
    cJSON *vm = NULL;
    cJSON_ArrayForEach(vm, json_get(snapshot, "vms"))
    {
        if (!str_eq(json_str(vm, "name", ""), name))
            continue;
        cJSON *modules = cJSON_DetachItemFromObjectCaseSensitive(vm, "modules");
        *ret_modules = modules ? modules : cJSON_CreateArray();
        return 0;
    }
    err_set(err, ERR_NOT_FOUND, "there is no VM \"%s\"", name);
    return err_hint(err, "`berth vm list` shows the names");
}

int cli_module_list(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *modules = NULL;
    if (get_modules(cli, &modules, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json_list("ModuleList", steal(modules));
        return CLI_EXIT_DONE;
    }
    static const char *const head[] = {"MODULE", "STATE", "RESTARTS", "MEMORY", "IMAGE"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *m = NULL;
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(m, modules)
    {
        char memory[16];
        uint64_t bytes = json_u64(m, "memory", 0);
        str_bytes(memory, sizeof(memory), bytes);
        cli_grid_add(&grid, json_str(m, "name", ""));
        cli_grid_add(&grid, json_str(m, "state", ""));
        cli_grid_addf(&grid, "%" PRIu64, json_u64(m, "restarts", 0));
        cli_grid_add(&grid, bytes ? memory : "-");
        cli_grid_add(&grid, json_str(m, "image", ""));
    }
    if (grid.n == grid.columns) {
        cli_out_note("There are no modules.");
        return CLI_EXIT_DONE;
    }
    cli_grid_show(&grid);
    return CLI_EXIT_DONE;
}

static int unknown_module(const char *name, struct err *err)
{
    char shown[MODEL_NAME_MAX];
    str_sanitise_to(shown, sizeof(shown), name);
    err_set(err, ERR_NOT_FOUND, "there is no module \"%s\"", shown);
    return err_hint(err, "`berth module list` shows the names");
}

int cli_module_show(struct cli *cli)
{
    static const char *const members[][2] = {
        {"name", "name"},        {"state", "state"},       {"why", "description"},
        {"image", "image"},      {"restarts", "restarts"}, {"exit code", "exitCode"},
        {"cpu %", "cpuPercent"}, {"memory", "memory"},
    };
    struct err err = {0};
    auto_json cJSON *modules = NULL;
    const cJSON *m = NULL;
    if (get_modules(cli, &modules, &err) < 0)
        return cli_fail(cli, &err);
    cJSON_ArrayForEach(m, modules)
    {
        if (str_eq(json_str(m, "name", ""), cli->args->places[0]))
            break;
    }
    if (!m) {
        unknown_module(cli->args->places[0], &err);
        return cli_fail(cli, &err);
    }
    if (cli->args->json) {
        cli_out_json("Module", cJSON_Duplicate(m, true));
        return CLI_EXIT_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const cJSON *item = json_get(m, members[i][1]);
        if (cJSON_IsNumber(item))
            cli_out_printf("%-10s %.10g\n", members[i][0], item->valuedouble);
        else if (cJSON_IsString(item) && *item->valuestring)
            cli_out_printf("%-10s %s\n", members[i][0], item->valuestring);
    }
    return CLI_EXIT_DONE;
}

static int act(struct cli *cli, const char *method, const char *done)
{
    struct err err = {0};
    auto_free char *vm = NULL;
    const char *module = cli->args->places[0];
    if (cli_vm_name(cli, CLI_PLACES_MAX, &vm, &err) < 0)
        return cli_fail(cli, &err);
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", vm);
    json_add_str(params, "module", module);
    if (cli_call(cli, method, params, NULL, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_str(out, "module", module);
        json_add_str(out, "action", done);
        cli_out_json("ModuleAction", out);
    } else if (!cli->args->quiet) {
        cli_out_note("%s: %s", module, done);
    }
    return CLI_EXIT_DONE;
}

int cli_module_start(struct cli *cli)
{
    return act(cli, "module.start", "started");
}

int cli_module_stop(struct cli *cli)
{
    return act(cli, "module.stop", "stopped");
}

int cli_module_restart(struct cli *cli)
{
    return act(cli, "module.restart", "restarted");
}
