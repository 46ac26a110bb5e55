/* See str.h. */
#include "core/base/str.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s);
    size_t m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_copy(char *to, size_t size, const char *from)
{
    assert(size > 0);
    if (!from)
        from = "";
    size_t len = strlen(from);
    bool fits = len < size;
    if (!fits) {
        len = size - 1;
        while (len && ((unsigned char)from[len] & 0xC0) == 0x80)
            len--;
    }
    if (len)
        memmove(to, from, len);
    to[len] = '\0';
    return fits;
}

bool str_format(char *to, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(to, size, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < size;
}

bool str_to_u64(const char *s, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (!s || !*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        uint64_t digit = (uint64_t)(*s - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char *str_trim(char *s)
{
    while (is_blank(*s))
        s++;
    size_t len = strlen(s);
    while (len && is_blank(s[len - 1]))
        s[--len] = '\0';
    return s;
}

size_t str_utf8_decode(const char *data, size_t len, uint32_t *ret_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (!len)
        return 0;

    unsigned char first = (unsigned char)data[0];
    size_t need = first < 0x80         ? 1
                  : (first >> 5) == 6  ? 2
                  : (first >> 4) == 14 ? 3
                  : (first >> 3) == 30 ? 4
                                       : 0;
    if (!need || need > len)
        return 0;

    uint32_t point = need == 1 ? first : first & (0x7FU >> need);
    for (size_t i = 1; i < need; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((c & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (c & 0x3F);
    }
    if (point < smallest[need] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    *ret_point = point;
    return need;
}

bool str_utf8_valid(const char *data, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t point;
        size_t n = (unsigned char)data[i] < 0x80 ? 1 : str_utf8_decode(data + i, len - i, &point);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

/* Code points that draw nothing but change what stands around them: direction, joiners, tags, line
 * separators. */
static bool is_invisible(uint32_t p)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        {0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},
        {0x2060, 0x206F}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (p >= ranges[i].from && p <= ranges[i].to)
            return true;
    return false;
}

/* How many printable ASCII bytes DATA begins with: most text is nothing else. */
static size_t plain_length(const char *data, size_t len)
{
    size_t n = 0;
    while (n < len && data[n] >= 0x20 && data[n] < 0x7F)
        n++;
    return n;
}

void str_sanitise(struct buf *out, const char *data, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t plain = plain_length(data + i, len - i);
        buf_append(out, data + i, plain);
        i += plain;
        if (i == len)
            return;
        uint32_t point = 0;
        size_t n = str_utf8_decode(data + i, len - i, &point);
        if (n == 0)
            buf_printf(out, "\\x%02x", (unsigned char)data[i]);
        else if (point == '\t')
            buf_putc(out, ' ');
        else if (point < 0x20 || point == 0x7F)
            buf_printf(out, "^%c", (char)(point ^ 0x40));
        else if (point >= 0x80 && point < 0xA0)
            buf_printf(out, "\\x%02x", (unsigned)point);
        else if (is_invisible(point))
            buf_printf(out, "\\u{%" PRIX32 "}", point);
        else
            buf_append(out, data + i, n);
        i += n ? n : 1;
    }
}

void str_sanitise_to(char *to, size_t size, const char *from)
{
    auto_buf struct buf clean = {0};
    /* Each byte yields at least one: more than SIZE of them cannot show. */
    str_sanitise(&clean, from, strnlen(from, size));
    (void)str_copy(to, size, buf_str(&clean));
}

uint32_t str_hash(uint32_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    while (*text++);
    return hash;
}

void str_bytes(char *to, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    (void)str_format(to, size, unit && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void str_duration(char *to, size_t size, uint64_t seconds)
{
    uint64_t minutes = seconds / 60;
    uint64_t hours = minutes / 60;
    if (hours >= 24)
        (void)str_format(to, size, "%" PRIu64 " d %02" PRIu64 " h", hours / 24, hours % 24);
    else if (hours)
        (void)str_format(to, size, "%" PRIu64 " h %02" PRIu64 " min", hours, minutes % 60);
    else
        (void)str_format(to, size, "%" PRIu64 ":%02" PRIu64, minutes, seconds % 60);
}
