/* The authorities that sign device certificates; see auth.h. */
#include "vm/guest/hub/auth.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <ctype.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"
#define PEM_MAX   16384

/* The first certificate alone: what else is in the text may be a private key. */
static char *first_certificate(const char *pem, size_t len)
{
    const char *begin = memmem(pem, len, PEM_BEGIN, strlen(PEM_BEGIN));
    const char *end =
        begin ? memmem(begin, len - (size_t)(begin - pem), PEM_END, strlen(PEM_END)) : NULL;

    return end ? xasprintf("%.*s\n", (int)(end - begin) + (int)strlen(PEM_END), begin) : NULL;
}

int auth_authority_add(struct store *store, const char *pem, size_t len, struct tls_cert_info *ret,
                       struct err *err)
{
    auto_free char *first = NULL;
    struct tls_cert_info info;
    uint64_t n = 0;

    if (len > PEM_MAX || !(first = first_certificate(pem, len)))
        return err_set(err, ERR_INVALID, "certificate: must be one in PEM form");
    if (tls_cert_read(first, strlen(first), &info, err) < 0)
        return err_wrap(err, "certificate");
    if (!info.is_ca)
        return err_set(err, ERR_INVALID,
                       "certificate: is not that of an authority (basic constraints CA:TRUE)");
    if (store_authority_count(store, info.sha256, &n, err) < 0)
        return -1;
    if (n >= AUTH_AUTHORITIES_MAX)
        return err_set(err, ERR_NO_SPACE, "no more than %d authorities", AUTH_AUTHORITIES_MAX);
    if (store_authority_put(store, info.sha256, first, err) < 0)
        return -1;
    *ret = info;
    return 0;
}

int auth_authority_remove(struct store *store, const char *thumbprint, struct err *err)
{
    char capitals[STORE_THUMBPRINT_MAX];

    STR_SET(capitals, thumbprint);
    for (char *c = capitals; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return store_authority_delete(store, capitals, err);
}

struct each {
    void (*fn)(void *arg, const struct tls_cert_info *info);
    void *arg;
};

static void each_info(void *arg, const char *pem)
{
    struct each *e = arg;
    struct tls_cert_info info;

    if (tls_cert_read(pem, strlen(pem), &info, NULL) == 0)
        e->fn(e->arg, &info);
}

int auth_authority_each(struct store *store,
                        void (*fn)(void *arg, const struct tls_cert_info *info), void *arg,
                        struct err *err)
{
    struct each e = {.fn = fn, .arg = arg};

    return store_authority_each(store, each_info, &e, err);
}

static void append(void *arg, const char *pem)
{
    buf_puts(arg, pem);
}

int auth_authorities(struct store *store, struct buf *ret, struct err *err)
{
    return store_authority_each(store, append, ret, err);
}
