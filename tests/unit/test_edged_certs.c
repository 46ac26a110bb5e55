/* The edge's certificates: names, chains, renewal, and what is on disk. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/tls_cert.h"
#include "vm/guest/edged/certs.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_MS 86400000ULL

struct edge {
    char dir[64];
    struct config config;
    struct device device;
    struct certs *certs;
};

static void edge_done(struct edge *e)
{
    certs_free(e->certs);
    (void)file_remove_tree(e->dir, NULL);
}

static char *in(const struct edge *e, const char *name)
{
    return xasprintf("%s/%s", e->dir, name);
}

static void edge_open(struct edge *e)
{
    struct err err = {0};
    certs_free(e->certs);
    e->certs = certs_new(&e->config, &e->device, e->dir, &err);
    cr_assert(e->certs, "%s", err.msg);
}

static void edge_init(struct edge *e)
{
    *e = (struct edge){.device = {.hub = "hub.example", .id = "edge-1"}};
    STR_SET(e->dir, "/tmp/test-edged-certs.XXXXXX");
    cr_assert(mkdtemp(e->dir));
    auto_free char *keys = in(e, "keys");
    cr_assert_eq(file_mkdirs(keys, 0700, NULL), 0);
    e->config.edge_ca = (struct config_edge_ca){
        .days = 90, .renew = true, .threshold = {.percent = 80}, .retry = {.percent = 4}};
    edge_open(e);
}

static bool keep(struct edge *e)
{
    struct err err = {0};
    bool renewed = false;
    cr_assert_eq(certs_keep(e->certs, &renewed, &err), 0, "%s", err.msg);
    return renewed;
}

static int bundle_size(const struct edge *e)
{
    auto_buf struct buf text = {0};
    int n = 0;
    cr_assert_eq(certs_trust_bundle(e->certs, &text, NULL), 0);
    for (const char *at = buf_str(&text); (at = strstr(at, "-----BEGIN CERT")); at++)
        n++;
    return n;
}

static struct tls_cert_info ca_info(const struct edge *e)
{
    auto_free char *path = in(e, "certs/edge-ca.pem");
    auto_buf struct buf text = {0};
    struct tls_cert_info info = {0};
    cr_assert_eq(file_read(path, 65536, &text, NULL), 0);
    cr_assert_eq(tls_cert_read(text.data, text.len, &info, NULL), 0);
    return info;
}

static enum err_kind refused(struct edge *e, bool server, const char *module, const char *name)
{
    auto_certs_pair struct certs_pair pair = {0};
    struct err err = {0};
    const struct certs_order order = {server, module, name};
    cr_assert_eq(certs_issue(e->certs, &order, &pair, &err), -1);
    cr_assert_eq(pair.key.len, 0);
    return err.kind;
}

Test(edged_certs, knows_what_a_host_is_called)
{
    static const char *const good[] = {
        "a", "edge.local", "10.1.2.3", "::1", "*.plant.example", "my_module", "A-9"};
    static const char *const bad[] = {"",  ".",  "a..b", "a,b", "DNS:a",    "a b", "a/b",
                                      "*", "*.", "-a",   "a\n", "\xc3\xa4", "a*b", "$a"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_assert(certs_host_name(good[i]), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_not(certs_host_name(bad[i]), "%s", bad[i]);
}

Test(edged_certs, renews_in_time_but_never_without_end)
{
    const uint64_t made = 1000 * DAY_MS, from = made - DAY_MS, until = made + 100 * DAY_MS;
    struct config_edge_ca ca = {.threshold = {.percent = 80}};
    cr_assert_eq(certs_renewal_ms(&ca, from, until), made + 80 * DAY_MS);
    ca.threshold = (struct config_span){.seconds = 10 * 86400};
    cr_assert_eq(certs_renewal_ms(&ca, from, until), until - 10 * DAY_MS);
    ca.threshold = (struct config_span){.seconds = 5000 * 86400ULL};
    cr_assert_eq(certs_renewal_ms(&ca, from, until), made + 50 * DAY_MS);
    ca.threshold = (struct config_span){.seconds = UINT64_MAX};
    cr_assert_eq(certs_renewal_ms(&ca, from, until), made + 50 * DAY_MS);
    ca.threshold = (struct config_span){.percent = 1};
    cr_assert_eq(certs_renewal_ms(&ca, from, until), made + 50 * DAY_MS);
    cr_assert_geq(certs_renewal_ms(&ca, from, from), from, "a life of no length");
}

Test(edged_certs, makes_an_authority_once_and_keeps_it)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    struct stat st;
    edge_init(&e);
    cr_assert_eq(refused(&e, true, "one", "edge.local"), ERR_NOT_FOUND, "none is there yet");
    cr_assert_not(keep(&e));
    struct tls_cert_info first = ca_info(&e);
    cr_assert_str_eq(first.common_name, "aziot-edge CA edge-1");
    cr_assert(first.is_ca);
    edge_open(&e);
    cr_assert_not(keep(&e));
    cr_assert_str_eq(ca_info(&e).sha256, first.sha256);
    auto_free char *key = in(&e, "keys/edge-ca.pem");
    cr_assert_eq(stat(key, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_leq(certs_keep_ms(e.certs), 3600000U);
}

Test(edged_certs, does_nothing_before_the_device_is_known)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    edge_init(&e);
    e.device = (struct device){0};
    cr_assert_not(keep(&e));
    cr_assert_eq(certs_trust_bundle(e.certs, &(struct buf){0}, NULL), -1);
}

Test(edged_certs, replaces_an_authority_that_lost_its_key_or_was_anothers)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    edge_init(&e);
    cr_assert_not(keep(&e));
    cr_assert_eq(bundle_size(&e), 1);
    struct tls_cert_info first = ca_info(&e);
    auto_free char *key = in(&e, "keys/edge-ca.pem");
    cr_assert_eq(unlink(key), 0);
    cr_assert(keep(&e));
    cr_assert_str_neq(ca_info(&e).sha256, first.sha256);
    cr_assert_eq(bundle_size(&e), 2, "what the former one signed is still trusted");
    STR_SET(e.device.id, "edge-2");
    cr_assert(keep(&e));
    cr_assert_str_eq(ca_info(&e).common_name, "aziot-edge CA edge-2");
}

Test(edged_certs, replaces_an_authority_that_has_ended)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    edge_init(&e);
    auto_free char *cert = in(&e, "certs/edge-ca.pem"), *key = in(&e, "keys/edge-ca.pem");
    cr_assert_eq(tls_cert_make_ca(cert, key, "aziot-edge CA edge-1", 0, NULL), 0);
    e.config.edge_ca.renew = false;
    cr_assert(keep(&e), "also where it is not renewed in time");
    cr_assert_gt(ca_info(&e).not_after_ms, clock_wall_ms() + 80 * DAY_MS);
    cr_assert_eq(bundle_size(&e), 1, "nobody needs to trust what has ended");
}

Test(edged_certs, cuts_a_long_devices_name)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    edge_init(&e);
    memset(e.device.id, 'x', 128);
    cr_assert_not(keep(&e));
    cr_assert_not(keep(&e), "and knows it again");
    cr_assert_eq(strlen(ca_info(&e).common_name), 64);
}

Test(edged_certs, issues_only_for_names_that_can_be)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    char long_name[80] = "";
    edge_init(&e);
    cr_assert_not(keep(&e));
    memset(long_name, 'a', 65);
    cr_assert_eq(refused(&e, true, "one", "a,DNS:bank.example"), ERR_INVALID);
    cr_assert_eq(refused(&e, true, "one", long_name), ERR_INVALID);
    cr_assert_eq(refused(&e, false, long_name, NULL), ERR_INVALID);
    cr_assert_eq(refused(&e, false, "../one", NULL), ERR_INVALID);
    cr_assert_eq(refused(&e, false, "$", NULL), ERR_INVALID);
}

Test(edged_certs, remembers_what_it_issued_until_it_is_forgotten)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    struct err err = {0};
    edge_init(&e);
    cr_assert_not(keep(&e));
    for (int i = 0; i < 4; i++) {
        auto_certs_pair struct certs_pair pair = {0};
        const struct certs_order order = {i % 2, "$edgeHub", "edge.local"};
        cr_assert_eq(certs_issue(e.certs, &order, &pair, &err), 0, "%s", err.msg);
        cr_assert(str_starts(buf_str(&pair.key), "-----BEGIN PRIVATE KEY-----"));
        cr_assert_gt(pair.until_ms, clock_wall_ms() + 29 * DAY_MS);
    }
    edge_open(&e);
    auto_json cJSON *list = cJSON_CreateArray();
    certs_calendar(e.certs, list);
    cr_assert_eq(cJSON_GetArraySize(list), 3, "the authority's and two of the module");
    certs_forget(e.certs, "edgeHub");
    edge_open(&e);
    auto_json cJSON *rest = cJSON_CreateArray();
    certs_calendar(e.certs, rest);
    cr_assert_eq(cJSON_GetArraySize(rest), 1);
    cr_assert_str_eq(json_str(cJSON_GetArrayItem(rest, 0), "use", ""), "edge-ca");
}

Test(edged_certs, shows_a_chain_that_its_authority_verifies)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    static const char *const names[] = {"edge.local", "one", NULL};
    static const char *const other[] = {"two", NULL};
    auto_certs_pair struct certs_pair pair = {0};
    const struct certs_order order = {true, "one", "edge.local"};
    edge_init(&e);
    cr_assert_not(keep(&e));
    cr_assert_eq(certs_issue(e.certs, &order, &pair, NULL), 0);
    auto_free char *ca = in(&e, "certs/edge-ca.pem"), *cert = in(&e, "leaf.pem"),
                   *key = in(&e, "leaf.key");
    cr_assert_eq(file_write(cert, pair.cert.data, pair.cert.len, 0600, NULL), 0);
    cr_assert_eq(file_write(key, pair.key.data, pair.key.len, 0600, NULL), 0);
    cr_assert(tls_cert_is_good(ca, cert, key, names, 29));
    cr_assert_not(tls_cert_is_good(ca, cert, key, other, 0));
}

Test(edged_certs, a_given_authority_is_checked_and_never_touched)
{
    ATTR_CLEANUP(edge_done) struct edge e;
    struct err err = {0};
    bool renewed = true;
    edge_init(&e);
    auto_free char *cert = in(&e, "given.pem"), *key = in(&e, "given.key");
    STR_SET(e.config.edge_ca.cert, cert);
    STR_SET(e.config.edge_ca.key, key);
    cr_assert_eq(tls_cert_make_self_signed(cert, key, "leaf", 5, NULL), 0);
    edge_open(&e);
    cr_assert_eq(certs_keep(e.certs, &renewed, &err), -1);
    cr_assert(strstr(err.msg, "not a certificate authority's"), "%s", err.msg);
    cr_assert_eq(tls_cert_make_ca(cert, key, "Plant", 5, NULL), 0);
    cr_assert_not(keep(&e));
    auto_certs_pair struct certs_pair pair = {0};
    const struct certs_order order = {.module = "one"};
    cr_assert_eq(certs_issue(e.certs, &order, &pair, NULL), 0);
    cr_assert_lt(pair.until_ms, clock_wall_ms() + 5 * DAY_MS + 1000, "not longer than its issuer");
}
