/* berth-edged: an IoT Edge runtime in one small process. Reads the command line and the
 * configuration, then runs until it is told to end. */
#include "core/azure/tpm_public.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/io/base64.h"
#include "vm/guest/edged/edged.h"
#include "vm/guest/edged/tpm.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* As Microsoft's daemon. */
#define EXIT_SETTINGS 153 /* a restart would not help */
#define EXIT_MOVED    154 /* the device was provisioned anew: start again */

static const char usage[] =
    "usage: berth-edged [--config FILE] [--state-dir DIR] [--mgmt-socket PATH] [--engine-socket "
    "PATH]\n"
    "                   [--https-port N] [--hub-program PATH] [--log-level "
    "debug|info|warn|error]\n"
    "       berth-edged --check-config FILE\n"
    "       berth-edged --tpm-keys TCTI\n"
    "       berth-edged --version\n";

struct arguments {
    const char *check;
    bool version;
    struct edged_options options;
    const char *tpm;
    enum log_level level;
    bool level_given;
};

enum {
    ARG_CONFIG = 1,
    ARG_STATE,
    ARG_MGMT,
    ARG_ENGINE,
    ARG_HTTPS,
    ARG_HUB,
    ARG_LEVEL,
    ARG_CHECK,
    ARG_TPM,
    ARG_VERSION
};

static const struct option options[] = {
    {"config", required_argument, NULL, ARG_CONFIG},
    {"state-dir", required_argument, NULL, ARG_STATE},
    {"mgmt-socket", required_argument, NULL, ARG_MGMT},
    {"engine-socket", required_argument, NULL, ARG_ENGINE},
    {"https-port", required_argument, NULL, ARG_HTTPS},
    {"hub-program", required_argument, NULL, ARG_HUB},
    {"log-level", required_argument, NULL, ARG_LEVEL},
    {"check-config", required_argument, NULL, ARG_CHECK},
    {"tpm-keys", required_argument, NULL, ARG_TPM},
    {"version", no_argument, NULL, ARG_VERSION},
    {0},
};

static bool take_argument(struct arguments *a, int which, const char *value)
{
    uint64_t number = 0;
    switch (which) {
    case ARG_CONFIG:
        a->options.config_file = value;
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
    case ARG_HUB:
        a->options.hub_program = value;
        return value[0] == '/';
    case ARG_LEVEL:
        a->level_given = true;
        return log_level_parse(value, &a->level, NULL) == 0;
    case ARG_CHECK:
        a->check = value;
        return true;
    case ARG_TPM:
        a->tpm = value;
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

static int fail(const struct err *err, int status)
{
    print_err(err);
    return status;
}

/* What [agent.env] of the configuration does not say, the environment may, as with Microsoft's
 * daemons. NOLINTBEGIN(concurrency-mt-unsafe) */
static void add_environment(struct config *config)
{
    static const char *const names[] = {"HTTPS_PROXY", "https_proxy"};
    for (size_t i = 0; i < ARRAY_LEN(names) && !*config->proxy; i++)
        if (getenv(names[i]))
            STR_SET(config->proxy, getenv(names[i]));
}
/* NOLINTEND(concurrency-mt-unsafe) */

/* RuntimeLogLevel: edgeAgent's words, which are this process's as well. */
static enum log_level agent_level(const char *word)
{
    static const struct {
        const char *word;
        enum log_level level;
    } words[] = {
        {"trace", LOG_LEVEL_DEBUG}, {"verbose", LOG_LEVEL_DEBUG},    {"debug", LOG_LEVEL_DEBUG},
        {"info", LOG_LEVEL_INFO},   {"information", LOG_LEVEL_INFO}, {"warning", LOG_LEVEL_WARN},
        {"warn", LOG_LEVEL_WARN},   {"error", LOG_LEVEL_ERROR},      {"fatal", LOG_LEVEL_ERROR},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(word, words[i].word) == 0)
            return words[i].level;
    return LOG_LEVEL_INFO;
}

/* What an operator set with `iotedge system set-log-level` counts more than the configuration. */
static void set_level(const struct config *config)
{
    const char *word = getenv("AZIOT_LOG"); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    if (word && *word)
        log_set_level(agent_level(word));
    else if (config->log_level[0])
        log_set_level(agent_level(config->log_level));
}

/* What an enrolment needs to know of this machine's TPM. */
static int show_tpm(const char *tcti)
{
    struct err err;
    struct config_tpm config = {0};
    auto_buf struct buf endorsement = {0}, storage = {0}, ek = {0}, srk = {0};
    char id[TPM_REGISTRATION_ID_SIZE];
    STR_SET(config.tcti, tcti);
    if (tpm_keys(&config, &endorsement, &storage, &err) < 0)
        return fail(&err, EXIT_FAILURE);
    base64_encode(endorsement.data, endorsement.len, &ek);
    base64_encode(storage.data, storage.len, &srk);
    if (tpm_registration_id(buf_str(&ek), id, &err) < 0)
        return fail(&err, EXIT_FAILURE);
    (void)printf(
        "{\"registrationId\":\"%s\",\"endorsementKey\":\"%s\",\"storageRootKey\":\"%s\"}\n", id,
        buf_str(&ek), buf_str(&srk));
    return EXIT_SUCCESS;
}

/* The edge hub's program is beside this one. */
static const char *hub_program(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("berth-hub"));
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return "/usr/bin/berth-hub";
    (void)str_copy(slash + 1, sizeof("berth-hub"), "berth-hub");
    return path;
}

static int run(const struct arguments *a)
{
    struct err err = {0};
    struct edged_end end = {0};
    auto_config struct config config = {0};
    if (config_load(a->check ? a->check : a->options.config_file, &config, &err) < 0)
        return fail(&err, a->check ? EXIT_FAILURE : EXIT_SETTINGS);
    if (a->check)
        return EXIT_SUCCESS;
    if (!a->level_given)
        set_level(&config);
    add_environment(&config);
    int status = EXIT_SUCCESS;
    if (edged_run(&config, &a->options, &end, &err) < 0)
        status = fail(&err, EXIT_FAILURE);
    else if (end.moved)
        status = EXIT_MOVED;
    if (end.busy)
        _exit(status);
    return status;
}

int main(int argc, char **argv)
{
    json_init();
    struct arguments a = {
        .level = LOG_LEVEL_INFO,
        .options = {.config_file = CONFIG_PATH_DEFAULT,
                    .state_dir = "/var/lib/berth/edged",
                    .mgmt_socket = "/run/iotedge/mgmt.sock",
                    .engine_socket = "/var/run/docker.sock",
                    .https_port = 443,
                    .hub_program = hub_program()},
    };
    if (!parse_arguments(argc, argv, &a)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (a.version) {
        (void)printf("berth-edged %s\n", BERTH_VERSION);
        return EXIT_SUCCESS;
    }
    /* What the TPM's library has to say is in its codes; its lines would go to standard error. */
    (void)setenv("TSS2_LOG", "all+none", 0); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    if (a.tpm)
        return show_tpm(a.tpm);
    /* Small on purpose: one heap for all threads, one thread for name look-ups. */
    (void)mallopt(M_ARENA_MAX, 1);              /* NOLINT(concurrency-mt-unsafe) */
    (void)setenv("UV_THREADPOOL_SIZE", "1", 1); /* NOLINT(concurrency-mt-unsafe) */
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    (void)log_open(NULL, a.level, NULL);
    int status = run(&a);
    log_close();
    return status;
}
