/* See aead.h. */
#include "core/azure/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define TAG_BYTES 16
#define VERSION_1 1 /* tag first: IoT Edge 1.1 and before; only ever decrypted */
#define VERSION_2 2 /* tag last */

DEFINE_AUTO(cipher, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
#define auto_cipher ATTR_CLEANUP(cipher_freep)

static int check_lengths(const struct aead *a, size_t len, struct err *err)
{
    if (a->iv_len == 0 || a->iv_len > AEAD_IV_MAX)
        return err_set(err, ERR_INVALID, "the initialization vector must have 1 to %d bytes",
                       AEAD_IV_MAX);
    if (len > AEAD_TEXT_MAX || a->aad_len > AEAD_TEXT_MAX)
        return err_set(err, ERR_INVALID, "more than %u bytes", AEAD_TEXT_MAX);
    return 0;
}

/* Key, vector and additional data are in; the text may follow. */
static EVP_CIPHER_CTX *begin(const struct aead *a, int encrypt, struct err *err)
{
    auto_cipher EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    if (!c)
        abort(); /* only memory can be missing */
    if (EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, NULL, NULL, encrypt) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int)a->iv_len, NULL) != 1 ||
        EVP_CipherInit_ex(c, NULL, NULL, a->key, a->iv, encrypt) != 1 ||
        (a->aad_len && EVP_CipherUpdate(c, NULL, &n, a->aad, (int)a->aad_len) != 1)) {
        ERR_clear_error();
        err_set(err, ERR_BUG, "AES-256-GCM cannot be set up");
        return NULL;
    }
    return steal(c);
}

int aead_encrypt(const struct aead *a, const void *text, size_t len, struct buf *out,
                 struct err *err)
{
    unsigned char tag[TAG_BYTES];
    int n = 0, end = 0;
    if (check_lengths(a, len, err) < 0)
        return -1;
    auto_cipher EVP_CIPHER_CTX *c = begin(a, 1, err);
    if (!c)
        return -1;
    unsigned char *room = (unsigned char *)buf_reserve(out, 1 + len + TAG_BYTES);
    if ((len && EVP_CipherUpdate(c, room + 1, &n, text, (int)len) != 1) ||
        EVP_CipherFinal_ex(c, room + 1 + n, &end) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_BUG, "AES-256-GCM failed");
    }
    room[0] = VERSION_2;
    memcpy(room + 1 + len, tag, TAG_BYTES);
    buf_commit(out, 1 + len + TAG_BYTES);
    return 0;
}

int aead_decrypt(const struct aead *a, const void *data, size_t len, struct buf *out,
                 struct err *err)
{
    const unsigned char *at = data;
    unsigned char tag[TAG_BYTES];
    int n = 0, end = 0;
    if (len < 1 + TAG_BYTES || (at[0] != VERSION_1 && at[0] != VERSION_2))
        return err_set(err, ERR_INVALID, "the ciphertext is malformed");
    size_t text_len = len - 1 - TAG_BYTES;
    if (check_lengths(a, text_len, err) < 0)
        return -1;
    auto_cipher EVP_CIPHER_CTX *c = begin(a, 0, err);
    if (!c)
        return -1;
    memcpy(tag, at[0] == VERSION_1 ? at + 1 : at + len - TAG_BYTES, TAG_BYTES);
    const unsigned char *text = at[0] == VERSION_1 ? at + 1 + TAG_BYTES : at + 1;
    unsigned char *room = (unsigned char *)buf_reserve(out, text_len + TAG_BYTES);
    if ((text_len && EVP_CipherUpdate(c, room, &n, text, (int)text_len) != 1) ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1 ||
        EVP_CipherFinal_ex(c, room + n, &end) != 1) {
        ERR_clear_error();
        explicit_bzero(room, text_len);
        return err_set(err, ERR_INVALID,
                       "the ciphertext does not fit its key, vector or owner, or was changed");
    }
    buf_commit(out, text_len);
    return 0;
}
