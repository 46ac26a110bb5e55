/* See tpm_public.h. TPM 2.0 Library, part 2: TPMT_PUBLIC. Numbers are big-endian; a TPM2B is a
 * 16-bit length and as many bytes. */
#include "core/azure/tpm_public.h"

#include "core/io/base64.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#define BASE64_MAX 2048

#define ALG_RSA  0x0001
#define ALG_AES  0x0006
#define ALG_NULL 0x0010
#define ALG_CFB  0x0043

#define ATTR_RESTRICTED 0x00010000U
#define ATTR_DECRYPT    0x00020000U
#define ATTR_SIGN       0x00040000U

#define RSA_BITS         2048
#define DEFAULT_EXPONENT 65537

/* Once a read went beyond the end, all later ones give nothing. */
struct reader {
    const unsigned char *at;
    size_t left;
    bool failed;
};

static const unsigned char *take(struct reader *r, size_t len)
{
    const unsigned char *at = r->at;

    if (r->failed || r->left < len) {
        r->failed = true;
        return NULL;
    }
    r->at += len;
    r->left -= len;
    return at;
}

static uint32_t take_number(struct reader *r, size_t bytes)
{
    const unsigned char *at = take(r, bytes);
    uint32_t value = 0;

    for (size_t i = 0; at && i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static bool next_is(struct reader *r, size_t bytes, uint32_t expected)
{
    return take_number(r, bytes) == expected && !r->failed;
}

void tpm_public_name(const void *area, size_t len, unsigned char ret[TPM_NAME_SIZE])
{
    ret[0] = TPM_ALG_SHA256 >> 8;
    ret[1] = TPM_ALG_SHA256 & 0xff;
    (void)SHA256(area, len, ret + 2);
}

/* Symmetric algorithm, scheme and size: as in the default templates, which is what the way in which
 * keys are wrapped depends on. */
static bool has_default_parameters(struct reader *r)
{
    return next_is(r, 2, ALG_AES) && next_is(r, 2, 128) && next_is(r, 2, ALG_CFB) &&
           next_is(r, 2, ALG_NULL) && next_is(r, 2, RSA_BITS);
}

static int read_area(struct reader *r, struct tpm_public *ret, struct err *err)
{
    static const uint32_t relevant = ATTR_RESTRICTED | ATTR_DECRYPT | ATTR_SIGN;
    bool usable = next_is(r, 2, ALG_RSA) && next_is(r, 2, TPM_ALG_SHA256) &&
                  (take_number(r, 4) & relevant) == (ATTR_RESTRICTED | ATTR_DECRYPT);

    (void)take(r, take_number(r, 2)); /* the policy that guards its use */
    usable = usable && has_default_parameters(r);
    if (!usable && !r->failed)
        return err_set(err, ERR_UNSUPPORTED,
                       "is not an RSA 2048 storage key of the default template (SHA-256, "
                       "AES-128-CFB)");
    ret->exponent = take_number(r, 4);
    if (ret->exponent == 0)
        ret->exponent = DEFAULT_EXPONENT;

    const unsigned char *modulus =
        next_is(r, 2, TPM_MODULUS_SIZE) ? take(r, TPM_MODULUS_SIZE) : NULL;

    /* What is even, nothing can be encrypted for. */
    if (!modulus || r->left > 0 || !(modulus[0] & 0x80) || !(modulus[TPM_MODULUS_SIZE - 1] & 1) ||
        !(ret->exponent & 1) || ret->exponent < 3)
        return err_set(err, ERR_INVALID, "is not a whole public area of a TPM 2.0");
    memcpy(ret->modulus, modulus, TPM_MODULUS_SIZE);
    return 0;
}

int tpm_public_read(const char *base64, struct tpm_public *ret, struct err *err)
{
    auto_buf struct buf bytes = {0};
    struct tpm_public key = {0};
    size_t len = strlen(base64);

    if (len > BASE64_MAX || base64_decode(base64, len, &bytes, NULL) < 0)
        return err_set(err, ERR_INVALID, "is not base64 of a TPM 2.0 public key");

    struct reader r = {.at = (const unsigned char *)buf_str(&bytes), .left = bytes.len};

    if (!next_is(&r, 2, (uint32_t)(bytes.len - 2)))
        return err_set(err, ERR_INVALID, "is not base64 of a TPM2B_PUBLIC");
    tpm_public_name(r.at, r.left, key.name);
    if (read_area(&r, &key, err) < 0)
        return -1;
    *ret = key;
    return 0;
}

int tpm_registration_id(const char *base64, char ret[TPM_REGISTRATION_ID_SIZE], struct err *err)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    auto_buf struct buf bytes = {0};
    struct tpm_public key;
    unsigned char hash[SHA256_DIGEST_LENGTH + 1] = {0}; /* and a zero to complete the last digit */

    if (tpm_public_read(base64, &key, err) < 0 ||
        base64_decode(base64, strlen(base64), &bytes, err) < 0)
        return -1;
    (void)SHA256((const unsigned char *)bytes.data, bytes.len, hash);
    for (size_t i = 0; i < TPM_REGISTRATION_ID_SIZE - 1; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];

        ret[i] = digits[pair >> (11 - bit % 8) & 31];
    }
    ret[TPM_REGISTRATION_ID_SIZE - 1] = '\0';
    return 0;
}
