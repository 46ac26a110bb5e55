/* See cli_stream.h. */
#include "tui/cli_stream.h"

#include "core/base/json.h"
#include "core/rpc/model_json.h"
#include "tui/cli_out.h"

#include <signal.h>

bool cli_stream_step(struct cli_stream *s, const cJSON *params)
{
    if (cJSON_IsObject(json_get(params, "error")))
        model_parse_error(json_get(params, "error"), &s->err);
    s->ended = json_bool(params, "end", false) || s->err.kind != ERR_NONE;
    return cli_out_flush(&s->broken) && !s->ended;
}

enum cli_exit cli_stream_follow(struct cli *cli, struct cli_stream *s, const char *method,
                                cJSON *take_params)
{
    struct err err = {0};
    int number = 0;
    cli_rpc_watch_output(cli->rpc);
    if (cli_call(cli, method, take_params, NULL, &err) < 0)
        return cli_fail(cli, &err);
    switch (cli_rpc_wait(cli->rpc, 0, &number, &err)) {
    case CLI_WAIT_ENOUGH:
        if (s->broken != CLI_EXIT_DONE)
            return s->broken;
        return s->err.kind == ERR_NONE ? CLI_EXIT_DONE : cli_fail(cli, &s->err);
    case CLI_WAIT_SIGNAL:
        return number == SIGTERM ? CLI_EXIT_TERMINATED : CLI_EXIT_INTERRUPTED;
    case CLI_WAIT_UNREAD:
        return CLI_EXIT_PIPE;
    case CLI_WAIT_TIMEOUT:
    case CLI_WAIT_LOST:
    default:
        return cli_fail(cli, &err);
    }
}
