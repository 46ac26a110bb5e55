/* berth-hub: the sandbox's IoT Hub. Reads the command line, runs the loop, and says on --ready-fd
 * how the start went. */
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/hub/sandbox.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct program {
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct sandbox *sandbox;
    int ready_fd; /* -1: none */
    int status;
};

enum option_id {
    OPT_ROLE = 256,
    OPT_DIR,
    OPT_LISTEN,
    OPT_MQTT_PORT,
    OPT_HTTPS_PORT,
    OPT_REGISTRY_PORT,
    OPT_NO_REGISTRY,
    OPT_HOST_NAME,
    OPT_READY_FD,
    OPT_LOG,
    OPT_VERSION,
    OPT_HELP,
};

static const struct option long_options[] = {
    {"role", required_argument, NULL, OPT_ROLE},
    {"dir", required_argument, NULL, OPT_DIR},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"mqtt-port", required_argument, NULL, OPT_MQTT_PORT},
    {"https-port", required_argument, NULL, OPT_HTTPS_PORT},
    {"registry-port", required_argument, NULL, OPT_REGISTRY_PORT},
    {"no-registry", no_argument, NULL, OPT_NO_REGISTRY},
    {"host-name", required_argument, NULL, OPT_HOST_NAME},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"log", required_argument, NULL, OPT_LOG},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static const char usage[] =
    "usage: berth-hub --role cloud --dir DIR [--listen ADDR]... [--mqtt-port N] [--https-port N]\n"
    "                 [--registry-port N | --no-registry] [--host-name NAME] [--ready-fd N]\n"
    "                 [--log FILE]\n"
    "A local stand-in for Azure IoT Hub: MQTT and HTTPS, devices, twins, methods, deployments.\n";

/* One line to whoever started us. */
static void say(struct program *p, const char *line)
{
    if (p->ready_fd < 0)
        return;
    (void)dprintf(p->ready_fd, "%s\n", line);
    (void)close(p->ready_fd);
    p->ready_fd = -1;
}

static void stop(struct program *p)
{
    sandbox_close(p->sandbox);
    p->sandbox = NULL;
    for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
        if (!uv_is_closing((uv_handle_t *)&p->signals[i]))
            uv_close((uv_handle_t *)&p->signals[i], NULL);
}

static void report_failure(struct program *p, const struct err *err)
{
    char line[sizeof(err->msg) + sizeof(err->hint) + 8];

    (void)str_format(line, sizeof(line), "%s%s%s", err->msg, err->hint[0] ? ". " : "", err->hint);
    log_error("hub", "%s", line);
    (void)fprintf(stderr, "berth-hub: %s\n", line);
    say(p, line);
    p->status = 1;
}

static void on_ready(void *arg, const struct err *err)
{
    struct program *p = arg;

    if (err) {
        report_failure(p, err);
        (void)raise(
            SIGTERM); /* ends through the loop: the sandbox is in the middle of a callback */
        return;
    }
    log_info("hub", "ready");
    say(p, "ready");
}

static void on_signal(uv_signal_t *handle, int number)
{
    log_info("hub", "ends on signal %d", number);
    stop(handle->data);
}

static int run(struct program *p, const struct sandbox_options *o)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    struct err err = {0};

    (void)uv_loop_init(&p->loop);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        (void)uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        (void)uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
    if (sandbox_open(&p->loop, o, on_ready, p, &p->sandbox, &err) < 0) {
        report_failure(p, &err);
        stop(p);
    }
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&p->loop);
    return p->status;
}

static int read_port(const char *name, uint16_t *ret, struct err *err)
{
    uint64_t port;

    if (!str_to_u64(optarg, UINT16_MAX, &port) || port == 0)
        return err_set(err, ERR_INVALID, "%s: must be 1 to 65535", name);
    *ret = (uint16_t)port;
    return 0;
}

static int read_option(int option, struct program *p, struct sandbox_options *o, const char **log,
                       const char **role, struct err *err)
{
    uint64_t number;
    size_t n = 0;

    switch (option) {
    case OPT_ROLE:
        *role = optarg;
        return 0;
    case OPT_DIR:
        o->dir = optarg;
        return 0;
    case OPT_LISTEN:
        while (o->addresses[n])
            n++;
        if (n == SANDBOX_ADDRESSES_MAX)
            return err_set(err, ERR_INVALID, "--listen: no more than %d", SANDBOX_ADDRESSES_MAX);
        o->addresses[n] = optarg;
        return 0;
    case OPT_MQTT_PORT:
        return read_port("--mqtt-port", &o->mqtt_port, err);
    case OPT_HTTPS_PORT:
        return read_port("--https-port", &o->https_port, err);
    case OPT_REGISTRY_PORT:
        return read_port("--registry-port", &o->registry_port, err);
    case OPT_NO_REGISTRY:
        o->registry_port = 0;
        return 0;
    case OPT_HOST_NAME:
        o->host = optarg;
        return 0;
    case OPT_READY_FD:
        if (!str_to_u64(optarg, 1023, &number))
            return err_set(err, ERR_INVALID, "--ready-fd: must be a descriptor");
        p->ready_fd = (int)number;
        return 0;
    case OPT_LOG:
        *log = optarg;
        return 0;
    default:
        return err_set(err, ERR_INVALID, "%s", usage);
    }
}

static int check_options(const struct sandbox_options *o, const char *role, struct err *err)
{
    if (!str_eq(role, "cloud"))
        return err_set(err, ERR_INVALID, "--role: must be cloud");
    if (!o->dir || o->dir[0] != '/')
        return err_set(err, ERR_INVALID, "--dir: must be an absolute path");
    if (strpbrk(o->dir, "'\n"))
        return err_set(err, ERR_INVALID, "--dir: must not have quotes or line ends in it");
    return 0;
}

int main(int argc, char **argv)
{
    json_init();
    struct program p = {.ready_fd = -1};
    struct sandbox_options o = {.host = "sandbox.berth.internal",
                                .mqtt_port = 8883,
                                .https_port = 443,
                                .registry_port = 5000};
    const char *log = NULL, *role = NULL;
    struct err err = {0};
    int option;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet */
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPT_VERSION || option == OPT_HELP) {
            (void)fputs(option == OPT_HELP ? usage : "berth-hub " BERTH_VERSION "\n", stdout);
            return 0;
        }
        if (read_option(option, &p, &o, &log, &role, &err) < 0) {
            report_failure(&p, &err);
            return 2;
        }
    }
    if (!o.addresses[0])
        o.addresses[0] = "127.0.0.1";
    if (check_options(&o, role, &err) < 0) {
        report_failure(&p, &err);
        return 2;
    }
    (void)umask(077);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (log_open(log, LOG_LEVEL_INFO, &err) < 0) {
        report_failure(&p, &err);
        return 1;
    }
    if (p.ready_fd >= 0)
        (void)fcntl(p.ready_fd, F_SETFD,
                    FD_CLOEXEC); /* children must not keep the starter waiting */

    int status = run(&p, &o);

    log_close();
    return status;
}
