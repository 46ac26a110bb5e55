/* See wire.h. */
#include "core/rpc/wire.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/rpc/frame.h"

#include <string.h>

#define WIRE_READ_SIZE 65536

struct wire {
    uv_pipe_t pipe;
    const struct wire_events *events;
    void *arg;
    struct frame in;
    char *read_block;
    size_t queued;
    bool closing; /* wire_free was called: no more events */
    bool ended;   /* on_end was delivered */
};

struct wire_write {
    uv_write_t req;
    struct wire *wire;
    struct buf line;
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *block);
static void on_written(uv_write_t *req, int status);
static void on_closed(uv_handle_t *handle);

struct wire *wire_new(uv_loop_t *loop, int take_fd, const struct wire_events *events, void *arg,
                      struct err *err)
{
    struct wire *w = xcalloc(1, sizeof(*w));
    w->events = events;
    w->arg = arg;
    w->pipe.data = w;
    (void)uv_pipe_init(loop, &w->pipe, 0);
    int rc = uv_pipe_open(&w->pipe, take_fd);
    if (rc < 0)
        (void)close(take_fd);
    else
        rc = uv_read_start((uv_stream_t *)&w->pipe, on_alloc, on_read);
    if (rc < 0) {
        wire_free(w);
        err_sys(err, -rc, "open the connection");
        return NULL;
    }
    return w;
}

void wire_free(struct wire *w)
{
    if (!w || w->closing)
        return;
    w->closing = true;
    uv_close((uv_handle_t *)&w->pipe, on_closed);
}

static void on_closed(uv_handle_t *handle)
{
    struct wire *w = handle->data;
    frame_done(&w->in);
    free(w->read_block);
    free(w);
}

static void end(struct wire *w, const struct err *why)
{
    if (w->closing || w->ended)
        return;
    w->ended = true;
    (void)uv_read_stop((uv_stream_t *)&w->pipe);
    w->events->on_end(w->arg, why);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct wire *w = handle->data;
    (void)suggested;
    if (!w->read_block)
        w->read_block = xmalloc(WIRE_READ_SIZE);
    *ret_buf = uv_buf_init(w->read_block, WIRE_READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *block)
{
    struct wire *w = stream->data;
    struct err err = {0};
    if (n == 0)
        return;
    if (n < 0) {
        err_set(&err, ERR_UNREACHABLE, "%s",
                n == UV_EOF ? "the other side closed the connection" : uv_strerror((int)n));
        end(w, &err);
        return;
    }

    const char *line = NULL;
    size_t len = 0;
    int rc = 0;
    frame_push(&w->in, block->base, (size_t)n);
    while (!w->closing && (rc = frame_next(&w->in, &line, &len, &err)) > 0)
        w->events->on_line(w->arg, line, len);
    explicit_bzero(block->base, (size_t)n); /* secrets pass here; they do not stay */
    frame_wipe_taken(&w->in);
    if (rc < 0)
        end(w, &err);
}

int wire_send(struct wire *w, const cJSON *message, struct err *err)
{
    if (w->closing || w->ended)
        return err_set(err, ERR_UNREACHABLE, "the connection is closed");
    struct wire_write *write = xcalloc(1, sizeof(*write));
    json_print(&write->line, message);
    size_t len = write->line.len;
    buf_putc(&write->line, '\n');
    int rc = 0;
    if (len > FRAME_MAX)
        rc = err_set(err, ERR_INVALID,
                     "a message of %zu bytes is longer than the %u that are allowed", len,
                     FRAME_MAX);
    else if (w->queued + len > WIRE_OUT_MAX)
        rc = err_set(err, ERR_BUSY, "the other side does not read");

    if (rc == 0) {
        uv_buf_t block = uv_buf_init(write->line.data, (unsigned)write->line.len);
        write->wire = w;
        int sent = uv_write(&write->req, (uv_stream_t *)&w->pipe, &block, 1, on_written);
        if (sent == 0) {
            w->queued += write->line.len;
            return 0;
        }
        rc = err_sys(err, -sent, "send");
    }
    buf_wipe(&write->line);
    free(write);
    return rc;
}

static void on_written(uv_write_t *req, int status)
{
    struct wire_write *write = (struct wire_write *)req;
    struct wire *w = write->wire;
    w->queued -= write->line.len;
    buf_wipe(&write->line); /* a connection string may have travelled in it */
    free(write);
    if (w->closing)
        return;
    if (status < 0) {
        struct err err = {0};
        err_set(&err, ERR_UNREACHABLE, "%s", uv_strerror(status));
        end(w, &err);
    } else if (w->queued == 0 && w->events->on_drain) {
        w->events->on_drain(w->arg);
    }
}

size_t wire_queued(const struct wire *w)
{
    return w->queued;
}
