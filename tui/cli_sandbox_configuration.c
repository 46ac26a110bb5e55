/* berth sandbox configuration ...: deployments for every device that fits. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_sandbox.h"
#include "tui/cli_confirm.h"
#include "tui/cli_out.h"
#include "tui/cli_sandbox.h"
#include "tui/cli_verbs.h"

#include <limits.h>

#define MANIFEST_MAX (512U << 10)

static void add_count(struct cli_grid *grid, int n)
{
    if (n < 0)
        cli_grid_add(grid, "-");
    else
        cli_grid_addf(grid, "%d", n);
}

static void print_list(const cJSON *list)
{
    static const char *const head[] = {"CONFIGURATION", "PRIORITY", "TARGETED",
                                       "APPLIED",       "CHANGED",  "TARGET CONDITION"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *item = NULL;
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(item, list)
    {
        struct sandbox_configuration c;
        char at[CLOCK_TEXT_MAX];
        model_parse_configuration(item, &c);
        clock_format(at, sizeof(at), c.updated_ms);
        cli_grid_add(&grid, c.id);
        cli_grid_addf(&grid, "%d", c.priority);
        add_count(&grid, c.targeted);
        add_count(&grid, c.applied);
        cli_grid_add(&grid, at);
        cli_grid_add(&grid, c.target[0] ? c.target : "(none: fits no device)");
    }
    if (grid.n == grid.columns) {
        cli_out_note("There is none; `berth sandbox configuration apply FILE` makes one.");
        return;
    }
    cli_grid_show(&grid);
}

int cli_sandbox_configuration_list(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *result =
        cli_sandbox_call(cli, "sandbox.configuration_list", cli_sandbox_params(cli), &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json)
        cli_out_json_list("ConfigurationList",
                          cJSON_DetachItemFromObjectCaseSensitive(result, "configurations"));
    else
        print_list(json_get(result, "configurations"));
    return CLI_EXIT_DONE;
}

int cli_sandbox_configuration_apply(struct cli *cli)
{
    struct err err = {0};
    enum cli_exit failed = CLI_EXIT_DONE;
    uint64_t priority = 0;
    auto_json cJSON *document = NULL;
    const struct cli_args *args = cli->args;
    if (cli_args_number(args, "priority", 0, INT_MAX, &priority, &err) < 0 ||
        cli_read_json(args->places[0], MANIFEST_MAX, &document, &err) < 0)
        return (int)cli_fail(cli, &err);
    cJSON *params = cli_sandbox_params(cli);
    json_add(params, "configuration", steal(document));
    if (cli_args_has(args, "id"))
        json_add_str(params, "id", cli_args_value(args, "id"));
    if (cli_args_has(args, "target"))
        json_add_str(params, "targetCondition", cli_args_value(args, "target"));
    if (cli_args_has(args, "priority"))
        json_add_u64(params, "priority", priority);
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.configuration_apply", params, &failed);
    if (!result)
        return (int)failed;
    if (args->json)
        cli_out_json("Configuration", steal(result));
    else if (!args->quiet)
        cli_out_note("%s is %s; the devices that fit get it as they connect.",
                     json_str(result, "id", "-"),
                     json_bool(result, "replaced", false) ? "replaced" : "made");
    return CLI_EXIT_DONE;
}

int cli_sandbox_configuration_delete(struct cli *cli)
{
    const char *id = cli->args->places[0];
    enum cli_exit result = cli_confirm(
        cli, "Devices that have it get what fits them next, or keep what they run.", id);
    if (result != CLI_EXIT_DONE)
        return (int)result;
    cJSON *params = cli_sandbox_params(cli);
    json_add_str(params, "id", id);
    auto_json cJSON *answer =
        cli_sandbox_call(cli, "sandbox.configuration_delete", params, &result);
    if (!answer)
        return (int)result;
    auto_free char *words = xasprintf("%s is deleted.", id);
    cli_sandbox_did(cli, "ConfigurationDeleted", "id", id, words);
    return CLI_EXIT_DONE;
}
