/* iotedge system: the services behind the runtime. */
#include "vm/guest/iotedge/services.h"

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/provisioning.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/say.h"
#include "vm/guest/iotedge/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FAILED_LINES 10
#define FAILED_BYTES (16U << 10)

static const char usage[] = "usage: iotedge system status\n"
                            "       iotedge system logs [-- ARGUMENTS-OF-JOURNALCTL]\n"
                            "       iotedge system restart|stop|reprovision\n"
                            "       iotedge system set-log-level error|warn|info|debug|trace\n";

const char *const services_units[] = {IOTEDGE_UNIT, "podman.socket", "podman.service", NULL};

/* ------------------------------------------------------------------------------- status */

static void put_state(struct buf *out, const struct unit_state *state)
{
    buf_printf(out, "%s (%s)", state->active, state->sub);
    if (!str_eq(state->restarts, "0") && state->restarts[0])
        buf_printf(out, ", started again %s times", state->restarts);
    if (str_eq(state->active, "failed"))
        buf_printf(out, ", %s, exit status %s", state->result, state->status);
}

static bool troubled(const struct unit_state *state)
{
    return str_eq(state->active, "failed") || str_eq(state->sub, "auto-restart");
}

static void say_tail(const char *unit)
{
    auto_buf struct buf log = {0};
    const struct unit_log q = {.unit = unit, .lines = FAILED_LINES, .bytes = FAILED_BYTES};
    if (unit_log_read(&q, &log, NULL) < 0 || !log.len)
        return;
    (void)printf("\nThe last lines of %s:\n", unit);
    for (char *line = log.data, *next = NULL; line && *line; line = next) {
        auto_buf struct buf clean = {0};
        next = strchr(line, '\n');
        str_sanitise(&clean, line, next ? (size_t)(next - line) : strlen(line));
        (void)printf("%s\n", buf_str(&clean));
        next = next ? next + 1 : NULL;
    }
}

static void say_cloud(const struct iotedge *o)
{
    struct err err;
    char hub[254], state[64], why[400];
    auto_json cJSON *info = NULL;
    auto_ask struct ask *a = ask_runtime(o);
    if (ask_json(a, "GET", "/systeminfo?" ASK_MGMT_VERSION, &info, &err) < 0) {
        (void)say_error(&err);
        return;
    }
    str_sanitise_to(hub, sizeof(hub), json_str(info, "hub_name", ""));
    str_sanitise_to(state, sizeof(state), json_str(info, "cloud_state", "unknown"));
    str_sanitise_to(why, sizeof(why), json_str(info, "cloud_error", ""));
    (void)printf("\n");
    say("Hub: %s, %s%s%s", *hub ? hub : "not known yet", state, *why ? ": " : "", why);
}

static int status(const struct iotedge *o, int argc, char **argv)
{
    struct err err;
    auto_say_table struct say_table table = {0};
    auto_buf struct buf out = {0};
    struct unit_state states[SERVICES_MAX];
    bool bad = false;
    (void)argv;
    if (argc != 1)
        return say_usage(usage, "");
    for (size_t i = 0; services_units[i]; i++) {
        auto_buf struct buf text = {0};
        if (unit_show(services_units[i], &states[i], &err) < 0)
            return say_error(&err);
        put_state(&text, &states[i]);
        say_table_add(&table, services_units[i], buf_str(&text), NULL, NULL);
    }
    say_table_print(&table, &out);
    (void)fputs(buf_str(&out), stdout);
    say_cloud(o);
    for (size_t i = 0; services_units[i]; i++) {
        if (!troubled(&states[i]))
            continue;
        bad = true;
        say_tail(services_units[i]);
    }
    (void)printf("\n");
    say("`iotedge system logs` shows what is no failure; `iotedge check` looks for the cause.");
    return bad ? IOTEDGE_FAILED : IOTEDGE_DONE;
}

/* ------------------------------------------------------------------------------- logs */

/* journalctl takes this process's place: a pager, -f and Ctrl-C are its business. */
static int logs(const struct iotedge *o, int argc, char **argv)
{
    enum { SERVICE_WORDS = 2 * SERVICES_MAX, OWN = 6 };
    (void)o;
    struct err err;
    const char **args = xcalloc((size_t)argc + SERVICE_WORDS + OWN, sizeof(*args));
    size_t n = 0;
    args[n++] = "journalctl";
    for (size_t i = 0; services_units[i]; i++) {
        args[n++] = "--unit";
        args[n++] = services_units[i];
    }
    int at = 1 + (argc > 1 && str_eq(argv[1], "--"));
    if (at >= argc) {
        args[n++] = "--no-pager";
        args[n++] = "--lines=1000";
    }
    while (at < argc)
        args[n++] = argv[at++];
    (void)execvp(args[0], (char **)(uintptr_t)args);
    err_sys(&err, errno, "start journalctl");
    free(args);
    return say_error(&err);
}

/* ------------------------------------------------------------------------------- acts */

static int act(const char *verb, const char *done)
{
    struct err err;
    if (unit_act(verb, IOTEDGE_UNIT, &err) < 0) {
        if (err.kind == ERR_REMOTE)
            err_hint(&err, "`iotedge system status` shows why");
        return say_error(&err);
    }
    say("%s", done);
    return IOTEDGE_DONE;
}

static int restart(const struct iotedge *o, int argc, char **argv)
{
    (void)o, (void)argv;
    return argc == 1 ? act("restart", "The runtime was restarted; modules went on.")
                     : say_usage(usage, "");
}

static int stop(const struct iotedge *o, int argc, char **argv)
{
    (void)o, (void)argv;
    return argc == 1 ? act("stop", "The runtime was stopped. Modules go on, but nobody watches "
                                   "them; `iotedge system restart` starts it.")
                     : say_usage(usage, "");
}

/* The runtime takes this file as a doubt about what it knows, and asks the service anew; where that
 * cannot be reached, it goes on with what it knows. */
static int reprovision(const struct iotedge *o, int argc, char **argv)
{
    struct err err;
    auto_config struct config config = {0};
    (void)argv;
    if (argc != 1)
        return say_usage(usage, "");
    if (config_load(o->config, &config, &err) < 0)
        return say_error(&err);
    if (!config_method_dps(config.provisioning.method))
        return act("restart", "This device is provisioned by hand: there is no service to ask. The "
                              "runtime was restarted and connects anew.");
    auto_free char *mark = xasprintf("%s/" PROVISIONING_MARK, o->state_dir);
    if (file_write(mark, "", 0, 0600, &err) < 0)
        return say_error(&err);
    return act("restart", "The runtime was restarted and asks the provisioning service anew; "
                          "`iotedge system status` shows what comes of it.");
}

static int set_log_level(const struct iotedge *o, int argc, char **argv)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};
    struct err err;
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(levels); i++) {
        if (!str_eq(argv[1], levels[i]))
            continue;
        const char *slash = strrchr(o->config, '/');
        auto_free char *path = xasprintf("%.*s" IOTEDGE_LEVEL_FILE,
                                         slash ? (int)(slash - o->config) + 1 : 0, o->config);
        auto_free char *line = xasprintf("AZIOT_LOG=%s\n", levels[i]);
        if (file_write(path, line, strlen(line), 0600, &err) < 0)
            return say_error(&err);
        say("The runtime logs at level %s after `iotedge system restart`.", levels[i]);
        return IOTEDGE_DONE;
    }
    return say_usage(usage, "a level is missing, or not known");
}

int iotedge_system(const struct iotedge *o, int argc, char **argv)
{
    static const struct {
        const char *name;
        iotedge_verb run;
    } verbs[] = {
        {"status", status},           {"logs", logs},
        {"restart", restart},         {"stop", stop},
        {"reprovision", reprovision}, {"set-log-level", set_log_level},
    };
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
        if (str_eq(argv[1], verbs[i].name))
            return verbs[i].run(o, argc - 1, argv + 1);
    return say_usage(usage, "");
}
