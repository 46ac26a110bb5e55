/* For tests: certificates that the product itself would not make. */
#ifndef BERTH_TESTS_CERTS_H
#define BERTH_TESTS_CERTS_H

#include "core/base/attr.h"
#include "core/base/buf.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CERT_DAY_S 86400L

struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

struct cert_spec {
    const char *cn; /* NULL: an empty subject */
    size_t cn_len;  /* 0: up to its NUL */
    const char *second_cn;
    const char *key;      /* "P-256" (NULL), "RSA-1024", "RSA-2048" or "Ed25519" */
    long from_s, until_s; /* from now; both 0: yesterday to tomorrow */
    bool ca;
    const struct cert *issuer; /* NULL: self-signed */
    const char *eku;           /* extended key usage; NULL: none */
    unsigned padding;          /* bytes of a comment, to make it large */
};

static inline EVP_PKEY *cert_key(const char *kind)
{
    if (!kind || strcmp(kind, "P-256") == 0)
        return EVP_EC_gen("P-256");
    if (strcmp(kind, "Ed25519") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
}

static inline void cert_extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    if (!e || !X509_add_ext(cert, e, -1))
        abort();
    X509_EXTENSION_free(e);
}

static inline struct cert cert_make(const struct cert_spec *spec)
{
    static long serial;
    struct cert c = {X509_new(), cert_key(spec->key)};
    X509_NAME *name = X509_get_subject_name(c.x509);
    const struct cert *issuer = spec->issuer ? spec->issuer : &c;
    bool ed = EVP_PKEY_get_id(issuer->key) == EVP_PKEY_ED25519;
    bool timed = spec->from_s || spec->until_s;

    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), timed ? spec->from_s : -CERT_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), timed ? spec->until_s : CERT_DAY_S);
    if (spec->cn && !X509_NAME_add_entry_by_NID(
                        name, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)spec->cn,
                        (int)(spec->cn_len ? spec->cn_len : strlen(spec->cn)), -1, 0))
        abort();
    if (spec->second_cn)
        X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                   (const unsigned char *)spec->second_cn, -1, -1, 0);
    X509_set_issuer_name(c.x509, X509_get_subject_name(issuer->x509));
    X509_set_pubkey(c.x509, c.key);
    if (spec->ca)
        cert_extend(c.x509, NID_basic_constraints, "critical,CA:TRUE");
    if (spec->eku)
        cert_extend(c.x509, NID_ext_key_usage, spec->eku);
    if (spec->padding) {
        char *text = calloc(1, spec->padding + 1);

        memset(text, 'x', spec->padding);
        cert_extend(c.x509, NID_netscape_comment, text);
        free(text);
    }
    if (!X509_sign(c.x509, issuer->key, ed ? NULL : EVP_sha256()))
        abort();
    return c;
}

static inline void cert_done(struct cert *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    *c = (struct cert){0};
}
#define auto_cert ATTR_CLEANUP(cert_done)

static inline void cert_put_pem(struct buf *to, const struct cert *c)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;

    PEM_write_bio_X509(bio, c->x509);
    long len = BIO_get_mem_data(bio, &data);

    buf_append(to, data, (size_t)len);
    BIO_free(bio);
}

#endif
