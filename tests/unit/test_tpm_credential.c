/* Against what a real TPM and tpm2-tools made, and with the TPM's side of it in software: the
 * private key below belongs to no TPM but this one. */
#include "core/azure/tpm_credential.h"
#include "core/io/base64.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

/* tpm2_createek -G rsa; the name as tpm2_readpublic prints it. */
static const char real_ek[] =
    "AToAAQALAAMAsgAgg3GXZ0SEs/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEAthr2ZJiJ"
    "7T8XGt+1kRCZIXJIfk17vcohP9P6/23pSpNkSuuPOURzmLEznGSGvFE72q3ZnNf0S4USoDGcmWnYy6ur+BGlCHVn"
    "UEDJaZdXGo7o4Vxf0Ojh7FqVvskBrnLsPEOk7qB005xkAPXT6H0huSlebJOEQKz93LPFMiqmi9fRYM0RqupfdUjJ"
    "0f4FGr4TdufoL5sg5J5yHcUPbQs9xt2qdf3vNmkWeRvseKoq5Zj4ucDrPR+ZpKtbD1jL9PneZK97CxhZtZf8Cgwh"
    "78gxD2Qt6k7+Rud8dmhJmoNpt9tmTjx8dev0DhFf1IeY9QIudenRCrmThrrkBmZ+aYXHiQ==";
static const char real_ek_name[] =
    "000bd47215ea38de1bed269a45d7cca5cf44ffc58d4eb704ed860267e68dc99b478f";

static const char test_rsa[] =
    "MIIEpAIBAAKCAQEAjahExuwvP9XTRjjwB4NTDJQbDneaunBXVVtm6RR61Marf6W3oJ8AgN4+r0PrSXhChPRMxK2s"
    "H1jblQErmIVMVoO29R62+mx5JdDssVm6mM4JoQNmif5G/xxGpsMOgl8PXH4wTCWQZKTPgGeQjvxRbrUQ/cmhamrG"
    "/qmrvNxV9ZuvCV5bp1Vdbmdom3pzoBdLnfy+qh2amtMehZ5pUA8BTavSAPo0wfybsxn+OOolMGrbKrqxLj+ZBpto"
    "0IxClRIYUHSUl03AQcz0RLz8rqtlZE7j3dl309v/3+HdAs32UanfgPfg5qA1UCFWS99S65ACQ3MDEvd+Jenn8WCZ"
    "i4qXvQIDAQABAoIBACJTddURKvLoRNG1nt5nMXLxGaxUCbunWNZPd3y/8HLKcIjWNoy2stfHYv+z8NolCNNwYoDf"
    "R7/x14XAGpkTJfgp4yX7KyI8MlAaVBy2rkt0U+t/KDQEmJ4dczZaOlQXpmCGmHv/N0HYGQsXrXUkibQOrr8cwp9H"
    "oBBaO4oghzjkRDl965XjYs+yB5BanlzBI/WpgWam2M8vhwg4/LgPlNvgiwp89+ES8wleieb+A9aOzo0wFIYvdmoI"
    "VBIzInhtw0/mOhhZyB5hooyp+titburuiVUdcNZSqQLslvRqUWzp9XLmdte/s904WP7m8KDy6r8ldX/JlRA2Ffdw"
    "t5J8kRECgYEAxSU880B9FJNNh60Z0yMEZz6XGNnCCTKKzwXTwWKo4tonjWfZKbKxuv28XTTD9WeVxNYAeBt7sRvq"
    "eXj8jWWITqGiIRFdguDfX/w2wO4EmEtR7sOfUtwotSCQspXhLFlBwkY3QWT+fZvgke3g66CatM9aAp1bqQXmLRgP"
    "HtkOWO0CgYEAt/JezNZdTxCZLeUHYuZKOZ145vcHqtQLUxPucZHGdEibPpjQiISjSGubVy95MCA5tBERreuANjhv"
    "SLIPgWoyGClFI1xJNRQBtdtTdXTC7/WoU5FuYvQOp9Pllfqg9ExQXQTpnNjegkVnR1TNYrqDTkhdSt20CADpkWtx"
    "xpqLcBECgYEAqWhCY9U6pn+d08TPuDsTAZUrSdN1hWnFFfiv6jHZZnaIHl7qoYZIa6K2RnGdIjgM3sP2Sz9yntKa"
    "Ph/VBbwF0WvbYgcGD/0kddrJQihGEohGs6GuOwmsgVimfo+EmxNoCoVD3hHnDhDwfPWonVG5Hz4+3phRt4C2NnHC"
    "LIPgbFECgYEAnjkIekFZeYzZdbSvKc7UwcJGIMUT/0jthMR8MYwmnBdoEev4U7VjjgOhVtkq8M6HU+/quSL84aah"
    "cnJXDAaAmG/HXKchAVr4Lak+nKWWmDlCVL+fp9YuVQXbUaqHkBukdJ6pI5UXsA5qy9yR3f54u3lbZe5V0RyXy9IT"
    "x7Vfg0ECgYBsx3W1xZJTf8A6tzuwbW8a1kSd2LEdcSiCAJ1sT899eu2Q7YTGO35AD9befOfIX9341lbsP2z+KntI"
    "w5iVnu6CnXRh+aEbJa5G3xiAn2/SHGUDXkqL8l5TtHcXmevSUZfFavoOZDOp6hNpRegQMYNz7Z9SP9tk7VqgBxe1"
    "teqQbA==";
/* tpm2_makecredential for that key: "sixteen-byte-key", for the object below. */
static const char tool_blob[] =
    "ADQAIOdwWl6Umbevpixqm4i8+t5NmzHlS3qMCi0e+p2LyN0fj85tGCj9C+yFspUey7b0bRX2AQB0ktrrADdqpc+8"
    "caG+dlRoXSmjp6/8A0ihPuRbkWdONAHzaJBiBcOgaSxTf0YGwkU8tOuFk+ydMJqo21NOGkdqAx/TwqODKa0F5wMK"
    "BtVmm0CGHqKy6ZpGoj2FbHpm0i1h5puqafb2FLixJuEVlFDvJXX+XZVKA6af3tn7Z/P8PR9qCvaA34pBpHyKnfJH"
    "bxCjJP6wZfx1fEe0q1NjLGaHEN0M39spyLAwf10GLVKCd6AtmEcveInuwKzcAQt6rzkeipnswH9h+7BJr8aEBoEL"
    "PjUKnJX1cGfjtS4msiUIKrjS4qHeKMWBQX2aeFEhHoKLWtAFKVBpPYUMl8PFWJOU";
static const unsigned char object[TPM_NAME_SIZE] = {
    0x00, 0x0b, 0xaa, 0x1f, 0xcb, 0xb3, 0x06, 0x3d, 0x81, 0x79, 0x6c, 0xbd,
    0x9e, 0x12, 0xdd, 0x60, 0x44, 0xe6, 0x27, 0xfa, 0x9b, 0xae, 0xfe, 0x96,
    0xf2, 0xe3, 0x19, 0xce, 0xab, 0x61, 0xe3, 0x58, 0x38, 0x36,
};

/* ------------------------------------------------------------------------------------------
 * a TPM in software */

static EVP_PKEY *rsa;

static void unlock(void)
{
    struct buf der = {0};

    cr_assert_eq(base64_decode(test_rsa, strlen(test_rsa), &der, NULL), 0);

    const unsigned char *at = (const unsigned char *)der.data;

    rsa = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, (long)der.len);
    cr_assert(rsa);
    buf_done(&der);
}

static void lock(void)
{
    EVP_PKEY_free(rsa);
}

/* That key as the storage key of the default template. */
static struct tpm_public own_public(void)
{
    struct tpm_public key = {.exponent = 65537};
    BIGNUM *n = NULL;

    cr_assert_eq(EVP_PKEY_get_bn_param(rsa, "n", &n), 1);
    cr_assert_eq(BN_bn2binpad(n, key.modulus, TPM_MODULUS_SIZE), TPM_MODULUS_SIZE);
    BN_free(n);
    memcpy(key.name, object, TPM_NAME_SIZE);
    return key;
}

/* The next TPM2B of B at *AT, without its length. */
static const unsigned char *next(const struct buf *b, size_t *at, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)b->data + *at;

    cr_assert_geq(b->len, *at + 2);
    *ret_len = (size_t)(p[0] << 8 | p[1]);
    cr_assert_geq(b->len, *at + 2 + *ret_len);
    *at += 2 + *ret_len;
    return p + 2;
}

static void kdfa(const unsigned char seed[32], const char *label, const void *context,
                 size_t context_len, size_t bytes, unsigned char to[32])
{
    unsigned char in[100] = {0, 0, 0, 1}, bits[4] = {0, 0, 0, 0};
    size_t n = 4;

    bits[2] = (unsigned char)(bytes * 8 >> 8);
    bits[3] = (unsigned char)(bytes * 8);
    memcpy(in + n, label, strlen(label) + 1);
    n += strlen(label) + 1;
    if (context_len)
        memcpy(in + n, context, context_len);
    n += context_len;
    memcpy(in + n, bits, 4);
    cr_assert(HMAC(EVP_sha256(), seed, 32, in, n + 4, to, NULL));
}

static void open_seed(const unsigned char *sealed, size_t len, const char *label,
                      unsigned char seed[32])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(rsa, NULL);
    unsigned char out[256];
    size_t n = sizeof(out);

    cr_assert_eq(EVP_PKEY_decrypt_init(ctx), 1);
    cr_assert_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
    cr_assert_eq(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()), 1);
    cr_assert_eq(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup(label, strlen(label) + 1),
                                                  (int)strlen(label) + 1),
                 1);
    cr_assert_eq(EVP_PKEY_decrypt(ctx, out, &n, sealed, len), 1);
    cr_assert_eq(n, 32);
    memcpy(seed, out, 32);
    EVP_PKEY_CTX_free(ctx);
}

static void decrypt(const unsigned char key[16], const unsigned char *data, size_t len,
                    struct buf *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    static const unsigned char iv[16];
    unsigned char *to = (unsigned char *)buf_reserve(out, len + 16);
    int n = 0;

    cr_assert_eq(EVP_DecryptInit_ex(ctx, EVP_aes_128_cfb128(), NULL, key, iv), 1);
    cr_assert_eq(EVP_DecryptUpdate(ctx, to, &n, data, (int)len), 1);
    buf_commit(out, (size_t)n);
    EVP_CIPHER_CTX_free(ctx);
}

/* Opens the outer wrapping DATA for the object NAME; false where the seal does not fit. */
static bool open_sealed(const unsigned char seed[32], const unsigned char name[TPM_NAME_SIZE],
                        const unsigned char *data, size_t len, struct buf *out)
{
    struct buf rest = {0};
    unsigned char aes[32], mac_key[32], mac[32];
    bool ok;

    cr_assert(len > 34 && data[0] == 0 && data[1] == 32);
    kdfa(seed, "STORAGE", name, TPM_NAME_SIZE, 16, aes);
    kdfa(seed, "INTEGRITY", NULL, 0, 32, mac_key);
    buf_append(&rest, data + 34, len - 34);
    buf_append(&rest, name, TPM_NAME_SIZE);
    cr_assert(HMAC(EVP_sha256(), mac_key, 32, (unsigned char *)rest.data, rest.len, mac, NULL));
    ok = memcmp(mac, data + 2, 32) == 0;
    if (ok)
        decrypt(aes, data + 34, len - 34, out);
    buf_done(&rest);
    return ok;
}

/* TPM2_ActivateCredential. */
static bool activate(const struct buf *blob, size_t *at, const unsigned char name[TPM_NAME_SIZE],
                     struct buf *out)
{
    size_t id_len, secret_len;
    const unsigned char *id = next(blob, at, &id_len);
    const unsigned char *secret = next(blob, at, &secret_len);
    unsigned char seed[32];

    open_seed(secret, secret_len, "IDENTITY", seed);
    if (!open_sealed(seed, name, id, id_len, out))
        return false;
    cr_assert_eq((size_t)(unsigned char)out->data[1], out->len - 2);
    buf_consume(out, 2);
    return true;
}

TestSuite(tpm_credential, .init = unlock, .fini = lock);

/* ------------------------------------------------------------------------------------------
 * public keys */

static void edit(const char *base64, size_t at, int value, size_t cut, struct buf *out)
{
    struct buf bytes = {0};

    cr_assert_eq(base64_decode(base64, strlen(base64), &bytes, NULL), 0);
    if (value >= 0)
        bytes.data[at] = (char)value;
    base64_encode(bytes.data, bytes.len - cut, out);
    buf_done(&bytes);
}

Test(tpm_credential, knows_a_key_by_the_name_that_its_tpm_gives_it)
{
    struct tpm_public key = {0};
    char name[2 * TPM_NAME_SIZE + 1];
    struct err err = {0};

    cr_assert_eq(tpm_public_read(real_ek, &key, &err), 0, "%s", err.msg);
    for (size_t i = 0; i < TPM_NAME_SIZE; i++)
        snprintf(name + 2 * i, 3, "%02x", key.name[i]);
    cr_assert_str_eq(name, real_ek_name);
    cr_assert_eq(key.exponent, 65537);
    cr_assert_eq(key.modulus[0], 0xb6);
}

Test(tpm_credential, refuses_what_is_no_storage_key)
{
    static const struct {
        size_t at;
        int value;
        size_t cut;
        enum err_kind kind;
    } cases[] = {
        {3, 0x23, 0, ERR_UNSUPPORTED},  /* an elliptic curve */
        {5, 0x0c, 0, ERR_UNSUPPORTED},  /* another hash */
        {7, 0x07, 0, ERR_UNSUPPORTED},  /* one that may sign */
        {47, 0x00, 0, ERR_UNSUPPORTED}, /* another cipher size */
        {0, 0x7f, 0, ERR_INVALID},      /* a length beyond the end */
        {10, 0xff, 0, ERR_INVALID},     /* a policy beyond the end */
        {60, 0x00, 0, ERR_INVALID},     /* a modulus with a zero in front */
        {315, 0x88, 0, ERR_INVALID},    /* an even modulus, which OpenSSL refuses to use */
        {0, -1, 1, ERR_INVALID},        /* cut */
        {0, -1, 315, ERR_INVALID},
    };
    struct tpm_public key;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf text = {0};
        struct err err = {0};

        edit(real_ek, cases[i].at, cases[i].value, cases[i].cut, &text);
        cr_expect_eq(tpm_public_read(buf_str(&text), &key, &err), -1, "case %zu", i);
        cr_expect_eq(err.kind, cases[i].kind, "case %zu: %s", i, err.msg);
        buf_done(&text);
    }
    cr_expect_eq(tpm_public_read("", &key, NULL), -1);
    cr_expect_eq(tpm_public_read("not base64!", &key, NULL), -1);
}

/* ------------------------------------------------------------------------------------------
 * credentials */

Test(tpm_credential, software_tpm_opens_what_tpm2_tools_made)
{
    struct buf blob = {0}, out = {0};
    size_t at = 0;

    cr_assert_eq(base64_decode(tool_blob, strlen(tool_blob), &blob, NULL), 0);
    cr_assert(activate(&blob, &at, object, &out));
    cr_assert_str_eq(buf_str(&out), "sixteen-byte-key");
    buf_done(&blob);
    buf_done(&out);
}

Test(tpm_credential, makes_what_a_tpm_activates_in_the_form_of_tpm2_tools)
{
    struct tpm_public ek = own_public();
    struct buf blob = {0}, out = {0}, tool = {0};
    unsigned char other[TPM_NAME_SIZE];
    size_t at = 0;

    cr_assert_eq(tpm_credential_make(&ek, object, "sixteen-byte-key", 16, &blob, NULL), 0);
    cr_assert_eq(base64_decode(tool_blob, strlen(tool_blob), &tool, NULL), 0);
    cr_assert_eq(blob.len, tool.len);
    cr_assert_arr_eq(blob.data, tool.data, 4); /* lengths */
    cr_assert(activate(&blob, &at, object, &out));
    cr_assert_eq(at, blob.len);
    cr_assert_str_eq(buf_str(&out), "sixteen-byte-key");

    memcpy(other, object, sizeof(other));
    other[33] ^= 1;
    at = 0;
    cr_assert_not(activate(&blob, &at, other, &out), "it is for one object only");
    cr_assert_eq(tpm_credential_make(&ek, object, real_ek, 33, &blob, NULL), -1);
    buf_done(&blob);
    buf_done(&out);
    buf_done(&tool);
}

/* TPM2_Import, as far as the inner wrapping. */
static void import(const struct buf *blob, size_t *at, const unsigned char name[TPM_NAME_SIZE],
                   const struct buf *aes, struct buf *sensitive)
{
    size_t private_len, secret_len;
    const unsigned char *private_area = next(blob, at, &private_len);
    const unsigned char *secret = next(blob, at, &secret_len);
    unsigned char seed[32], digest[32];
    struct buf outer = {0}, inner = {0};

    open_seed(secret, secret_len, "DUPLICATE", seed);
    cr_assert(open_sealed(seed, name, private_area, private_len, &outer));
    decrypt((const unsigned char *)aes->data, (unsigned char *)outer.data, outer.len, &inner);
    cr_assert(inner.data[0] == 0 && inner.data[1] == 32);
    buf_append(sensitive, inner.data + 34, inner.len - 34);
    buf_append(&inner, name, TPM_NAME_SIZE);
    SHA256((unsigned char *)inner.data + 34, inner.len - 34, digest);
    cr_assert_arr_eq(digest, inner.data + 2, 32);
    buf_done(&outer);
    buf_done(&inner);
}

Test(tpm_credential, wraps_a_key_that_a_tpm_imports)
{
    static const unsigned char key[TPM_CREDENTIAL_KEY] = "0123456789abcdef0123456789abcde";
    struct tpm_public both = own_public();
    struct buf blob = {0}, aes = {0}, sensitive = {0}, uri = {0};
    unsigned char name[TPM_NAME_SIZE], unique[32];
    size_t at = 0, public_at, n;

    cr_assert_eq(tpm_credential_wrap(&both, &both, key, "hub/devices/d1", &blob, NULL), 0);

    /* The public area stands behind what depends on its name. */
    for (size_t i = 0; i < 4; i++)
        (void)next(&blob, &at, &n);
    public_at = at;

    const unsigned char *area = next(&blob, &at, &n);
    const unsigned char *in_public = area + n - 32;

    tpm_public_name(area, n, name);

    const unsigned char *hint = next(&blob, &at, &n);

    cr_assert_eq(at, blob.len);
    at = 0;
    cr_assert(activate(&blob, &at, both.name, &aes));
    cr_assert_eq(aes.len, 16);
    import(&blob, &at, name, &aes, &sensitive);
    cr_assert_eq(at, public_at);

    /* Length, kind, no password, 32 random bytes, the key. */
    cr_assert_eq(sensitive.len, 2 + 2 + 2 + 34 + 34);
    cr_assert_arr_eq(sensitive.data + 42, key, sizeof(key));
    memmove(sensitive.data + 40, sensitive.data + 42, 32);
    SHA256((unsigned char *)sensitive.data + 8, 64, unique);
    cr_assert_arr_eq(unique, in_public, 32);
    decrypt((unsigned char *)aes.data, hint, n, &uri);
    cr_assert_str_eq(buf_str(&uri), "hub/devices/d1");
    buf_done(&blob);
    buf_done(&aes);
    buf_done(&sensitive);
    buf_done(&uri);
}
