/* berthd: the engine of one user. It starts in the background on demand (core/rpc/launch.c), says
 * over a pipe when it listens, and ends when nobody needs it.
 *
 *   berthd [--foreground] [--idle-exit SECONDS] [--ready-fd N] [--version] */
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/engine/engine.h"
#include "core/rpc/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define IDLE_EXIT_S 300
#define LOCK_TRIES  150 /* of 20 ms: an engine that is about to end needs a moment */

struct options {
    bool foreground;
    uint64_t idle_exit_s;
    int ready_fd; /* -1: none */
};

static const char usage[] = "usage: berthd [--foreground] [--idle-exit SECONDS]\n"
                            "The engine of berth. It starts by itself when a console needs it and "
                            "ends after SECONDS (300; 0: never)\n"
                            "without a console, a job or a running VM.\n";

static int parse_number(const char *text, uint64_t max, const char *option, uint64_t *ret)
{
    if (str_to_u64(text, max, ret))
        return 0;
    (void)fprintf(stderr, "berthd: %s takes a whole number up to %llu, not \"%s\"\n", option,
                  (unsigned long long)max, text);
    return -1;
}

/* 0: go on; 1: done, exit 0; -1: wrong, exit 2. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option table[] = {
        {"foreground", no_argument, NULL, 'f'},     {"idle-exit", required_argument, NULL, 'i'},
        {"ready-fd", required_argument, NULL, 'r'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    uint64_t fd = 0;
    int c = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 'f':
            o->foreground = true;
            break;
        case 'i':
            if (parse_number(optarg, UINT32_MAX, "--idle-exit", &o->idle_exit_s) < 0)
                return -1;
            break;
        case 'r':
            if (parse_number(optarg, 1024, "--ready-fd", &fd) < 0)
                return -1;
            o->ready_fd = (int)fd;
            break;
        case 'V':
            (void)printf("berthd %s\n", BERTH_VERSION);
            return 1;
        case 'h':
            (void)fputs(usage, stdout);
            return 1;
        default:
            (void)fputs(usage, stderr);
            return -1;
        }
    }
    if (optind == argc)
        return 0;
    (void)fputs(usage, stderr);
    return -1;
}

/* Tells whoever waits at the ready pipe, or the terminal, how the start went. ERR NULL: it listens.
 */
static void report(const struct options *o, const struct err *err)
{
    char text[sizeof(struct err)] = "+";
    if (err)
        (void)str_format(text, sizeof(text), "%s\n%s", err->msg, err->hint);
    if (err && o->foreground)
        (void)fprintf(stderr, "berthd: %s\n%s%s", err->msg, err->hint, *err->hint ? "\n" : "");
    if (o->ready_fd < 0)
        return;
    if (write(o->ready_fd, text, strlen(text)) < 0)
        log_warn("main", "nobody waits for the engine to be ready");
    (void)close(o->ready_fd);
}

/* Everything we inherited but the standard three and the ready pipe. */
static void close_inherited(int keep)
{
    if (keep > 3)
        (void)close_range(3, (unsigned)keep - 1, 0);
    (void)close_range(keep >= 3 ? (unsigned)keep + 1 : 3, ~0U, 0);
    if (keep >= 3)
        (void)fcntl(keep, F_SETFD, FD_CLOEXEC);
}

/* Waits, in the process that a person called, for the word of the engine in the background. */
static int parent_report(int fd)
{
    char text[1024];
    size_t len = 0;
    ssize_t n = 0;
    while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    text[len] = '\0';
    if (text[0] == '+')
        return 0;
    (void)fprintf(stderr, "berthd: %s\n",
                  len ? text : "ended while it started; see engine.log in the state folder");
    return 1;
}

/* Into the background, in a session of its own. The parent's exit status, or -1 in the child. */
static int background(struct options *o)
{
    int ends[2] = {-1, -1};
    if (o->ready_fd < 0 && pipe2(ends, O_CLOEXEC) < 0)
        return 1;
    pid_t pid = fork();
    if (pid < 0) {
        perror("berthd: fork");
        return 1;
    }
    if (pid > 0) {
        if (ends[1] >= 0)
            (void)close(ends[1]);
        return ends[0] >= 0 ? parent_report(ends[0]) : 0;
    }
    if (ends[0] >= 0) {
        (void)close(ends[0]);
        o->ready_fd = ends[1];
    }
    (void)setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        (void)close(null);
    return -1;
}

/* One engine a state folder and a runtime folder. An old one that is just about to end is waited
 * for. */
static int lock_one(enum path_base base, struct err *err)
{
    auto_free char *path = path_of(base, "%s", "engine.lock");
    auto_free char *socket_path = path_engine_socket();
    struct err why = {0};
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = file_lock(path, false, &why);
        if (fd >= 0)
            return fd;
        int peer = launch_connect(socket_path, NULL);
        if (why.kind != ERR_BUSY || peer >= 0) {
            if (peer >= 0)
                (void)close(peer);
            break;
        }
        (void)poll(NULL, 0, 20);
    }
    if (why.kind != ERR_BUSY) {
        *err = why;
        return -1;
    }
    err_set(err, ERR_EXISTS, "an engine is running already (it holds %s)", path);
    return err_hint(err, "use it, or end it with: berth engine stop");
}

static int run(const struct options *o, struct err *err)
{
    uv_loop_t loop;
    struct engine engine = {0};
    if (path_prepare(err) < 0)
        return -1;
    auto_close int state_lock = lock_one(PATH_STATE, err);
    if (state_lock < 0)
        return -1;
    auto_close int runtime_lock = lock_one(PATH_RUNTIME, err);
    if (runtime_lock < 0)
        return -1;

    auto_free char *log_path = path_of(PATH_STATE, "%s", "engine.log");
    const char *level_name =
        getenv("BERTH_LOG_LEVEL"); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    enum log_level level = LOG_LEVEL_INFO;
    if (level_name && log_level_parse(level_name, &level, err) < 0)
        return -1;
    if (log_open(log_path, level, err) < 0)
        return -1;
    int rc = uv_loop_init(&loop);
    if (rc < 0)
        return err_sys(err, -rc, "make the event loop");
    if (engine_open(&engine, &loop, o->idle_exit_s * 1000, err) == 0) {
        log_info("main", "engine %s listens, pid %d", BERTH_VERSION, (int)getpid());
        report(o, NULL);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        engine_close(&engine);
        log_info("main", "engine ends");
        rc = 0;
    } else {
        log_error("main", "%s", err->msg);
        (void)uv_run(&loop, UV_RUN_DEFAULT); /* lets what was half made close */
        rc = -1;
    }
    (void)uv_loop_close(&loop);
    log_close();
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.idle_exit_s = IDLE_EXIT_S, .ready_fd = -1};
    json_init();
    int rc = parse_options(argc, argv, &o);
    if (rc != 0)
        return rc < 0 ? 2 : 0;
    if (!o.foreground && (rc = background(&o)) >= 0)
        return rc;

    close_inherited(o.ready_fd);
    (void)umask(022);
    if (chdir("/") < 0)
        return 1;
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    struct err err = {0};
    if (run(&o, &err) == 0)
        return 0;
    report(&o, &err);
    return 1;
}
