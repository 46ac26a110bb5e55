/* See clock_hint.h. */
#include "core/azure/clock_hint.h"

#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#include <string.h>
#include <time.h>

void clock_hint_answer(const char *date, struct err *err)
{
    struct tm tm = {0};
    char apart[40];
    const char *end = strptime(date, " %a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!end)
        return;
    int64_t theirs = timegm(&tm), ours = (int64_t)(clock_wall_ms() / 1000);
    int64_t ahead = ours - theirs;
    if (ahead <= SAS_SKEW_S && ahead >= -SAS_SKEW_S)
        return;
    str_duration(apart, sizeof(apart), (uint64_t)(ahead < 0 ? -ahead : ahead));
    err_hint(err, "this machine's clock is %s %s: set it", apart, ahead < 0 ? "behind" : "ahead");
}

void clock_hint_tls(struct err *err)
{
    char now[CLOCK_TEXT_MAX];
    if (!strstr(err->msg, "not yet valid") && !strstr(err->msg, "expired"))
        return;
    clock_format(now, sizeof(now), clock_wall_ms());
    err_hint(err, "this machine's clock says %s; where that is wrong, set it", now);
}
