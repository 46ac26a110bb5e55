/* The log of edgeAgent, which is this process: its last lines and, where followed, the new ones, in
 * the engine's frames. The log calls its tap under a lock, so that new lines are only remembered
 * there and sent on the loop's next turn. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/log_query.h"

#include <string.h>

#define STREAM_STDERR 2
#define PENDING_MAX   (1U << 20)

struct mgmt_follow {
    struct mgmt *m;
    struct mgmt_follow *next;
    struct http_exchange *x;
    struct log_query q;
    struct buf pending; /* frames that were not sent yet */
    bool blocked;       /* the reader is slow */
};

/* The time at the beginning of a line of the log; 0 where there is none. */
static uint64_t line_ms(const char *line)
{
    char text[CLOCK_TEXT_MAX];
    uint64_t ms = 0;
    (void)str_format(text, sizeof(text), "%.*s", (int)strcspn(line, " "), line);
    return clock_parse(text, &ms) ? ms : 0;
}

static bool wanted(const struct log_query *q, uint64_t ms)
{
    return ms / 1000 >= q->since_s && (!q->until_s || ms / 1000 < q->until_s);
}

static void put_frame(struct buf *out, const char *line, uint64_t ms, bool timestamps)
{
    char stamp[CLOCK_TEXT_MAX] = "";
    if (timestamps) { /* nanoseconds, as an engine writes them */
        clock_format(stamp, sizeof(stamp), ms);
        size_t n = strcspn(stamp, "Z");
        (void)str_copy(stamp + n, sizeof(stamp) - n, "000000Z ");
    }
    uint32_t len = (uint32_t)(strlen(stamp) + strlen(line) + 1);
    const char head[8] = {STREAM_STDERR,    0,        0, 0, (char)(len >> 24), (char)(len >> 16),
                          (char)(len >> 8), (char)len};
    buf_append(out, head, sizeof(head));
    buf_puts(out, stamp);
    buf_puts(out, line);
    buf_putc(out, '\n');
}

/* ------------------------------------------------------------------------------- what is there */

struct collected {
    const struct log_query *q;
    uint64_t n, skip;
    struct buf frames;
};

static void count_line(void *arg, const char *line)
{
    struct collected *c = arg;
    c->n += wanted(c->q, line_ms(line));
}

static void take_line(void *arg, const char *line)
{
    struct collected *c = arg;
    uint64_t ms = line_ms(line);
    if (!wanted(c->q, ms))
        return;
    if (c->skip)
        c->skip--;
    else
        put_frame(&c->frames, line, ms, c->q->timestamps);
}

/* ------------------------------------------------------------------------------- what comes */

static void on_log_line(void *arg, const char *line)
{
    struct mgmt *m = arg;
    uint64_t ms = line_ms(line);
    bool any = false;
    for (struct mgmt_follow *f = m->follows; f; f = f->next) {
        if (!wanted(&f->q, ms) || f->pending.len > PENDING_MAX)
            continue; /* a reader that slow loses lines of ours */
        put_frame(&f->pending, line, ms, f->q.timestamps);
        any = true;
    }
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

void mgmt_own_log(struct mgmt *m, struct http_exchange *x, const struct log_query *q)
{
    struct collected c = {.q = q};
    log_recent(count_line, &c);
    c.skip = q->tail < c.n ? c.n - q->tail : 0;
    log_recent(take_line, &c);
    if (!q->follow) {
        http_reply(x, 200, "text/plain", c.frames.data, c.frames.len);
        buf_done(&c.frames);
        return;
    }
    struct mgmt_follow *f = xcalloc(1, sizeof(*f));
    f->m = m;
    f->x = x;
    f->q = *q;
    f->pending = c.frames;
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
