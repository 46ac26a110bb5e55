/* See check.h: checks of what the runtime says. */
#include "vm/guest/iotedge/check.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/iotedge/modules.h"

#include <string.h>

#define DAY_MS         86400000ULL
#define EXPIRY_WARN_MS (7 * DAY_MS)

static bool need_info(const struct check_facts *facts, struct check_finding *f)
{
    if (facts->info)
        return true;
    check_skip(f, "the runtime does not answer");
    return false;
}

void check_management(const struct check_facts *facts, struct check_finding *f)
{
    if (facts->info)
        check_good(f, "at %s", facts->o->host);
    else
        check_bad_err(f, &facts->info_err);
}

void check_version(const struct check_facts *facts, struct check_finding *f)
{
    const char *want = facts->options->expected_version;
    const char *runs = json_str(facts->info, "version", "");
    if (!need_info(facts, f))
        return;
    if (!want)
        want = BERTH_VERSION;
    if (str_eq(runs, want)) {
        check_good(f, "%s", runs);
        return;
    }
    check_warn(f, "the runtime says %s, wanted is %s", runs, want);
    check_hint(f, "`iotedge system restart`, where a newer one was installed while it ran");
}

void check_cloud(const struct check_facts *facts, struct check_finding *f)
{
    if (!need_info(facts, f))
        return;
    const char *state = json_str(facts->info, "cloud_state", "unknown");
    const char *since = json_str(facts->info, "cloud_since", "");
    const char *why = json_str(facts->info, "cloud_error", "");
    if (str_eq(state, "connected")) {
        check_good(f, "device %s of %s, since %s", json_str(facts->info, "device_id", ""),
                   json_str(facts->info, "hub_name", ""), since);
        return;
    }
    check_bad(f, "%s since %s%s%s", state, since, *why ? ": " : "", why);
    check_hint(
        f, "%s",
        str_eq(state, "refused")
            ? "the hub was reached and said no: is the device there, enabled, and its key or "
              "certificate the one in the configuration?"
            : "the connectivity checks above say how far it gets; modules go on, and "
              "messages wait");
}

/* Names what does not run, as far as a message goes. */
void check_modules(const struct check_facts *facts, struct check_finding *f)
{
    const cJSON *modules[MODULES_MAX];
    auto_buf struct buf bad = {0};
    unsigned n_bad = 0;
    if (!need_info(facts, f))
        return;
    size_t n = modules_sorted(facts->modules, modules, MODULES_MAX);
    for (size_t i = 0; i < n; i++) {
        const cJSON *status = json_get(json_get(modules[i], "status"), "runtimeStatus");
        const char *word = json_str(status, "status", "unknown");
        const char *why = json_str(status, "description", "");
        if (str_eq(word, "running") || str_eq(word, "stopped"))
            continue;
        buf_printf(&bad, "%s%s: %s%s%s", n_bad ? "; " : "", json_str(modules[i], "name", ""),
                   *why ? "" : word, *why ? "" : " ", why);
        n_bad++;
    }
    if (!n_bad && n <= 1)
        check_warn(f, "the runtime runs no module: no deployment came yet, or it names none");
    else if (!n_bad)
        check_good(f, "%zu, the runtime included", n);
    else
        check_bad(f, "%u of %zu do not run: %s", n_bad, n, buf_str(&bad));
    check_hint(f, "%s",
               n_bad ? "`iotedge logs MODULE` shows a module's last words"
                     : "set modules on the hub, for this device");
}

void check_certificates(const struct check_facts *facts, struct check_finding *f)
{
    const cJSON *one = NULL, *first = NULL;
    uint64_t first_ms = UINT64_MAX;
    if (!need_info(facts, f))
        return;
    cJSON_ArrayForEach(one, json_get(json_get(facts->info, "berth"), "certificates"))
    {
        uint64_t ms = 0;
        if (!clock_parse(json_str(one, "notAfter", ""), &ms) || ms >= first_ms)
            continue;
        first_ms = ms;
        first = one;
    }
    if (!first) {
        check_ignore(f, "the runtime holds none");
        return;
    }
    const char *use = json_str(first, "use", ""), *until = json_str(first, "notAfter", "");
    bool renewed = *json_str(first, "renewal", "") != '\0' || str_starts(use, "module-");
    if (first_ms <= facts->now_ms)
        check_bad(f, "the %s certificate has ended, %s", use, until);
    else if (first_ms - facts->now_ms < EXPIRY_WARN_MS && !renewed)
        check_warn(f, "the %s certificate ends in less than a week, %s", use, until);
    else
        check_good(f, "the next to end is the %s certificate, %s%s", use, until,
                   renewed ? "; it is renewed by itself" : "");
    check_hint(f, "put a new one in place, then `iotedge config apply`; where the clock is wrong, "
                  "set it");
}
