/* See tpm_credential.h. The activation blob, as Azure's clients take it apart:
 *
 *   TPM2B_ID_OBJECT         \ a random key, by TPM2_MakeCredential
 *   TPM2B_ENCRYPTED_SECRET  /
 *   TPM2B_PRIVATE           the HMAC key: wrapped with that random key, and again for the SRK
 *   TPM2B_ENCRYPTED_SECRET  the seed of the second wrapping, for the SRK
 *   TPM2B_PUBLIC            the public area of the HMAC key
 *   TPM2B_DATA              the URI, encrypted with the random key */
#include "core/azure/tpm_credential.h"

#include "core/base/random.h"
#include "core/base/str.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#define AES_SIZE    16
#define DIGEST_SIZE 32

#define ALG_HMAC      0x0005
#define ALG_KEYEDHASH 0x0008

#define ATTR_USER_WITH_AUTH 0x00000040U
#define ATTR_NO_DA          0x00000400U
#define ATTR_SIGN           0x00040000U

DEFINE_AUTO(pkey, EVP_PKEY, EVP_PKEY_free)
DEFINE_AUTO(pkey_ctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_AUTO(cipher_ctx, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
DEFINE_AUTO(kdf, EVP_KDF, EVP_KDF_free)
DEFINE_AUTO(kdf_ctx, EVP_KDF_CTX, EVP_KDF_CTX_free)
DEFINE_AUTO(param_bld, OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
DEFINE_AUTO(params, OSSL_PARAM, OSSL_PARAM_free)
DEFINE_AUTO(bignum, BIGNUM, BN_free)

/* TPM2_PolicyCommandCode(TPM2_CC_Duplicate): the only use of the key that needs no password is none
 * but moving it, as Azure's service makes it. */
static const unsigned char duplicate_policy[DIGEST_SIZE] = {
    0xbe, 0xf5, 0x6b, 0x8c, 0x1c, 0xc8, 0x4e, 0x11, 0xed, 0xd7, 0x17, 0x52, 0x8d, 0x2c, 0xd9, 0x93,
    0x56, 0xbd, 0x2b, 0xbf, 0x8f, 0x01, 0x52, 0x09, 0xc3, 0xf8, 0x4a, 0xee, 0xab, 0xa8, 0xe8, 0xa2,
};

static int broken(struct err *err, const char *what)
{
    return err_set(err, ERR_BUG, "%s failed", what);
}

static void put_number(struct buf *out, uint32_t value, size_t bytes)
{
    while (bytes-- > 0)
        buf_putc(out, (char)(value >> (8 * bytes)));
}

/* A TPM2B. */
static void put_sized(struct buf *out, const void *data, size_t len)
{
    put_number(out, (uint32_t)len, 2);
    buf_append(out, data, len);
}

/* ------------------------------------------------------------------------------------------
 * the algorithms */

/* KDFa of the TPM, which is NIST SP 800-108 in counter mode. LABEL counts with its end. */
static int derive(const unsigned char seed[DIGEST_SIZE], const char *label, const void *context,
                  size_t context_len, unsigned char *to, size_t size, struct err *err)
{
    ATTR_CLEANUP(kdf_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
    ATTR_CLEANUP(kdf_ctx_freep) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char mode[] = "COUNTER", mac[] = "HMAC", hash[] = "SHA256";
    unsigned char key[DIGEST_SIZE], info[TPM_NAME_SIZE];
    char salt[16];

    memcpy(key, seed, sizeof(key)); /* OpenSSL's parameters are not const */
    STR_SET(salt, label);
    if (context_len)
        memcpy(info, context, context_len);

    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof(key)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, strlen(salt)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, context_len),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx && EVP_KDF_derive(ctx, to, size, params) == 1;

    explicit_bzero(key, sizeof(key));
    return ok ? 0 : broken(err, "KDFa");
}

/* AES-128-CFB with an IV of zeros, as all of the TPM's wrappings; appended. */
static int cfb_encrypt(const unsigned char key[AES_SIZE], const void *data, size_t len,
                       struct buf *out, struct err *err)
{
    ATTR_CLEANUP(cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    static const unsigned char iv[AES_SIZE];
    unsigned char *to = (unsigned char *)buf_reserve(out, len + AES_SIZE);
    int n = 0;

    if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv) != 1 ||
        EVP_EncryptUpdate(ctx, to, &n, data, (int)len) != 1)
        return broken(err, "AES-128-CFB");
    buf_commit(out, (size_t)n);
    return 0;
}

static EVP_PKEY *rsa_key(const struct tpm_public *key)
{
    ATTR_CLEANUP(bignum_freep) BIGNUM *n = BN_bin2bn(key->modulus, TPM_MODULUS_SIZE, NULL);
    ATTR_CLEANUP(bignum_freep) BIGNUM *e = BN_new();
    ATTR_CLEANUP(param_bld_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    ATTR_CLEANUP(pkey_ctx_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *made = NULL;

    if (!n || !e || !build || !ctx || BN_set_word(e, key->exponent) != 1 ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;

    ATTR_CLEANUP(params_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);

    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return made;
}

/* Appends a TPM2B_ENCRYPTED_SECRET: SEED for the holder of KEY. LABEL says what for; its end is
 * part of it. */
static int put_seed(const struct tpm_public *key, const char *label,
                    const unsigned char seed[DIGEST_SIZE], struct buf *out, struct err *err)
{
    ATTR_CLEANUP(pkey_freep) EVP_PKEY *rsa = rsa_key(key);
    ATTR_CLEANUP(pkey_ctx_freep)
    EVP_PKEY_CTX *ctx = rsa ? EVP_PKEY_CTX_new_from_pkey(NULL, rsa, NULL) : NULL;
    unsigned char sealed[TPM_MODULUS_SIZE];
    size_t n = sizeof(sealed);
    int label_len = (int)strlen(label) + 1;

    if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) != 1)
        return broken(err, "RSA-OAEP");

    void *owned = OPENSSL_memdup(label, (size_t)label_len);

    if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, owned, label_len) != 1) {
        OPENSSL_free(owned);
        return broken(err, "RSA-OAEP");
    }
    if (EVP_PKEY_encrypt(ctx, sealed, &n, seed, DIGEST_SIZE) != 1)
        return broken(err, "RSA-OAEP");
    put_sized(out, sealed, n);
    return 0;
}

/* Appends the outer wrapping of DATA for whoever learns SEED: TPM2B_DIGEST (the seal) and the
 * encrypted bytes. It is bound to the object NAME. */
static int put_sealed(const unsigned char seed[DIGEST_SIZE],
                      const unsigned char name[TPM_NAME_SIZE], const struct buf *data,
                      struct buf *out, struct err *err)
{
    unsigned char aes[AES_SIZE], mac_key[DIGEST_SIZE], mac[DIGEST_SIZE];
    auto_buf struct buf sealed = {0};
    int status = -1;

    if (derive(seed, "STORAGE", name, TPM_NAME_SIZE, aes, sizeof(aes), err) == 0 &&
        derive(seed, "INTEGRITY", NULL, 0, mac_key, sizeof(mac_key), err) == 0 &&
        cfb_encrypt(aes, data->data, data->len, &sealed, err) == 0) {
        size_t len = sealed.len;

        buf_append(&sealed, name, TPM_NAME_SIZE);
        if (HMAC(EVP_sha256(), mac_key, sizeof(mac_key), (const unsigned char *)sealed.data,
                 sealed.len, mac, NULL)) {
            put_sized(out, mac, sizeof(mac));
            buf_append(out, sealed.data, len);
            status = 0;
        } else {
            (void)broken(err, "HMAC-SHA256");
        }
    }
    explicit_bzero(aes, sizeof(aes));
    explicit_bzero(mac_key, sizeof(mac_key));
    return status;
}

/* ------------------------------------------------------------------------------------------
 * what is made of them */

int tpm_credential_make(const struct tpm_public *ek, const unsigned char name[TPM_NAME_SIZE],
                        const void *credential, size_t len, struct buf *out, struct err *err)
{
    unsigned char seed[DIGEST_SIZE];
    auto_wiped_buf struct buf plain = {0};
    auto_buf struct buf object = {0};
    auto_buf struct buf secret = {0};

    if (len > DIGEST_SIZE)
        return err_set(err, ERR_INVALID, "a credential has at most %d bytes", DIGEST_SIZE);
    put_sized(&plain, credential, len);
    random_bytes(seed, sizeof(seed));

    int status = put_sealed(seed, name, &plain, &object, err) == 0
                     ? put_seed(ek, "IDENTITY", seed, &secret, err)
                     : -1;

    explicit_bzero(seed, sizeof(seed));
    if (status == 0) {
        put_sized(out, object.data, object.len);
        buf_append(out, secret.data, secret.len);
    }
    return status;
}

/* The TPMT_PUBLIC of an HMAC key. OBFUSCATION is the random value that keeps its "unique" field
 * from telling anything about KEY. */
static void put_hmac_public(const unsigned char obfuscation[DIGEST_SIZE],
                            const unsigned char key[TPM_CREDENTIAL_KEY], struct buf *out)
{
    unsigned char both[DIGEST_SIZE + TPM_CREDENTIAL_KEY], unique[DIGEST_SIZE];

    memcpy(both, obfuscation, DIGEST_SIZE);
    memcpy(both + DIGEST_SIZE, key, TPM_CREDENTIAL_KEY);
    (void)SHA256(both, sizeof(both), unique);
    explicit_bzero(both, sizeof(both));
    put_number(out, ALG_KEYEDHASH, 2);
    put_number(out, TPM_ALG_SHA256, 2);
    put_number(out, ATTR_SIGN | ATTR_USER_WITH_AUTH | ATTR_NO_DA, 4);
    put_sized(out, duplicate_policy, sizeof(duplicate_policy));
    put_number(out, ALG_HMAC, 2);
    put_number(out, TPM_ALG_SHA256, 2);
    put_sized(out, unique, sizeof(unique));
}

/* The TPM2B_SENSITIVE that goes with it. */
static void put_hmac_sensitive(const unsigned char obfuscation[DIGEST_SIZE],
                               const unsigned char key[TPM_CREDENTIAL_KEY], struct buf *out)
{
    auto_wiped_buf struct buf area = {0};

    put_number(&area, ALG_KEYEDHASH, 2);
    put_sized(&area, "", 0); /* no password */
    put_sized(&area, obfuscation, DIGEST_SIZE);
    put_sized(&area, key, TPM_CREDENTIAL_KEY);
    put_sized(out, area.data, area.len);
}

/* Appends the inner wrapping of SENSITIVE: its digest with NAME, and itself, encrypted. */
static int put_inner(const unsigned char aes[AES_SIZE], const struct buf *sensitive,
                     const unsigned char name[TPM_NAME_SIZE], struct buf *out, struct err *err)
{
    auto_wiped_buf struct buf plain = {0};
    auto_wiped_buf struct buf bound = {0};
    unsigned char digest[DIGEST_SIZE];

    buf_append(&bound, sensitive->data, sensitive->len);
    buf_append(&bound, name, TPM_NAME_SIZE);
    (void)SHA256((const unsigned char *)bound.data, bound.len, digest);
    put_sized(&plain, digest, sizeof(digest));
    buf_append(&plain, sensitive->data, sensitive->len);
    return cfb_encrypt(aes, plain.data, plain.len, out, err);
}

/* Appends TPM2B_PRIVATE and TPM2B_ENCRYPTED_SECRET: SENSITIVE, wrapped with AES and for SRK. */
static int put_duplicate(const struct tpm_public *srk, const unsigned char aes[AES_SIZE],
                         const struct buf *sensitive, const unsigned char name[TPM_NAME_SIZE],
                         struct buf *out, struct err *err)
{
    unsigned char seed[DIGEST_SIZE];
    auto_wiped_buf struct buf inner = {0};
    auto_buf struct buf outer = {0};
    auto_buf struct buf secret = {0};
    int status = -1;

    random_bytes(seed, sizeof(seed));
    if (put_inner(aes, sensitive, name, &inner, err) == 0 &&
        put_sealed(seed, name, &inner, &outer, err) == 0)
        status = put_seed(srk, "DUPLICATE", seed, &secret, err);
    explicit_bzero(seed, sizeof(seed));
    if (status == 0) {
        put_sized(out, outer.data, outer.len);
        buf_append(out, secret.data, secret.len);
    }
    return status;
}

int tpm_credential_wrap(const struct tpm_public *ek, const struct tpm_public *srk,
                        const unsigned char key[TPM_CREDENTIAL_KEY], const char *uri,
                        struct buf *out, struct err *err)
{
    unsigned char aes[AES_SIZE], obfuscation[DIGEST_SIZE], name[TPM_NAME_SIZE];
    auto_buf struct buf area = {0};
    auto_buf struct buf hint = {0};
    auto_buf struct buf blob = {0};
    auto_wiped_buf struct buf sensitive = {0};
    int status = -1;

    random_bytes(aes, sizeof(aes));
    random_bytes(obfuscation, sizeof(obfuscation));
    put_hmac_public(obfuscation, key, &area);
    tpm_public_name(area.data, area.len, name);
    put_hmac_sensitive(obfuscation, key, &sensitive);
    if (tpm_credential_make(ek, srk->name, aes, sizeof(aes), &blob, err) == 0 &&
        put_duplicate(srk, aes, &sensitive, name, &blob, err) == 0)
        status = cfb_encrypt(aes, uri, strlen(uri), &hint, err);
    explicit_bzero(aes, sizeof(aes));
    explicit_bzero(obfuscation, sizeof(obfuscation));
    if (status < 0)
        return -1;
    buf_append(out, blob.data, blob.len);
    put_sized(out, area.data, area.len);
    put_sized(out, hint.data, hint.len);
    return 0;
}
