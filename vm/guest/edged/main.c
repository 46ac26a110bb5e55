/* berth-edged: an IoT Edge runtime in one small process. Reads the command line and the
 * configuration, then runs until it is told to end. */
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/edged/edged.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_SETTINGS 153 /* as Microsoft's daemon: a restart would not help */

static const char usage[] =
    "usage: berth-edged [--config FILE] [--state-dir DIR] [--mgmt-socket PATH] [--engine-socket "
    "PATH]\n"
    "                   [--https-port N] [--log-level debug|info|warn|error]\n"
    "       berth-edged --check-config FILE\n"
    "       berth-edged --version\n";

struct arguments {
    const char *config;
    const char *check;
    bool version;
    struct edged_options options;
    enum log_level level;
};

enum {
    ARG_CONFIG = 1,
    ARG_STATE,
    ARG_MGMT,
    ARG_ENGINE,
    ARG_HTTPS,
    ARG_LEVEL,
    ARG_CHECK,
    ARG_VERSION
};

static const struct option options[] = {
    {"config", required_argument, NULL, ARG_CONFIG},
    {"state-dir", required_argument, NULL, ARG_STATE},
    {"mgmt-socket", required_argument, NULL, ARG_MGMT},
    {"engine-socket", required_argument, NULL, ARG_ENGINE},
    {"https-port", required_argument, NULL, ARG_HTTPS},
    {"log-level", required_argument, NULL, ARG_LEVEL},
    {"check-config", required_argument, NULL, ARG_CHECK},
    {"version", no_argument, NULL, ARG_VERSION},
    {0},
};

static bool take_argument(struct arguments *a, int which, const char *value)
{
    uint64_t number = 0;
    switch (which) {
    case ARG_CONFIG:
        a->config = value;
        return true;
    case ARG_STATE:
        a->options.state_dir = value;
        return true;
    case ARG_MGMT:
        a->options.mgmt_socket = value;
        return true;
    case ARG_ENGINE:
        a->options.engine_socket = value;
        return true;
    case ARG_HTTPS:
        a->options.https_port = str_to_u64(value, UINT16_MAX, &number) ? (uint16_t)number : 0;
        return a->options.https_port != 0;
    case ARG_LEVEL:
        return log_level_parse(value, &a->level, NULL) == 0;
    case ARG_CHECK:
        a->check = value;
        return true;
    case ARG_VERSION:
        a->version = true;
        return true;
    default:
        return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct arguments *a)
{
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_argument(a, which, optarg))
            return false;
    return optind == argc;
}

static void print_err(const struct err *err)
{
    (void)fprintf(stderr, "%s%s%s%s\n", err->msg, *err->hint ? " (" : "", err->hint,
                  *err->hint ? ")" : "");
}

static int run(const struct arguments *a)
{
    struct err err = {0};
    auto_config struct config config = {0};
    if (config_load(a->check ? a->check : a->config, &config, &err) < 0) {
        print_err(&err);
        return a->check ? EXIT_FAILURE : EXIT_SETTINGS;
    }
    if (a->check)
        return EXIT_SUCCESS;
    int status = edged_run(&config, &a->options, &err);
    if (status < 0) {
        print_err(&err);
        return EXIT_FAILURE;
    }
    if (status > 0)
        _exit(EXIT_SUCCESS);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    json_init();
    struct arguments a = {
        .config = CONFIG_PATH_DEFAULT,
        .level = LOG_LEVEL_INFO,
        .options = {.state_dir = "/var/lib/berth/edged",
                    .mgmt_socket = "/run/iotedge/mgmt.sock",
                    .engine_socket = "/var/run/docker.sock",
                    .https_port = 443},
    };
    if (!parse_arguments(argc, argv, &a)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (a.version) {
        (void)printf("berth-edged %s\n", BERTH_VERSION);
        return EXIT_SUCCESS;
    }
    /* Small on purpose: one heap for all threads, one thread for name look-ups. */
    (void)mallopt(M_ARENA_MAX, 1);              /* NOLINT(concurrency-mt-unsafe) */
    (void)setenv("UV_THREADPOOL_SIZE", "1", 1); /* NOLINT(concurrency-mt-unsafe) */
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    (void)log_open(NULL, a.level, NULL);
    int status = run(&a);
    log_close();
    return status;
}
