/* See edge_proof.h. As Microsoft's edge hub, modules show tokens only, and a token's own name of
 * the hub counts, since clients put many things into the user name. A certificate names no hub:
 * there the user name counts. */
#include "vm/guest/hub/edge_proof.h"

#include "core/base/clock.h"
#include "core/base/percent.h"
#include "core/base/str.h"

#include <string.h>
#include <strings.h>

#define RESOURCE_MAX 600

/* ---- the hub's name ---- */

static bool same_host(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

/* TEXT: "HOST", "HOST:PORT", "HOST/...". */
static bool names_this_hub(const char *text, const struct edge_settings *settings)
{
    size_t len = strcspn(text, "/:");

    return same_host(settings->hub, text, len) || same_host(settings->hostname, text, len);
}

static bool is_path_of(const char *resource, const char *device, const char *module)
{
    const char *path = strchr(resource, '/');
    char of_device[RESOURCE_MAX], of_module[RESOURCE_MAX];

    if (!path || !str_format(of_device, sizeof(of_device), "/devices/%s", device) ||
        !str_format(of_module, sizeof(of_module), "%s/modules/%s", of_device, module))
        return false;
    return strcasecmp(path, of_device) == 0 || (module[0] && strcasecmp(path, of_module) == 0);
}

bool edge_proof_meant_for(const char *resource, const struct edge_settings *settings,
                          const char *device, const char *module)
{
    char decoded[RESOURCE_MAX];

    if (!names_this_hub(resource, settings))
        return false;
    /* Microsoft's own modules encode "$edgeAgent" in what they then encode as a whole. */
    return is_path_of(resource, device, module) ||
           (percent_decode(resource, strlen(resource), decoded, sizeof(decoded)) &&
            is_path_of(decoded, device, module));
}

/* ---- reading ---- */

static int read_token(const struct edge_claim *claim, const struct edge_settings *settings,
                      struct sas *ret, struct err *err)
{
    if (sas_parse(claim->token, claim->len, ret, err) < 0)
        return err_set(err, ERR_AUTH, "the token is malformed");
    if (sas_expired(ret, clock_wall_ms() / 1000))
        return err_set(err, ERR_AUTH, "the token has expired");
    if (!edge_proof_meant_for(ret->resource, settings, claim->device, claim->module))
        return err_set(err, ERR_AUTH, "the token is for another resource");
    return 0;
}

static int read_certificate(const struct edge_claim *claim, const struct edge_settings *settings,
                            const char *trust, struct edge_proof *p, struct err *err)
{
    if (!claim->tls || !tls_peer(claim->tls, &p->cert))
        return err_set(err, ERR_AUTH, "it showed neither a token nor a certificate");
    if (p->module)
        return err_set(err, ERR_AUTH, "modules show a token, not a certificate");
    if (!names_this_hub(claim->hub, settings))
        return err_set(err, ERR_AUTH, "the user name names another hub");
    if (tls_cert_check_time(&p->cert, clock_wall_ms(), SAS_SKEW_S * UINT64_C(1000), err) < 0)
        return -1;
    if (!trust[0])
        (void)err_set(&p->chain, ERR_AUTH, "the trust bundle is not known yet");
    else
        (void)tls_peer_signed_by(claim->tls, trust, &p->chain);
    return 0;
}

int edge_proof_read(const struct edge_claim *claim, const struct edge_settings *settings,
                    const char *trust, struct edge_proof *ret, struct err *err)
{
    *ret = (struct edge_proof){.module = claim->module[0] != '\0', .token = claim->token != NULL};
    return ret->token ? read_token(claim, settings, &ret->sas, err)
                      : read_certificate(claim, settings, trust, ret, err);
}

/* ---- judging ---- */

/* Anybody can sign with an empty key. */
static bool signed_with(const struct sas *s, const struct secret *key)
{
    return key->len > 0 && sas_signed_by(s, key->data);
}

static bool signed_by(const struct sas *s, const struct edge_identity *id)
{
    return id->auth == SCOPE_AUTH_SAS &&
           (signed_with(s, &id->primary) || signed_with(s, &id->secondary));
}

static int fits_thumbprint(const struct edge_proof *p, const struct edge_identity *device,
                           struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(device->thumbprints); i++) {
        const char *thumbprint = device->thumbprints[i];

        if (thumbprint[0] && (strcasecmp(thumbprint, p->cert.sha1) == 0 ||
                              strcasecmp(thumbprint, p->cert.sha256) == 0))
            return 0;
    }
    return err_set(err, ERR_AUTH, "its certificate has another thumbprint (SHA-1 %s)",
                   p->cert.sha1);
}

static int fits_certificate(const struct edge_proof *p, const struct edge_identity *device,
                            struct err *err)
{
    if (device->auth == SCOPE_AUTH_SELF_SIGNED)
        return fits_thumbprint(p, device, err);
    if (device->auth != SCOPE_AUTH_CA)
        return err_set(err, ERR_AUTH, "the device does not use a certificate");
    if (!str_eq(p->cert.common_name, device->device))
        return err_set(err, ERR_AUTH, "its certificate is for another common name");
    if (p->chain.kind == ERR_NONE)
        return 0;
    if (err)
        *err = p->chain;
    return -1;
}

int edge_proof_fits(const struct edge_proof *p, const struct edge_identity *device,
                    const struct edge_identity *module, struct err *err)
{
    if (!device || (p->module && !module))
        return err_set(err, ERR_AUTH, "it is not in the scope of this device");
    if (!device->enabled || (p->module && !module->enabled))
        return err_set(err, ERR_AUTH, "it is disabled");
    if (!p->token)
        return fits_certificate(p, device, err);
    /* A module may sign with its device's key. */
    if ((p->module && signed_by(&p->sas, module)) || signed_by(&p->sas, device))
        return 0;
    return err_set(err, ERR_AUTH, "the token is not signed with a key of this identity");
}
