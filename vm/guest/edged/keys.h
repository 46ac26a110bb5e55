/* The key store. Key material is only ever in its files (0600 in a folder of 0700, or where
 * [preloaded_keys] says) and, for the length of a call, in this process. What others hold is a
 * handle: a key's id, or that of the key that another one is derived from. Blocking, a small file a
 * call; loop thread. */
#ifndef BERTH_EDGED_KEYS_H
#define BERTH_EDGED_KEYS_H

#include "core/azure/sas.h"
#include "core/base/buf.h"
#include "vm/guest/edged/config.h"

#include <stddef.h>

/* The ids that configuration and [preloaded_keys] know. */
#define KEYS_DEVICE     "device-id"
#define KEYS_MASTER     "aziot_identityd_master_id"
#define KEYS_ENCRYPTION "iotedge_master_encryption_id"

struct keys;

/* Makes the folder STATE_DIR/keys. PRELOADED outlives the store. */
struct keys *keys_new(const char *state_dir, const struct config_pairs *preloaded, struct err *err);
void keys_free(struct keys *k); /* NULL is fine */

/* A random key under ID, unless there is one. On disk when this returns. */
int keys_create(const struct keys *k, const char *id, struct err *err);
/* KEY's raw bytes under ID, in place of what was there. */
int keys_import(const struct keys *k, const char *id, const struct secret *key, struct err *err);
/* The store's own key of that id; one that does not exist is fine. */
int keys_delete(const struct keys *k, const char *id, struct err *err);

#define KEYS_DERIVE_MAX 300
struct keys_handle {
    const char *id;               /* of the key, or of the one below it */
    char derive[KEYS_DERIVE_MAX]; /* not empty: the key is HMAC-SHA256 of this with that of ID */
};

/* A module's key, as Azure's identity service derives it: WHICH is "primary" or "secondary". False
 * where the names are too long. */
bool keys_module(struct keys_handle *ret, const char *module, const char *generation,
                 const char *which);

/* HMAC-SHA256 of DATA. ERR_NOT_FOUND: no such key. */
int keys_sign(const struct keys *k, const struct keys_handle *handle, const void *data, size_t len,
              unsigned char ret[32], struct err *err);
/* A derived key as base64, to be given to the hub. */
int keys_export(const struct keys *k, const struct keys_handle *handle, struct secret *ret_base64,
                struct err *err);

/* Authenticated encryption with the key of ID (32 bytes); see core/azure/aead.h. The vector comes
 * from the caller, AAD says whom the text belongs to. Appends to OUT. */
struct keys_aead {
    const char *id;
    const void *iv;
    size_t iv_len;
    const void *aad;
    size_t aad_len;
};
int keys_encrypt(const struct keys *k, const struct keys_aead *a, const void *text, size_t len,
                 struct buf *out, struct err *err);
int keys_decrypt(const struct keys *k, const struct keys_aead *a, const void *data, size_t len,
                 struct buf *out, struct err *err);

/* A signer for tokens. Borrows both until the last use. */
struct keys_signer {
    const struct keys *keys;
    const struct keys_handle *handle;
};
int keys_signer_sign(const void *signer, const void *text, size_t len, unsigned char ret[32],
                     struct err *err); /* for struct sas_signer */

#endif
