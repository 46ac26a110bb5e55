/* See check.h: checks of what was found when services outside were tried. */
#include "vm/guest/iotedge/check.h"

#include "core/base/str.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNRESOLVED    "cannot be resolved" /* of a name */
#define CLOCK_WARN_S  10
#define CLOCK_ERROR_S 300 /* services then refuse tokens */

static bool tried(const struct check_probe *p, struct check_finding *f)
{
    if (*p->host_port)
        return true;
    check_skip(f, "the hub is not known yet");
    return false;
}

static bool has_proxy(const struct check_facts *facts)
{
    return facts->options->proxy || *facts->config.proxy;
}

static void judge(const struct check_facts *facts, const struct check_probe *p,
                  struct check_finding *f)
{
    const char *port = strrchr(p->host_port, ':') + 1;
    if (p->err.kind == ERR_NONE) {
        check_good(f, "%s%s, %llu ms", p->host_port, has_proxy(facts) ? " through the proxy" : "",
                   (unsigned long long)p->took_ms);
        return;
    }
    struct err err = p->err;
    check_bad_err(f, &err);
    if (strstr(err.msg, UNRESOLVED))
        check_hint(f, "is the name right, and does a name server answer? See container-engine-dns");
    else if (err.hint[0])
        return;
    else if (has_proxy(facts))
        check_hint(f, "let the proxy pass %s, or set another one in [agent.env]", p->host_port);
    else if (err.kind == ERR_AUTH)
        check_hint(f,
                   "something between here and the hub may open TLS; trust its CA with "
                   "trust_bundle_cert, or let it pass %s unopened",
                   p->host_port);
    else
        check_hint(f,
                   "let the firewall pass outgoing TCP to port %s, or set https_proxy in "
                   "[agent.env] of the configuration",
                   port);
}

void check_dps(const struct check_facts *facts, struct check_finding *f)
{
    const struct check_probe *p = &facts->probes[CHECK_PROBE_DPS];
    if (*p->host_port)
        judge(facts, p, f);
    else
        check_ignore(f, "this device is not provisioned by the service");
}

void check_https(const struct check_facts *facts, struct check_finding *f)
{
    const struct check_probe *p = &facts->probes[CHECK_PROBE_HTTPS];
    if (tried(p, f))
        judge(facts, p, f);
}

void check_mqtt(const struct check_facts *facts, struct check_finding *f)
{
    const struct check_probe *p = &facts->probes[CHECK_PROBE_MQTT];
    if (tried(p, f))
        judge(facts, p, f);
}

/* Modules ask the engine's resolver, which asks this machine's servers. */
void check_dns(const struct check_facts *facts, struct check_finding *f)
{
    bool any = false;
    if (has_proxy(facts)) {
        check_ignore(f, "the proxy resolves the names of services");
        return;
    }
    for (size_t i = 0; i < CHECK_PROBES; i++) {
        const struct check_probe *p = &facts->probes[i];
        any = any || *p->host_port;
        if (!*p->host_port || p->err.kind == ERR_NONE || !strstr(p->err.msg, UNRESOLVED))
            continue;
        check_bad_err(f, &p->err);
        check_hint(f, "see /etc/resolv.conf: is a name server there, and does it answer this "
                      "machine?");
        return;
    }
    if (any)
        check_good(f, "the names of hub and provisioning service are");
    else
        check_skip(f, "the hub is not known yet");
}

/* Services refuse the tokens of a machine whose clock is wrong, so that theirs counts. */
void check_clock(const struct check_facts *facts, struct check_finding *f)
{
    for (size_t i = 0; i < CHECK_PROBES; i++) {
        struct tm tm = {0};
        const struct check_probe *p = &facts->probes[i];
        const char *end = strptime(p->date, " %a, %d %b %Y %H:%M:%S GMT", &tm);
        if (!end)
            continue;
        long long off = (long long)(p->answered_ms / 1000) - (long long)timegm(&tm);
        char apart[40];
        str_duration(apart, sizeof(apart), (uint64_t)llabs(off));
        const char *way = off < 0 ? "behind" : "ahead of";
        if (llabs(off) < CLOCK_WARN_S)
            check_good(f, "within %d s of %s", CLOCK_WARN_S, p->host_port);
        else if (llabs(off) < CLOCK_ERROR_S)
            check_warn(f, "%s %s %s", apart, way, p->host_port);
        else
            check_bad(f, "%s %s %s, whose services refuse tokens then", apart, way, p->host_port);
        check_hint(f, "set this machine's clock; the host keeps it right while its console is "
                      "connected");
        return;
    }
    check_skip(f, "no service answered that would know the time");
}
