/* See agent_log.h. */
#include "vm/guest/edged/agent_log.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"

#include <string.h>

#define STREAM_STDERR 2
#define HUB_AREA      "edgeHub"

/* The time at the beginning of a line of the log; 0 where there is none. */
static uint64_t line_ms(const char *line)
{
    char text[CLOCK_TEXT_MAX];
    uint64_t ms = 0;
    (void)str_format(text, sizeof(text), "%.*s", (int)strcspn(line, " "), line);
    return clock_parse(text, &ms) ? ms : 0;
}

/* What is behind time and level. */
static const char *after_level(const char *line)
{
    const char *level = line + strcspn(line, " ");
    level += strspn(level, " ");
    const char *rest = level + strcspn(level, " ");
    return rest + strspn(rest, " ");
}

static bool wanted(enum agent_log which, const struct log_query *q, const char *line, uint64_t ms)
{
    bool hub = str_starts(after_level(line), HUB_AREA ":");
    return hub == (which == AGENT_LOG_HUB) && ms / 1000 >= q->since_s &&
           (!q->until_s || ms / 1000 < q->until_s);
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

struct collected {
    enum agent_log which;
    const struct log_query *q;
    uint64_t n, skip;
    struct buf *out;
};

static void count_line(void *arg, const char *line)
{
    struct collected *c = arg;
    c->n += wanted(c->which, c->q, line, line_ms(line));
}

bool agent_log_line(enum agent_log which, const struct log_query *q, const char *line,
                    struct buf *out)
{
    uint64_t ms = line_ms(line);
    if (!wanted(which, q, line, ms))
        return false;
    put_frame(out, line, ms, q->timestamps);
    return true;
}

static void take_line(void *arg, const char *line)
{
    struct collected *c = arg;
    if (c->skip && wanted(c->which, c->q, line, line_ms(line)))
        c->skip--;
    else
        (void)agent_log_line(c->which, c->q, line, c->out);
}

void agent_log_recent(enum agent_log which, const struct log_query *q, struct buf *out)
{
    struct collected c = {.which = which, .q = q, .out = out};
    log_recent(count_line, &c);
    c.skip = q->tail < c.n ? c.n - q->tail : 0;
    log_recent(take_line, &c);
}

void agent_log_hub(const char *line)
{
    char word[8];
    enum log_level level = LOG_LEVEL_WARN; /* what is not written by its log was not meant to be */
    const char *text = line;
    if (line_ms(line)) {
        const char *at = line + strcspn(line, " ");
        at += strspn(at, " ");
        (void)str_format(word, sizeof(word), "%.*s", (int)strcspn(at, " "), at);
        if (log_level_parse(word, &level, NULL) == 0)
            text = after_level(line);
    }
    log_line(level, HUB_AREA, "%s", text);
}
