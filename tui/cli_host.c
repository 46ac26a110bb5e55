/* berth host ...: can this host run a VM, and how. */
#include "core/base/json.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#define PLAN_MAX 65536

static int get_report(struct cli *cli, const char *plan_file, cJSON **ret_report, struct err *err)
{
    cJSON *params = cJSON_CreateObject();
    auto_json cJSON *owned = params;
    if (plan_file) {
        auto_json cJSON *file = NULL;
        struct vm_plan plan = {0};
        if (cli_read_json(plan_file, PLAN_MAX, &file, err) < 0 ||
            model_parse_plan(file, &plan, err) < 0)
            return -1;
        json_add(params, "plan", model_json_plan(&plan));
    }
    return cli_call(cli, "host.check", steal(owned), ret_report, err);
}

static const char *check_mark(enum light light)
{
    return light == LIGHT_OK     ? "[OK]"
           : light == LIGHT_WARN ? "[!]"
           : light == LIGHT_BAD  ? "[X]"
           : light == LIGHT_OFF  ? "[-]"
                                 : "[?]";
}

static void print_checks(const struct host_report *report)
{
    auto_grid struct cli_grid grid = {.columns = 3};
    for (size_t i = 0; i < report->n; i++) {
        const struct host_check *c = &report->checks[i];
        cli_grid_add(&grid, check_mark(c->light));
        cli_grid_add(&grid, c->label);
        cli_grid_add(&grid, c->text);
        if (!c->hint[0])
            continue;
        cli_grid_add(&grid, " ");
        cli_grid_add(&grid, " ");
        cli_grid_addf(&grid, "-> %s", c->hint);
    }
    cli_grid_show(&grid);
    cli_out_printf("VMs run with %s: %s\n", report->accel, report->accel_why);
}

int cli_host_check(struct cli *cli)
{
    struct err err = {0};
    struct host_report report;
    auto_json cJSON *json = NULL;
    if (get_report(cli, cli_args_value(cli->args, "plan"), &json, &err) < 0)
        return cli_fail(cli, &err);
    model_parse_host_report(json, &report);

    bool strict = cli_args_has(cli->args, "strict");
    bool fine = true;
    for (size_t i = 0; i < report.n; i++)
        fine = fine && report.checks[i].light != LIGHT_BAD &&
               (!strict || report.checks[i].light != LIGHT_WARN);
    if (cli->args->json) {
        json_add_bool(json, "passed", fine);
        cli_out_json("HostCheck", steal(json));
    } else {
        print_checks(&report);
    }
    return fine ? CLI_EXIT_DONE : CLI_EXIT_CHECK;
}

int cli_host_show(struct cli *cli)
{
    struct err err = {0};
    struct host_report report;
    auto_json cJSON *json = NULL;
    auto_json cJSON *snapshot = NULL;
    if (get_report(cli, NULL, &json, &err) < 0 ||
        cli_call(cli, "snapshot.get", NULL, &snapshot, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        json_add_str(json, "host", json_str(snapshot, "host", ""));
        json_add_str(json, "engineVersion", json_str(snapshot, "engineVersion", ""));
        cli_out_json("Host", steal(json));
        return CLI_EXIT_DONE;
    }
    model_parse_host_report(json, &report);
    cli_out_printf("%-12s %s\n", "Host", json_str(snapshot, "host", "-"));
    cli_out_printf("%-12s %s\n", "libvirt URI", report.uri[0] ? report.uri : "-");
    cli_out_printf("%-12s %s (%s)\n", "Acceleration", report.accel, report.accel_why);
    for (size_t i = 0; i < report.n; i++)
        cli_out_printf("%-12s %s\n", report.checks[i].label, report.checks[i].text);
    return CLI_EXIT_DONE;
}
