/* The log of edgeAgent, which is this process, or of edgeHub, which is in it: its last lines and,
 * where followed, the new ones, as agent_log.h makes frames of them. The log calls its tap under a
 * lock, so that new lines are only remembered there and sent on the loop's next turn. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/log.h"
#include "core/base/mem.h"

#define PENDING_MAX (1U << 20)

struct mgmt_follow {
    struct mgmt *m;
    struct mgmt_follow *next;
    struct http_exchange *x;
    enum agent_log which;
    struct log_query q;
    struct buf pending; /* frames that were not sent yet */
    bool blocked;       /* the reader is slow */
};

/* ------------------------------------------------------------------------------- what comes */

static void on_log_line(void *arg, const char *line)
{
    struct mgmt *m = arg;
    bool any = false;
    for (struct mgmt_follow *f = m->follows; f; f = f->next) /* a slow reader loses lines of ours */
        any =
            (f->pending.len <= PENDING_MAX && agent_log_line(f->which, &f->q, line, &f->pending)) ||
            any;
    if (any)
        (void)uv_async_send(m->log_wake);
}

static void send_pending(struct mgmt_follow *f)
{
    struct buf frames = f->pending;
    f->pending = (struct buf){0};
    if (frames.len)
        f->blocked = !http_reply_chunk(f->x, frames.data, frames.len);
    buf_done(&frames);
}

static void on_log_wake(uv_async_t *wake)
{
    struct mgmt *m = wake->data;
    for (struct mgmt_follow *f = m->follows; f; f = f->next)
        if (!f->blocked)
            send_pending(f);
}

static void on_drain(void *arg)
{
    struct mgmt_follow *f = arg;
    f->blocked = false;
    send_pending(f);
}

static void on_client_gone(void *arg)
{
    struct mgmt_follow *f = arg;
    struct mgmt_follow **at = &f->m->follows;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    buf_done(&f->pending);
    free(f);
}

/* ------------------------------------------------------------------------------- life */

void mgmt_own_log(struct mgmt *m, struct http_exchange *x, enum agent_log which,
                  const struct log_query *q)
{
    struct buf frames = {0};
    agent_log_recent(which, q, &frames);
    if (!q->follow) {
        http_reply(x, 200, "text/plain", frames.data, frames.len);
        buf_done(&frames);
        return;
    }
    struct mgmt_follow *f = xcalloc(1, sizeof(*f));
    f->m = m;
    f->x = x;
    f->which = which;
    f->q = *q;
    f->pending = frames;
    f->next = m->follows;
    m->follows = f;
    http_exchange_on_close(x, on_client_gone, f);
    http_reply_start(x, 200, "text/plain", on_drain, f);
    send_pending(f);
}

static void on_wake_closed(uv_handle_t *handle)
{
    free(handle);
}

void mgmt_own_log_init(struct mgmt *m)
{
    m->log_wake = xcalloc(1, sizeof(*m->log_wake));
    (void)uv_async_init(m->c.loop, m->log_wake, on_log_wake);
    m->log_wake->data = m;
    log_tap(on_log_line, m);
}

void mgmt_own_log_done(struct mgmt *m)
{
    log_tap(NULL, NULL);
    uv_close((uv_handle_t *)m->log_wake, on_wake_closed);
}
