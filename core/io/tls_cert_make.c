/* See tls_cert.h: making. */
#include "core/io/tls_cert.h"

#include "core/base/file.h"
#include "core/io/tls_private.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CHAIN_MAX 65536
#define DAY_S     86400L

struct extension {
    int nid;
    const char *value;
};

/* What is to be made. */
struct order {
    const char *name;
    unsigned days;
    struct extension extensions[6];         /* up to a zero nid */
    const char *ca_cert_file, *ca_key_file; /* NULL: it signs itself */
};

static int write_bio(const char *path, BIO *bio, mode_t mode, struct err *err)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    int status = file_write(path, data, (size_t)len, mode, err);

    explicit_bzero(data, (size_t)len);
    return status;
}

/* The key first: a certificate without its key is of no use. */
static int write_pair(const char *cert_file, X509 *cert, const struct buf *chain,
                      const char *key_file, EVP_PKEY *key, struct err *err)
{
    auto_bio BIO *key_bio = BIO_new(BIO_s_secmem());
    auto_bio BIO *cert_bio = BIO_new(BIO_s_mem());

    if (!key_bio || !cert_bio ||
        !PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) ||
        !PEM_write_bio_X509(cert_bio, cert) ||
        (chain->len > 0 && BIO_write(cert_bio, chain->data, (int)chain->len) <= 0))
        return tls_err(err, ERR_SYSTEM, "encode certificate");
    if (write_bio(key_file, key_bio, 0600, err) < 0)
        return -1;
    return write_bio(cert_file, cert_bio, 0644, err);
}

static int add_extension(X509 *cert, X509 *issuer, const struct extension *e, struct err *err)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);

    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, e->nid, e->value);
    int status =
        extension && X509_add_ext(cert, extension, -1) ? 0 : tls_err(err, ERR_INVALID, e->value);

    X509_EXTENSION_free(extension);
    return status;
}

/* Everything that all kinds have in common. Valid from yesterday: clocks differ. */
static X509 *new_cert(EVP_PKEY *key, const char *name, unsigned days, struct err *err)
{
    auto_x509 X509 *cert = X509_new();
    unsigned char serial[16];
    ASN1_INTEGER *number = cert ? X509_get_serialNumber(cert) : NULL;
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;

    if (!cert || RAND_bytes(serial, sizeof(serial)) != 1) {
        (void)tls_err(err, ERR_SYSTEM, "new certificate");
        return NULL;
    }
    serial[0] &= 0x7f;
    serial[0] |= 0x40; /* positive, and of full length */
    if (!ASN1_STRING_set(number, serial, sizeof(serial)) ||
        !X509_set_version(cert, X509_VERSION_3) ||
        !X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) ||
        !X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY_S) ||
        !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                    -1, 0) ||
        !X509_set_pubkey(cert, key)) {
        (void)tls_err(err, ERR_INVALID, name);
        return NULL;
    }
    return steal(cert);
}

static int sign(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key, const struct order *o,
                struct err *err)
{
    static const struct extension key_id = {NID_authority_key_identifier, "keyid"};

    if (!X509_set_issuer_name(cert, X509_get_subject_name(issuer)))
        return tls_err(err, ERR_SYSTEM, "new certificate");
    for (const struct extension *e = o->extensions; e->nid; e++)
        if (add_extension(cert, issuer, e, err) < 0)
            return -1;
    if (issuer != cert && add_extension(cert, issuer, &key_id, err) < 0)
        return -1;
    if (!X509_sign(cert, issuer_key, EVP_sha256()))
        return tls_err(err, ERR_SYSTEM, "sign certificate");
    return 0;
}

static int make(const struct order *o, const char *cert_file, const char *key_file, struct err *err)
{
    auto_x509 X509 *ca = NULL;
    auto_pkey EVP_PKEY *ca_key = NULL;
    auto_buf struct buf chain = {0};

    if (o->ca_cert_file) {
        ca = tls_cert_load(o->ca_cert_file, err);
        ca_key = ca ? tls_key_load(o->ca_key_file, err) : NULL;
        if (!ca_key)
            return -1;
        /* An intermediate authority's file is its own chain. */
        if (X509_self_signed(ca, 0) != 1 && file_read(o->ca_cert_file, CHAIN_MAX, &chain, err) < 0)
            return -1;
    }

    auto_pkey EVP_PKEY *key = EVP_EC_gen("P-256");

    if (!key)
        return tls_err(err, ERR_SYSTEM, "new key");

    auto_x509 X509 *cert = new_cert(key, o->name, o->days, err);

    if (!cert || sign(cert, ca ? ca : cert, ca ? ca_key : key, o, err) < 0)
        return -1;
    return write_pair(cert_file, cert, &chain, key_file, key, err);
}

/* ------------------------------------------------------------------------------------------ kinds
 */

int tls_cert_make_ca(const char *cert_file, const char *key_file, const char *name, unsigned days,
                     struct err *err)
{
    return tls_cert_make_intermediate(NULL, NULL, cert_file, key_file, name, days, err);
}

int tls_cert_make_intermediate(const char *ca_cert_file, const char *ca_key_file,
                               const char *cert_file, const char *key_file, const char *name,
                               unsigned days, struct err *err)
{
    return make(
        &(struct order){
            .name = name,
            .days = days,
            .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                           {NID_key_usage, "critical,keyCertSign,cRLSign"},
                           {NID_subject_key_identifier, "hash"}},
            .ca_cert_file = ca_cert_file,
            .ca_key_file = ca_key_file,
        },
        cert_file, key_file, err);
}

int tls_cert_make_server(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *const *names, unsigned days,
                         struct err *err)
{
    auto_buf struct buf alternatives = {0};

    for (const char *const *name = names; *name; name++)
        buf_printf(&alternatives, "%s%s:%s", alternatives.len ? "," : "",
                   tls_name_is_address(*name) ? "IP" : "DNS", *name);
    return make(
        &(struct order){
            .name = names[0],
            .days = days,
            .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                           {NID_key_usage, "critical,digitalSignature"},
                           {NID_ext_key_usage, "serverAuth"},
                           {NID_subject_key_identifier, "hash"},
                           {NID_subject_alt_name, buf_str(&alternatives)}},
            .ca_cert_file = ca_cert_file,
            .ca_key_file = ca_key_file,
        },
        cert_file, key_file, err);
}

int tls_cert_make_device(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *name, unsigned days, struct err *err)
{
    return make(
        &(struct order){
            .name = name,
            .days = days,
            .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                           {NID_key_usage, "critical,digitalSignature"},
                           {NID_ext_key_usage, "clientAuth"},
                           {NID_subject_key_identifier, "hash"}},
            .ca_cert_file = ca_cert_file,
            .ca_key_file = ca_key_file,
        },
        cert_file, key_file, err);
}

int tls_cert_make_self_signed(const char *cert_file, const char *key_file, const char *name,
                              unsigned days, struct err *err)
{
    return tls_cert_make_device(NULL, NULL, cert_file, key_file, name, days, err);
}
