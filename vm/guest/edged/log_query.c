/* See log_query.h. */
#include "vm/guest/edged/log_query.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/edged/duration.h"

static bool parse_when(const char *value, uint64_t now_s, uint64_t *ret_s)
{
    uint64_t ms = 0, ago = 0;
    if (str_to_u64(value, UINT32_MAX, ret_s))
        return true;
    if (clock_parse(value, &ms)) {
        *ret_s = ms / 1000;
        return true;
    }
    if (!duration_parse(value, &ago))
        return false;
    *ret_s = ago < now_s ? now_s - ago : 0;
    return true;
}

static bool parse_bool(const char *value, bool *ret)
{
    *ret = str_eq(value, "true");
    return *ret || str_eq(value, "false");
}

int log_query_set(struct log_query *q, const char *name, const char *value, uint64_t now_s,
                  struct err *err)
{
    bool good = true;
    if (str_eq(name, "follow"))
        good = parse_bool(value, &q->follow);
    else if (str_eq(name, "timestamps"))
        good = parse_bool(value, &q->timestamps);
    else if (str_eq(name, "tail"))
        good = str_eq(value, "all") || str_to_u64(value, LOG_QUERY_ALL - 1, &q->tail);
    else if (str_eq(name, "since"))
        good = parse_when(value, now_s, &q->since_s);
    else if (str_eq(name, "until"))
        good = parse_when(value, now_s, &q->until_s);
    return good ? 0 : err_set(err, ERR_INVALID, "invalid parameter: %s", name);
}

void log_query_target(const struct log_query *q, const char *container, struct buf *out)
{
    buf_printf(out, "/containers/%s/logs?stdout=true&stderr=true&follow=%s&timestamps=%s",
               container, q->follow ? "true" : "false", q->timestamps ? "true" : "false");
    if (q->tail == LOG_QUERY_ALL)
        buf_puts(out, "&tail=all");
    else
        buf_printf(out, "&tail=%llu", (unsigned long long)q->tail);
    if (q->since_s)
        buf_printf(out, "&since=%llu", (unsigned long long)q->since_s);
    if (q->until_s)
        buf_printf(out, "&until=%llu", (unsigned long long)q->until_s);
}
