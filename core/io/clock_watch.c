/* See clock_watch.h. A timer for a time that never comes, which the kernel cancels when the clock
 * is set. */
#include "core/io/clock_watch.h"

#include "core/base/log.h"
#include "core/base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct clock_watch {
    uv_poll_t poll;
    int fd;
    void (*fn)(void *arg);
    void *arg;
};

_Static_assert(sizeof(time_t) == sizeof(int64_t), "a time that never comes");

static int arm(int fd)
{
    const struct itimerspec never = {.it_value.tv_sec = INT64_MAX / 1000000000};

    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct clock_watch *w = poll->data;
    uint64_t expirations;

    (void)status, (void)events;
    if (read(w->fd, &expirations, sizeof(expirations)) >= 0 || errno != ECANCELED)
        return;
    (void)arm(w->fd);
    w->fn(w->arg);
}

struct clock_watch *clock_watch_new(uv_loop_t *loop, void (*fn)(void *arg), void *arg)
{
    struct clock_watch *w = xcalloc(1, sizeof(*w));

    w->fn = fn;
    w->arg = arg;
    w->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->fd < 0 || arm(w->fd) < 0) {
        struct err err;

        err_sys(&err, errno, "it is not seen when the clock is set");
        log_warn("clock", "%s", err.msg);
        return w;
    }
    (void)uv_poll_init(loop, &w->poll, w->fd);
    w->poll.data = w;
    (void)uv_poll_start(&w->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&w->poll);
    return w;
}

static void on_closed(uv_handle_t *handle)
{
    struct clock_watch *w = handle->data;

    (void)close(w->fd);
    free(w);
}

void clock_watch_free(struct clock_watch *w)
{
    if (!w)
        return;
    if (w->poll.data) {
        uv_close((uv_handle_t *)&w->poll, on_closed);
        return;
    }
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w);
}
