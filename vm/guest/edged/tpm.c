/* See tpm.h. The names of handles and the shape of the key's wrapping are those of Azure's TPM
 * service, so that a device keeps its identity when it changes between the two runtimes. */
#include "vm/guest/edged/tpm.h"

#include "core/base/str.h"

#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#define EK_HANDLE  0x81010001
#define SRK_HANDLE 0x81000001
#define KEY_HANDLE 0x81000000

struct tpm {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR ek, srk;
};

/* ------------------------------------------------------------------------------- errors */

/* Codes carry the number of the argument they are about: without it. */
static TSS2_RC plain_rc(TSS2_RC rc)
{
    if ((rc & TSS2_RC_LAYER_MASK) == 0 && (rc & TPM2_RC_FMT1))
        return rc & (TPM2_RC_FMT1 | 0x3f);
    return rc;
}

static int tpm_err(struct err *err, TSS2_RC rc, const char *what)
{
    switch (plain_rc(rc)) {
    case TPM2_RC_LOCKOUT:
        return err_set(err, ERR_AUTH, "%s: the TPM is locked after too many wrong passwords", what);
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
        err_set(err, ERR_AUTH, "%s: the TPM wants another password", what);
        return err_hint(err, "look at [tpm.hierarchy_authorization]");
    case TPM2_RC_HANDLE:
        return err_set(err, ERR_NOT_FOUND, "%s: the TPM has no such key", what);
    case TPM2_RC_INTEGRITY:
    case TPM2_RC_VALUE:
        return err_set(err, ERR_AUTH, "%s: this was made for another TPM", what);
    default:
        return err_set(err, ERR_REMOTE, "%s: the TPM answered 0x%08x", what, (unsigned)rc);
    }
}

/* ------------------------------------------------------------------------------- life */

static void tpm_close(struct tpm *t)
{
    Esys_Finalize(&t->esys);
    Tss2_TctiLdr_Finalize(&t->tcti);
}
#define auto_tpm ATTR_CLEANUP(tpm_close)

static void esys_freep(void *p)
{
    Esys_Free(*(void **)p);
}
#define auto_esys ATTR_CLEANUP(esys_freep)

static TSS2_RC set_password(struct tpm *t, ESYS_TR hierarchy, const struct secret *password)
{
    TPM2B_AUTH auth = {.size = (UINT16)password->len};
    if (password->len)
        memcpy(auth.buffer, password->data, password->len);
    TSS2_RC rc = Esys_TR_SetAuth(t->esys, hierarchy, &auth);
    explicit_bzero(&auth, sizeof(auth));
    return rc;
}

#define STORAGE_PARAMETERS                                \
    {                                                     \
        .rsaDetail = {                                    \
            .symmetric = {.algorithm = TPM2_ALG_AES,      \
                          .keyBits = {.aes = 128},        \
                          .mode = {.aes = TPM2_ALG_CFB}}, \
            .scheme = {.scheme = TPM2_ALG_NULL},          \
            .keyBits = 2048                               \
        }                                                 \
    }
#define STORAGE_ATTRIBUTES                                                 \
    (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM | \
     TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN)

/* TCG EK Credential Profile, template L-1: its policy is PolicySecret(endorsement hierarchy). */
static const TPM2B_PUBLIC ek_template = {
    .publicArea = {
        .type = TPM2_ALG_RSA,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = STORAGE_ATTRIBUTES | TPMA_OBJECT_ADMINWITHPOLICY,
        .authPolicy = {.size = 32,
                       .buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                  0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                  0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa}},
        .parameters = STORAGE_PARAMETERS,
        .unique = {.rsa = {.size = 256}}}};

static const TPM2B_PUBLIC srk_template = {
    .publicArea = {.type = TPM2_ALG_RSA,
                   .nameAlg = TPM2_ALG_SHA256,
                   .objectAttributes =
                       STORAGE_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
                   .parameters = STORAGE_PARAMETERS,
                   .unique = {.rsa = {.size = 256}}}};

/* The key that is kept at HANDLE; made and put there where the TPM has none yet. */
static TSS2_RC find_primary(struct tpm *t, TPM2_HANDLE handle, ESYS_TR hierarchy,
                            const TPM2B_PUBLIC *template, ESYS_TR *ret)
{
    static const TPM2B_SENSITIVE_CREATE sensitive = {0};
    static const TPM2B_DATA outside = {0};
    static const TPML_PCR_SELECTION pcrs = {0};
    ESYS_TR made = ESYS_TR_NONE;
    TSS2_RC rc =
        Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret);
    if (plain_rc(rc) != TPM2_RC_HANDLE)
        return rc;
    rc = Esys_CreatePrimary(t->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                            &sensitive, template, &outside, &pcrs, &made, NULL, NULL, NULL, NULL);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, made, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                           ESYS_TR_NONE, handle, ret);
    (void)Esys_FlushContext(t->esys, made);
    return rc;
}

static int tpm_open(struct tpm *t, const struct config_tpm *config, struct err *err)
{
    TSS2_RC rc = Tss2_TctiLdr_Initialize(config->tcti, &t->tcti);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Initialize(&t->esys, t->tcti, NULL);
    if (rc != TSS2_RC_SUCCESS) {
        err_set(err, ERR_UNSUPPORTED, "no TPM can be used at %s (0x%08x)", config->tcti,
                (unsigned)rc);
        return err_hint(err, "has the VM been given a TPM?");
    }
    if (set_password(t, ESYS_TR_RH_ENDORSEMENT, &config->endorsement) != TSS2_RC_SUCCESS ||
        set_password(t, ESYS_TR_RH_OWNER, &config->owner) != TSS2_RC_SUCCESS)
        return err_set(err, ERR_BUG, "the TPM's passwords cannot be set");
    return 0;
}

static int open_primaries(struct tpm *t, const struct config_tpm *config, struct err *err)
{
    if (tpm_open(t, config, err) < 0)
        return -1;
    TSS2_RC rc = find_primary(t, EK_HANDLE, ESYS_TR_RH_ENDORSEMENT, &ek_template, &t->ek);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_err(err, rc, "endorsement key");
    rc = find_primary(t, SRK_HANDLE, ESYS_TR_RH_OWNER, &srk_template, &t->srk);
    return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "storage root key");
}

/* ------------------------------------------------------------------------------- public keys */

static int put_public(struct tpm *t, ESYS_TR key, struct buf *out, struct err *err)
{
    auto_esys TPM2B_PUBLIC *public = NULL;
    size_t len = 0;
    TSS2_RC rc = Esys_ReadPublic(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
                                 NULL, NULL);
    if (rc == TSS2_RC_SUCCESS)
        rc = Tss2_MU_TPM2B_PUBLIC_Marshal(public, (uint8_t *)buf_reserve(out, sizeof(*public)),
                                          sizeof(*public), &len);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_err(err, rc, "read a public key");
    buf_commit(out, len);
    return 0;
}

int tpm_keys(const void *arg, struct buf *ret_endorsement, struct buf *ret_storage, struct err *err)
{
    auto_tpm struct tpm t = {0};
    if (open_primaries(&t, arg, err) < 0 || put_public(&t, t.ek, ret_endorsement, err) < 0)
        return -1;
    return put_public(&t, t.srk, ret_storage, err);
}

/* ------------------------------------------------------------------------------- a key from
 * outside */

/* What the provisioning service sends: a credential that only this TPM can open, and in it the key
 * to the wrapping of an HMAC key. */
struct activation {
    TPM2B_ID_OBJECT credential;
    TPM2B_ENCRYPTED_SECRET secret;
    TPM2B_PRIVATE duplicate;
    TPM2B_ENCRYPTED_SECRET seed;
    TPM2B_PUBLIC public;
};

static int read_activation(const struct secret *blob, struct activation *a, struct err *err)
{
    const uint8_t *data = (const uint8_t *)blob->data;
    size_t at = 0;
    *a = (struct activation){0};
    if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(data, blob->len, &at, &a->credential) ||
        Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(data, blob->len, &at, &a->secret) ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(data, blob->len, &at, &a->duplicate) ||
        Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(data, blob->len, &at, &a->seed) ||
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(data, blob->len, &at, &a->public))
        return err_set(err, ERR_PROTOCOL, "the provisioning service sent no TPM key");
    return 0;
}

static const TPMT_SYM_DEF session_cipher = {
    .algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};

/* The endorsement key wants PolicySecret(endorsement hierarchy) for each use. */
static TSS2_RC open_credential(struct tpm *t, const struct activation *a, TPM2B_DIGEST **ret)
{
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY,
                                       &session_cipher, TPM2_ALG_SHA256, &session);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, session, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                           ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_ActivateCredential(t->esys, t->srk, t->ek, ESYS_TR_PASSWORD, session,
                                     ESYS_TR_NONE, &a->credential, &a->secret, ret);
    (void)Esys_FlushContext(t->esys, session);
    return rc;
}

static int load_key(struct tpm *t, const struct secret *blob, ESYS_TR *ret, struct err *err)
{
    static const TPMT_SYM_DEF_OBJECT cipher = {
        .algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};
    auto_esys TPM2B_DIGEST *inner = NULL;
    auto_esys TPM2B_PRIVATE *private = NULL;
    struct activation a;
    TPM2B_DATA wrapping = {0};
    if (read_activation(blob, &a, err) < 0)
        return -1;
    TSS2_RC rc = open_credential(t, &a, &inner);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_err(err, rc, "open the provisioning service's challenge");
    if (inner->size > sizeof(wrapping.buffer))
        return err_set(err, ERR_PROTOCOL, "the provisioning service sent no TPM key");
    wrapping.size = inner->size;
    memcpy(wrapping.buffer, inner->buffer, inner->size);
    rc = Esys_Import(t->esys, t->srk, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &wrapping,
                     &a.public, &a.duplicate, &a.seed, &cipher, &private);
    explicit_bzero(&wrapping, sizeof(wrapping));
    explicit_bzero(inner, sizeof(*inner));
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Load(t->esys, t->srk, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, private,
                       &a.public, ret);
    return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "import the provisioning service's key");
}

static int sign_with(struct tpm *t, ESYS_TR key, const void *text, size_t len,
                     unsigned char ret[32], struct err *err)
{
    TPM2B_MAX_BUFFER data = {.size = (UINT16)len};
    auto_esys TPM2B_DIGEST *digest = NULL;
    if (len > sizeof(data.buffer))
        return err_set(err, ERR_INVALID, "more to sign than a TPM takes at once");
    memcpy(data.buffer, text, len);
    TSS2_RC rc = Esys_HMAC(t->esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data,
                           TPM2_ALG_SHA256, &digest);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_err(err, rc, "sign");
    if (digest->size != 32)
        return err_set(err, ERR_PROTOCOL, "the TPM's signature is not of SHA-256");
    memcpy(ret, digest->buffer, 32);
    return 0;
}

/* The key of a challenge serves once and is not kept: what the device has stays until there is a
 * better one. */
int tpm_answer(const void *arg, const struct secret *blob, const void *text, size_t len,
               unsigned char ret[32], struct err *err)
{
    auto_tpm struct tpm t = {0};
    ESYS_TR key = ESYS_TR_NONE;
    if (open_primaries(&t, arg, err) < 0 || load_key(&t, blob, &key, err) < 0)
        return -1;
    int status = sign_with(&t, key, text, len, ret, err);
    (void)Esys_FlushContext(t.esys, key);
    return status;
}

/* ------------------------------------------------------------------------------- the device's key
 */

static TPM2_HANDLE kept_at(const struct config_tpm *config)
{
    return KEY_HANDLE + (TPM2_HANDLE)config->key_index;
}

static TSS2_RC find_key(struct tpm *t, const struct config_tpm *config, ESYS_TR *ret)
{
    return Esys_TR_FromTPMPublic(t->esys, kept_at(config), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ret);
}

/* Where this is killed between its two steps there is no key: whoever signs is told so, and
 * registers again. */
int tpm_import(const void *arg, const struct secret *blob, struct err *err)
{
    const struct config_tpm *config = arg;
    auto_tpm struct tpm t = {0};
    ESYS_TR key = ESYS_TR_NONE, old = ESYS_TR_NONE, kept = ESYS_TR_NONE;
    if (open_primaries(&t, config, err) < 0 || load_key(&t, blob, &key, err) < 0)
        return -1;
    if (find_key(&t, config, &old) == TSS2_RC_SUCCESS)
        (void)Esys_EvictControl(t.esys, ESYS_TR_RH_OWNER, old, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                ESYS_TR_NONE, kept_at(config), &kept);
    TSS2_RC rc = Esys_EvictControl(t.esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                   ESYS_TR_NONE, kept_at(config), &kept);
    (void)Esys_FlushContext(t.esys, key);
    return rc == TSS2_RC_SUCCESS ? 0 : tpm_err(err, rc, "keep the device's key");
}

int tpm_sign(const void *arg, const void *text, size_t len, unsigned char ret[32], struct err *err)
{
    const struct config_tpm *config = arg;
    auto_tpm struct tpm t = {0};
    ESYS_TR key = ESYS_TR_NONE;
    if (tpm_open(&t, config, err) < 0)
        return -1;
    TSS2_RC rc = find_key(&t, config, &key);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_err(err, rc, "the device's key");
    return sign_with(&t, key, text, len, ret, err);
}
