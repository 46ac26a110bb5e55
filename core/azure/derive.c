/* See derive.h. */
#include "core/azure/derive.h"

#include "core/base/random.h"
#include "core/io/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

int derive_hmac(const void *key, size_t key_len, const void *data, size_t len,
                unsigned char ret[DERIVE_BYTES], struct err *err)
{
    unsigned int size = DERIVE_BYTES;
    if (key_len > INT_MAX || !HMAC(EVP_sha256(), key, (int)key_len, data, len, ret, &size))
        return err_set(err, ERR_BUG, "HMAC-SHA256 failed");
    return 0;
}

static void give(unsigned char bytes[DERIVE_BYTES], struct secret *ret_base64)
{
    auto_wiped_buf struct buf text = {0};
    base64_encode(bytes, DERIVE_BYTES, &text);
    secret_set(ret_base64, text.data, text.len);
    explicit_bzero(bytes, DERIVE_BYTES);
}

int derive_key(const char *key_base64, const char *text, struct secret *ret_key_base64,
               struct err *err)
{
    auto_wiped_buf struct buf key = {0};
    unsigned char digest[DERIVE_BYTES];
    if (base64_decode(key_base64, strlen(key_base64), &key, err) < 0 ||
        derive_hmac(buf_str(&key), key.len, text, strlen(text), digest, err) < 0)
        return -1;
    give(digest, ret_key_base64);
    return 0;
}

void derive_random(struct secret *ret_key_base64)
{
    unsigned char bytes[DERIVE_BYTES];
    random_bytes(bytes, sizeof(bytes));
    give(bytes, ret_key_base64);
}
