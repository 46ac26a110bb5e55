/* berth sandbox events: what devices send, as it arrives. What was lost on the way, and that the
 * sandbox went and came back, is said where it happened. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/cli_out.h"
#include "tui/cli_stream.h"
#include "tui/cli_verbs.h"
#include "tui/event_json.h"
#include "tui/format.h"

#include <inttypes.h>
#include <string.h>

#define TAIL_MAX 1000

struct reader {
    bool json;
    struct cli_stream stream;
};

/* In the order in which it happened, also where both outputs are one terminal. */
static void note(struct reader *r, const char *text)
{
    if (cli_out_flush(&r->stream.broken))
        cli_out_note("-- %s", text);
}

/* JSON where the body is that, else text, else null. */
static cJSON *body_of(const cJSON *entry)
{
    const char *text = json_str(entry, "text", NULL);
    if (!text || json_bool(entry, "cut", false))
        return text ? cJSON_CreateString(text) : cJSON_CreateNull();
    cJSON *body = json_parse(text, strlen(text), NULL);
    return body ? body : cJSON_CreateString(text);
}

static void print_json(const cJSON *entry)
{
    static const char *const copied[] = {"sequence",   "gap",  "deviceId", "moduleId",
                                         "properties", "size", "cut",      "systemProperties",
                                         "bodyBase64", "mark"};
    char at[CLOCK_TEXT_MAX];
    bool mark = json_get(entry, "mark") != NULL;
    cJSON *out = cJSON_CreateObject();
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        if (json_get(entry, copied[i]))
            json_add(out, copied[i], cJSON_Duplicate(json_get(entry, copied[i]), true));
    if (mark) {
        json_add_str(out, "text", json_str(entry, "text", ""));
    } else {
        clock_format(at, sizeof(at), json_u64(entry, "at", 0));
        json_add_str_or_null(out, "enqueuedTime", at);
        json_add(out, "body", body_of(entry));
    }
    cli_out_document(mark ? "SandboxMark" : "SandboxEvent", out);
}

static void print_text(struct reader *r, const cJSON *entry)
{
    auto_buf struct buf line = {0};
    char text[80], at[24];
    uint64_t gap = json_u64(entry, "gap", 0);
    (void)str_format(text, sizeof(text), "%" PRIu64 " event%s lost here", gap,
                     gap == 1 ? " was" : "s were");
    if (gap)
        note(r, text);
    event_json_line(entry, &line);
    if (json_get(entry, "mark")) {
        note(r, buf_str(&line));
        return;
    }
    format_time(at, sizeof(at), json_u64(entry, "at", 0), true);
    cli_out_printf("%s %s\n", at, buf_str(&line));
}

static bool on_event(void *arg, const char *method, const cJSON *params)
{
    struct reader *r = arg;
    const cJSON *entry = NULL;
    if (!str_eq(method, "event.sandbox"))
        return true;
    cJSON_ArrayForEach(entry, json_get(params, "entries"))
    {
        if (r->json)
            print_json(entry);
        else
            print_text(r, entry);
    }
    return cli_stream_step(&r->stream, params);
}

int cli_sandbox_events(struct cli *cli)
{
    struct err err = {0};
    struct reader r = {.json = cli->args->json};
    uint64_t tail = 0;
    if (cli_args_number(cli->args, "tail", 0, TAIL_MAX, &tail, &err) < 0)
        return (int)cli_fail(cli, &err);
    cJSON *params = cJSON_CreateObject();
    json_add_bool(params, "follow", cli_args_has(cli->args, "follow"));
    if (cli_args_has(cli->args, "tail"))
        json_add_u64(params, "tail", tail);
    if (cli_args_has(cli->args, "device"))
        json_add_str(params, "deviceId", cli_args_value(cli->args, "device"));
    cli_rpc_on_event(cli_connect(cli, true), on_event, &r);
    return (int)cli_stream_follow(cli, &r.stream, "sandbox.events_follow", params);
}
