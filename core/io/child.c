/* See child.h. A child is over when it has exited and both its pipes are at their end; a grandchild
 * that keeps a pipe open is given a short grace only. Every child has a process group of its own,
 * so that it can be ended as a whole. */
#include "core/io/child.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#define CHILD_OUTPUT_DEFAULT (64U << 10)
#define CHILD_KILL_MS        2000
#define CHILD_GRACE_MS       500
#define CHILD_READ_MAX       (16U << 10)

struct child {
    uv_process_t process;
    uv_pipe_t in;
    uv_pipe_t out[2]; /* stdout, stderr */
    uv_timer_t
        timer; /* the deadline, then the kill, then the grace; or the report of a failed start */
    unsigned handles;
    struct child_result result;
    struct err why; /* of a failed start or a passed deadline */
    char *name;
    struct buf input;
    uv_write_t write;
    char room[CHILD_READ_MAX];
    size_t output_max;
    child_done_fn done;
    void *arg;
    bool exited;
    bool out_ended[2];
    bool over; /* done was called */
    bool cancelled;
};

/* ---- the end ---- */

void child_result_done(struct child_result *r)
{
    buf_done(&r->out);
    buf_done(&r->err);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;
    if (--c->handles)
        return;
    child_result_done(&c->result);
    buf_wipe(&c->input);
    free(c->name);
    free(c);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void child_release(struct child *c)
{
    c->over = true;
    close_handle((uv_handle_t *)&c->process);
    close_handle((uv_handle_t *)&c->in);
    close_handle((uv_handle_t *)&c->out[0]);
    close_handle((uv_handle_t *)&c->out[1]);
    close_handle((uv_handle_t *)&c->timer);
}

/* The last line that is not empty: what programs that fail say. Cuts TEXT. */
static char *last_line(char *text)
{
    text = str_trim(text);
    char *nl = strrchr(text, '\n');
    return nl ? nl + 1 : text;
}

static void child_explain(const struct child *c, struct err *err)
{
    if (c->why.kind != ERR_NONE) {
        *err = c->why;
        return;
    }
    auto_free char *text = xstrdup(buf_str(&c->result.err));
    char said[300];
    str_sanitise_to(said, sizeof(said), last_line(text));
    const char *colon = said[0] ? ": " : "";
    if (c->result.signal)
        err_set(err, ERR_REMOTE, "%s was ended by signal %d%s%s", c->name, c->result.signal, colon,
                said);
    else
        err_set(err, ERR_REMOTE, "%s failed with status %d%s%s", c->name, c->result.status, colon,
                said);
}

static void child_end(struct child *c)
{
    if (c->over)
        return;
    c->over = true;
    struct err err;
    bool bad = c->why.kind != ERR_NONE || c->result.signal || c->result.status;
    if (bad)
        child_explain(c, &err);
    if (!c->cancelled)
        c->done(c->arg, &c->result, bad ? &err : NULL);
    child_release(c);
}

static void child_end_if_done(struct child *c)
{
    if (c->exited && c->out_ended[0] && c->out_ended[1])
        child_end(c);
}

static void child_signal(const struct child *c, int signum)
{
    if (!c->exited)
        (void)kill(-c->process.pid, signum);
}

void child_cancel(struct child *c)
{
    if (!c || c->over)
        return;
    c->cancelled = true;
    if (c->process.pid > 0)
        child_signal(c, SIGKILL); /* on_exit releases: until then libuv must reap it */
    else
        child_release(c);
}

/* ---- events ---- */

static void on_grace(uv_timer_t *timer)
{
    child_end(timer->data);
}

static void on_kill(uv_timer_t *timer)
{
    child_signal(timer->data, SIGKILL);
}

static void on_deadline(uv_timer_t *timer)
{
    struct child *c = timer->data;
    err_set(&c->why, ERR_TIMEOUT, "%s took too long and was ended", c->name);
    child_signal(c, SIGTERM);
    uv_timer_start(&c->timer, on_kill, CHILD_KILL_MS, 0);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signum)
{
    struct child *c = process->data;
    c->exited = true;
    c->result.status = signum ? -1 : (int)status;
    c->result.signal = signum;
    if (c->cancelled) {
        child_release(c);
        return;
    }
    uv_timer_start(&c->timer, on_grace, CHILD_GRACE_MS, 0);
    child_end_if_done(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct child *c = handle->data;
    *buf = uv_buf_init(c->room, sizeof(c->room));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = stream->data;
    size_t which = stream == (uv_stream_t *)&c->out[1];
    struct buf *to = which ? &c->result.err : &c->result.out;
    if (n > 0) {
        size_t room = c->output_max - to->len;
        size_t take = (size_t)n < room ? (size_t)n : room;
        c->result.cut |= take < (size_t)n;
        buf_append(to, buf->base, take);
    } else if (n < 0) {
        (void)uv_read_stop(stream);
        c->out_ended[which] = true;
        child_end_if_done(c);
    }
}

static void on_input_written(uv_write_t *req, int status)
{
    struct child *c = req->data;
    (void)status; /* a child that does not read its input is its own business */
    buf_wipe(&c->input);
    close_handle((uv_handle_t *)&c->in);
}

/* ---- starting ---- */

/* Our environment and EXTRA over it. The strings are borrowed; free the array. */
static char **child_env(const char *const *extra)
{
    size_t n = 0, n_extra = 0;
    while (environ[n])
        n++;
    while (extra[n_extra])
        n_extra++;

    char **env = xcalloc(n + n_extra + 1, sizeof(*env));
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        size_t name = strcspn(environ[i], "=") + 1;
        bool replaced = false;
        for (size_t j = 0; j < n_extra; j++)
            replaced |= strncmp(environ[i], extra[j], name) == 0;
        if (!replaced)
            env[k++] = environ[i];
    }
    for (size_t j = 0; j < n_extra; j++)
        env[k++] = (char *)(uintptr_t)extra[j];
    return env;
}

static int child_spawn(struct child *c, uv_loop_t *loop, const struct child_options *o)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out[0]},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->out[1]},
    };
    if (o->input) {
        stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
        stdio[0].data.stream = (uv_stream_t *)&c->in;
    }
    auto_free char **env = o->env ? child_env(o->env) : NULL;
    uv_process_options_t options = {
        .file = o->argv[0],
        .args = (char **)(uintptr_t)o->argv,
        .env = env,
        .cwd = o->cwd,
        .exit_cb = on_exit_status,
        .flags = UV_PROCESS_DETACHED,
        .stdio = stdio,
        .stdio_count = 3,
    };
    return uv_spawn(loop, &c->process, &options);
}

static void child_init(struct child *c, uv_loop_t *loop)
{
    (void)uv_pipe_init(loop, &c->in, 0);
    (void)uv_pipe_init(loop, &c->out[0], 0);
    (void)uv_pipe_init(loop, &c->out[1], 0);
    (void)uv_timer_init(loop, &c->timer);
    c->process.data = c->in.data = c->out[0].data = c->out[1].data = c->timer.data = c;
    c->handles = 5;
}

static void child_feed(struct child *c, const struct child_options *o)
{
    if (!o->input)
        return;
    buf_append(&c->input, o->input, o->input_len);
    uv_buf_t buf = uv_buf_init(c->input.data, (unsigned)c->input.len);
    c->write.data = c;
    if (!o->input_len || uv_write(&c->write, (uv_stream_t *)&c->in, &buf, 1, on_input_written) < 0)
        close_handle((uv_handle_t *)&c->in);
}

struct child *child_start(uv_loop_t *loop, const struct child_options *o, child_done_fn done,
                          void *arg)
{
    assert(o->argv && o->argv[0]);
    struct child *c = xcalloc(1, sizeof(*c));
    const char *slash = strrchr(o->argv[0], '/');
    c->name = xstrdup(slash ? slash + 1 : o->argv[0]);
    c->output_max = o->output_max ? o->output_max : CHILD_OUTPUT_DEFAULT;
    c->done = done;
    c->arg = arg;
    child_init(c, loop);

    int status = child_spawn(c, loop, o);
    if (status < 0) {
        c->process.pid = 0;
        c->result.status = -1;
        err_sys(&c->why, -status, "start %s", o->argv[0]);
        uv_timer_start(&c->timer, on_grace, 0, 0);
        return c;
    }
    (void)uv_read_start((uv_stream_t *)&c->out[0], on_alloc, on_output);
    (void)uv_read_start((uv_stream_t *)&c->out[1], on_alloc, on_output);
    child_feed(c, o);
    if (o->timeout_ms) {
        uv_update_time(loop);
        uv_timer_start(&c->timer, on_deadline, o->timeout_ms, 0);
    }
    return c;
}

/* ---- blocking ---- */

struct run {
    struct child_result *ret;
    struct err *err;
    bool bad;
};

static void on_run_done(void *arg, const struct child_result *result, const struct err *err)
{
    struct run *run = arg;
    if (run->ret) {
        *run->ret = (struct child_result){
            .status = result->status, .signal = result->signal, .cut = result->cut};
        buf_append(&run->ret->out, buf_str(&result->out), result->out.len);
        buf_append(&run->ret->err, buf_str(&result->err), result->err.len);
    }
    run->bad = err != NULL;
    if (err && run->err)
        *run->err = *err;
}

int child_run(const struct child_options *options, struct child_result *ret, struct err *err)
{
    uv_loop_t loop;
    int status = uv_loop_init(&loop);
    if (status < 0)
        return err_sys(err, -status, "start %s", options->argv[0]);
    struct run run = {.ret = ret, .err = err};
    (void)child_start(&loop, options, on_run_done, &run);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    status = uv_loop_close(&loop);
    assert(status == 0);
    return run.bad ? -1 : 0;
}
