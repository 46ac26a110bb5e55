/* See cli.h. Parses, runs the verb, and turns what it says into an exit code. */
#include "tui/cli.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/cli_out.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int usage_failed(const struct err *err, int argc, char **argv)
{
    bool json = false;
    for (int i = 1; i < argc; i++)
        json = json || str_eq(argv[i], "--json");
    cli_out_error(err, CLI_EXIT_USAGE, "usage", json);
    return CLI_EXIT_USAGE;
}

static int show_help(const struct cli_args *args)
{
    auto_buf struct buf text = {0};
    enum cli_exit result = CLI_EXIT_DONE;
    if (args->verb)
        cli_help_verb(args->verb, &text);
    else if (args->about[0])
        (void)cli_help_list(args->about, &text);
    else
        cli_help_all(&text);
    cli_out_text(buf_str(&text));
    (void)cli_out_flush(&result);
    return result;
}

int cli_main(int argc, char **argv)
{
    struct cli_args args = {0};
    struct err err = {0};
    static char version[] = "version";
    /* A reader that goes away shows as EPIPE: the verb can then end properly. */
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (argc == 2 && str_eq(argv[1], "--version"))
        argv[1] = version;
    if (cli_args_parse(argc, argv, &args, &err) < 0)
        return usage_failed(&err, argc, argv);
    if (args.help)
        return show_help(&args);

    struct cli cli = {.args = &args};
    uint64_t seconds = 0;
    if (cli_args_takes(&args, "timeout") &&
        cli_args_number(&args, "timeout", 1, 604800, &seconds, &err) < 0)
        return (int)cli_fail(&cli, &err);
    cli.timeout_ms = seconds * 1000;
    int result = args.verb->run(&cli);
    enum cli_exit broken = CLI_EXIT_DONE;
    if (!cli_out_flush(&broken) && result == CLI_EXIT_DONE)
        result = (int)broken;
    cli_rpc_free(cli.rpc);
    return result;
}

struct cli_rpc *cli_connect(struct cli *cli, bool start_engine)
{
    if (!cli->rpc)
        cli->rpc = cli_rpc_new(start_engine);
    return cli->rpc;
}

/* The host check may ask slow daemons. Everything else answers at once. */
#define CALL_MS 60000

int cli_call(struct cli *cli, const char *method, cJSON *take_params, cJSON **ret_result,
             struct err *err)
{
    return cli_rpc_call(cli_connect(cli, true), method, take_params, CALL_MS, ret_result, err);
}

enum cli_exit cli_fail(const struct cli *cli, const struct err *err)
{
    enum cli_exit result = cli_exit_of(err->kind);
    const char *code = err_kind_name(err->kind);
    bool was_ready = false;
    if (cli->rpc && cli_rpc_lost(cli->rpc, &was_ready)) {
        result = was_ready ? CLI_EXIT_AGAIN : CLI_EXIT_FAILED;
        code = "engine";
    }
    cli_out_error(err, result, code, cli->args->json);
    return result;
}

static int only_vm(struct cli *cli, char **ret_name, struct err *err)
{
    auto_json cJSON *snapshot = NULL;
    if (cli_call(cli, "snapshot.get", NULL, &snapshot, err) < 0)
        return -1;
    const cJSON *vms = json_get(snapshot, "vms");
    int n = cJSON_GetArraySize(vms);
    if (n == 0) {
        err_set(err, ERR_NOT_FOUND, "there is no VM yet");
        return err_hint(err, "`berth vm create` makes one");
    }
    if (n > 1) {
        err_set(err, ERR_INVALID, "there are %d VMs: say which one", n);
        return err_hint(err, "`berth vm list` shows their names");
    }
    *ret_name = xstrdup(json_str(cJSON_GetArrayItem(vms, 0), "name", ""));
    return 0;
}

int cli_vm_name(struct cli *cli, size_t index, char **ret_name, struct err *err)
{
    const char *name = index < cli->args->n_places ? cli->args->places[index] : NULL;
    if (!name && cli_args_takes(cli->args, "vm"))
        name = cli_args_value(cli->args, "vm");
    if (!name)
        return only_vm(cli, ret_name, err);
    *ret_name = xstrdup(name);
    return 0;
}

int cli_read(const char *path, size_t max, struct buf *out, struct err *err)
{
    bool from_stdin = str_eq(path, "-");
    const char *shown = from_stdin ? "standard input" : path;
    auto_close int opened = -1;
    if (!from_stdin && (opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0) {
        int why = errno;
        err_sys(err, why, "open %s", shown);
        if (err && why == ENOENT)
            err->kind = ERR_INVALID; /* what was given is wrong; no VM or module is missing */
        return -1;
    }
    int fd = from_stdin ? STDIN_FILENO : opened;

    size_t limit = out->len + max + 1;
    for (;;) {
        ssize_t n = read(fd, buf_reserve(out, limit - out->len), limit - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", shown);
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (n == 0)
            return 0;
        if (out->len == limit)
            return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", shown, max);
    }
}

int cli_read_json(const char *path, size_t max, cJSON **ret_json, struct err *err)
{
    auto_buf struct buf text = {0};
    if (cli_read(path, max, &text, err) < 0)
        return -1;
    cJSON *json = json_parse(buf_str(&text), text.len, err);
    if (!json) {
        if (err)
            err->kind = ERR_INVALID;
        return err_wrap(err, "%s", str_eq(path, "-") ? "standard input" : path);
    }
    *ret_json = json;
    return 0;
}
