/* berth sandbox send, invoke, twin, query: talking to devices. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/cli_out.h"
#include "tui/cli_sandbox.h"
#include "tui/cli_verbs.h"

#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX (64U << 10)
#define PATCH_MAX   (256U << 10)
#define PAYLOAD_MAX (128U << 10)
#define METHOD_S    30
#define EXTRA_MS    20000 /* for the way through engine and sandbox */

/* ---- send ---- */

/* A message is text: UTF-8 without a NUL. */
static bool is_text(const struct buf *b)
{
    uint32_t point;
    for (size_t at = 0, n; at < b->len; at += n) {
        n = str_utf8_decode(b->data + at, b->len - at, &point);
        if (!n || !point)
            return false;
    }
    return true;
}

static int read_message(const char *file, struct buf *body, struct err *err)
{
    if (str_eq(file, "-") && isatty(STDIN_FILENO))
        cli_out_note("Type the message, then Ctrl-D at the beginning of a line.");
    if (cli_read(file, MESSAGE_MAX, body, err) < 0)
        return -1;
    if (!is_text(body))
        return err_set(err, ERR_INVALID, "the message is not text (UTF-8)");
    return 0;
}

/* "name=value" */
static int add_property(cJSON *properties, const char *text, struct err *err)
{
    size_t len = strcspn(text, "=");
    if (!len || !text[len])
        return err_set(err, ERR_INVALID, "--property must be NAME=VALUE");
    auto_free char *name = xstrndup(text, len);
    cJSON_DeleteItemFromObjectCaseSensitive(properties, name);
    json_add_str(properties, name, text + len + 1);
    return 0;
}

int cli_sandbox_send(struct cli *cli)
{
    struct err err = {0};
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_buf struct buf body = {0};
    auto_json cJSON *params = cli_sandbox_params(cli);
    const char *device = cli->args->places[0];
    const char *file = cli_args_value(cli->args, "file");
    cJSON *properties = json_add_obj(params, "properties");
    for (size_t i = 0; cli_args_nth(cli->args, "property", i); i++)
        if (add_property(properties, cli_args_nth(cli->args, "property", i), &err) < 0)
            return (int)cli_fail(cli, &err);
    if (read_message(file ? file : "-", &body, &err) < 0)
        return (int)cli_fail(cli, &err);
    json_add_str(params, "deviceId", device);
    json_add_str(params, "body", buf_str(&body));
    if (cli_args_has(cli->args, "id"))
        json_add_str(params, "messageId", cli_args_value(cli->args, "id"));
    if (cli_args_has(cli->args, "ack"))
        json_add_str(params, "ack", cli_args_value(cli->args, "ack"));
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.send", steal(params), &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json)
        cli_out_json("Message", steal(result));
    else if (!cli->args->quiet)
        cli_out_note("The sandbox holds the message for %s until the device takes it.", device);
    return CLI_EXIT_DONE;
}

/* ---- invoke ---- */

static int read_payload(const char *given, cJSON **ret, struct err *err)
{
    if (str_eq(given, "-"))
        return cli_read_json("-", PAYLOAD_MAX, ret, err);
    *ret = json_parse(given, strlen(given), err);
    if (*ret)
        return 0;
    if (err)
        err->kind = ERR_INVALID;
    err_wrap(err, "--payload");
    return err_hint(err, "text must be quoted twice: --payload '\"text\"'");
}

/* The device's own verdict: 200 and such are good. */
static enum cli_exit show_answer(const struct cli *cli, cJSON *take_result)
{
    auto_json cJSON *result = take_result;
    uint64_t status = json_u64(result, "status", 0);
    bool good = status < 400;
    if (cli->args->json) {
        cli_out_document("MethodResult", steal(result));
    } else {
        if (!cli->args->quiet)
            cli_out_note("The device answered with status %d:", (int)status);
        cli_sandbox_print(json_get(result, "payload"));
    }
    return good ? CLI_EXIT_DONE : CLI_EXIT_FAILED;
}

int cli_sandbox_invoke(struct cli *cli)
{
    struct err err = {0};
    cJSON *payload = NULL;
    cJSON *result = NULL;
    uint64_t seconds = METHOD_S;
    const char *given = cli_args_value(cli->args, "payload");
    if (cli_args_number(cli->args, "timeout", 5, 300, &seconds, &err) < 0 ||
        (given && read_payload(given, &payload, &err) < 0))
        return (int)cli_fail(cli, &err);
    cJSON *params = cli_sandbox_target(cli, cli->args->places[0]);
    json_add_str(params, "method", cli->args->places[1]);
    json_add_u64(params, "timeoutS", seconds);
    if (payload)
        json_add(params, "payload", payload);
    if (cli_rpc_call(cli_connect(cli, true), "sandbox.invoke", params, seconds * 1000 + EXTRA_MS,
                     &result, &err) < 0)
        return (int)cli_fail(cli, &err);
    return (int)show_answer(cli, result);
}

/* ---- twins ---- */

static void show_twin(const struct cli *cli, cJSON *take_twin)
{
    auto_json cJSON *twin = take_twin;
    if (!cli->args->json) {
        cli_sandbox_print(twin);
        return;
    }
    cJSON *out = cJSON_CreateObject();
    json_add(out, "twin", steal(twin));
    cli_out_document("Twin", out);
}

int cli_sandbox_twin_show(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    cJSON *params = cli_sandbox_target(cli, cli->args->places[0]);
    cJSON *twin = cli_sandbox_call(cli, "sandbox.twin_get", params, &failed);
    if (!twin)
        return (int)failed;
    show_twin(cli, twin);
    return CLI_EXIT_DONE;
}

int cli_sandbox_twin_set(struct cli *cli)
{
    struct err err = {0};
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *patch = NULL;
    if (cli_read_json(cli->args->places[1], PATCH_MAX, &patch, &err) < 0)
        return (int)cli_fail(cli, &err);
    cJSON *params = cli_sandbox_target(cli, cli->args->places[0]);
    json_add(params, "patch", steal(patch));
    if (cli_args_has(cli->args, "etag"))
        json_add_str(params, "etag", cli_args_value(cli->args, "etag"));
    cJSON *twin = cli_sandbox_call(cli, "sandbox.twin_set", params, &failed);
    if (!twin)
        return (int)failed;
    show_twin(cli, twin);
    return CLI_EXIT_DONE;
}

/* ---- query ---- */

int cli_sandbox_query(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    cJSON *params = cli_sandbox_params(cli);
    json_add_str(params, "query", cli->args->places[0]);
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.query", params, &failed);
    if (!result)
        return (int)failed;
    bool more = json_bool(result, "more", false);
    if (cli->args->json)
        cli_out_document("QueryResult", steal(result));
    else
        cli_sandbox_print(json_get(result, "items"));
    if (more && !cli->args->quiet)
        cli_out_note("There are more than these; narrow the query.");
    return CLI_EXIT_DONE;
}
