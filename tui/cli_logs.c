/* berth logs: the lines of a module's log as they come from the engine, filtered here. Lines that
 * were lost on the way are counted, never passed over in silence. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "logs/filter.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_stream.h"
#include "tui/cli_verbs.h"

#include <inttypes.h>
#include <string.h>

#define TAIL_MAX 1000000

struct reader {
    const char *module;
    bool json, timestamps;
    uint64_t since_ms;
    struct filter *filter; /* NULL: everything passes */
    struct cli_stream stream;
};

static const char *stream_name(uint8_t stream)
{
    return stream == 1 ? "stdout" : stream == 2 ? "stderr" : NULL;
}

static void print_json(const struct reader *r, const struct log_entry *e)
{
    char at[CLOCK_TEXT_MAX];
    cJSON *line = cJSON_CreateObject();
    clock_format(at, sizeof(at), e->at_ms);
    json_add_str(line, "module", r->module);
    json_add_u64(line, "seq", e->seq);
    json_add_u64(line, "gap", e->gap);
    json_add_str_or_null(line, "at", at);
    json_add_str_or_null(line, "stream", stream_name(e->stream));
    json_add_bool(line, "cut", e->cut);
    json_add_str(line, "text", e->text);
    cli_out_json("LogLine", line);
}

static void print_text(const struct reader *r, const struct log_entry *e)
{
    auto_buf struct buf line = {0};
    if (r->timestamps) {
        char at[CLOCK_TEXT_MAX];
        clock_format(at, sizeof(at), e->at_ms);
        buf_printf(&line, "%s ", at[0] ? at : "-");
    }
    str_sanitise(&line, e->text, e->len); /* also takes line ends inside out */
    buf_puts(&line, e->cut ? " [cut]\n" : "\n");
    cli_out_raw(line.data, line.len);
}

static void take_entry(struct reader *r, const cJSON *item)
{
    struct log_entry e = {
        .seq = json_u64(item, "seq", 0),
        .gap = json_u64(item, "gap", 0),
        .at_ms = json_u64(item, "at", 0),
        .stream = (uint8_t)json_u64(item, "stream", 0),
        .cut = json_bool(item, "cut", false),
        .text = json_str(item, "text", ""),
    };
    e.len = strlen(e.text);
    if (e.gap && !r->json)
        cli_out_note("berth: %" PRIu64 " lines were lost here", e.gap);
    if ((e.at_ms && e.at_ms < r->since_ms) ||
        (r->filter && !filter_passes(r->filter, e.text, e.len)))
        return;
    if (r->json)
        print_json(r, &e);
    else
        print_text(r, &e);
}

static bool on_event(void *arg, const char *method, const cJSON *params)
{
    struct reader *r = arg;
    const cJSON *item = NULL;
    if (!str_eq(method, "event.log"))
        return true;
    cJSON_ArrayForEach(item, json_get(params, "entries"))
    {
        take_entry(r, item);
    }
    return cli_stream_step(&r->stream, params);
}

static int parse_level(const char *text, enum line_level *ret_level, struct err *err)
{
    static const char *const words[] = {
        [LINE_LEVEL_NONE] = "all",
        [LINE_LEVEL_INFO] = "info",
        [LINE_LEVEL_WARN] = "warn",
        [LINE_LEVEL_ERROR] = "error",
    };
    _Static_assert(ARRAY_LEN(words) == LINE_LEVEL_COUNT, "a word for each level");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i], text)) {
            *ret_level = (enum line_level)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "--level must be info, warn or error");
}

static int parse_filter(const struct cli_args *args, struct reader *r, struct err *err)
{
    struct filter_options options = {
        .show = cli_args_value(args, "grep"),
        .hide = cli_args_value(args, "hide"),
        .match_case = true,
    };
    const char *since = cli_args_value(args, "since");
    const char *level = cli_args_value(args, "level");
    if (since && cli_args_since(since, clock_wall_ms(), &r->since_ms, err) < 0)
        return -1;
    if (level && parse_level(level, &options.min, err) < 0)
        return -1;
    if (!options.show && !options.hide && options.min == LINE_LEVEL_NONE)
        return 0;
    r->filter = filter_new(&options, err);
    return r->filter ? 0 : -1;
}

/* Asks for the log and prints until it ends. */
static enum cli_exit follow(struct cli *cli, struct reader *r, const char *vm)
{
    struct err err = {0};
    uint64_t tail = 0;
    bool endless = cli_args_has(cli->args, "follow");
    if (cli_args_number(cli->args, "tail", 0, TAIL_MAX, &tail, &err) < 0)
        return cli_fail(cli, &err);
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", vm);
    json_add_str(params, "module", r->module);
    json_add_bool(params, "follow", endless);
    if (cli_args_has(cli->args, "tail"))
        json_add_u64(params, "tail", tail);

    cli_rpc_on_event(cli_connect(cli, true), on_event, r);
    return cli_stream_follow(cli, &r->stream, "logs.follow", params);
}

int cli_logs(struct cli *cli)
{
    struct err err = {0};
    auto_free char *vm = NULL;
    struct reader r = {
        .module = cli->args->places[0],
        .json = cli->args->json,
        .timestamps = cli_args_has(cli->args, "timestamps"),
    };
    if (parse_filter(cli->args, &r, &err) < 0)
        return cli_fail(cli, &err);
    enum cli_exit result = CLI_EXIT_DONE;
    if (!str_eq(r.module, "@engine") && cli_vm_name(cli, CLI_PLACES_MAX, &vm, &err) < 0)
        result = cli_fail(cli, &err);
    else
        result = follow(cli, &r, vm ? vm : "");
    filter_free(r.filter);
    return (int)result;
}

int cli_engine_log(struct cli *cli)
{
    struct reader r = {.module = "@engine", .json = cli->args->json, .timestamps = true};
    return (int)follow(cli, &r, "");
}
