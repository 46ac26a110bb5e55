/* berth provision ...: connects a VM to a cloud. The secret comes from a file or standard input,
 * never from the arguments, and is wiped as soon as it is sent. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define CONNECTION_STRING_MAX 4096

/* Only there so that an interrupt ends the read and the terminal can be put right first. */
static void on_interrupt(int number)
{
    (void)number;
}

/* On a terminal the text is typed or pasted unseen, as one line. */
static int read_hidden(struct buf *out, struct err *err)
{
    struct termios before;
    struct sigaction old;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return cli_read("-", CONNECTION_STRING_MAX, out, err);
    struct termios hidden = before;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, &old);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    (void)fprintf(stderr, "Connection string (it is not shown): ");

    size_t max = CONNECTION_STRING_MAX + 1;
    ssize_t n = read(STDIN_FILENO, buf_reserve(out, max), max);
    int why = errno;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)sigaction(SIGINT, &old, NULL);
    (void)fprintf(stderr, "\n");
    if (n < 0) {
        if (why == EINTR)
            (void)raise(SIGINT);
        return err_sys(err, why, "read the connection string");
    }
    out->len += (size_t)n;
    out->data[out->len] = '\0';
    return 0;
}

static int read_secret(const struct cli_args *args, struct buf *out, struct err *err)
{
    const char *file = cli_args_value(args, "file");
    if (!file) {
        err_set(err, ERR_INVALID, "--file is missing: where is the connection string?");
        return err_hint(
            err,
            "put it into a file, or use --file - and standard input; never into the arguments");
    }
    int result = str_eq(file, "-") && isatty(STDIN_FILENO)
                     ? read_hidden(out, err)
                     : cli_read(file, CONNECTION_STRING_MAX, out, err);
    if (result < 0)
        return -1;
    if (strlen(buf_str(out)) != out->len)
        return err_set(err, ERR_INVALID, "the connection string holds a NUL byte");
    if (!*str_trim(buf_reserve(out, 0) - out->len))
        return err_set(err, ERR_INVALID, "the connection string is empty");
    return 0;
}

int cli_provision_connection_string(struct cli *cli)
{
    struct err err = {0};
    auto_free char *name = NULL;
    auto_wiped_buf struct buf text = {0};
    if (read_secret(cli->args, &text, &err) < 0 ||
        cli_vm_name(cli, CLI_PLACES_MAX, &name, &err) < 0)
        return cli_fail(cli, &err);

    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", name);
    json_add_str(params, "connectionString",
                 str_trim(text.data)); /* wiped by the client once sent */
    buf_wipe(&text);
    return cli_job_run(cli, "provision.connection_string", params);
}

int cli_provision_sandbox(struct cli *cli)
{
    struct err err = {0};
    auto_free char *name = NULL;
    const char *device = cli_args_value(cli->args, "device");
    if (cli_vm_name(cli, CLI_PLACES_MAX, &name, &err) < 0)
        return cli_fail(cli, &err);
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "vm", name);
    if (device)
        json_add_str(params, "deviceId", device);
    if (cli_args_has(cli->args, "no-sample"))
        json_add_bool(params, "sample", false);
    return cli_job_run(cli, "provision.sandbox", params);
}
