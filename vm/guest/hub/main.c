/* berth-hub: the sandbox's IoT Hub. Reads the command line, runs the loop, and says on --ready-fd
 * how the start went. */
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/hub/c2d.h"
#include "vm/guest/hub/sandbox.h"
#include "vm/guest/hub/topic.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-."

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
    OPT_HUB_NAME,
    OPT_C2D_LOCK,
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
    {"hub-name", required_argument, NULL, OPT_HUB_NAME},
    {"c2d-lock", required_argument, NULL, OPT_C2D_LOCK},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"log", required_argument, NULL, OPT_LOG},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static const char usage[] =
    "usage: berth-hub --role cloud --dir DIR [--listen ADDR]... [--mqtt-port N] [--https-port N]\n"
    "                 [--registry-port N | --no-registry] [--host-name NAME]\n"
    "                 [--hub-name NAME]... [--c2d-lock SECONDS] [--ready-fd N] [--log FILE]\n"
    "A local stand-in for Azure IoT Hub: MQTT and HTTPS, devices, twins, methods, deployments.\n"
    "Each --hub-name is a further hub besides the one of --host-name, at the same ports.\n"
    "A message to a device that is not acknowledged is sent again after --c2d-lock (5 to 300, "
    "60).\n";

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

/* Appends TEXT to a NULL-terminated list that has room for MAX. */
static int append(const char **list, size_t max, const char *text, const char *name,
                  struct err *err)
{
    size_t n = 0;

    while (list[n])
        n++;
    if (n == max)
        return err_set(err, ERR_INVALID, "%s: no more than %zu", name, max);
    list[n] = text;
    return 0;
}

static int read_option(int option, struct program *p, struct sandbox_options *o, const char **log,
                       const char **role, struct err *err)
{
    uint64_t number;

    switch (option) {
    case OPT_ROLE:
        *role = optarg;
        return 0;
    case OPT_DIR:
        o->dir = optarg;
        return 0;
    case OPT_LISTEN:
        return append(o->addresses, SANDBOX_ADDRESSES_MAX, optarg, "--listen", err);
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
    case OPT_HUB_NAME:
        return append(o->hubs, SANDBOX_HUBS_MAX, optarg, "--hub-name", err);
    case OPT_C2D_LOCK:
        if (!str_to_u64(optarg, 300, &number) || number < 5)
            return err_set(err, ERR_INVALID, "--c2d-lock: must be 5 to 300 seconds");
        o->c2d_lock_ms = number * 1000;
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

/* A host name: it stands in certificates, connection strings and tokens. */
static int check_name(const char *name, const char *option, struct err *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > HUB_NAME_MAX - 1 || strspn(name, NAME_CHARS) != len)
        return err_set(err, ERR_INVALID,
                       "%s: must be a host name of at most %d lower-case letters, digits, - and .",
                       option, HUB_NAME_MAX - 1);
    return 0;
}

static int check_options(const struct sandbox_options *o, const char *role, struct err *err)
{
    if (!str_eq(role, "cloud"))
        return err_set(err, ERR_INVALID, "--role: must be cloud");
    if (!o->dir || o->dir[0] != '/')
        return err_set(err, ERR_INVALID, "--dir: must be an absolute path");
    if (strpbrk(o->dir, "'\n"))
        return err_set(err, ERR_INVALID, "--dir: must not have quotes or line ends in it");
    if (check_name(o->host, "--host-name", err) < 0)
        return -1;
    for (size_t i = 0; o->hubs[i]; i++) {
        if (check_name(o->hubs[i], "--hub-name", err) < 0)
            return -1;
        for (size_t k = 0; k <= i; k++)
            if (str_eq(o->hubs[i], k ? o->hubs[k - 1] : o->host))
                return err_set(err, ERR_INVALID, "--hub-name: %s is there twice", o->hubs[i]);
    }
    return 0;
}

/* A connection is a descriptor, and the usual soft limit ends at a thousand. */
static void allow_connections(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    json_init();
    struct program p = {.ready_fd = -1};
    struct sandbox_options o = {.host = "sandbox.berth.internal",
                                .mqtt_port = 8883,
                                .https_port = 443,
                                .registry_port = 5000,
                                .c2d_lock_ms = C2D_LOCK_MS};
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
    allow_connections();
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
