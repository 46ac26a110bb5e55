/* See check.h: checks of the configuration and of the files that it names. */
#include "vm/guest/iotedge/check.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "core/io/tls.h"
#include "vm/guest/iotedge/units.h"

#include <string.h>
#include <sys/stat.h>

#define EXPIRY_WARN_MS (7 * 86400000ULL)

static bool need_config(const struct check_facts *facts, struct check_finding *f)
{
    if (facts->config_err.kind == ERR_NONE)
        return true;
    check_skip(f, "the configuration cannot be used");
    return false;
}

void check_config_text(const struct check_facts *facts, struct check_finding *f)
{
    if (facts->parse_err.kind != ERR_NONE)
        check_bad_err(f, &facts->parse_err);
    else
        check_good(f, "%s is what the runtime understands", facts->o->config);
}

/* The runtime reads it when it starts. */
void check_config_taken(const struct check_facts *facts, struct check_finding *f)
{
    struct stat st;
    uint64_t started_ms = 0;
    const cJSON *module = NULL;
    cJSON_ArrayForEach(module, json_get(facts->modules, "modules"))
    {
        if (str_eq(json_str(module, "name", ""), "edgeAgent"))
            (void)clock_parse(json_str(json_get(module, "status"), "startTime", ""), &started_ms);
    }
    if (!started_ms || stat(facts->o->config, &st) < 0) {
        check_skip(f, "the runtime does not answer, or there is no configuration");
        return;
    }
    uint64_t changed_ms =
        (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
    if (changed_ms <= started_ms) {
        check_good(f, "the runtime started after the last change of %s", facts->o->config);
        return;
    }
    check_warn(f,
               "%s was changed after the runtime started, which still runs with what was there "
               "before",
               facts->o->config);
    check_hint(f, "`iotedge config apply`");
}

void check_files(const struct check_facts *facts, struct check_finding *f)
{
    if (facts->parse_err.kind != ERR_NONE)
        check_skip(f, "the configuration cannot be used");
    else if (facts->config_err.kind != ERR_NONE)
        check_bad_err(f, &facts->config_err);
    else
        check_good(f, "each can be read and holds what it should");
}

struct pair {
    const char *what, *cert, *key;
};
#define PAIRS 2

static void pairs_of(const struct config *c, struct pair ret[PAIRS])
{
    ret[0] = (struct pair){"the device's identity", c->provisioning.cert, c->provisioning.cert_key};
    ret[1] = (struct pair){"the edge CA", c->edge_ca.cert, c->edge_ca.key};
}

/* Writes a warning where others than the owner may read PATH. */
static bool is_private(const char *path, struct check_finding *f)
{
    struct stat st;
    if (!*path || stat(path, &st) < 0 || !(st.st_mode & (S_IRWXG | S_IRWXO)))
        return true;
    check_warn(f, "%s holds a key and can be read by others than its owner (mode %03o)", path,
               (unsigned)st.st_mode & 0777U);
    check_hint(f, "chmod 600 %s", path);
    return false;
}

void check_key_files(const struct check_facts *facts, struct check_finding *f)
{
    struct pair pairs[PAIRS];
    const struct config *c = &facts->config;
    if (!need_config(facts, f) || !is_private(facts->o->config, f) ||
        !is_private(c->provisioning.key_file, f))
        return;
    pairs_of(c, pairs);
    for (size_t i = 0; i < PAIRS; i++)
        if (!is_private(pairs[i].key, f))
            return;
    for (size_t i = 0; i < c->preloaded_keys.n; i++)
        if (!is_private(c->preloaded_keys.at[i].value, f))
            return;
    check_good(f, "only their owner can read the configuration and the keys it names");
}

void check_pairs(const struct check_facts *facts, struct check_finding *f)
{
    struct err err;
    struct pair pairs[PAIRS];
    bool any = false;
    if (!need_config(facts, f))
        return;
    pairs_of(&facts->config, pairs);
    for (size_t i = 0; i < PAIRS; i++) {
        if (!*pairs[i].cert)
            continue;
        any = true;
        struct tls_server *server = tls_server_new(pairs[i].cert, pairs[i].key, &err);
        tls_server_free(server);
        if (!server) {
            err_wrap(&err, "%s", pairs[i].what);
            check_bad_err(f, &err);
            return;
        }
    }
    if (any)
        check_good(f, "each certificate has its key");
    else
        check_ignore(f, "the configuration names no certificate");
}

void check_identity_expiry(const struct check_facts *facts, struct check_finding *f)
{
    struct err err;
    struct tls_cert_info info;
    char until[CLOCK_TEXT_MAX];
    auto_buf struct buf text = {0};
    const char *path = facts->config.provisioning.cert;
    if (!need_config(facts, f))
        return;
    if (!*path) {
        check_ignore(f, "this device does not identify itself with a certificate");
        return;
    }
    if (file_read(path, CONFIG_CERT_MAX, &text, &err) < 0 ||
        tls_cert_read(buf_str(&text), text.len, &info, &err) < 0) {
        check_bad_err(f, &err);
        return;
    }
    clock_format(until, sizeof(until), info.not_after_ms);
    if (info.not_after_ms <= facts->now_ms || info.not_before_ms > facts->now_ms)
        check_bad(f, "%s is not valid now; it ends %s", path, until);
    else if (info.not_after_ms - facts->now_ms < EXPIRY_WARN_MS)
        check_warn(f, "%s ends in less than a week, %s", path, until);
    else
        check_good(f, "%s ends %s", path, until);
    check_hint(f, "put a new certificate and its key there, then `iotedge config apply`; where the "
                  "clock is wrong, set it");
}

void check_hostname(const struct check_facts *facts, struct check_finding *f)
{
    struct err err;
    char machine[256] = "";
    if (!need_config(facts, f))
        return;
    if (gethostname(machine, sizeof(machine) - 1) < 0)
        machine[0] = '\0';
    if (config_check_hostname(facts->config.hostname, machine, &err) == 0) {
        check_good(f, "\"%s\"", facts->config.hostname);
        return;
    }
    check_warn(f, "%s", err.msg);
    check_hint(f,
               "correct hostname in %s: modules and downstream devices look for this machine "
               "under it",
               facts->o->config);
}

/* The runtime's is in its configuration; the engine, which fetches images, has an environment. */
void check_proxy(const struct check_facts *facts, struct check_finding *f)
{
    struct err err;
    char environment[2048];
    if (!need_config(facts, f))
        return;
    bool own = *facts->config.proxy != '\0';
    if (unit_property("podman.service", "Environment", environment, sizeof(environment), &err) <
        0) {
        check_skip(f, "the container engine's settings cannot be read: %s", err.msg);
        return;
    }
    bool engine = strcasestr(environment, "https_proxy=") != NULL;
    if (own == engine) {
        check_good(f, "%s", own ? "runtime and container engine have one" : "none is set");
        return;
    }
    check_warn(f, "%s has a proxy, %s has none", own ? "the runtime" : "the container engine",
               own ? "the container engine" : "the runtime");
    check_hint(f, "%s",
               own ? "images are then fetched without it: set it for podman.service too"
                   : "set https_proxy in [agent.env] of the configuration");
}
