/* berth-hub: reads the command line, runs the loop for the role that it names, and says on
 * --ready-fd how the start went. */
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/hub/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct role *const roles[] = {&role_cloud, &role_edge};

struct program {
    const struct role *role;
    void *x; /* the role's */
    uv_loop_t loop;
    uv_signal_t signals[2];
    int ready_fd;    /* -1: none */
    const char *log; /* NULL: standard error */
    int status;
};

/* Those of a role are numbers below. */
enum option_id { OPT_ROLE = 256, OPT_READY_FD, OPT_LOG, OPT_VERSION, OPT_HELP };

static const struct option common[] = {
    {"role", required_argument, NULL, OPT_ROLE},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"log", required_argument, NULL, OPT_LOG},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
};

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
    p->role->close(p->x);
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
        (void)raise(SIGTERM); /* ends through the loop: the role is in the middle of a callback */
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

static void run(struct program *p)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    struct err err = {0};

    (void)uv_loop_init(&p->loop);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        (void)uv_signal_init(&p->loop, &p->signals[i]);
        p->signals[i].data = p;
        (void)uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
    if (p->role->open(p->x, &p->loop, on_ready, p, &err) < 0) {
        report_failure(p, &err);
        stop(p);
    }
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&p->loop);
}

/* ---- command line ---- */

/* The role comes first, wherever it stands: it says what else may stand there. NULL: none that we
 * know. */
static const struct role *find_role(char *const *argv)
{
    const char *name = "";

    for (size_t i = 1; argv[i]; i++)
        if (str_eq(argv[i], "--role"))
            name = argv[i + 1] ? argv[i + 1] : "";
        else if (str_starts(argv[i], "--role="))
            name = strchr(argv[i], '=') + 1;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (str_eq(roles[i]->name, name))
            return roles[i];
    return NULL;
}

static struct option *all_options(const struct role *role)
{
    size_t n = 0;

    while (role && role->options[n].name)
        n++;

    struct option *all = xcalloc(ARRAY_LEN(common) + n + 1, sizeof(*all));

    memcpy(all, common, sizeof(common));
    if (n > 0)
        memcpy(all + ARRAY_LEN(common), role->options, n * sizeof(*all));
    return all;
}

static void put_usage(const struct role *role, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (!role || role == roles[i])
            buf_puts(out, roles[i]->usage);
}

static int take_option(struct program *p, int option, struct err *err)
{
    auto_buf struct buf usage = {0};
    uint64_t number;

    switch (option) {
    case OPT_ROLE:
        return 0;
    case OPT_READY_FD:
        if (!str_to_u64(optarg, 1023, &number))
            return err_set(err, ERR_INVALID, "--ready-fd: must be a descriptor");
        p->ready_fd = (int)number;
        return 0;
    case OPT_LOG:
        p->log = optarg;
        return 0;
    case '?':
        put_usage(p->role, &usage);
        return err_set(err, ERR_INVALID, "%s", usage.data);
    default:
        return p->role->take(p->x, option, optarg, err);
    }
}

/* 1: it is answered already. */
static int read_command_line(struct program *p, int argc, char **argv, struct err *err)
{
    auto_free struct option *all = all_options(p->role);
    int option;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet */
    while ((option = getopt_long(argc, argv, "", all, NULL)) != -1) {
        if (option == OPT_VERSION) {
            (void)fputs("berth-hub " BERTH_VERSION "\n", stdout);
            return 1;
        }
        if (option == OPT_HELP) {
            auto_buf struct buf usage = {0};

            put_usage(p->role, &usage);
            (void)fputs(usage.data, stdout);
            return 1;
        }
        if (!p->role)
            break;
        if (take_option(p, option, err) < 0)
            return -1;
    }
    if (!p->role)
        return err_set(err, ERR_INVALID, "--role: must be cloud or edge");
    return p->role->check(p->x, err);
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

static void run_logged(struct program *p)
{
    struct err err = {0};

    (void)umask(077);
    allow_connections();
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (log_open(p->log, LOG_LEVEL_INFO, &err) < 0) {
        report_failure(p, &err);
        return;
    }
    if (p->ready_fd >= 0) /* children must not keep the starter waiting */
        (void)fcntl(p->ready_fd, F_SETFD, FD_CLOEXEC);
    run(p);
    log_close();
}

int main(int argc, char **argv)
{
    json_init();
    struct program p = {.role = find_role(argv), .ready_fd = -1};
    struct err err = {0};
    int answered;

    if (p.role)
        p.x = p.role->new ();
    answered = read_command_line(&p, argc, argv, &err);
    if (answered < 0) {
        report_failure(&p, &err);
        p.status = 2;
    } else if (answered == 0) {
        run_logged(&p);
    }
    if (p.role)
        p.role->free(p.x);
    return p.status;
}
