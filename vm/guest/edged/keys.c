/* See keys.h. A key is read for each use and wiped after it: nothing to keep, nothing to leak, and
 * at most a few uses a second. */
#include "vm/guest/edged/keys.h"

#include "core/azure/aead.h"
#include "core/azure/derive.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE_MAX 4096

struct keys {
    char *dir;
    const struct config_pairs *preloaded;
};

/* ------------------------------------------------------------------------------- files */

static const char *preloaded_path(const struct keys *k, const char *id)
{
    for (size_t i = 0; i < k->preloaded->n; i++)
        if (str_eq(k->preloaded->at[i].name, id))
            return k->preloaded->at[i].value;
    return NULL;
}

/* Ids are our own words, never a path. */
static char *own_path(const struct keys *k, const char *id)
{
    for (const char *c = id; *c; c++)
        assert(isalnum((unsigned char)*c) || *c == '_' || *c == '-');
    return xasprintf("%s/%s.key", k->dir, id);
}

static int load(const struct keys *k, const char *id, struct buf *out, struct err *err)
{
    const char *elsewhere = preloaded_path(k, id);
    auto_free char *path = elsewhere ? xstrdup(elsewhere) : own_path(k, id);
    if (file_read(path, KEY_FILE_MAX, out, err) < 0)
        return err_wrap(err, "key %s", id);
    return out->len ? 0 : err_set(err, ERR_INVALID, "key %s: %s is empty", id, path);
}

static int store(const struct keys *k, const char *id, const void *bytes, size_t len,
                 struct err *err)
{
    auto_free char *path = own_path(k, id);
    if (preloaded_path(k, id))
        return err_set(err, ERR_EXISTS, "key %s is given by [preloaded_keys]", id);
    if (file_write(path, bytes, len, 0600, err) < 0)
        return err_wrap(err, "key %s", id);
    return 0;
}

/* ------------------------------------------------------------------------------- life */

struct keys *keys_new(const char *state_dir, const struct config_pairs *preloaded, struct err *err)
{
    auto_free char *dir = xasprintf("%s/keys", state_dir);
    if (file_mkdirs(dir, 0700, err) < 0)
        return NULL;
    struct keys *k = xcalloc(1, sizeof(*k));
    k->dir = steal(dir);
    k->preloaded = preloaded;
    return k;
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    free(k->dir);
    free(k);
}

int keys_create(const struct keys *k, const char *id, struct err *err)
{
    auto_wiped_buf struct buf old = {0};
    unsigned char bytes[DERIVE_BYTES];
    struct err why = {0};
    if (load(k, id, &old, &why) == 0)
        return 0;
    if (why.kind != ERR_NOT_FOUND || preloaded_path(k, id)) {
        if (err)
            *err = why;
        return -1;
    }
    random_bytes(bytes, sizeof(bytes));
    int status = store(k, id, bytes, sizeof(bytes), err);
    explicit_bzero(bytes, sizeof(bytes));
    return status;
}

int keys_import(const struct keys *k, const char *id, const struct secret *key, struct err *err)
{
    auto_wiped_buf struct buf old = {0};
    if (load(k, id, &old, NULL) == 0 && old.len == key->len &&
        memcmp(buf_str(&old), key->data, old.len) == 0)
        return 0;
    return store(k, id, key->data, key->len, err);
}

int keys_delete(const struct keys *k, const char *id, struct err *err)
{
    auto_free char *path = own_path(k, id);
    if (unlink(path) == 0)
        return file_sync_parent(path, err);
    return errno == ENOENT ? 0 : err_sys(err, errno, "key %s: remove %s", id, path);
}

/* ------------------------------------------------------------------------------- use */

bool keys_module(struct keys_handle *ret, const char *module, const char *generation,
                 const char *which)
{
    ret->id = KEYS_MASTER;
    return str_format(ret->derive, sizeof(ret->derive), "%s:%s:%s", module, generation, which);
}

/* The bytes that HANDLE stands for. */
static int open_handle(const struct keys *k, const struct keys_handle *handle, struct buf *out,
                       struct err *err)
{
    auto_wiped_buf struct buf base = {0};
    unsigned char derived[DERIVE_BYTES];
    if (!handle->derive[0])
        return load(k, handle->id, out, err);
    if (load(k, handle->id, &base, err) < 0 ||
        derive_hmac(base.data, base.len, handle->derive, strlen(handle->derive), derived, err) < 0)
        return -1;
    buf_append(out, derived, sizeof(derived));
    explicit_bzero(derived, sizeof(derived));
    return 0;
}

int keys_sign(const struct keys *k, const struct keys_handle *handle, const void *data, size_t len,
              unsigned char ret[32], struct err *err)
{
    auto_wiped_buf struct buf key = {0};
    if (open_handle(k, handle, &key, err) < 0)
        return -1;
    return derive_hmac(key.data, key.len, data, len, ret, err);
}

int keys_export(const struct keys *k, const struct keys_handle *handle, struct secret *ret_base64,
                struct err *err)
{
    auto_wiped_buf struct buf key = {0}, text = {0};
    if (!handle->derive[0])
        return err_set(err, ERR_BUG, "only a derived key may leave the store");
    if (open_handle(k, handle, &key, err) < 0)
        return -1;
    base64_encode(key.data, key.len, &text);
    secret_set(ret_base64, text.data, text.len);
    return 0;
}

/* Reads the key of A into KEY, which outlives the returned view of it. */
static int open_aead(const struct keys *k, const struct keys_aead *a, struct buf *key,
                     struct aead *ret, struct err *err)
{
    if (load(k, a->id, key, err) < 0)
        return -1;
    if (key->len != AEAD_KEY_BYTES)
        return err_set(err, ERR_INVALID, "key %s: it must have %d bytes, not %zu", a->id,
                       AEAD_KEY_BYTES, key->len);
    *ret = (struct aead){.key = (const unsigned char *)key->data,
                         .iv = a->iv,
                         .iv_len = a->iv_len,
                         .aad = a->aad,
                         .aad_len = a->aad_len};
    return 0;
}

int keys_encrypt(const struct keys *k, const struct keys_aead *a, const void *text, size_t len,
                 struct buf *out, struct err *err)
{
    auto_wiped_buf struct buf key = {0};
    struct aead aead;
    if (open_aead(k, a, &key, &aead, err) < 0)
        return -1;
    return aead_encrypt(&aead, text, len, out, err);
}

int keys_decrypt(const struct keys *k, const struct keys_aead *a, const void *data, size_t len,
                 struct buf *out, struct err *err)
{
    auto_wiped_buf struct buf key = {0};
    struct aead aead;
    if (open_aead(k, a, &key, &aead, err) < 0)
        return -1;
    return aead_decrypt(&aead, data, len, out, err);
}

int keys_signer_sign(const void *signer, const void *text, size_t len, unsigned char ret[32],
                     struct err *err)
{
    const struct keys_signer *s = signer;
    return keys_sign(s->keys, s->handle, text, len, ret, err);
}
