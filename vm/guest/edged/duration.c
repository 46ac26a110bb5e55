/* See duration.h. */
#include "vm/guest/edged/duration.h"

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

bool duration_parse(const char *text, uint64_t *ret_s)
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

/* A number of at most MAX at *AT, behind which END comes; *AT is moved behind that. */
static bool take_part(const char **at, uint64_t max, char end, uint64_t *ret)
{
    char digits[12];
    size_t n = strspn(*at, "0123456789");
    if ((*at)[n] != end || !str_format(digits, sizeof(digits), "%.*s", (int)n, *at) ||
        !str_to_u64(digits, max, ret))
        return false;
    *at += n + (end ? 1 : 0);
    return true;
}

bool duration_timespan(const char *text, uint64_t *ret_s)
{
    uint64_t days = 0, hours = 0, minutes = 0, seconds = 0;
    if (strchr(text, '.') && !take_part(&text, UINT16_MAX, '.', &days))
        return false;
    if (!take_part(&text, 23, ':', &hours) || !take_part(&text, 59, ':', &minutes) ||
        !take_part(&text, 59, '\0', &seconds))
        return false;
    *ret_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    return true;
}
