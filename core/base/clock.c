/* See clock.h. */
#include "core/base/clock.h"

#include "core/base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts = {0};
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_format(char *to, size_t size, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (!wall_ms || !gmtime_r(&seconds, &tm)) {
        to[0] = '\0';
        return;
    }
    (void)str_format(to, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03" PRIu64 "Z", tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, wall_ms % 1000);
}

void clock_format_http(char to[CLOCK_HTTP_MAX], uint64_t wall_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    (void)str_format(to, CLOCK_HTTP_MAX, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                     days + (ptrdiff_t)3 * tm.tm_wday, tm.tm_mday,
                     months + (ptrdiff_t)3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                     tm.tm_sec);
}

/* Reads exactly DIGITS digits and the character AFTER (0: none). */
static bool take_number(const char **at, int digits, char after, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    if (after && *(*at)++ != after)
        return false;
    *ret_value = value;
    return true;
}

static bool take_zone(const char **at, int64_t *ret_offset_s)
{
    char sign = *(*at)++;
    *ret_offset_s = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    int hours = 0;
    int minutes = 0;
    if ((sign != '+' && sign != '-') || !take_number(at, 2, ':', &hours) ||
        !take_number(at, 2, 0, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_offset_s = ((int64_t)hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

static bool take_fraction(const char **at, uint64_t *ret_ms)
{
    *ret_ms = 0;
    if (**at != '.')
        return true;
    (*at)++;
    if (!isdigit((unsigned char)**at))
        return false;
    for (uint64_t weight = 100; isdigit((unsigned char)**at); weight /= 10, (*at)++)
        *ret_ms += (uint64_t)(**at - '0') * weight;
    return true;
}

bool clock_parse(const char *text, uint64_t *ret_wall_ms)
{
    struct tm tm = {0};
    uint64_t ms = 0;
    int64_t offset_s = 0;
    const char *at = text;
    if (!at || !take_number(&at, 4, '-', &tm.tm_year) || !take_number(&at, 2, '-', &tm.tm_mon) ||
        !take_number(&at, 2, 0, &tm.tm_mday) || (*at != 'T' && *at != 't' && *at != ' '))
        return false;
    at++;
    if (!take_number(&at, 2, ':', &tm.tm_hour) || !take_number(&at, 2, ':', &tm.tm_min) ||
        !take_number(&at, 2, 0, &tm.tm_sec) || !take_fraction(&at, &ms) ||
        !take_zone(&at, &offset_s) || *at)
        return false;
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t seconds = (int64_t)timegm(&tm) - offset_s;
    if (seconds < 0)
        return false;
    *ret_wall_ms = (uint64_t)seconds * 1000 + ms;
    return true;
}
