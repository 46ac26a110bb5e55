/* The key store: derivation, signatures and encryption as Azure's key service has them, and what is
 * on disk. */
#include "core/azure/aead.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/edged/keys.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

#define MASTER "0123456789abcdef0123456789abcdef"

static const struct config_pairs none = {0};

struct store {
    char dir[64];
    struct keys *keys;
};

static void store_done(struct store *s)
{
    keys_free(s->keys);
    (void)file_remove_tree(s->dir, NULL);
}

static void store_open(struct store *s, const struct config_pairs *preloaded)
{
    struct err err = {0};
    STR_SET(s->dir, "/tmp/test-edged-keys.XXXXXX");
    cr_assert(mkdtemp(s->dir));
    s->keys = keys_new(s->dir, preloaded, &err);
    cr_assert(s->keys, "%s", err.msg);
}

static void import(const struct store *s, const char *id, const char *bytes)
{
    struct err err = {0};
    auto_secret struct secret key = {0};
    secret_set(&key, bytes, strlen(bytes));
    cr_assert_eq(keys_import(s->keys, id, &key, &err), 0, "%s", err.msg);
}

static void same_base64(const unsigned char bytes[32], const char *want)
{
    auto_buf struct buf text = {0};
    base64_encode(bytes, 32, &text);
    cr_assert_str_eq(buf_str(&text), want);
}

/* Made with Python's hmac and hashlib. */
Test(edged_keys, derives_a_modules_keys_from_the_master_and_the_generation)
{
    ATTR_CLEANUP(store_done) struct store s;
    struct keys_handle handle;
    auto_secret struct secret key = {0};
    unsigned char signature[32];
    store_open(&s, &none);
    import(&s, KEYS_MASTER, MASTER);

    cr_assert(keys_module(&handle, "$edgeAgent", "638000000000000000", "primary"));
    cr_assert_eq(keys_export(s.keys, &handle, &key, NULL), 0);
    cr_assert_str_eq(key.data, "8ndxjURLcu8UhlM/8ePnZ3biMeJxWnw/IUXAmEpBPK4=");
    cr_assert_eq(keys_sign(s.keys, &handle, "data", 4, signature, NULL), 0);
    same_base64(signature, "z1fQbOCb/85JJc5yziMvI5J8OSmPuiG0KlIOXWow6Ac=");
    cr_assert(keys_module(&handle, "$edgeAgent", "638000000000000000", "secondary"));
    cr_assert_eq(keys_export(s.keys, &handle, &key, NULL), 0);
    cr_assert_str_eq(key.data, "pxcQWLxAN1Fbxamzab5O/t0DLQBb7VHkn7EkaTnJhiY=");
}

Test(edged_keys, signs_with_a_key_that_it_does_not_give_away)
{
    ATTR_CLEANUP(store_done) struct store s;
    struct err err = {0};
    struct keys_handle handle = {.id = KEYS_DEVICE};
    auto_secret struct secret key = {0};
    unsigned char signature[32];
    store_open(&s, &none);
    cr_assert_lt(keys_sign(s.keys, &handle, "x", 1, signature, &err), 0);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    import(&s, KEYS_DEVICE, MASTER);
    /* the vector of core/azure's tokens: the same key and text */
    static const char text[] = "myhub.azure-devices.net%2Fdevices%2Fdev1\n1700000000";
    cr_assert_eq(keys_sign(s.keys, &handle, text, strlen(text), signature, NULL), 0);
    same_base64(signature, "wosmA3uJK9T0mdB5CIYn+sAVA2ODflnucuvNO5S6mbM=");
    cr_assert_lt(keys_export(s.keys, &handle, &key, &err), 0);
    cr_assert_eq(err.kind, ERR_BUG);
}

Test(edged_keys, refuses_names_that_are_too_long)
{
    struct keys_handle handle;
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    longest[399] = '\0';
    cr_assert_not(keys_module(&handle, longest, "1", "primary"));
}

Test(edged_keys, makes_a_key_once_and_keeps_it)
{
    ATTR_CLEANUP(store_done) struct store s;
    struct stat st;
    struct keys_handle handle = {.id = KEYS_MASTER};
    unsigned char first[32], second[32];
    store_open(&s, &none);
    auto_free char *dir = xasprintf("%s/keys", s.dir);
    auto_free char *file = xasprintf("%s/keys/" KEYS_MASTER ".key", s.dir);
    cr_assert_eq(keys_create(s.keys, KEYS_MASTER, NULL), 0);
    cr_assert_eq(keys_sign(s.keys, &handle, "", 0, first, NULL), 0);
    cr_assert_eq(keys_create(s.keys, KEYS_MASTER, NULL), 0);
    cr_assert_eq(keys_sign(s.keys, &handle, "", 0, second, NULL), 0);
    cr_assert_eq(memcmp(first, second, 32), 0);
    cr_assert(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
    cr_assert(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_size == 32);

    /* a key that cannot be read is not replaced by another */
    cr_assert_eq(file_write(file, "", 0, 0600, NULL), 0);
    cr_assert_lt(keys_create(s.keys, KEYS_MASTER, NULL), 0);
    cr_assert_eq(keys_delete(s.keys, KEYS_MASTER, NULL), 0);
    cr_assert_eq(keys_delete(s.keys, KEYS_MASTER, NULL), 0);
    cr_assert_lt(stat(file, &st), 0);
}

Test(edged_keys, takes_a_preloaded_key_from_its_own_place)
{
    ATTR_CLEANUP(store_done) struct store s;
    char path[80];
    struct config_pair pair = {(char[]){KEYS_MASTER}, path};
    struct config_pairs preloaded = {&pair, 1};
    struct err err = {0};
    struct keys_handle handle = {.id = KEYS_MASTER};
    unsigned char signature[32];
    auto_secret struct secret key = {0};
    store_open(&s, &preloaded);
    (void)str_format(path, sizeof(path), "%s/mine", s.dir);
    cr_assert_lt(keys_create(s.keys, KEYS_MASTER, &err), 0, "a key that was promised is missing");
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    cr_assert_eq(file_write(path, MASTER, 32, 0600, NULL), 0);
    cr_assert_eq(keys_create(s.keys, KEYS_MASTER, NULL), 0);
    static const char text[] = "myhub.azure-devices.net%2Fdevices%2Fdev1\n1700000000";
    cr_assert_eq(keys_sign(s.keys, &handle, text, strlen(text), signature, NULL), 0);
    same_base64(signature, "wosmA3uJK9T0mdB5CIYn+sAVA2ODflnucuvNO5S6mbM=");
    secret_set(&key, "other", 5);
    cr_assert_lt(keys_import(s.keys, KEYS_MASTER, &key, &err), 0);
    cr_assert_eq(err.kind, ERR_EXISTS);
}

/* ------------------------------------------------------------------------------- encryption */

#define AEAD(vector, owner)                                                              \
    &(struct keys_aead)                                                                  \
    {                                                                                    \
        .id = KEYS_ENCRYPTION, .iv = (vector), .iv_len = strlen(vector), .aad = (owner), \
        .aad_len = strlen(owner)                                                         \
    }

Test(edged_keys, encrypts_for_one_module_only)
{
    ATTR_CLEANUP(store_done) struct store s;
    auto_buf struct buf sealed = {0}, opened = {0};
    struct err err = {0};
    store_open(&s, &none);
    cr_assert_eq(keys_create(s.keys, KEYS_ENCRYPTION, NULL), 0);
    cr_assert_eq(keys_encrypt(s.keys, AEAD("vector", "mod1"), "secret", 6, &sealed, &err), 0, "%s",
                 err.msg);
    cr_assert_eq(sealed.len, 1 + 6 + 16);
    cr_assert_eq(sealed.data[0], 2);
    cr_assert_null(memmem(sealed.data, sealed.len, "secret", 6));
    cr_assert_eq(
        keys_decrypt(s.keys, AEAD("vector", "mod1"), sealed.data, sealed.len, &opened, &err), 0);
    cr_assert_str_eq(buf_str(&opened), "secret");

    buf_clear(&opened);
    cr_assert_lt(
        keys_decrypt(s.keys, AEAD("vector", "mod2"), sealed.data, sealed.len, &opened, &err), 0);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert_lt(
        keys_decrypt(s.keys, AEAD("Vector", "mod1"), sealed.data, sealed.len, &opened, NULL), 0);
    sealed.data[3] ^= 1;
    cr_assert_lt(
        keys_decrypt(s.keys, AEAD("vector", "mod1"), sealed.data, sealed.len, &opened, NULL), 0);
    cr_assert_eq(opened.len, 0, "nothing of what was refused comes out");
    cr_assert_lt(keys_decrypt(s.keys, AEAD("vector", "mod1"), "", 0, &opened, NULL), 0);
    cr_assert_lt(keys_encrypt(s.keys, AEAD("", "mod1"), "secret", 6, &sealed, NULL), 0);
}

/* AES-256-GCM, test case 16 of the GCM specification, in the version-2 and version-1 forms. */
Test(edged_keys, speaks_the_key_services_format)
{
    static const unsigned char key[32] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                          0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
                                          0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                          0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
    static const unsigned char iv[12] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce,
                                         0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
    static const unsigned char aad[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe,
                                          0xef, 0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad,
                                          0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
    static const unsigned char text[60] = {
        0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
        0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
        0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
        0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
    static const unsigned char sealed[60] = {
        0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3, 0x2a, 0x84, 0x42,
        0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9, 0x75, 0x98, 0xa2, 0xbd, 0x25, 0x55,
        0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48, 0x59, 0x0d, 0xbb, 0x3d, 0xa7, 0xb0, 0x8b, 0x10, 0x56,
        0x82, 0x88, 0x38, 0xc5, 0xf6, 0x1e, 0x63, 0x93, 0xba, 0x7a, 0x0a, 0xbc, 0xc9, 0xf6, 0x62};
    static const unsigned char tag[16] = {0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68,
                                          0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b};
    const struct aead a = {key, iv, sizeof(iv), aad, sizeof(aad)};
    auto_buf struct buf out = {0}, old = {0}, opened = {0};
    cr_assert_eq(aead_encrypt(&a, text, sizeof(text), &out, NULL), 0);
    cr_assert_eq(out.len, 77);
    cr_assert_eq(out.data[0], 2);
    cr_assert_eq(memcmp(out.data + 1, sealed, 60), 0);
    cr_assert_eq(memcmp(out.data + 61, tag, 16), 0);

    buf_putc(&old, 1);
    buf_append(&old, tag, sizeof(tag));
    buf_append(&old, sealed, sizeof(sealed));
    cr_assert_eq(aead_decrypt(&a, old.data, old.len, &opened, NULL), 0);
    cr_assert(opened.len == 60 && memcmp(opened.data, text, 60) == 0);
    old.data[0] = 3;
    cr_assert_lt(aead_decrypt(&a, old.data, old.len, &opened, NULL), 0);
}
