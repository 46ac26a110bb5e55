/* See digest.h. */
#include "core/io/digest.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>

#define DIGEST_SIZE      32
#define SHA1_SIZE        20
#define DIGEST_FILE_READ (1U << 20)

struct digest {
    EVP_MD_CTX *ctx;
};

/* OpenSSL fails here only without memory or with a broken installation: like malloc, nothing to go
 * on with. */
static void digest_must(int ok)
{
    if (ok != 1)
        abort();
}

struct digest *digest_new(void)
{
    struct digest *d = xcalloc(1, sizeof(*d));
    d->ctx = EVP_MD_CTX_new();
    digest_must(d->ctx != NULL);
    digest_must(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));
    return d;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_update(struct digest *d, const void *data, size_t len)
{
    digest_must(EVP_DigestUpdate(d->ctx, data, len));
}

void digest_finish(struct digest *d, char ret_hex[DIGEST_HEX_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[DIGEST_SIZE];
    digest_must(EVP_DigestFinal_ex(d->ctx, raw, NULL));
    for (size_t i = 0; i < sizeof(raw); i++) {
        ret_hex[2 * i] = hex[raw[i] >> 4];
        ret_hex[2 * i + 1] = hex[raw[i] & 15];
    }
    ret_hex[DIGEST_HEX_SIZE - 1] = '\0';
}

void digest_sha256(const void *data, size_t len, char ret_hex[DIGEST_HEX_SIZE])
{
    auto_digest struct digest *d = digest_new();
    digest_update(d, data, len);
    digest_finish(d, ret_hex);
}

void digest_sha1_base64(const void *data, size_t len, char ret[DIGEST_SHA1_BASE64_SIZE])
{
    unsigned char raw[SHA1_SIZE];
    digest_must(EVP_Digest(data, len, raw, NULL, EVP_sha1(), NULL));
    (void)EVP_EncodeBlock((unsigned char *)ret, raw, sizeof(raw));
}

int digest_file(const char *path, char ret_hex[DIGEST_HEX_SIZE], struct err *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "read %s", path);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);

    auto_free char *room = xmalloc(DIGEST_FILE_READ);
    auto_digest struct digest *d = digest_new();
    for (;;) {
        ssize_t n = read(fd, room, DIGEST_FILE_READ);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read %s", path);
        if (n == 0)
            break;
        digest_update(d, room, (size_t)n);
    }
    digest_finish(d, ret_hex);
    return 0;
}
