/* berth metrics: a table of the latest values for people, every point for scripts. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "logs/series.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <string.h>

#define POINTS_MAX 4096

static void print_number(struct cli_grid *grid, double value, const char *unit)
{
    if (str_eq(unit, "B")) {
        char text[16];
        str_bytes(text, sizeof(text), value > 0 ? (uint64_t)value : 0);
        cli_grid_add(grid, text);
    } else {
        cli_grid_addf(grid, "%.6g", value);
    }
}

/* The points of one series, the latest POINTS_MAX of them. */
static struct series *series_of(const cJSON *json)
{
    struct series *s = series_new(POINTS_MAX);
    const cJSON *point = NULL;
    cJSON_ArrayForEach(point, json_get(json, "points"))
    {
        const cJSON *at = cJSON_GetArrayItem(point, 0);
        const cJSON *value = cJSON_GetArrayItem(point, 1);
        if (cJSON_IsNumber(at) && at->valuedouble > 0 && cJSON_IsNumber(value))
            (void)series_push(s, (uint64_t)at->valuedouble, value->valuedouble);
    }
    return s;
}

static void print_table(const cJSON *all)
{
    static const char *const head[] = {"METRIC", "MODULE", "NOW", "MIN", "MAX", "UNIT"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *item = NULL;
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(item, all)
    {
        auto_series struct series *s = series_of(item);
        struct series_stats stats = series_stats(s, 0, UINT64_MAX);
        const char *unit = json_str(item, "unit", "");
        if (stats.n == 0)
            continue;
        cli_grid_add(&grid, json_str(item, "name", ""));
        cli_grid_add(&grid, json_str(item, "module", ""));
        print_number(&grid, stats.now, unit);
        print_number(&grid, stats.min, unit);
        print_number(&grid, stats.max, unit);
        cli_grid_add(&grid, unit);
    }
    if (grid.n == grid.columns) {
        cli_out_note("Nothing was measured yet.");
        return;
    }
    cli_grid_show(&grid);
}

/* Foreign text in a field: sanitised, and quoted where a comma or a quote is in it. */
static void csv_field(struct buf *out, const char *text)
{
    auto_buf struct buf clean = {0};
    str_sanitise(&clean, text, strlen(text));
    if (!strpbrk(buf_str(&clean), ",\"")) {
        buf_puts(out, buf_str(&clean));
        return;
    }
    buf_putc(out, '"');
    for (const char *c = buf_str(&clean); *c; c++) {
        if (*c == '"')
            buf_putc(out, '"');
        buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

static void print_csv(const cJSON *all)
{
    const cJSON *item = NULL;
    auto_buf struct buf out = {0};
    buf_puts(&out, "time,name,module,unit,value\n");
    cJSON_ArrayForEach(item, all)
    {
        auto_series struct series *s = series_of(item);
        struct series_point p;
        for (size_t i = 0; series_at(s, i, &p); i++) {
            char at[CLOCK_TEXT_MAX];
            clock_format(at, sizeof(at), p.at_ms);
            buf_printf(&out, "%s,", at);
            csv_field(&out, json_str(item, "name", ""));
            buf_putc(&out, ',');
            csv_field(&out, json_str(item, "module", ""));
            buf_putc(&out, ',');
            csv_field(&out, json_str(item, "unit", ""));
            buf_printf(&out, ",%.10g\n", p.value);
        }
    }
    cli_out_raw(out.data, out.len);
}

int cli_metrics(struct cli *cli)
{
    struct err err = {0};
    uint64_t since_ms = 0;
    auto_free char *vm = NULL;
    auto_json cJSON *result = NULL;
    const char *since = cli_args_value(cli->args, "since");
    if ((since && cli_args_since(since, clock_wall_ms(), &since_ms, &err) < 0) ||
        cli_vm_name(cli, CLI_PLACES_MAX, &vm, &err) < 0)
        return cli_fail(cli, &err);

    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", vm);
    if (since_ms)
        json_add_u64(params, "since", since_ms);
    if (cli_call(cli, "metrics.get", params, &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json)
        cli_out_json("Metrics", steal(result));
    else if (cli_args_has(cli->args, "csv"))
        print_csv(json_get(result, "series"));
    else
        print_table(json_get(result, "series"));
    return CLI_EXIT_DONE;
}
