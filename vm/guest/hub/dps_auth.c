/* See dps_auth.h. An individual enrolment goes before a group. A token does not say which group it
 * is for, so that each group's key is tried. */
#include "vm/guest/hub/dps_auth.h"

#include "core/azure/derive.h"
#include "core/azure/sas.h"
#include "core/azure/tpm_credential.h"
#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/hub/dps_records.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void dps_grant_done(struct dps_grant *g)
{
    dps_enrolment_done(&g->enrolment);
    explicit_bzero(g, sizeof(*g));
}

/* ------------------------------------------------------------------------------------------
 * tokens */

static int read_token(const struct dps *d, const struct auth_proof *proof, const char *id,
                      struct sas *ret, struct err *err)
{
    char target[DPS_SCOPE_MAX + IDENTITY_ID_MAX + 32];

    if (!proof->token)
        return err_set(err, ERR_AUTH, "it sent no token");
    if (sas_parse(proof->token, proof->len, ret, err) < 0)
        return err_set(err, ERR_AUTH, "the token is malformed");
    if (sas_expired(ret, clock_wall_ms() / 1000))
        return err_set(err, ERR_AUTH, "the token has expired");
    (void)str_format(target, sizeof(target), "%s/registrations/%s", d->scope, id);
    if (!sas_covers(ret, target))
        return err_set(err, ERR_AUTH, "the token is for another resource");
    if (ret->policy[0] && !str_eq(ret->policy, "registration"))
        return err_set(err, ERR_AUTH, "the token names another policy than registration");
    return 0;
}

static bool signed_by_any(const struct sas *s, char keys[DPS_BOTH][STORE_KEY_MAX])
{
    return sas_signed_by(s, keys[DPS_PRIMARY]) || sas_signed_by(s, keys[DPS_SECONDARY]);
}

/* A device's keys, made of its group's. */
static int derive_keys(const struct dps_attestation *group, const char *id,
                       char to[DPS_BOTH][STORE_KEY_MAX])
{
    for (size_t i = 0; i < DPS_BOTH; i++) {
        auto_secret struct secret key = {0};

        if (derive_key(group->keys[i], id, &key, NULL) < 0)
            return -1;
        (void)str_copy(to[i], STORE_KEY_MAX, key.data);
    }
    return 0;
}

/* A search through the groups. */
struct search {
    struct dps *d;
    const char *id;
    const struct auth_proof *proof;
    struct sas token;
    struct dps_grant *grant;
    bool found;
};

/* The key may have been made of the id as it is written, or in lower case as Azure's own examples
 * do it. */
static bool try_key_group(void *arg, const struct enrolment_row *row)
{
    struct search *search = arg;
    auto_dps_grant struct dps_grant grant = {0};
    char lower[IDENTITY_ID_MAX];
    const char *spellings[] = {search->id, lower};
    size_t n;

    STR_SET(lower, search->id);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    n = str_eq(lower, search->id) ? 1 : 2;
    if (dps_enrolment_unpack(row, &grant.enrolment, NULL) < 0)
        return true;
    for (size_t i = 0; i < n && !search->found; i++)
        search->found = derive_keys(&grant.enrolment.attestation, spellings[i], grant.keys) == 0 &&
                        signed_by_any(&search->token, grant.keys);
    if (search->found) {
        *search->grant = grant;
        search->grant->expiry_s = search->token.expiry_s;
        grant = (struct dps_grant){0};
    }
    return !search->found;
}

/* ------------------------------------------------------------------------------------------
 * certificates */

static int check_thumbprint(const struct dps_attestation *a, struct dps_grant *grant,
                            struct err *err)
{
    bool known = false;

    for (size_t i = 0; i < DPS_BOTH; i++) {
        if (!a->certs[i].pem)
            continue;
        known = known || str_eq(a->certs[i].info.sha256, grant->cert.sha256);
        STR_SET(grant->thumbprints[i], a->certs[i].info.sha256);
    }
    if (!known)
        return err_set(err, ERR_AUTH, "its certificate is not the one that is enrolled");
    return tls_cert_check_time(&grant->cert, clock_wall_ms(), SAS_SKEW_S * UINT64_C(1000), err);
}

struct references {
    const struct dps_attestation *a;
    struct buf *pem;
};

/* Azure refers to an authority by the name that it was uploaded with. Here they have none: it is
 * its SHA-256 thumbprint, or its common name. */
static void put_referred(void *arg, const char *pem)
{
    struct references *r = arg;
    struct tls_cert_info info;

    if (tls_cert_read(pem, strlen(pem), &info, NULL) < 0)
        return;
    for (size_t i = 0; i < DPS_BOTH; i++) {
        const char *name = r->a->authorities[i];

        if (name[0] && (!strcasecmp(name, info.sha256) || str_eq(name, info.common_name))) {
            buf_puts(r->pem, pem);
            return;
        }
    }
}

/* The authorities of an enrolment as PEM, appended. */
static int put_authorities(struct dps *d, const struct dps_attestation *a, struct buf *to,
                           struct err *err)
{
    struct references references = {.a = a, .pem = to};

    for (size_t i = 0; i < DPS_BOTH; i++)
        if (a->certs[i].pem)
            buf_printf(to, "%s\n", a->certs[i].pem);
    if (a->x509 != DPS_X509_CA)
        return 0;
    return store_authority_each(d->hub->store, put_referred, &references, err);
}

static int check_chain(struct dps *d, const struct dps_attestation *a, const char *id,
                       const struct tls *tls, struct dps_grant *grant, struct err *err)
{
    auto_buf struct buf authorities = {0};

    if (strcasecmp(grant->cert.common_name, id) != 0)
        return err_set(err, ERR_AUTH, "the common name of its certificate is not %s", id);
    if (put_authorities(d, a, &authorities, err) < 0 ||
        tls_peer_signed_by(tls, buf_str(&authorities), err) < 0)
        return -1;
    STR_SET(grant->thumbprints[DPS_PRIMARY], grant->cert.sha256);
    return 0;
}

static int check_certificate(struct dps *d, const struct dps_attestation *a, const char *id,
                             const struct auth_proof *proof, struct dps_grant *grant,
                             struct err *err)
{
    grant->has_cert = proof->tls && tls_peer(proof->tls, &grant->cert);
    grant->expiry_s = UINT64_MAX;
    if (!grant->has_cert)
        return err_set(err, ERR_AUTH, "it showed no certificate");
    if (a->x509 == DPS_X509_CLIENT)
        return check_thumbprint(a, grant, err);
    return check_chain(d, a, id, proof->tls, grant, err);
}

static bool try_x509_group(void *arg, const struct enrolment_row *row)
{
    struct search *search = arg;
    auto_dps_grant struct dps_grant grant = {0};

    if (dps_enrolment_unpack(row, &grant.enrolment, NULL) < 0)
        return true;
    search->found = check_certificate(search->d, &grant.enrolment.attestation, search->id,
                                      search->proof, &grant, NULL) == 0;
    if (search->found) {
        *search->grant = grant;
        grant = (struct dps_grant){0};
    }
    return !search->found;
}

/* ------------------------------------------------------------------------------------------
 * devices */

static int auth_group(struct dps *d, const struct auth_proof *proof, const char *id,
                      struct dps_grant *ret, struct err *err)
{
    struct search search = {.d = d, .id = id, .proof = proof, .grant = ret};
    enum dps_proof kind = proof->token ? DPS_PROOF_KEY : DPS_PROOF_X509;

    if (proof->token && read_token(d, proof, id, &search.token, err) < 0)
        return -1;
    if (store_enrolment_each(d->hub->store, true, dps_proof_word(kind), "", DPS_GROUPS_MAX,
                             proof->token ? try_key_group : try_x509_group, &search, err) < 0)
        return -1;
    if (!search.found)
        return err_set(err, ERR_AUTH, "%s is not enrolled, or its %s is not that of a group", id,
                       proof->token ? "key" : "certificate");
    return 0;
}

/* The key that a TPM proved itself with is the one that it was challenged with. */
static int check_tpm(struct dps *d, const struct sas *token, const char *id, struct err *err)
{
    auto_secret struct secret key = {0};
    auto_free char *srk = NULL;

    if (store_challenge_get(d->hub->store, id, &key, &srk, err) < 0 ||
        !sas_signed_by(token, key.data))
        return err_set(err, ERR_AUTH, "the token is not signed with the key of its challenge");
    return 0;
}

static int auth_individual(struct dps *d, const struct auth_proof *proof, const char *id,
                           struct dps_grant *grant, struct err *err)
{
    struct dps_attestation *a = &grant->enrolment.attestation;
    struct sas token = {0};

    if (a->proof == DPS_PROOF_X509)
        return check_certificate(d, a, id, proof, grant, err);
    if (read_token(d, proof, id, &token, err) < 0)
        return -1;
    grant->expiry_s = token.expiry_s;
    if (a->proof == DPS_PROOF_TPM)
        return check_tpm(d, &token, id, err);
    memcpy(grant->keys, a->keys, sizeof(grant->keys));
    if (!signed_by_any(&token, grant->keys))
        return err_set(err, ERR_AUTH, "the token is not signed with a key of the enrolment");
    return 0;
}

int dps_auth_device(struct dps *d, const struct auth_proof *proof, const char *id,
                    struct dps_grant *ret, struct err *err)
{
    auto_enrolment_row struct enrolment_row row = {0};
    struct err why = {0};

    if (store_enrolment_get(d->hub->store, false, id, &row, &why) == 0) {
        if (dps_enrolment_unpack(&row, &ret->enrolment, err) < 0)
            return -1;
        return auth_individual(d, proof, id, ret, err);
    }
    if (why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    return auth_group(d, proof, id, ret, err);
}

/* ------------------------------------------------------------------------------------------
 * TPMs */

static int wrap(const struct tpm_public *ek, const struct tpm_public *srk, const char *key_base64,
                const char *uri, struct buf *ret, struct err *err)
{
    auto_wiped_buf struct buf key = {0};
    auto_buf struct buf blob = {0};

    if (base64_decode(key_base64, strlen(key_base64), &key, err) < 0)
        return -1;
    if (key.len != TPM_CREDENTIAL_KEY)
        return err_set(err, ERR_UNSUPPORTED, "a TPM takes keys of %d bytes", TPM_CREDENTIAL_KEY);
    if (tpm_credential_wrap(ek, srk, (const unsigned char *)key.data, uri, &blob, err) < 0)
        return -1;
    base64_encode(blob.data, blob.len, ret);
    return 0;
}

/* The keys that a device shows are those that are enrolled. */
static int check_public(const char *shown, const char *enrolled, struct tpm_public *ret,
                        struct err *err)
{
    struct tpm_public known;

    if (tpm_public_read(shown, ret, err) < 0) {
        if (err)
            err->kind = ERR_INVALID;
        return -1;
    }
    if (enrolled && (tpm_public_read(enrolled, &known, err) < 0 ||
                     memcmp(known.name, ret->name, TPM_NAME_SIZE) != 0))
        return err_set(err, ERR_AUTH, "is not the one that is enrolled");
    return 0;
}

int dps_auth_challenge(struct dps *d, const char *id, const cJSON *tpm, struct buf *ret,
                       struct err *err)
{
    auto_enrolment_row struct enrolment_row row = {0};
    auto_dps_enrolment struct dps_enrolment e = {0};
    auto_secret struct secret key = {0};
    const char *ek_text = "", *srk_text = "";
    struct tpm_public ek, srk;
    char uri[DPS_SCOPE_MAX + IDENTITY_ID_MAX + 32];

    if (dps_json_text(tpm, "tpm", "endorsementKey", &ek_text, err) < 0 ||
        dps_json_text(tpm, "tpm", "storageRootKey", &srk_text, err) < 0)
        return -1;
    if (store_enrolment_get(d->hub->store, false, id, &row, NULL) < 0 ||
        dps_enrolment_unpack(&row, &e, NULL) < 0 || e.attestation.proof != DPS_PROOF_TPM)
        return err_set(err, ERR_AUTH, "%s is not enrolled with a TPM", id);
    if (check_public(ek_text, e.attestation.endorsement_key, &ek, err) < 0)
        return err_wrap(err, "tpm.endorsementKey");
    if (check_public(srk_text, e.attestation.storage_root_key, &srk, err) < 0)
        return err_wrap(err, "tpm.storageRootKey");
    derive_random(&key);
    (void)str_format(uri, sizeof(uri), "%s/registrations/%s", d->scope, id);
    if (wrap(&ek, &srk, key.data, uri, ret, err) < 0)
        return -1;
    return store_challenge_put(d->hub->store, id, key.data, srk_text, err);
}

int dps_auth_wrap(struct dps *d, const struct dps_enrolment *e, const char *key, const char *uri,
                  struct buf *ret, struct err *err)
{
    auto_secret struct secret challenge = {0};
    auto_free char *srk_text = NULL;
    struct tpm_public ek, srk;

    if (store_challenge_get(d->hub->store, e->id, &challenge, &srk_text, err) < 0 ||
        tpm_public_read(e->attestation.endorsement_key, &ek, err) < 0 ||
        tpm_public_read(srk_text, &srk, err) < 0)
        return -1;
    return wrap(&ek, &srk, key, uri, ret, err);
}
