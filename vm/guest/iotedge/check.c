/* See check.h: the verb, and what its checks look at. */
#include "vm/guest/iotedge/check.h"

#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "core/base/toml.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/say.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define QUESTION_MS 15000

static const char usage[] =
    "usage: iotedge check [-o text|json] [--dont-run IDS] [--verbose]\n"
    "                     [--iothub-hostname HOST] [--proxy-uri URI]\n"
    "                     [--warnings-as-errors] [--expected-aziot-edged-version V]\n"
    "                     [--https-port N]\n"
    "IDS as `iotedge check-list` shows them, divided by blanks. Exit status 1 where a\n"
    "check failed.\n";

const struct check check_table[] = {
    {"aziot-edged-config-well-formed", "the configuration is well formed", CHECK_CONFIGURATION,
     check_config_text},
    {"config-up-to-date", "the runtime runs with this configuration", CHECK_CONFIGURATION,
     check_config_taken},
    {"certs-read", "the files that it names can be used", CHECK_CONFIGURATION, check_files},
    {"key-pairs-read", "private keys are private", CHECK_CONFIGURATION, check_key_files},
    {"certs-match-private-keys", "certificates and keys fit", CHECK_CONFIGURATION, check_pairs},
    {"identity-certificate-expiry", "the device's certificate is valid", CHECK_CONFIGURATION,
     check_identity_expiry},
    {"hostname", "the host name suits the machine", CHECK_CONFIGURATION, check_hostname},
    {"connect-management-uri", "the runtime answers", CHECK_CONFIGURATION, check_management},
    {"aziot-edge-version", "the runtime is of this image's version", CHECK_CONFIGURATION,
     check_version},
    {"host-local-time", "the clock is right", CHECK_CONFIGURATION, check_clock},
    {"container-engine-uri", "the container engine answers", CHECK_CONFIGURATION, check_engine},
    {"container-engine-dns", "names are resolved", CHECK_CONFIGURATION, check_dns},
    {"container-engine-logrotate", "modules' logs cannot fill the disk", CHECK_CONFIGURATION,
     check_logrotate},
    {"edge-agent-storage-mounted-from-host", "the runtime's data outlives a restart",
     CHECK_CONFIGURATION, check_agent_storage},
    {"edge-hub-storage-mounted-from-host", "waiting messages outlive a restart",
     CHECK_CONFIGURATION, check_hub_storage},
    {"proxy-settings", "the proxy is set for all", CHECK_CONFIGURATION, check_proxy},
    {"host-connect-dps-endpoint", "the provisioning service is reached", CHECK_CONNECTIVITY,
     check_dps},
    {"host-connect-iothub-https", "the hub is reached by HTTPS", CHECK_CONNECTIVITY, check_https},
    {"host-connect-iothub-mqtt", "the hub is reached by MQTT", CHECK_CONNECTIVITY, check_mqtt},
    {"berth-cloud-connection", "the runtime is connected to its hub", CHECK_CONNECTIVITY,
     check_cloud},
    {"berth-modules", "modules run as the deployment says", CHECK_PRODUCTION, check_modules},
    {"berth-certificates", "certificates end in good time", CHECK_PRODUCTION, check_certificates},
    {"berth-disk-space", "the data disk has room", CHECK_PRODUCTION, check_disk},
    {"berth-memory", "there is memory left", CHECK_PRODUCTION, check_memory},
};
const size_t check_table_n = ARRAY_LEN(check_table);

/* ------------------------------------------------------------------------------- findings */

static void ATTR_PRINTF(3, 0)
    set(struct check_finding *f, enum check_result result, const char *fmt, va_list ap)
{
    f->result = result;
    err_vset(&f->said, ERR_REMOTE, fmt, ap);
}

#define DEFINE_FINDING(name, result)                                 \
    void check_##name(struct check_finding *f, const char *fmt, ...) \
    {                                                                \
        va_list ap;                                                  \
        va_start(ap, fmt);                                           \
        set(f, result, fmt, ap);                                     \
        va_end(ap);                                                  \
    }
DEFINE_FINDING(good, CHECK_OK)
DEFINE_FINDING(warn, CHECK_WARNING)
DEFINE_FINDING(bad, CHECK_ERROR)
DEFINE_FINDING(ignore, CHECK_IGNORED)
DEFINE_FINDING(skip, CHECK_SKIPPED)

void check_hint(struct check_finding *f, const char *fmt, ...)
{
    char hint[sizeof(f->said.hint)];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(hint, sizeof(hint), fmt, ap);
    va_end(ap);
    err_hint(&f->said, "%s", hint);
}

void check_bad_err(struct check_finding *f, const struct err *err)
{
    f->result = CHECK_ERROR;
    f->said = *err;
}

/* ------------------------------------------------------------------------------- facts */

static void gather_config(const struct iotedge *o, struct check_facts *facts)
{
    auto_wiped_buf struct buf text = {0};
    auto_config struct config parsed = {0};
    if (!file_exists(o->config) && errno == EACCES) {
        err_set(&facts->parse_err, ERR_AUTH, "%s may be read by root only", o->config);
        err_hint(&facts->parse_err, "run the check as root");
    } else if (!file_exists(o->config)) {
        err_set(&facts->parse_err, ERR_NOT_FOUND, "there is no %s", o->config);
        err_hint(&facts->parse_err, "write it, or `iotedge config mp`; then "
                                    "`iotedge config apply`");
    } else if (file_read(o->config, TOML_TEXT_MAX, &text, &facts->parse_err) == 0) {
        (void)config_parse(buf_str(&text), text.len, &parsed, &facts->parse_err);
    }
    facts->config_err = facts->parse_err;
    if (facts->parse_err.kind == ERR_NONE)
        (void)config_load(o->config, &facts->config, &facts->config_err);
}

static void gather_services(const struct iotedge *o, struct check_facts *facts)
{
    auto_ask struct ask *runtime = ask_runtime(o), *engine = ask_engine(o);
    ask_limit(runtime, QUESTION_MS);
    ask_limit(engine, QUESTION_MS);
    if (ask_json(runtime, "GET", "/systeminfo?" ASK_MGMT_VERSION, &facts->info, &facts->info_err) ==
        0)
        (void)ask_json(runtime, "GET", "/modules?" ASK_MGMT_VERSION, &facts->modules, NULL);
    (void)ask_json(engine, "GET", "/version", &facts->engine, &facts->engine_err);
}

static void want(struct check_probe *probe, bool https, const char *host, unsigned port)
{
    bool has_port = strchr(host, ':') != NULL;
    if (!*host)
        return;
    probe->https = https;
    (void)str_format(probe->host_port, sizeof(probe->host_port), has_port ? "%s" : "%s:%u", host,
                     port);
}

static void choose_probes(struct check_facts *facts)
{
    const struct config_provisioning *p = &facts->config.provisioning;
    const char *hub = facts->options->hub ? facts->options->hub : p->hub;
    char known[254];
    str_sanitise_to(known, sizeof(known), json_str(facts->info, "hub_name", ""));
    if (!*hub)
        hub = known;
    if (*p->dps && config_method_dps(p->method))
        want(&facts->probes[CHECK_PROBE_DPS], true, p->dps, facts->options->https_port);
    want(&facts->probes[CHECK_PROBE_HTTPS], true, hub, facts->options->https_port);
    want(&facts->probes[CHECK_PROBE_MQTT], false, hub, p->port ? p->port : 8883);
}

void check_facts_gather(const struct iotedge *o, const struct check_options *options,
                        struct check_facts *ret)
{
    *ret = (struct check_facts){.o = o, .options = options, .now_ms = clock_wall_ms()};
    gather_config(o, ret);
    gather_services(o, ret);
    choose_probes(ret);
    check_probe_run(ret, ret->probes);
}

void check_facts_done(struct check_facts *facts)
{
    config_done(&facts->config);
    cJSON_Delete(facts->info);
    cJSON_Delete(facts->modules);
    cJSON_Delete(facts->engine);
}

/* ------------------------------------------------------------------------------- running */

static bool is_listed(const char *ids, const char *id)
{
    size_t n = strlen(id);
    for (const char *at = ids; at && *at;) {
        size_t len = strcspn(at, " ,");
        if (len == n && memcmp(at, id, n) == 0)
            return true;
        at += len;
        at += strspn(at, " ,");
    }
    return false;
}

void check_run(const struct check_facts *facts, struct check_finding *findings,
               void (*each)(void *arg, const struct check *check, const struct check_finding *f),
               void *arg)
{
    for (size_t i = 0; i < check_table_n; i++) {
        findings[i] = (struct check_finding){0};
        if (is_listed(facts->options->dont_run, check_table[i].id))
            check_skip(&findings[i], "not asked for");
        else
            check_table[i].run(facts, &findings[i]);
        if (each)
            each(arg, &check_table[i], &findings[i]);
    }
}

bool check_failed(const struct check_finding *findings, bool strict)
{
    for (size_t i = 0; i < check_table_n; i++)
        if (findings[i].result == CHECK_ERROR || (strict && findings[i].result == CHECK_WARNING))
            return true;
    return false;
}

struct printing {
    const struct check_options *options;
    int section;
};

static void print_each(void *arg, const struct check *check, const struct check_finding *f)
{
    struct printing *p = arg;
    auto_buf struct buf out = {0};
    if (p->section != (int)check->section)
        buf_printf(&out, "%s%s\n", p->section < 0 ? "" : "\n", check_section_names[check->section]);
    p->section = (int)check->section;
    check_line(check, f, p->options->verbose, &out);
    (void)fputs(buf_str(&out), stdout);
}

static int run(const struct iotedge *o, const struct check_options *options)
{
    struct check_facts facts;
    struct check_finding findings[ARRAY_LEN(check_table)];
    struct printing printing = {.options = options, .section = -1};
    auto_buf struct buf out = {0};
    check_facts_gather(o, options, &facts);
    check_run(&facts, findings, options->json ? NULL : print_each, &printing);
    if (options->json) {
        auto_json cJSON *json = check_json(&facts, findings);
        json_print(&out, json);
        buf_putc(&out, '\n');
    } else {
        check_summary(findings, &out);
    }
    (void)fputs(buf_str(&out), stdout);
    check_facts_done(&facts);
    return check_failed(findings, options->strict) ? IOTEDGE_FAILED : IOTEDGE_DONE;
}

/* ------------------------------------------------------------------------------- verbs */

enum { ARG_DONT = 1, ARG_HUB, ARG_PROXY, ARG_STRICT, ARG_EXPECTED, ARG_PORT, ARG_NONE };

static bool take(struct check_options *o, int which, const char *value)
{
    uint64_t port = 0;
    switch (which) {
    case ARG_DONT:
        o->dont_run = value;
        return true;
    case ARG_HUB:
        o->hub = value;
        return true;
    case ARG_PROXY:
        o->proxy = value;
        return true;
    case ARG_STRICT:
        o->strict = true;
        return true;
    case ARG_EXPECTED:
        o->expected_version = value;
        return true;
    case ARG_PORT:
        o->https_port = str_to_u64(value, UINT16_MAX, &port) ? (uint16_t)port : 0;
        return o->https_port != 0;
    case ARG_NONE: /* what Microsoft's command needs and this one does not */
        return true;
    case 'o':
        o->json = str_eq(value, "json");
        return o->json || str_eq(value, "text");
    case 'v':
        o->verbose = true;
        return true;
    default:
        return false;
    }
}

int iotedge_check(const struct iotedge *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"dont-run", required_argument, NULL, ARG_DONT},
        {"verbose", no_argument, NULL, 'v'},
        {"iothub-hostname", required_argument, NULL, ARG_HUB},
        {"proxy-uri", required_argument, NULL, ARG_PROXY},
        {"warnings-as-errors", no_argument, NULL, ARG_STRICT},
        {"expected-aziot-edged-version", required_argument, NULL, ARG_EXPECTED},
        {"https-port", required_argument, NULL, ARG_PORT},
        {"expected-aziot-version", required_argument, NULL, ARG_NONE},
        {"diagnostics-image-name", required_argument, NULL, ARG_NONE},
        {"container-engine-config-file", required_argument, NULL, ARG_NONE},
        {"ntp-server", required_argument, NULL, ARG_NONE},
        {"aziot-edged", required_argument, NULL, ARG_NONE},
        {0},
    };
    struct check_options chosen = {.https_port = 443};
    int which;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((which = getopt_long(argc, argv, "o:v", options, NULL)) != -1)
        if (!take(&chosen, which, optarg))
            return say_usage(usage, "");
    return optind == argc ? run(o, &chosen) : say_usage(usage, "");
}

int iotedge_check_list(const struct iotedge *o, int argc, char **argv)
{
    auto_say_table struct say_table table = {0};
    auto_buf struct buf out = {0};
    (void)o, (void)argv;
    if (argc != 1)
        return say_usage("usage: iotedge check-list\n", "");
    for (size_t i = 0; i < check_table_n; i++)
        say_table_add(&table, check_table[i].id, check_table[i].what, NULL, NULL);
    say_table_print(&table, &out);
    (void)fputs(buf_str(&out), stdout);
    return IOTEDGE_DONE;
}
