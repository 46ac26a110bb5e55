/* See certs.h: the authority. Its former certificate is put aside first, then come the new key and
 * the new certificate: whenever the power goes, what is left is either a pair or is made anew, and
 * what the former one signed stays trusted. */
#include "vm/guest/edged/certs_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdlib.h>

#define LOOK_MS (3600 * 1000ULL)
#define DAY_MS  (86400 * 1000ULL)

int certs_read(const char *path, struct tls_cert_info *ret, struct err *err)
{
    auto_buf struct buf text = {0};
    if (file_read(path, CERTS_FILE_MAX, &text, err) < 0)
        return -1;
    if (tls_cert_read(buf_str(&text), text.len, ret, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

/* ------------------------------------------------------------------------------- renewal */

/* Never before half of its life: a threshold longer than that would renew without end. */
uint64_t certs_renewal_ms(const struct config_edge_ca *ca, uint64_t from_ms, uint64_t until_ms)
{
    uint64_t made_ms = from_ms + DAY_MS;
    uint64_t life_ms = until_ms > made_ms ? until_ms - made_ms : 0;
    uint64_t half_ms = made_ms + life_ms / 2;
    uint64_t at_ms = until_ms;
    if (ca->threshold.percent)
        at_ms = made_ms + life_ms / 100 * ca->threshold.percent;
    else if (ca->threshold.seconds < life_ms / 1000)
        at_ms = until_ms - ca->threshold.seconds * 1000;
    else
        at_ms = half_ms;
    return at_ms > half_ms ? at_ms : half_ms;
}

static uint64_t retry_pause_ms(const struct config_edge_ca *ca)
{
    uint64_t ms =
        ca->retry.percent ? ca->days * DAY_MS / 100 * ca->retry.percent : ca->retry.seconds * 1000;
    return ms < 60000 ? 60000 : ms;
}

static void wanted_name(const struct certs *c, char name[65])
{
    if (*c->config->edge_ca.common_name)
        (void)str_copy(name, 65, c->config->edge_ca.common_name);
    else
        (void)str_format(name, 65, "aziot-edge CA %s", c->device->id);
}

/* Why an authority has to be made; NULL where there is no reason to. One from the future was made
 * while the clock was wrong. */
static const char *reason_to_make(const struct certs *c, const struct tls_cert_info *info,
                                  uint64_t now_ms)
{
    char name[65];
    wanted_name(c, name);
    if (now_ms >= info->not_after_ms)
        return "it has expired";
    if (!tls_cert_is_good(c->ca, c->ca, c->ca_key, NULL, 0))
        return "its key does not fit";
    if (!str_eq(info->common_name, name))
        return "it was made for another device or name";
    if (now_ms < info->not_before_ms)
        return "it is not valid yet";
    if (c->config->edge_ca.renew &&
        now_ms >= certs_renewal_ms(&c->config->edge_ca, info->not_before_ms, info->not_after_ms))
        return "it ends soon";
    return NULL;
}

static int put_former_aside(const struct certs *c, struct err *err)
{
    auto_buf struct buf text = {0};
    if (file_read(c->ca, CERTS_FILE_MAX, &text, err) < 0)
        return -1;
    return file_write(c->former, text.data, text.len, 0600, err);
}

static int make(const struct certs *c, struct err *err)
{
    char name[65];
    wanted_name(c, name);
    const struct tls_cert_order order = {
        .use = TLS_CERT_ISSUER, .common_name = name, .days = (unsigned)c->config->edge_ca.days};
    return tls_cert_make(&order, c->ca, c->ca_key, err);
}

static int keep_made(struct certs *c, bool *ret_renewed, struct err *err)
{
    struct tls_cert_info info = {0};
    struct err why = {0};
    uint64_t now_ms = clock_wall_ms();
    bool had = certs_read(c->ca, &info, &why) == 0;
    const char *reason = had ? reason_to_make(c, &info, now_ms) : "there is none";
    c->ready =
        had && now_ms < info.not_after_ms && tls_cert_is_good(c->ca, c->ca, c->ca_key, NULL, 0);
    if (!reason)
        return 0;
    /* The clock may have been set back meanwhile. */
    if (c->tried_ms && now_ms >= c->tried_ms && now_ms - c->tried_ms < c->retry_ms && c->ready)
        return 0;
    if ((had && put_former_aside(c, err) < 0) || make(c, err) < 0) {
        c->tried_ms = now_ms;
        c->retry_ms = retry_pause_ms(&c->config->edge_ca);
        return err_wrap(err, "make the edge CA (%s)", reason);
    }
    log_info("certs", "made a new edge CA for %llu days: %s",
             (unsigned long long)c->config->edge_ca.days, reason);
    c->tried_ms = 0;
    c->ready = true;
    *ret_renewed = had;
    return 0;
}

int certs_keep(struct certs *c, bool *ret_renewed, struct err *err)
{
    *ret_renewed = false;
    if (c->made)
        return device_known(c->device) ? keep_made(c, ret_renewed, err) : 0;
    struct tls_cert_info info = {0};
    c->ready = false;
    if (certs_read(c->ca, &info, err) < 0)
        return err_wrap(err, "edge_ca.cert");
    if (!info.is_ca)
        return err_set(err, ERR_INVALID, "edge_ca.cert: %s is not a certificate authority's",
                       c->ca);
    if (info.not_after_ms <= clock_wall_ms())
        return err_set(err, ERR_INVALID, "edge_ca.cert: %s has expired", c->ca);
    c->ready = true;
    return 0;
}

uint64_t certs_keep_ms(const struct certs *c)
{
    struct tls_cert_info info = {0};
    uint64_t now_ms = clock_wall_ms();
    if (!c->ready || certs_read(c->ca, &info, NULL) < 0)
        return 60000;
    if (!c->made)
        return LOOK_MS;
    uint64_t at_ms =
        c->config->edge_ca.renew
            ? certs_renewal_ms(&c->config->edge_ca, info.not_before_ms, info.not_after_ms)
            : info.not_after_ms;
    uint64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 60000;
    return left_ms < LOOK_MS ? left_ms : LOOK_MS;
}

/* ------------------------------------------------------------------------------- trust */

static int add_file(struct buf *out, const char *path, struct err *err)
{
    if (file_read(path, CERTS_FILE_MAX, out, err) < 0)
        return -1;
    if (out->len && out->data[out->len - 1] != '\n')
        buf_putc(out, '\n');
    return 0;
}

int certs_trust_bundle(const struct certs *c, struct buf *out, struct err *err)
{
    struct tls_cert_info former;
    if (!c->ready)
        return err_set(err, ERR_NOT_FOUND, "the edge CA is not there yet");
    if (add_file(out, c->ca, err) < 0)
        return -1;
    if (c->made && certs_read(c->former, &former, NULL) == 0 &&
        former.not_after_ms > clock_wall_ms() && add_file(out, c->former, err) < 0)
        return -1;
    return *c->config->trust_bundle ? add_file(out, c->config->trust_bundle, err) : 0;
}

/* ------------------------------------------------------------------------------- life */

struct certs *certs_new(const struct config *config, const struct device *device,
                        const char *state_dir, struct err *err)
{
    auto_free char *dir = xasprintf("%s/certs", state_dir);
    if (file_mkdirs(dir, 0700, err) < 0)
        return NULL;
    struct certs *c = xcalloc(1, sizeof(*c));
    c->config = config;
    c->device = device;
    c->dir = steal(dir);
    c->made = !*config->edge_ca.cert;
    c->ca = c->made ? xasprintf("%s/edge-ca.pem", c->dir) : xstrdup(config->edge_ca.cert);
    c->ca_key =
        c->made ? xasprintf("%s/keys/edge-ca.pem", state_dir) : xstrdup(config->edge_ca.key);
    c->former = xasprintf("%s/edge-ca-former.pem", c->dir);
    certs_load_issued(c);
    return c;
}

void certs_free(struct certs *c)
{
    if (!c)
        return;
    free(c->dir);
    free(c->ca);
    free(c->ca_key);
    free(c->former);
    free(c->issued);
    free(c);
}
