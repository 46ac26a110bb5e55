/* iotedge: reads the command line's beginning and calls the verb. */
#include "core/base/json.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/iotedge/as_root.h"
#include "vm/guest/iotedge/iotedge.h"
#include "vm/guest/iotedge/say.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: iotedge [-H unix://SOCKET] COMMAND [OPTIONS]\n"
    "\n"
    "  list                     modules with their state and image\n"
    "  logs MODULE              a module's log; --tail, --since, --until, -f\n"
    "  restart MODULE           stop and start it\n"
    "  check                    find out what is wrong; -o json, --dont-run, --verbose\n"
    "  check-list               what check looks at\n"
    "  config apply             take a configuration into use; -c FILE\n"
    "  config mp                write one with a connection string\n"
    "  system status            the runtime's services\n"
    "  system logs              their logs; -- ARGUMENTS are journalctl's\n"
    "  system restart|stop|reprovision|set-log-level LEVEL\n"
    "  support-bundle           all that helps a helper, in a zip file\n"
    "  version\n"
    "\n"
    "Elsewhere than usual (COMMAND comes after these): -H or --host, or the variable\n"
    "IOTEDGE_HOST, for the management API; --config-file, --engine-socket, --state-dir.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not permitted,\n"
    "6 wrong configuration or input, 8 not in time, 10 the runtime does not answer.\n";

static const struct iotedge usual = {
    .host = "/run/iotedge/mgmt.sock",
    .config = CONFIG_PATH_DEFAULT,
    .state_dir = "/var/lib/berth/edged",
};

static int version(const struct iotedge *o, int argc, char **argv)
{
    (void)o, (void)argc, (void)argv;
    (void)printf("iotedge %s (Berth)\n", BERTH_VERSION);
    return IOTEDGE_DONE;
}

static int help(const struct iotedge *o, int argc, char **argv)
{
    (void)o, (void)argc, (void)argv;
    (void)fputs(usage, stdout);
    return IOTEDGE_DONE;
}

static const struct {
    const char *name;
    iotedge_verb run;
} verbs[] = {
    {"list", iotedge_list},
    {"logs", iotedge_logs},
    {"restart", iotedge_restart},
    {"check", iotedge_check},
    {"check-list", iotedge_check_list},
    {"config", iotedge_config},
    {"system", iotedge_system},
    {"support-bundle", iotedge_support_bundle},
    {"version", version},
    {"help", help},
};

enum { ARG_CONFIG = 1, ARG_ENGINE, ARG_STATE, ARG_VERSION };

static const struct option options[] = {
    {"host", required_argument, NULL, 'H'},
    {"config-file", required_argument, NULL, ARG_CONFIG},
    {"engine-socket", required_argument, NULL, ARG_ENGINE},
    {"state-dir", required_argument, NULL, ARG_STATE},
    {"version", no_argument, NULL, ARG_VERSION},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* "unix:///run/x.sock", or the path alone. */
static bool take_host(struct iotedge *o, const char *value)
{
    static const char scheme[] = "unix://";
    o->host = str_starts(value, scheme) ? value + sizeof(scheme) - 1 : value;
    return *o->host == '/';
}

/* Returns an exit status, or -1 where a verb follows. */
static int parse(struct iotedge *o, int argc, char **argv)
{
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "+H:h", options, NULL)) != -1) {
        switch (which) {
        case 'H':
            if (!take_host(o, optarg))
                return say_usage(usage, "--host must be unix:///PATH");
            break;
        case ARG_CONFIG:
            o->config = optarg;
            break;
        case ARG_ENGINE:
            o->engine = optarg;
            break;
        case ARG_STATE:
            o->state_dir = optarg;
            break;
        case ARG_VERSION:
            return version(o, argc, argv);
        case 'h':
            return help(o, argc, argv);
        default:
            return say_usage(usage, "");
        }
    }
    return optind < argc ? -1 : say_usage(usage, "a command is missing");
}

/* The helper knows the usual places only. An archive is written here, where this user may write. */
static int run_as_root(const struct iotedge *o, int argc, char **argv)
{
    if (!str_eq(o->host, usual.host) || !str_eq(o->config, usual.config) || o->engine ||
        !str_eq(o->state_dir, usual.state_dir))
        return say_usage(usage, "this command needs root where other places are named");
    return str_eq(argv[0], "support-bundle") ? iotedge_support_bundle(o, argc, argv)
                                             : as_root_run(argc, argv);
}

static int run(const struct iotedge *o, int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!str_eq(argv[0], verbs[i].name))
            continue;
        optind = 0; /* getopt begins anew */
        int status =
            as_root_needed(argc, argv) ? run_as_root(o, argc, argv) : verbs[i].run(o, argc, argv);
        return say_flush() || status ? status : IOTEDGE_FAILED;
    }
    char message[120], shown[64];
    str_sanitise_to(shown, sizeof(shown), argv[0]);
    (void)str_format(message, sizeof(message), "there is no command \"%s\"", shown);
    return say_usage(usage, message);
}

int main(int argc, char **argv)
{
    json_init();
    struct iotedge o = usual;
    const char *host = getenv("IOTEDGE_HOST"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (host && *host && !take_host(&o, host))
        return say_usage(usage, "IOTEDGE_HOST must be unix:///PATH");
    int status = parse(&o, argc, argv);
    return status >= 0 ? status : run(&o, argc - optind, argv + optind);
}
