/* Authenticated encryption, AES-256-GCM, in the form that Azure's key service gives modules: a
 * version byte, the ciphertext, the tag. Pure; any thread. */
#ifndef BERTH_AZURE_AEAD_H
#define BERTH_AZURE_AEAD_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stddef.h>

#define AEAD_KEY_BYTES 32
#define AEAD_TEXT_MAX  (1U << 20)
#define AEAD_IV_MAX    128 /* OpenSSL's */

/* What must be the same to decrypt. The vector is the caller's choice, and so is the risk of using
 * one twice. */
struct aead {
    const unsigned char *key; /* AEAD_KEY_BYTES */
    const void *iv;           /* 1 to AEAD_IV_MAX bytes */
    size_t iv_len;
    const void *aad; /* authenticated, not encrypted */
    size_t aad_len;
};

/* Appends to OUT. ERR_INVALID: a length that cannot be. */
int aead_encrypt(const struct aead *a, const void *text, size_t len, struct buf *out,
                 struct err *err);
/* The other way. ERR_INVALID also where anything was changed; OUT then has nothing of it. */
int aead_decrypt(const struct aead *a, const void *data, size_t len, struct buf *out,
                 struct err *err);

#endif
