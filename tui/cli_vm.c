/* berth vm ...: plans, power, what there is. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/cli.h"
#include "tui/cli_confirm.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#define PLAN_MAX 65536

static void set_member(cJSON *plan, const char *key, cJSON *take_value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(plan, key);
    json_add(plan, key, take_value);
}

/* The members of the file take the place of the plan's. */
static int overlay_file(cJSON *plan, const char *path, struct err *err)
{
    auto_json cJSON *file = NULL;
    if (cli_read_json(path, PLAN_MAX, &file, err) < 0)
        return -1;
    if (!cJSON_IsObject(file))
        return err_set(err, ERR_INVALID, "plan: must be a JSON object");
    while (file->child) {
        cJSON *member = cJSON_DetachItemViaPointer(file, file->child);
        auto_free char *key = xstrdup(member->string);
        set_member(plan, key, member);
    }
    return 0;
}

static int overlay_options(const struct cli_args *args, cJSON *plan, struct err *err)
{
    static const struct {
        const char *option, *member;
        uint64_t max; /* 0: text */
    } members[] = {
        {"name", "name", 0},        {"cpu", "cpus", 1024},     {"memory", "memoryMib", 16777216},
        {"disk", "diskGib", 65536}, {"network", "network", 0}, {"accel", "accel", 0},
        {"bundle", "bundle", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        uint64_t number = 0;
        const char *text = cli_args_value(args, members[i].option);
        if (!text)
            continue;
        if (members[i].max &&
            cli_args_number(args, members[i].option, 1, members[i].max, &number, err) < 0)
            return -1;
        set_member(plan, members[i].member,
                   members[i].max ? cJSON_CreateNumber((double)number) : cJSON_CreateString(text));
    }
    return 0;
}

int cli_vm_create(struct cli *cli)
{
    struct err err = {0};
    struct vm_plan plan = {0};
    auto_json cJSON *json = NULL;
    const char *file = cli_args_value(cli->args, "plan");
    if (cli_call(cli, "plan.default", NULL, &json, &err) < 0 ||
        (file && overlay_file(json, file, &err) < 0) ||
        overlay_options(cli->args, json, &err) < 0 || model_parse_plan(json, &plan, &err) < 0)
        return cli_fail(cli, &err);
    cJSON *params = cJSON_CreateObject();
    json_add(params, "plan", model_json_plan(&plan));
    return cli_job_run(cli, "vm.create", params);
}

static cJSON *vm_params(const char *name)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", name);
    return params;
}

static int run_on_vm(struct cli *cli, const char *method, bool force)
{
    struct err err = {0};
    auto_free char *name = NULL;
    if (cli_vm_name(cli, 0, &name, &err) < 0)
        return cli_fail(cli, &err);
    cJSON *params = vm_params(name);
    if (force)
        json_add_bool(params, "force", true);
    return cli_job_run(cli, method, params);
}

int cli_vm_start(struct cli *cli)
{
    return run_on_vm(cli, "vm.start", false);
}

int cli_vm_restart(struct cli *cli)
{
    return run_on_vm(cli, "vm.restart", false);
}

int cli_vm_stop(struct cli *cli)
{
    bool force = cli_args_has(cli->args, "force");
    enum cli_exit sure = CLI_EXIT_DONE;
    if (force)
        sure = cli_confirm(cli, "The guest gets no time to save its data.", "yes");
    return sure == CLI_EXIT_DONE ? run_on_vm(cli, "vm.stop", force) : (int)sure;
}

int cli_vm_delete(struct cli *cli)
{
    const char *name = cli->args->places[0];
    enum cli_exit sure = cli_confirm(cli, "The VM and its disks are deleted for good.", name);
    if (sure != CLI_EXIT_DONE)
        return (int)sure;
    return cli_job_run(cli, "vm.delete", vm_params(name));
}

int cli_vm_tpm(struct cli *cli)
{
    struct err err = {0};
    auto_free char *name = NULL;
    auto_json cJSON *json = NULL;
    if (cli_vm_name(cli, 0, &name, &err) < 0 ||
        cli_call(cli, "vm.tpm", vm_params(name), &json, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json("VmTpm", steal(json));
        return CLI_EXIT_DONE;
    }
    cli_out_printf("%-16s %s\n", "registration ID", json_str(json, "registrationId", ""));
    cli_out_printf("%-16s %s\n", "endorsement key", json_str(json, "endorsementKey", ""));
    cli_out_note(
        "In Azure: Device Provisioning Service > Manage enrollments > Individual > TPM. In "
        "the sandbox: berth sandbox enrol create ID --tpm KEY");
    return CLI_EXIT_DONE;
}

static const cJSON *find_vm(const cJSON *snapshot, const char *name)
{
    const cJSON *vm = NULL;
    cJSON_ArrayForEach(vm, json_get(snapshot, "vms"))
    {
        if (str_eq(json_str(vm, "name", ""), name))
            return vm;
    }
    return NULL;
}

/* The VM that is meant, borrowed from *RET_SNAPSHOT. */
static int get_vm(struct cli *cli, cJSON **ret_snapshot, const cJSON **ret_vm, struct err *err)
{
    auto_free char *name = NULL;
    auto_json cJSON *snapshot = NULL;
    if (cli_vm_name(cli, 0, &name, err) < 0 ||
        cli_call(cli, "snapshot.get", NULL, &snapshot, err) < 0)
        return -1;
    const cJSON *vm = find_vm(snapshot, name);
    if (!vm) {
        err_set(err, ERR_NOT_FOUND, "there is no VM \"%s\"", name);
        return err_hint(err, "`berth vm list` shows the names");
    }
    *ret_snapshot = steal(snapshot);
    *ret_vm = vm;
    return 0;
}

int cli_vm_list(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *snapshot = NULL;
    if (cli_call(cli, "snapshot.get", NULL, &snapshot, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json_list("VmList", cJSON_DetachItemFromObjectCaseSensitive(snapshot, "vms"));
        return CLI_EXIT_DONE;
    }
    static const char *const head[] = {"NAME", "STATE",  "RUNTIME", "CLOUD",
                                       "CPUS", "MEMORY", "DISK"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *vm = NULL;
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(vm, json_get(snapshot, "vms"))
    {
        cli_grid_add(&grid, json_str(vm, "name", ""));
        cli_grid_add(&grid, json_str(vm, "state", ""));
        cli_grid_add(&grid, json_str(vm, "runtime", ""));
        cli_grid_add(&grid, json_str(vm, "cloud", ""));
        cli_grid_addf(&grid, "%d", (int)json_u64(vm, "cpus", 0));
        cli_grid_addf(&grid, "%d MiB", (int)json_u64(vm, "memoryMib", 0));
        cli_grid_addf(&grid, "%d GiB", (int)json_u64(vm, "diskGib", 0));
    }
    if (grid.n == grid.columns) {
        cli_out_note("There is no VM yet; `berth vm create` makes one.");
        return CLI_EXIT_DONE;
    }
    cli_grid_show(&grid);
    return CLI_EXIT_DONE;
}

static void print_member(const cJSON *vm, const char *label, const char *key)
{
    const cJSON *item = json_get(vm, key);
    if (cJSON_IsNumber(item))
        cli_out_printf("%-10s %.10g\n", label, item->valuedouble);
    else if (cJSON_IsString(item) && *item->valuestring)
        cli_out_printf("%-10s %s\n", label, item->valuestring);
}

int cli_vm_show(struct cli *cli)
{
    static const char *const members[][2] = {
        {"name", "name"},       {"state", "state"},          {"reason", "reason"},
        {"accel", "accel"},     {"address", "address"},      {"bundle", "bundle"},
        {"cpus", "cpus"},       {"memory MiB", "memoryMib"}, {"disk GiB", "diskGib"},
        {"runtime", "runtime"}, {"", "runtimeReason"},       {"version", "runtimeVersion"},
        {"cloud", "cloud"},     {"", "cloudReason"},         {"device", "deviceId"},
        {"hub", "hub"},
    };
    struct err err = {0};
    auto_json cJSON *snapshot = NULL;
    const cJSON *vm = NULL;
    if (get_vm(cli, &snapshot, &vm, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json("Vm", cJSON_Duplicate(vm, true));
        return CLI_EXIT_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        print_member(vm, members[i][0], members[i][1]);
    cli_out_printf("%-10s %d\n", "modules", cJSON_GetArraySize(json_get(vm, "modules")));
    return CLI_EXIT_DONE;
}

int cli_vm_exists(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *snapshot = NULL;
    const char *name = cli->args->n_places ? cli->args->places[0] : NULL;
    if (cli_call(cli, "snapshot.get", NULL, &snapshot, &err) < 0)
        return cli_fail(cli, &err);
    bool exists =
        name ? find_vm(snapshot, name) != NULL : cJSON_GetArraySize(json_get(snapshot, "vms")) > 0;
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_bool(out, "exists", exists);
        cli_out_json("VmExists", out);
    }
    return exists ? CLI_EXIT_DONE : CLI_EXIT_NOT_FOUND;
}

/* Prints one member of the VM. */
static int print_one(struct cli *cli, const char *kind, const char *key)
{
    struct err err = {0};
    auto_json cJSON *snapshot = NULL;
    const cJSON *vm = NULL;
    if (get_vm(cli, &snapshot, &vm, &err) < 0)
        return cli_fail(cli, &err);
    if (!cli->args->json) {
        cli_out_printf("%s\n", json_str(vm, key, "-"));
        return CLI_EXIT_DONE;
    }
    cJSON *out = cJSON_CreateObject();
    json_add_str(out, "name", json_str(vm, "name", ""));
    if (!str_eq(key, "name"))
        json_add_str_or_null(out, key, json_str(vm, key, ""));
    cli_out_json(kind, out);
    return CLI_EXIT_DONE;
}

int cli_vm_name_verb(struct cli *cli)
{
    return print_one(cli, "VmName", "name");
}

int cli_vm_addr(struct cli *cli)
{
    return print_one(cli, "VmAddress", "address");
}
