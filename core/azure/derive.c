/* See derive.h. */
#include "core/azure/derive.h"

#include "core/azure/base64.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

static void give(const unsigned char bytes[32], struct secret *ret)
{
    auto_wiped_buf struct buf text = {0};
    base64_encode(bytes, 32, &text);
    secret_set(ret, text.data, text.len);
}

int derive_key(const char *key_base64, const char *text, struct secret *ret_key_base64,
               struct err *err)
{
    auto_wiped_buf struct buf key = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (base64_decode(key_base64, strlen(key_base64), &key, err) < 0)
        return -1;
    if (!HMAC(EVP_sha256(), buf_str(&key), (int)key.len, (const unsigned char *)text, strlen(text),
              digest, NULL))
        return err_set(err, ERR_BUG, "HMAC-SHA256 failed");
    give(digest, ret_key_base64);
    explicit_bzero(digest, sizeof(digest));
    return 0;
}

void derive_random(struct secret *ret_key_base64)
{
    unsigned char bytes[32];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        abort(); /* no entropy: nothing could be done safely */
    give(bytes, ret_key_base64);
    explicit_bzero(bytes, sizeof(bytes));
}
