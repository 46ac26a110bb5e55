/* See format.h. */
#include "tui/format.h"

#include "core/base/str.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

void format_clock(char *to, size_t size, uint64_t wall_ms)
{
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    if (!wall_ms || !localtime_r(&t, &tm)) {
        (void)str_copy(to, size, "--:--");
        return;
    }
    (void)str_format(to, size, "%02d:%02d", tm.tm_hour % 24, tm.tm_min % 60);
}

void format_time(char *to, size_t size, uint64_t wall_ms, bool ms)
{
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    to[0] = '\0';
    if (!wall_ms || !localtime_r(&t, &tm))
        return;
    (void)str_format(to, size, "%02d:%02d:%02d", tm.tm_hour % 24, tm.tm_min % 60, tm.tm_sec % 61);
    size_t len = strlen(to);
    if (ms)
        (void)str_format(to + len, size - len, ".%03u", (unsigned)(wall_ms % 1000));
}

void format_for(char *to, size_t size, uint64_t now_ms, uint64_t then_ms)
{
    uint64_t minutes = now_ms > then_ms ? (now_ms - then_ms) / 60000 : 0;
    if (!then_ms)
        (void)str_copy(to, size, "-");
    else if (minutes < 1)
        (void)str_copy(to, size, "< 1 min");
    else if (minutes < 60)
        (void)str_format(to, size, "%" PRIu64 " min", minutes);
    else if (minutes < UINT64_C(24) * 60)
        (void)str_format(to, size, "%" PRIu64 " h %02" PRIu64 " min", minutes / 60, minutes % 60);
    else
        (void)str_format(to, size, "%" PRIu64 " d %02" PRIu64 " h", minutes / 1440,
                         minutes % 1440 / 60);
}

void format_ago(char *to, size_t size, uint64_t now_ms, uint64_t then_ms)
{
    char text[32];
    if (!then_ms) {
        (void)str_copy(to, size, "never");
        return;
    }
    format_for(text, sizeof(text), now_ms, then_ms);
    (void)str_format(to, size, "%s ago", text);
}

void format_elapsed(char *to, size_t size, uint64_t ms)
{
    uint64_t s = ms / 1000;
    if (s < 3600)
        (void)str_format(to, size, "%02" PRIu64 ":%02" PRIu64, s / 60, s % 60);
    else
        (void)str_format(to, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60,
                         s % 60);
}

void format_job_time(char *to, size_t size, uint64_t now_ms, const struct job_status *job)
{
    uint64_t end = job->ended_ms ? job->ended_ms : now_ms;
    uint64_t ms = end > job->started_ms ? end - job->started_ms : 0;
    format_elapsed(to, size, job->ended_ms ? ms : ms / FORMAT_TICK_MS * FORMAT_TICK_MS);
}

void format_percent(char *to, size_t size, double percent)
{
    if (isnan(percent) || percent < 0)
        (void)str_copy(to, size, "-");
    else
        (void)str_format(to, size, "%.0f %%", percent);
}

static void group_thousands(char *to, size_t size, double value)
{
    char digits[40];
    (void)str_format(digits, sizeof(digits), "%.0f", fabs(value));
    size_t n = strlen(digits);
    size_t at = 0;
    if (value < 0 && at + 1 < size)
        to[at++] = '-';
    for (size_t i = 0; i < n && at + 2 < size; i++) {
        if (i && (n - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = digits[i];
    }
    to[at] = '\0';
}

static bool is_bytes(const char *unit)
{
    return str_eq(unit, "B") || str_eq(unit, "B/s") || str_eq(unit, "bytes") ||
           str_eq(unit, "bytes/s");
}

void format_value(char *to, size_t size, double value, const char *unit)
{
    if (isnan(value))
        (void)str_copy(to, size, "-");
    else if (is_bytes(unit) && value >= 0 && value < 1e18)
        str_bytes(to, size, (uint64_t)value);
    else if (fabs(value) < 10 && value != floor(value))
        (void)str_format(to, size, "%.1f", value);
    else if (fabs(value) < 1e15)
        group_thousands(to, size, value);
    else
        (void)str_format(to, size, "%.3g", value);
}
