/* See log_query.h. */
#include "vm/guest/edged/log_query.h"

#include "core/base/clock.h"
#include "core/base/str.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *names; /* divided by blanks, a blank at both ends */
    uint64_t seconds;
} units[] = {
    {" s sec secs second seconds ", 1}, {" m min mins minute minutes ", 60},
    {" h hr hrs hour hours ", 3600},    {" d day days ", 86400},
    {" w week weeks ", 604800},         {" M month months ", 2630016},
    {" y year years ", 31557600},
};

static uint64_t unit_seconds(const char *name, size_t len)
{
    char padded[16];
    if (len == 0 || len > 8)
        return 0;
    (void)str_format(padded, sizeof(padded), " %.*s ", (int)len, name);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strstr(units[i].names, padded))
            return units[i].seconds;
    return 0;
}

/* "2 days 3h": numbers with units, added up. */
static bool parse_duration(const char *text, uint64_t *ret_s)
{
    uint64_t total = 0;
    bool any = false;
    for (;;) {
        text += strspn(text, " ");
        if (!*text)
            break;
        char digits[12];
        size_t n = strspn(text, "0123456789");
        uint64_t number = 0;
        if (n == 0 || n > 9)
            return false;
        (void)str_format(digits, sizeof(digits), "%.*s", (int)n, text);
        (void)str_to_u64(digits, UINT32_MAX, &number);
        text += n;
        text += strspn(text, " ");
        size_t len = 0;
        while (isalpha((unsigned char)text[len]))
            len++;
        uint64_t seconds = unit_seconds(text, len);
        if (!seconds)
            return false;
        total += number * seconds;
        text += len;
        any = true;
    }
    *ret_s = total;
    return any;
}

static bool parse_when(const char *value, uint64_t now_s, uint64_t *ret_s)
{
    uint64_t ms = 0, ago = 0;
    if (str_to_u64(value, UINT32_MAX, ret_s))
        return true;
    if (clock_parse(value, &ms)) {
        *ret_s = ms / 1000;
        return true;
    }
    if (!parse_duration(value, &ago))
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
