/* berth engine ..., info, version: about Berth itself. But for the log, none of them starts an
 * engine. */
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <inttypes.h>

#define STOP_MS 15000

/* Whether the error only says that no engine runs. */
static bool none_runs(const struct cli *cli, const struct err *err)
{
    bool was_ready = false;
    return err->kind == ERR_NOT_FOUND && cli->rpc && cli_rpc_lost(cli->rpc, &was_ready) &&
           !was_ready;
}

int cli_engine_stop(struct cli *cli)
{
    struct err err = {0};
    int number = 0;
    (void)cli_connect(cli, false);
    if (cli_call(cli, "engine.stop", NULL, NULL, &err) < 0) {
        if (!none_runs(cli, &err))
            return cli_fail(cli, &err);
    } else if (cli_rpc_wait(cli->rpc, STOP_MS, &number, &err) != CLI_WAIT_LOST) {
        err_set(&err, ERR_TIMEOUT, "the engine was told to stop and still runs");
        return cli_fail(cli, &err);
    }
    if (cli->args->json)
        cli_out_json("EngineStopped", NULL);
    return CLI_EXIT_DONE;
}

int cli_engine_log_level(struct cli *cli)
{
    struct err err = {0};
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "level", cli->args->places[0]);
    (void)cli_connect(cli, false);
    if (cli_call(cli, "engine.log_level", params, NULL, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_str(out, "level", cli->args->places[0]);
        cli_out_json("EngineLogLevel", out);
    }
    return CLI_EXIT_DONE;
}

static void add_path(const struct cli *cli, cJSON *out, const char *key, const char *label,
                     char *take_path)
{
    auto_free char *path = take_path;
    if (cli->args->json)
        json_add_str(out, key, path);
    else
        cli_out_printf("%-12s %s\n", label, path);
}

static void add_engine(struct cli *cli, cJSON *out)
{
    struct err err = {0};
    auto_json cJSON *snapshot = NULL;
    (void)cli_connect(cli, false);
    bool runs = cli_call(cli, "snapshot.get", NULL, &snapshot, &err) == 0;
    const char *version = json_str(snapshot, "engineVersion", "");
    if (cli->args->json) {
        json_add_bool(out, "engineRuns", runs);
        json_add_str_or_null(out, "engineVersion", version);
    } else {
        cli_out_printf("%-12s %s\n", "engine", runs ? version : "not running (starts when needed)");
    }
}

int cli_info(struct cli *cli)
{
    auto_json cJSON *out = cJSON_CreateObject();
    if (cli->args->json)
        json_add_str(out, "version", BERTH_VERSION);
    else
        cli_out_printf("%-12s %s\n", "version", BERTH_VERSION);
    add_path(cli, out, "stateDir", "state", path_of(PATH_STATE, "%s", ""));
    add_path(cli, out, "runtimeDir", "runtime", path_of(PATH_RUNTIME, "%s", ""));
    add_path(cli, out, "configDir", "settings", path_of(PATH_CONFIG, "%s", ""));
    add_path(cli, out, "cacheDir", "cache", path_of(PATH_CACHE, "%s", ""));
    add_path(cli, out, "engineSocket", "socket", path_engine_socket());
    add_path(cli, out, "engineLog", "engine log", path_of(PATH_STATE, "engine.log"));
    add_engine(cli, out);
    if (cli->args->json)
        cli_out_json("Info", steal(out));
    return CLI_EXIT_DONE;
}

int cli_version(struct cli *cli)
{
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_str(out, "version", BERTH_VERSION);
        json_add_u64(out, "protocol", BERTH_PROTOCOL);
        cli_out_json("Version", out);
    } else {
        cli_out_printf("berth %s\n", BERTH_VERSION);
    }
    return CLI_EXIT_DONE;
}
