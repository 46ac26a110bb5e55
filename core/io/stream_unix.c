/* Streams to unix sockets of this machine, on libuv. A stream connects on the loop's next turn, so
 * that no callback runs inside open_unix; until then what is written waits in `early`. The process
 * ignores SIGPIPE: libuv writes with writev(). */
#include "core/io/stream.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define UNIX_READ_MAX         (64U << 10)
#define UNIX_BUSY_RETRY_MS    20
#define UNIX_BUSY_DEADLINE_MS 5000 /* a listener whose queue is full is given this long */

struct local_dialer {
    struct dialer base;
    uv_loop_t *loop;
    char *room; /* one read buffer for all: libuv fills and delivers it in one go */
};

struct unix_stream {
    struct stream base;
    struct local_dialer *dialer;
    uv_pipe_t pipe;
    uv_timer_t turn; /* connects, and delivers an end that was found inside a call */
    unsigned handles;
    char *path;
    uint64_t deadline_ms;
    struct buf early; /* written before it was connected */
    size_t waiting;   /* bytes libuv still holds */
    bool open;
    bool paused;
    bool eof;      /* the peer is done */
    bool shut;     /* the owner is done */
    bool shut_out; /* and the peer knows */
    bool ended;    /* on_close is on its way or was there */
    bool closed;   /* the owner has let go */
    bool failed;
    struct err why;
};

struct unix_write {
    uv_write_t req;
    struct unix_stream *s;
    size_t len;
    char data[];
};

static int unix_write(struct stream *base, const void *data, size_t len, struct err *err);
static void unix_shutdown(struct stream *base);
static void unix_pause(struct stream *base, bool paused);
static void unix_close(struct stream *base);

static const struct stream_ops unix_ops = {
    .write = unix_write,
    .shutdown = unix_shutdown,
    .pause = unix_pause,
    .close = unix_close,
};

static void on_turn(uv_timer_t *timer);

/* ---- the end ---- */

/* Reports the end on the next turn; the first reason wins. */
static void unix_end(struct unix_stream *s, const struct err *why)
{
    if (s->ended || s->closed)
        return;
    s->ended = true;
    if (why) {
        s->failed = true;
        s->why = *why;
    }
    if (s->open)
        (void)uv_read_stop((uv_stream_t *)&s->pipe);
    uv_timer_start(&s->turn, on_turn, 0, 0);
}

static void unix_end_uv(struct unix_stream *s, int status, const char *doing)
{
    struct err err;
    err_sys(&err, -status, "%s %s", doing, s->path);
    unix_end(s, &err);
}

static void unix_end_if_done(struct unix_stream *s)
{
    if (s->eof && s->shut_out)
        unix_end(s, NULL);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct unix_stream *s = handle->data;
    if (--s->handles)
        return;
    buf_wipe(&s->early);
    free(s->path);
    free(s);
}

static void unix_close(struct stream *base)
{
    struct unix_stream *s = (struct unix_stream *)base;
    if (s->closed)
        return;
    s->closed = true;
    uv_close((uv_handle_t *)&s->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&s->turn, on_handle_closed);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct unix_stream *s = handle->data;
    *buf = uv_buf_init(s->dialer->room, UNIX_READ_MAX);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct unix_stream *s = handle->data;
    if (n > 0) {
        s->base.events->on_data(s->base.arg, buf->base, (size_t)n);
    } else if (n == UV_EOF) {
        s->eof = true;
        (void)uv_read_stop(handle);
        s->base.events->on_eof(s->base.arg);
        if (!s->closed)
            unix_end_if_done(s);
    } else if (n < 0) {
        unix_end_uv(s, (int)n, "read from");
    }
}

static void unix_pause(struct stream *base, bool paused)
{
    struct unix_stream *s = (struct unix_stream *)base;
    s->paused = paused;
    if (!s->open || s->eof || s->ended || s->closed)
        return;
    if (paused)
        (void)uv_read_stop((uv_stream_t *)&s->pipe);
    else
        (void)uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status)
{
    struct unix_write *w = (struct unix_write *)req;
    struct unix_stream *s = w->s;
    s->waiting -= w->len;
    explicit_bzero(w->data, w->len);
    free(w);
    if (status < 0 && !s->closed)
        unix_end_uv(s, status, "write to");
}

static void unix_send(struct unix_stream *s, const void *data, size_t len)
{
    struct unix_write *w = xmalloc(sizeof(*w) + len);
    w->s = s;
    w->len = len;
    memcpy(w->data, data, len);
    uv_buf_t buf = uv_buf_init(w->data, (unsigned)len);
    int status = uv_write(&w->req, (uv_stream_t *)&s->pipe, &buf, 1, on_written);
    if (status == 0) {
        s->waiting += len;
        return;
    }
    free(w);
    unix_end_uv(s, status, "write to");
}

static int unix_write(struct stream *base, const void *data, size_t len, struct err *err)
{
    struct unix_stream *s = (struct unix_stream *)base;
    if (s->ended || s->shut)
        return err_set(err, ERR_UNREACHABLE, "write to %s: the connection has ended", s->path);
    if (s->waiting + s->early.len + len > STREAM_OUT_MAX)
        return err_set(err, ERR_BUSY, "write to %s: the other side does not read", s->path);
    if (!len)
        return 0;
    if (s->open)
        unix_send(s, data, len);
    else
        buf_append(&s->early, data, len);
    return 0;
}

static void on_shut(uv_shutdown_t *req, int status)
{
    struct unix_stream *s = req->data;
    free(req);
    if (s->closed)
        return;
    /* ENOTCONN: the peer was faster; it cannot read what we did not send anyway. */
    if (status < 0 && status != UV_ENOTCONN) {
        unix_end_uv(s, status, "close");
        return;
    }
    s->shut_out = true;
    unix_end_if_done(s);
}

static void unix_send_end(struct unix_stream *s)
{
    uv_shutdown_t *req = xcalloc(1, sizeof(*req));
    req->data = s;
    int status = uv_shutdown(req, (uv_stream_t *)&s->pipe, on_shut);
    if (status == 0)
        return;
    free(req);
    unix_end_uv(s, status, "close");
}

static void unix_shutdown(struct stream *base)
{
    struct unix_stream *s = (struct unix_stream *)base;
    if (s->shut || s->ended || s->closed)
        return;
    s->shut = true;
    if (s->open)
        unix_send_end(s);
}

/* ---- connecting ---- */

/* A connected descriptor, or -1. ERR_BUSY: the listener's queue is full, try again. */
static int unix_connect(const char *path, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path))
        return err_set(err, ERR_INVALID, "connect to %s: the path is too long for a socket", path);
    memcpy(addr.sun_path, path, strlen(path) + 1);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, errno, "connect to %s", path);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;

    int why = errno;
    (void)close(fd);
    if (why == EAGAIN)
        return err_set(err, ERR_BUSY, "connect to %s: too many are waiting there", path);
    err_sys(err, why, "connect to %s", path);
    if (why == ENOENT || why == ECONNREFUSED)
        err->kind = ERR_UNREACHABLE;
    return -1;
}

static void unix_open(struct unix_stream *s)
{
    struct err err;
    int fd = unix_connect(s->path, &err);
    if (fd < 0 && err.kind == ERR_BUSY && clock_mono_ms() < s->deadline_ms) {
        uv_timer_start(&s->turn, on_turn, UNIX_BUSY_RETRY_MS, 0);
        return;
    }
    if (fd < 0) {
        unix_end(s, &err);
        return;
    }
    int status = uv_pipe_open(&s->pipe, fd);
    if (status < 0) {
        (void)close(fd);
        unix_end_uv(s, status, "connect to");
        return;
    }

    s->open = true;
    if (!s->paused)
        (void)uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read);
    if (s->early.len)
        unix_send(s, s->early.data, s->early.len);
    buf_wipe(&s->early);
    if (s->shut && !s->ended)
        unix_send_end(s);
    if (!s->ended && s->base.events->on_open)
        s->base.events->on_open(s->base.arg);
}

static void on_turn(uv_timer_t *timer)
{
    struct unix_stream *s = timer->data;
    if (!s->ended) {
        unix_open(s);
        return;
    }
    s->base.events->on_close(s->base.arg, s->failed ? &s->why : NULL);
}

static struct stream *unix_dial(struct dialer *d, const char *path,
                                const struct stream_events *events, void *arg)
{
    struct local_dialer *dialer = (struct local_dialer *)d;
    struct unix_stream *s = xcalloc(1, sizeof(*s));
    s->base = (struct stream){.ops = &unix_ops, .events = events, .arg = arg};
    s->dialer = dialer;
    s->path = xstrdup(path);
    s->deadline_ms = clock_mono_ms() + UNIX_BUSY_DEADLINE_MS;
    s->handles = 2;
    (void)uv_pipe_init(dialer->loop, &s->pipe, 0);
    (void)uv_timer_init(dialer->loop, &s->turn);
    s->pipe.data = s->turn.data = s;
    uv_timer_start(&s->turn, on_turn, 0, 0);
    return &s->base;
}

struct dialer *dialer_local_new(uv_loop_t *loop)
{
    struct local_dialer *d = xcalloc(1, sizeof(*d));
    d->base.open_unix = unix_dial;
    d->loop = loop;
    d->room = xmalloc(UNIX_READ_MAX);
    return &d->base;
}

void dialer_local_free(struct dialer *d)
{
    struct local_dialer *dialer = (struct local_dialer *)d;
    if (!dialer)
        return;
    free(dialer->room);
    free(dialer);
}
