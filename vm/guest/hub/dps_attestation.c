/* See dps_attestation.h. Clients of .NET, C and Java send certificates as base64 of DER or of PEM,
 * those of Node and Python as PEM: all become PEM here. */
#include "vm/guest/hub/dps_attestation.h"

#include "core/azure/derive.h"
#include "core/azure/tpm_public.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <string.h>

#define CERT_MAX    16384
#define TPM_KEY_MAX 2048
#define PEM_BEGIN   "-----BEGIN CERTIFICATE-----"
#define PEM_END     "-----END CERTIFICATE-----"
#define PEM_LINE    64

static const char *const proof_words[] = {
    [DPS_PROOF_KEY] = "symmetricKey",
    [DPS_PROOF_X509] = "x509",
    [DPS_PROOF_TPM] = "tpm",
};

static const char *const x509_words[] = {
    [DPS_X509_CLIENT] = "clientCertificates",
    [DPS_X509_SIGNING] = "signingCertificates",
    [DPS_X509_CA] = "caReferences",
};

static const char *const which[DPS_BOTH] = {"primary", "secondary"};
static const char *const key_words[DPS_BOTH] = {"primaryKey", "secondaryKey"};

const char *dps_proof_word(enum dps_proof proof)
{
    return proof_words[proof];
}

void dps_attestation_done(struct dps_attestation *a)
{
    for (size_t i = 0; i < DPS_BOTH; i++)
        free(a->certs[i].pem);
    free(a->endorsement_key);
    free(a->storage_root_key);
    explicit_bzero(a, sizeof(*a));
}

/* ------------------------------------------------------------------------------------------
 * keys */

static int read_key(const cJSON *from, size_t i, const struct dps_attestation *old,
                    struct dps_attestation *a, struct err *err)
{
    const char *text = "";
    auto_wiped_buf struct buf bytes = {0};

    if (dps_json_text(from, "attestation.symmetricKey", key_words[i], &text, err) < 0)
        return -1;
    if (!text[0] && old && old->proof == DPS_PROOF_KEY) {
        STR_SET(a->keys[i], old->keys[i]);
    } else if (!text[0]) {
        auto_secret struct secret made = {0};

        derive_random(&made);
        STR_SET(a->keys[i], made.data);
    } else if (base64_decode(text, strlen(text), &bytes, NULL) < 0 || bytes.len < 16 ||
               bytes.len > 64 || !str_copy(a->keys[i], sizeof(a->keys[i]), text)) {
        return err_set(err, ERR_INVALID,
                       "attestation.symmetricKey.%s: must be base64 of 16 to 64 bytes",
                       key_words[i]);
    }
    return 0;
}

static int read_keys(const cJSON *attestation, const struct dps_attestation *old,
                     struct dps_attestation *a, struct err *err)
{
    const cJSON *keys = NULL;

    if (dps_json_object(attestation, "attestation", "symmetricKey", &keys, err) < 0)
        return -1;
    for (size_t i = 0; i < DPS_BOTH; i++)
        if (read_key(keys, i, old, a, err) < 0)
            return -1;
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * certificates */

/* TEXT as PEM, for the caller. What it is not, tls_cert_read() finds out. */
static char *to_pem(const char *text)
{
    auto_buf struct buf bytes = {0};
    auto_buf struct buf base64 = {0};
    struct buf pem = {0};

    if (strstr(text, PEM_BEGIN) || base64_decode(text, strlen(text), &bytes, NULL) < 0)
        return xstrdup(text);
    if (str_starts(buf_str(&bytes), PEM_BEGIN) && strlen(bytes.data) == bytes.len)
        return buf_steal(&bytes);
    base64_encode(bytes.data, bytes.len, &base64);
    buf_puts(&pem, PEM_BEGIN "\n");
    for (size_t at = 0; at < base64.len; at += PEM_LINE)
        buf_printf(&pem, "%.*s\n", PEM_LINE, base64.data + at);
    buf_puts(&pem, PEM_END "\n");
    return buf_steal(&pem);
}

static int read_cert(const cJSON *certs, const char *root, size_t i, const struct dps_cert *old,
                     struct dps_cert *ret, struct err *err)
{
    char path[DPS_PATH_MAX];
    const cJSON *item = NULL;
    const char *text = NULL;

    dps_path(path, sizeof(path), root, which[i]);
    if (dps_json_object(certs, root, which[i], &item, err) < 0 ||
        dps_json_text(item, path, "certificate", &text, err) < 0)
        return -1;
    if (item && !text && old && old->pem) { /* as a GET showed it */
        *ret = (struct dps_cert){.pem = xstrdup(old->pem), .info = old->info};
        return 0;
    }
    if (!item || !text)
        return 0;
    if (strlen(text) > CERT_MAX)
        return err_set(err, ERR_INVALID, "%s.certificate: more than %d bytes", path, CERT_MAX);

    auto_free char *pem = to_pem(text);

    if (tls_cert_read(pem, strlen(pem), &ret->info, err) < 0)
        return err_wrap(err, "%s.certificate", path);
    ret->pem = steal(pem);
    return 0;
}

static int read_authority(const cJSON *names, const char *root, size_t i, struct dps_attestation *a,
                          struct err *err)
{
    const char *text = "";

    if (dps_json_text(names, root, which[i], &text, err) < 0)
        return -1;
    if (!str_copy(a->authorities[i], sizeof(a->authorities[i]), text))
        return err_set(err, ERR_INVALID, "%s.%s: is too long", root, which[i]);
    return 0;
}

/* Client certificates are of one device, signing certificates of a group; an authority signs for
 * both. */
static int find_x509(const cJSON *x509, bool group, enum dps_x509 *ret, const cJSON **ret_item,
                     struct err *err)
{
    enum dps_x509 other = group ? DPS_X509_CLIENT : DPS_X509_SIGNING;
    const cJSON *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(x509_words); i++) {
        const cJSON *item = NULL;

        if (dps_json_object(x509, "attestation.x509", x509_words[i], &item, err) < 0)
            return -1;
        if (item && (i == other || found))
            return err_set(err, ERR_INVALID, "attestation.x509.%s: not %s", x509_words[i],
                           found   ? "together with other certificates"
                           : group ? "in an enrolment group"
                                   : "in an individual enrolment");
        if (item) {
            found = item;
            *ret = (enum dps_x509)i;
        }
    }
    if (!found)
        return err_set(err, ERR_INVALID, "attestation.x509: must have %s or %s",
                       x509_words[group ? DPS_X509_SIGNING : DPS_X509_CLIENT],
                       x509_words[DPS_X509_CA]);
    *ret_item = found;
    return 0;
}

static int read_x509(const cJSON *attestation, bool group, const struct dps_attestation *old,
                     struct dps_attestation *a, struct err *err)
{
    char root[DPS_PATH_MAX];
    const cJSON *x509 = NULL, *item = NULL;

    if (dps_json_object(attestation, "attestation", "x509", &x509, err) < 0 ||
        find_x509(x509, group, &a->x509, &item, err) < 0)
        return -1;
    if (old && (old->proof != DPS_PROOF_X509 || old->x509 != a->x509))
        old = NULL;
    dps_path(root, sizeof(root), "attestation.x509", x509_words[a->x509]);
    for (size_t i = 0; i < DPS_BOTH; i++)
        if (a->x509 == DPS_X509_CA
                ? read_authority(item, root, i, a, err) < 0
                : read_cert(item, root, i, old ? &old->certs[i] : NULL, &a->certs[i], err) < 0)
            return -1;
    if (a->x509 == DPS_X509_CA ? !a->authorities[DPS_PRIMARY][0] : !a->certs[DPS_PRIMARY].pem)
        return err_set(err, ERR_INVALID, "%s.primary%s: is missing", root,
                       a->x509 == DPS_X509_CA ? "" : ".certificate");
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * TPM */

static int read_tpm_key(const cJSON *tpm, const char *key, char **ret, struct err *err)
{
    const char *text = "";
    struct tpm_public ignored;

    if (dps_json_text(tpm, "attestation.tpm", key, &text, err) < 0)
        return -1;
    if (!text[0])
        return 0;
    if (strlen(text) > TPM_KEY_MAX)
        return err_set(err, ERR_INVALID, "attestation.tpm.%s: is too long", key);
    if (tpm_public_read(text, &ignored, err) < 0) {
        if (err)
            err->kind = ERR_INVALID;
        return err_wrap(err, "attestation.tpm.%s", key);
    }
    *ret = xstrdup(text);
    return 0;
}

static int read_tpm(const cJSON *attestation, struct dps_attestation *a, struct err *err)
{
    const cJSON *tpm = NULL;

    if (dps_json_object(attestation, "attestation", "tpm", &tpm, err) < 0 ||
        read_tpm_key(tpm, "endorsementKey", &a->endorsement_key, err) < 0 ||
        read_tpm_key(tpm, "storageRootKey", &a->storage_root_key, err) < 0)
        return -1;
    if (!a->endorsement_key)
        return err_set(err, ERR_INVALID, "attestation.tpm.endorsementKey: is missing");
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * all of them */

static int find_proof(const char *word, bool group, enum dps_proof *ret, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(proof_words); i++)
        if (str_eq(word, proof_words[i]) && !(group && i == DPS_PROOF_TPM)) {
            *ret = (enum dps_proof)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "attestation.type: must be symmetricKey%s",
                   group ? " or x509 for a group" : ", x509 or tpm");
}

int dps_attestation_read(const cJSON *body, bool group, const struct dps_attestation *old,
                         struct dps_attestation *ret, struct err *err)
{
    const cJSON *attestation = NULL;
    const char *word = "";

    if (dps_json_object(body, "", "attestation", &attestation, err) < 0)
        return -1;
    if (!attestation)
        return err_set(err, ERR_INVALID, "attestation: is missing");
    if (dps_json_text(attestation, "attestation", "type", &word, err) < 0 ||
        find_proof(word, group, &ret->proof, err) < 0)
        return -1;
    switch (ret->proof) {
    case DPS_PROOF_X509:
        return read_x509(attestation, group, old, ret, err);
    case DPS_PROOF_TPM:
        return read_tpm(attestation, ret, err);
    case DPS_PROOF_KEY:
    default:
        return read_keys(attestation, old, ret, err);
    }
}

cJSON *dps_cert_show(const struct tls_cert_info *info)
{
    cJSON *out = cJSON_CreateObject();
    char when[CLOCK_TEXT_MAX];

    json_add_str(out, "subjectName", info->subject);
    json_add_str(out, "sha1Thumbprint", info->sha1);
    json_add_str(out, "sha256Thumbprint", info->sha256);
    json_add_str(out, "issuerName", info->issuer);
    clock_format(when, sizeof(when), info->not_before_ms);
    json_add_str(out, "notBeforeUtc", when);
    clock_format(when, sizeof(when), info->not_after_ms);
    json_add_str(out, "notAfterUtc", when);
    json_add_str(out, "serialNumber", info->serial);
    json_add_u64(out, "version", 3);
    return out;
}

static void show_x509(const struct dps_attestation *a, enum dps_show what, cJSON *to)
{
    cJSON *all = json_add_obj(json_add_obj(to, "x509"), x509_words[a->x509]);

    for (size_t i = 0; i < DPS_BOTH; i++) {
        if (a->authorities[i][0])
            json_add_str(all, which[i], a->authorities[i]);
        if (!a->certs[i].pem)
            continue;

        cJSON *cert = json_add_obj(all, which[i]);

        if (what == DPS_SHOW_STORED)
            json_add_str(cert, "certificate", a->certs[i].pem);
        json_add(cert, "info", dps_cert_show(&a->certs[i].info));
    }
}

cJSON *dps_attestation_show(const struct dps_attestation *a, enum dps_show what)
{
    cJSON *out = cJSON_CreateObject();

    json_add_str(out, "type", proof_words[a->proof]);
    if (a->proof == DPS_PROOF_KEY && what != DPS_SHOW_PUBLIC) {
        cJSON *keys = json_add_obj(out, "symmetricKey");

        for (size_t i = 0; i < DPS_BOTH; i++)
            json_add_str(keys, key_words[i], a->keys[i]);
    } else if (a->proof == DPS_PROOF_X509) {
        show_x509(a, what, out);
    } else if (a->proof == DPS_PROOF_TPM) {
        cJSON *tpm = json_add_obj(out, "tpm");

        json_add_str(tpm, "endorsementKey", a->endorsement_key);
        if (a->storage_root_key)
            json_add_str(tpm, "storageRootKey", a->storage_root_key);
    }
    return out;
}
