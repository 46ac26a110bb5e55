/* Daemons of ours: see child.h. The ready pipe is the only tie between us and the daemon; its
 * process handle stays on the loop without keeping it alive, so that a daemon that ends while we
 * run is reaped. */
#include "core/io/child.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DAEMON_READY_MS 10000
#define DAEMON_LINE_MAX 512
#define DAEMON_STAT_MAX 4096

struct daemon {
    uv_process_t process;
    uv_pipe_t report;
    uv_timer_t timer;
    unsigned handles;
    char *name;
    char line[DAEMON_LINE_MAX];
    size_t len;
    child_ready_fn ready;
    void *arg;
    struct err why; /* could not be started */
    bool told;
    bool exited;
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct daemon *d = handle->data;
    if (--d->handles)
        return;
    free(d->name);
    free(d);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

/* Tells the owner once; what remains is only the process, to be reaped. */
static void daemon_tell(struct daemon *d, const struct err *err)
{
    if (d->told)
        return;
    d->told = true;
    close_handle((uv_handle_t *)&d->report);
    close_handle((uv_handle_t *)&d->timer);
    if (err && d->process.pid > 0 && !d->exited)
        (void)kill(-d->process.pid, SIGKILL);
    bool alive = d->process.pid > 0 && !d->exited;
    if (alive && !err)
        uv_unref((uv_handle_t *)&d->process);
    else if (!alive && d->process.loop) /* NULL: it never came to uv_spawn */
        close_handle((uv_handle_t *)&d->process);
    d->ready(d->arg, err ? 0 : d->process.pid, err);
}

static void daemon_judge(struct daemon *d)
{
    d->line[d->len] = '\0';
    const char *line = str_trim(d->line);
    if (str_eq(line, "ready")) {
        daemon_tell(d, NULL);
        return;
    }
    struct err err;
    char said[300];
    str_sanitise_to(said, sizeof(said), line);
    if (said[0])
        err_set(&err, ERR_REMOTE, "%s: %s", d->name, said);
    else
        err_set(&err, ERR_REMOTE, "%s ended before it was ready", d->name);
    daemon_tell(d, &err);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signum)
{
    (void)status;
    (void)signum;
    struct daemon *d = process->data;
    d->exited = true;
    if (d->told)
        close_handle((uv_handle_t *)&d->process);
    /* else: its line, or the end of the pipe, is still to be read */
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct daemon *d = handle->data;
    *buf = uv_buf_init(d->line + d->len, (unsigned)(sizeof(d->line) - 1 - d->len));
}

static void on_report(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct daemon *d = stream->data;
    (void)buf;
    if (n > 0)
        d->len += (size_t)n;
    if (n < 0 || memchr(d->line, '\n', d->len) || d->len == sizeof(d->line) - 1)
        daemon_judge(d);
}

static void on_deadline(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (d->why.kind == ERR_NONE)
        err_set(&d->why, ERR_TIMEOUT, "%s was not ready in time and was ended", d->name);
    daemon_tell(d, &d->why);
}

static int daemon_spawn(struct daemon *d, uv_loop_t *loop, const struct child_daemon *o)
{
    auto_close int log_fd =
        open(o->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (log_fd < 0)
        return err_sys(&d->why, errno, "open %s", o->log_path);

    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = log_fd},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&d->report},
    };
    uv_process_options_t options = {
        .file = o->argv[0],
        .args = (char **)(uintptr_t)o->argv,
        .cwd = "/",
        .exit_cb = on_exit_status,
        .flags = UV_PROCESS_DETACHED,
        .stdio = stdio,
        .stdio_count = 4,
    };
    int status = uv_spawn(loop, &d->process, &options);
    if (status < 0) {
        d->process.pid = 0;
        return err_sys(&d->why, -status, "start %s", o->argv[0]);
    }
    return 0;
}

void child_start_daemon(uv_loop_t *loop, const struct child_daemon *daemon, child_ready_fn ready,
                        void *arg)
{
    struct daemon *d = xcalloc(1, sizeof(*d));
    const char *slash = strrchr(daemon->argv[0], '/');
    d->name = xstrdup(slash ? slash + 1 : daemon->argv[0]);
    d->ready = ready;
    d->arg = arg;
    (void)uv_pipe_init(loop, &d->report, 0);
    (void)uv_timer_init(loop, &d->timer);
    d->report.data = d->timer.data = d->process.data = d;
    d->handles = 3;

    uv_update_time(loop);
    if (daemon_spawn(d, loop, daemon) < 0) {
        if (!d->process.loop) /* uv_spawn was not reached: no such handle to close */
            d->handles--;
        uv_timer_start(&d->timer, on_deadline, 0, 0);
        return;
    }
    (void)uv_read_start((uv_stream_t *)&d->report, on_alloc, on_report);
    uv_timer_start(&d->timer, on_deadline,
                   daemon->timeout_ms ? daemon->timeout_ms : DAEMON_READY_MS, 0);
}

uint64_t child_start_time(pid_t pid)
{
    char path[64];
    auto_buf struct buf text = {0};
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(path, DAEMON_STAT_MAX, &text, NULL) < 0 || !text.len)
        return 0;

    /* "pid (name) state ppid ...": the name may hold anything, its last ')' ends it. Field 22 is
     * the start time. */
    char *p = strrchr(text.data, ')');
    if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
        return 0;
    p += 2;
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (!p)
            return 0;
        p++;
    }
    p[strcspn(p, " \n")] = '\0';
    uint64_t ticks;
    return str_to_u64(p, UINT64_MAX, &ticks) ? ticks : 0;
}
