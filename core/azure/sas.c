/* See sas.h. Clients encode the resource differently (Node %2F, .NET %2f, identityd raw slashes),
 * so the signature is checked over sr literally as it came, and only the comparison with a target
 * decodes it. */
#include "core/azure/sas.h"

#include "core/azure/derive.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define SAS_PREFIX     "SharedAccessSignature "
#define SAS_TOKEN_MAX  4096
#define SAS_EXPIRY_MAX UINT64_C(253402300800) /* year 10000 */

static void put_text(const char *sr, uint64_t expiry_s, struct buf *out)
{
    buf_printf(out, "%s\n%" PRIu64, sr, expiry_s);
}

void sas_text(const char *resource, uint64_t expiry_s, struct buf *out)
{
    auto_buf struct buf sr = {0};

    percent_encode(resource, strlen(resource), &sr);
    put_text(buf_str(&sr), expiry_s, out);
}

void sas_make_signed(const char *resource, uint64_t expiry_s, const char *policy,
                     const unsigned char signature[32], struct secret *ret_token)
{
    auto_wiped_buf struct buf sig = {0};
    auto_wiped_buf struct buf token = {0};

    base64_encode(signature, 32, &sig);
    buf_puts(&token, SAS_PREFIX "sr=");
    percent_encode(resource, strlen(resource), &token);
    buf_puts(&token, "&sig=");
    percent_encode(sig.data, sig.len, &token);
    buf_printf(&token, "&se=%" PRIu64, expiry_s);
    if (policy && policy[0]) {
        buf_puts(&token, "&skn=");
        percent_encode(policy, strlen(policy), &token);
    }
    secret_set(ret_token, token.data, token.len);
}

static int sign_with_key(const void *arg, const void *text, size_t len, unsigned char ret[32],
                         struct err *err)
{
    const char *key_base64 = arg;
    auto_wiped_buf struct buf key = {0};

    if (base64_decode(key_base64, strlen(key_base64), &key, err) < 0)
        return err_wrap(err, "key");
    return derive_hmac(buf_str(&key), key.len, text, len, ret, err);
}

int sas_make_with(const struct sas_signer *signer, const char *resource, uint64_t expiry_s,
                  const char *policy, struct secret *ret_token, struct err *err)
{
    auto_buf struct buf text = {0};
    unsigned char signature[32];

    sas_text(resource, expiry_s, &text);
    if (signer->sign(signer->arg, text.data, text.len, signature, err) < 0)
        return -1;
    sas_make_signed(resource, expiry_s, policy, signature, ret_token);
    return 0;
}

int sas_make(const char *resource, const char *key_base64, uint64_t expiry_s, const char *policy,
             struct secret *ret_token, struct err *err)
{
    return sas_make_with(&(struct sas_signer){sign_with_key, key_base64}, resource, expiry_s,
                         policy, ret_token, err);
}

static int parse_sr(const char *value, size_t len, struct sas *s, struct err *err)
{
    if (len >= sizeof(s->sr))
        return err_set(err, ERR_INVALID, "the token's resource (sr) is too long");
    memcpy(s->sr, value, len);
    s->sr[len] = '\0';
    if (strlen(s->sr) != len || len == 0 ||
        !percent_decode(value, len, s->resource, sizeof(s->resource)))
        return err_set(err, ERR_INVALID, "the token's resource (sr) is malformed");
    return 0;
}

static int parse_sig(const char *value, size_t len, struct sas *s, struct err *err)
{
    char text[64];
    auto_wiped_buf struct buf bytes = {0};

    if (!percent_decode(value, len, text, sizeof(text)) ||
        base64_decode(text, strlen(text), &bytes, NULL) < 0 || bytes.len != sizeof(s->signature))
        return err_set(err, ERR_INVALID, "the token's signature (sig) is malformed");
    memcpy(s->signature, bytes.data, bytes.len);
    return 0;
}

static int parse_se(const char *value, size_t len, struct sas *s, struct err *err)
{
    char text[24];

    /* One spelling only: what was signed is rebuilt from the number. */
    if (len == 0 || len >= sizeof(text) || (value[0] == '0' && len > 1))
        return err_set(err, ERR_INVALID, "the token's expiry (se) is malformed");
    memcpy(text, value, len);
    text[len] = '\0';
    if (!str_to_u64(text, SAS_EXPIRY_MAX, &s->expiry_s))
        return err_set(err, ERR_INVALID, "the token's expiry (se) is not a time in seconds");
    return 0;
}

static int parse_skn(const char *value, size_t len, struct sas *s, struct err *err)
{
    if (!percent_decode(value, len, s->policy, sizeof(s->policy)))
        return err_set(err, ERR_INVALID, "the token's policy name (skn) is malformed");
    return 0;
}

static const struct {
    const char *name;
    bool required;
    int (*parse)(const char *value, size_t len, struct sas *s, struct err *err);
} fields[] = {
    {"sr", true, parse_sr},
    {"sig", true, parse_sig},
    {"se", true, parse_se},
    {"skn", false, parse_skn},
};

/* One NAME=VALUE; a field that comes twice would leave open which one was meant. */
static int parse_field(const char *field, size_t len, struct sas *s, unsigned *seen,
                       struct err *err)
{
    const char *equals = memchr(field, '=', len);

    if (!equals)
        return err_set(err, ERR_INVALID, "the token has a field without a value");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        size_t name_len = (size_t)(equals - field);

        if (name_len != strlen(fields[i].name) || memcmp(field, fields[i].name, name_len) != 0)
            continue;
        if (*seen & (1U << i))
            return err_set(err, ERR_INVALID, "the token has %s twice", fields[i].name);
        *seen |= 1U << i;
        return fields[i].parse(equals + 1, len - name_len - 1, s, err);
    }
    return 0;
}

int sas_parse(const char *token, size_t len, struct sas *ret, struct err *err)
{
    struct sas s = {0};
    unsigned seen = 0;
    size_t prefix = strlen(SAS_PREFIX);

    if (len > SAS_TOKEN_MAX)
        return err_set(err, ERR_INVALID, "too long for a token");
    if (len < prefix || memcmp(token, SAS_PREFIX, prefix) != 0)
        return err_set(err, ERR_INVALID, "a token starts with \"SharedAccessSignature \"");
    token += prefix;
    len -= prefix;
    while (len > 0) {
        const char *end = memchr(token, '&', len);
        size_t field = end ? (size_t)(end - token) : len;

        if (field > 0 && parse_field(token, field, &s, &seen, err) < 0)
            return -1;
        token += field + (end ? 1 : 0);
        len -= field + (end ? 1 : 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (fields[i].required && !(seen & (1U << i)))
            return err_set(err, ERR_INVALID, "the token has no %s", fields[i].name);
    *ret = s;
    return 0;
}

void sas_signed_text(const struct sas *s, struct buf *out)
{
    put_text(s->sr, s->expiry_s, out);
}

bool sas_has_signature(const struct sas *s, const unsigned char hmac[32])
{
    return CRYPTO_memcmp(hmac, s->signature, sizeof(s->signature)) == 0;
}

bool sas_signed_by(const struct sas *s, const char *key_base64)
{
    auto_buf struct buf text = {0};
    unsigned char expected[32];

    sas_signed_text(s, &text);

    bool same = sign_with_key(key_base64, text.data, text.len, expected, NULL) == 0 &&
                sas_has_signature(s, expected);

    explicit_bzero(expected, sizeof(expected));
    return same;
}

bool sas_covers(const struct sas *s, const char *target)
{
    size_t len = strlen(s->resource);

    while (len > 0 && s->resource[len - 1] == '/')
        len--;
    if (len == 0 || strlen(target) < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (tolower((unsigned char)s->resource[i]) != tolower((unsigned char)target[i]))
            return false;
    return target[len] == '\0' || target[len] == '/';
}

bool sas_expired(const struct sas *s, uint64_t now_s)
{
    return s->expiry_s + SAS_SKEW_S < now_s;
}
