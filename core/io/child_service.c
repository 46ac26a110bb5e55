/* Programs that serve us: see child.h. One is over when it has exited and what it wrote is read; a
 * grandchild that keeps a pipe open is given a short grace only. */
#include "core/io/child.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#define SERVICE_GRACE_MS 500
#define SERVICE_LINE_MAX 1024

struct text_line {
    char at[SERVICE_LINE_MAX];
    size_t len;
};

struct child_service {
    uv_process_t process;
    uv_pipe_t log, report;
    uv_timer_t timer; /* the kill, then the grace */
    unsigned handles;
    struct text_line line, word;
    char room[4096];
    const struct child_service_events *events;
    void *arg;
    int status;
    bool told;                    /* on_ready came, or never will */
    bool log_ended, exited, over; /* over: on_exit came */
    bool freed;
};

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct child_service *s = handle->data;
    if (--s->handles == 0)
        free(s);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void release(struct child_service *s)
{
    close_handle((uv_handle_t *)&s->process);
    close_handle((uv_handle_t *)&s->log);
    close_handle((uv_handle_t *)&s->report);
    close_handle((uv_handle_t *)&s->timer);
}

static void end(struct child_service *s)
{
    if (s->over)
        return;
    s->over = true;
    (void)uv_timer_stop(&s->timer);
    if (!s->freed)
        s->events->on_exit(s->arg, s->status);
}

static void end_if_done(struct child_service *s)
{
    if (s->exited && s->log_ended && s->told)
        end(s);
}

static void signal_all(const struct child_service *s, int number)
{
    if (!s->exited)
        (void)kill(-s->process.pid, number);
}

void child_service_free(struct child_service *s)
{
    if (!s || s->freed)
        return;
    s->freed = true;
    signal_all(s, SIGKILL);
    if (s->exited)
        release(s); /* else on_exit_status does: until then libuv must reap it */
}

static void on_kill(uv_timer_t *timer)
{
    signal_all(timer->data, SIGKILL);
}

void child_service_end(struct child_service *s, uint64_t grace_ms)
{
    if (s->exited)
        return;
    (void)kill(s->process.pid, SIGTERM);
    uv_update_time(s->timer.loop);
    (void)uv_timer_start(&s->timer, on_kill, grace_ms, 0);
}

/* ---- what it says ---- */

static void tell_line(struct child_service *s)
{
    char shown[2 * SERVICE_LINE_MAX];
    s->line.at[s->line.len] = '\0';
    s->line.len = 0;
    str_sanitise_to(shown, sizeof(shown), s->line.at);
    if (*shown && !s->freed)
        s->events->on_line(s->arg, shown);
}

static void take_log(struct child_service *s, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\n' && data[i])
            s->line.at[s->line.len++] = data[i];
        if (data[i] == '\n' || s->line.len == SERVICE_LINE_MAX - 1)
            tell_line(s);
    }
}

static void tell_ready(struct child_service *s)
{
    char shown[SERVICE_LINE_MAX];
    s->told = true;
    s->word.at[s->word.len] = '\0';
    str_sanitise_to(shown, sizeof(shown), str_trim(s->word.at));
    if (*shown && !s->freed)
        s->events->on_ready(s->arg, str_eq(shown, "ready") ? "" : shown);
}

static void take_word(struct child_service *s, const char *data, size_t len)
{
    for (size_t i = 0; i < len && !s->told; i++) {
        if (data[i] != '\n' && data[i])
            s->word.at[s->word.len++] = data[i];
        if (data[i] == '\n' || s->word.len == SERVICE_LINE_MAX - 1)
            tell_ready(s);
    }
}

/* ---- events ---- */

static void on_grace(uv_timer_t *timer)
{
    end(timer->data);
}

static void on_exit_status(uv_process_t *process, int64_t status, int number)
{
    struct child_service *s = process->data;
    s->exited = true;
    s->status = number ? 128 + number : (int)status;
    if (s->freed) {
        release(s);
        return;
    }
    (void)uv_timer_start(&s->timer, on_grace, SERVICE_GRACE_MS, 0);
    end_if_done(s);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child_service *s = handle->data;
    (void)suggested;
    *buf = uv_buf_init(s->room, sizeof(s->room));
}

static void on_log(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child_service *s = stream->data;
    if (n > 0)
        take_log(s, buf->base, (size_t)n);
    if (n >= 0)
        return;
    (void)uv_read_stop(stream);
    tell_line(s);
    s->log_ended = true;
    end_if_done(s);
}

static void on_report(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child_service *s = stream->data;
    if (n > 0)
        take_word(s, buf->base, (size_t)n);
    else if (n < 0 && !s->told)
        tell_ready(s);
    if (!s->told)
        return;
    (void)uv_read_stop(stream);
    end_if_done(s);
}

/* ---- starting ---- */

static int spawn(struct child_service *s, uv_loop_t *loop, const char *const *argv)
{
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&s->log},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&s->report},
    };
    const uv_process_options_t options = {
        .file = argv[0],
        .args = (char **)(uintptr_t)argv,
        .cwd = "/",
        .exit_cb = on_exit_status,
        .flags = UV_PROCESS_DETACHED,
        .stdio = stdio,
        .stdio_count = 4,
    };
    return uv_spawn(loop, &s->process, &options);
}

struct child_service *child_service_start(uv_loop_t *loop, const char *const *argv,
                                          const struct child_service_events *events, void *arg,
                                          struct err *err)
{
    assert(argv && argv[0]);
    struct child_service *s = xcalloc(1, sizeof(*s));
    s->events = events;
    s->arg = arg;
    (void)uv_pipe_init(loop, &s->log, 0);
    (void)uv_pipe_init(loop, &s->report, 0);
    (void)uv_timer_init(loop, &s->timer);
    s->process.data = s->log.data = s->report.data = s->timer.data = s;
    s->handles = 4;
    int status = spawn(s, loop, argv);
    if (status < 0) {
        err_sys(err, -status, "start %s", argv[0]);
        s->exited = s->freed = true;
        release(s);
        return NULL;
    }
    (void)uv_read_start((uv_stream_t *)&s->log, on_alloc, on_log);
    (void)uv_read_start((uv_stream_t *)&s->report, on_alloc, on_report);
    return s;
}

pid_t child_service_pid(const struct child_service *s)
{
    return s->process.pid;
}
