/* iotedge check: what was gathered once, and the table of checks that judge it. The names are
 * Microsoft's where a check means the same here; those that begin with "berth-" are not. */
#ifndef BERTH_IOTEDGE_CHECK_H
#define BERTH_IOTEDGE_CHECK_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/iotedge/iotedge.h"

#include <stdbool.h>
#include <stdint.h>

enum check_result {
    CHECK_OK,
    CHECK_WARNING,
    CHECK_IGNORED, /* does not apply here */
    CHECK_SKIPPED, /* not asked for, or what it needs is missing */
    CHECK_ERROR,
    CHECK_RESULT_COUNT
};

struct check_finding {
    enum check_result result;
    struct err said; /* msg: what was found; hint: what to do next */
};

/* Each sets FINDING as a whole. */
void check_good(struct check_finding *f, const char *fmt, ...) ATTR_PRINTF(2, 3);
void check_warn(struct check_finding *f, const char *fmt, ...) ATTR_PRINTF(2, 3);
void check_bad(struct check_finding *f, const char *fmt, ...) ATTR_PRINTF(2, 3);
void check_ignore(struct check_finding *f, const char *fmt, ...) ATTR_PRINTF(2, 3);
void check_skip(struct check_finding *f, const char *fmt, ...) ATTR_PRINTF(2, 3);
void check_hint(struct check_finding *f, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* With an error's words. */
void check_bad_err(struct check_finding *f, const struct err *err);

/* An attempt to reach a service outside. */
enum check_probe_id { CHECK_PROBE_DPS, CHECK_PROBE_HTTPS, CHECK_PROBE_MQTT, CHECK_PROBES };
struct check_probe {
    char host_port[280];  /* empty: not wanted */
    bool https;           /* also asks for a page, for its Date */
    char date[40];        /* of the answer */
    uint64_t answered_ms; /* wall clock */
    uint64_t took_ms;
    struct err err; /* kind ERR_NONE: reached */
};

struct check_options {
    const char *dont_run; /* ids, divided by blanks or commas */
    const char *hub;      /* NULL: the configuration's, or the one that the runtime knows */
    const char *proxy;    /* NULL: the configuration's */
    const char *expected_version;
    uint16_t https_port; /* of hub and provisioning service, where none is said */
    bool json, verbose, strict;
};

/* All that the checks look at. */
struct check_facts {
    const struct iotedge *o;
    const struct check_options *options;
    struct err parse_err;  /* of the configuration's text; kind ERR_NONE: good */
    struct err config_err; /* of text and files */
    struct config config;  /* all zero where config_err is set */
    cJSON *info, *modules; /* of the runtime */
    struct err info_err;
    cJSON *engine; /* GET /version */
    struct err engine_err;
    struct check_probe probes[CHECK_PROBES];
    uint64_t now_ms;
};

enum check_section { CHECK_CONFIGURATION, CHECK_CONNECTIVITY, CHECK_PRODUCTION, CHECK_SECTIONS };

struct check {
    const char *id;
    const char *what; /* "the configuration is well formed" */
    enum check_section section;
    void (*run)(const struct check_facts *facts, struct check_finding *f);
};
extern const struct check check_table[];
extern const size_t check_table_n;

void check_facts_gather(const struct iotedge *o, const struct check_options *options,
                        struct check_facts *ret);
void check_facts_done(struct check_facts *facts);
/* check_probe.c: all at once; ten seconds at most. */
void check_probe_run(const struct check_facts *facts, struct check_probe *probes);

/* Runs the table; FINDINGS has a place for each. EACH (may be NULL) is called in between. */
void check_run(const struct check_facts *facts, struct check_finding *findings,
               void (*each)(void *arg, const struct check *check, const struct check_finding *f),
               void *arg);
bool check_failed(const struct check_finding *findings, bool strict);

/* check_report.c */
cJSON *check_json(const struct check_facts *facts, const struct check_finding *findings);
void check_line(const struct check *check, const struct check_finding *f, bool verbose,
                struct buf *out);
void check_summary(const struct check_finding *findings, struct buf *out);
extern const char *const check_section_names[];

/* The checks. check_config.c */
void check_config_text(const struct check_facts *facts, struct check_finding *f);
void check_config_taken(const struct check_facts *facts, struct check_finding *f);
void check_hostname(const struct check_facts *facts, struct check_finding *f);
void check_identity_expiry(const struct check_facts *facts, struct check_finding *f);
void check_pairs(const struct check_facts *facts, struct check_finding *f);
void check_files(const struct check_facts *facts, struct check_finding *f);
void check_key_files(const struct check_facts *facts, struct check_finding *f);
void check_proxy(const struct check_facts *facts, struct check_finding *f);
/* check_runtime.c */
void check_management(const struct check_facts *facts, struct check_finding *f);
void check_version(const struct check_facts *facts, struct check_finding *f);
void check_cloud(const struct check_facts *facts, struct check_finding *f);
void check_modules(const struct check_facts *facts, struct check_finding *f);
void check_certificates(const struct check_facts *facts, struct check_finding *f);
/* check_host.c */
void check_engine(const struct check_facts *facts, struct check_finding *f);
void check_logrotate(const struct check_facts *facts, struct check_finding *f);
void check_agent_storage(const struct check_facts *facts, struct check_finding *f);
void check_hub_storage(const struct check_facts *facts, struct check_finding *f);
void check_disk(const struct check_facts *facts, struct check_finding *f);
void check_memory(const struct check_facts *facts, struct check_finding *f);
/* check_network.c */
void check_dns(const struct check_facts *facts, struct check_finding *f);
void check_clock(const struct check_facts *facts, struct check_finding *f);
void check_dps(const struct check_facts *facts, struct check_finding *f);
void check_https(const struct check_facts *facts, struct check_finding *f);
void check_mqtt(const struct check_facts *facts, struct check_finding *f);

#endif
