/* See tls_cert.h: making. */
#include "core/io/tls_cert.h"

#include "core/base/file.h"
#include "core/base/random.h"
#include "core/io/tls_private.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
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
    const struct extension *extensions;     /* up to a zero nid */
    const char *const *names;               /* NULL: none */
    const char *ca_cert_file, *ca_key_file; /* NULL: it signs itself */
};

static void take_bio(struct buf *to, BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);

    buf_append(to, data, (size_t)len);
}

static int put_pair(X509 *cert, EVP_PKEY *pkey, struct buf *cert_pem, struct buf *key_pem,
                    struct err *err)
{
    auto_bio BIO *key_bio = BIO_new(BIO_s_secmem());
    auto_bio BIO *cert_bio = BIO_new(BIO_s_mem());

    if (!key_bio || !cert_bio ||
        !PEM_write_bio_PrivateKey(key_bio, pkey, NULL, NULL, 0, NULL, NULL) ||
        !PEM_write_bio_X509(cert_bio, cert))
        return tls_err(err, ERR_SYSTEM, "encode certificate");
    take_bio(key_pem, key_bio);
    take_bio(cert_pem, cert_bio);
    return 0;
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

static GENERAL_NAME *new_alternative(const char *name)
{
    GENERAL_NAME *alternative = GENERAL_NAME_new();
    bool address = tls_name_is_address(name);
    ASN1_STRING *value = address ? a2i_IPADDRESS(name) : ASN1_IA5STRING_new();

    if (!alternative || !value || (!address && !ASN1_STRING_set(value, name, -1))) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(alternative);
        return NULL;
    }
    GENERAL_NAME_set0_value(alternative,
                            address               ? GEN_IPADD
                            : strstr(name, "://") ? GEN_URI
                                                  : GEN_DNS,
                            value);
    return alternative;
}

/* Not as OpenSSL's configuration text, in which a comma in a name would begin another one. */
static int add_alternatives(X509 *cert, const char *const *names, struct err *err)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool good = all != NULL;

    for (; good && *names; names++) {
        GENERAL_NAME *one = new_alternative(*names);

        good = one && sk_GENERAL_NAME_push(all, one) > 0;
        if (!good)
            GENERAL_NAME_free(one);
    }
    good = good && X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return good ? 0 : tls_err(err, ERR_INVALID, "alternative names");
}

/* Everything that all kinds have in common. Valid from yesterday: clocks differ. */
static X509 *new_cert(EVP_PKEY *key, const char *name, unsigned days, struct err *err)
{
    auto_x509 X509 *cert = X509_new();
    unsigned char serial[16];
    ASN1_INTEGER *number = cert ? X509_get_serialNumber(cert) : NULL;
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;

    if (!cert) {
        (void)tls_err(err, ERR_SYSTEM, "new certificate");
        return NULL;
    }
    random_bytes(serial, sizeof(serial));
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

    if (!X509_set_issuer_name(cert, X509_get_subject_name(issuer)) ||
        (ASN1_TIME_compare(X509_get0_notAfter(issuer), X509_get0_notAfter(cert)) < 0 &&
         !X509_set1_notAfter(cert, X509_get0_notAfter(issuer))))
        return tls_err(err, ERR_SYSTEM, "new certificate");
    for (const struct extension *e = o->extensions; e->nid; e++)
        if (add_extension(cert, issuer, e, err) < 0)
            return -1;
    if (o->names && add_alternatives(cert, o->names, err) < 0)
        return -1;
    if (issuer != cert && add_extension(cert, issuer, &key_id, err) < 0)
        return -1;
    if (!X509_sign(cert, issuer_key, EVP_sha256()))
        return tls_err(err, ERR_SYSTEM, "sign certificate");
    return 0;
}

static int issue(const struct order *o, struct buf *cert_pem, struct buf *key_pem, struct err *err)
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
    if (put_pair(cert, key, cert_pem, key_pem, err) < 0)
        return -1;
    buf_append(cert_pem, buf_str(&chain), chain.len);
    return 0;
}

/* The key first: a certificate without its key is of no use. */
static int make(const struct order *o, const char *cert_file, const char *key_file, struct err *err)
{
    auto_buf struct buf cert = {0};
    auto_wiped_buf struct buf key = {0};

    if (issue(o, &cert, &key, err) < 0 || file_write(key_file, key.data, key.len, 0600, err) < 0)
        return -1;
    return file_write(cert_file, cert.data, cert.len, 0644, err);
}

/* ------------------------------------------------------------------------------------------ kinds
 */

static const struct extension authority[] = {
    {NID_basic_constraints, "critical,CA:TRUE"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_subject_key_identifier, "hash"},
    {0},
};

static const struct extension uses[][5] = {
    [TLS_CERT_SERVER] = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_key_usage, "critical,digitalSignature"},
                         {NID_ext_key_usage, "serverAuth"},
                         {NID_subject_key_identifier, "hash"}},
    [TLS_CERT_CLIENT] = {{NID_basic_constraints, "critical,CA:FALSE"},
                         {NID_key_usage, "critical,digitalSignature"},
                         {NID_ext_key_usage, "clientAuth"},
                         {NID_subject_key_identifier, "hash"}},
    [TLS_CERT_ISSUER] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                         {NID_key_usage, "critical,digitalSignature,keyCertSign"},
                         {NID_subject_key_identifier, "hash"}},
};

static struct order order_of(const struct tls_cert_order *o)
{
    return (struct order){.name = o->common_name,
                          .days = o->days,
                          .extensions = uses[o->use],
                          .names = o->names,
                          .ca_cert_file = o->ca_cert_file,
                          .ca_key_file = o->ca_key_file};
}

int tls_cert_issue(const struct tls_cert_order *order, struct buf *cert, struct buf *key,
                   struct err *err)
{
    const struct order o = order_of(order);

    return issue(&o, cert, key, err);
}

int tls_cert_make(const struct tls_cert_order *order, const char *cert_file, const char *key_file,
                  struct err *err)
{
    const struct order o = order_of(order);

    return make(&o, cert_file, key_file, err);
}

int tls_cert_make_ca(const char *cert_file, const char *key_file, const char *name, unsigned days,
                     struct err *err)
{
    return tls_cert_make_intermediate(NULL, NULL, cert_file, key_file, name, days, err);
}

int tls_cert_make_intermediate(const char *ca_cert_file, const char *ca_key_file,
                               const char *cert_file, const char *key_file, const char *name,
                               unsigned days, struct err *err)
{
    return make(&(struct order){.name = name,
                                .days = days,
                                .extensions = authority,
                                .ca_cert_file = ca_cert_file,
                                .ca_key_file = ca_key_file},
                cert_file, key_file, err);
}

int tls_cert_make_server(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *const *names, unsigned days,
                         struct err *err)
{
    return tls_cert_make(&(struct tls_cert_order){.use = TLS_CERT_SERVER,
                                                  .common_name = names[0],
                                                  .names = names,
                                                  .days = days,
                                                  .ca_cert_file = ca_cert_file,
                                                  .ca_key_file = ca_key_file},
                         cert_file, key_file, err);
}

int tls_cert_make_device(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *name, unsigned days, struct err *err)
{
    return tls_cert_make(&(struct tls_cert_order){.use = TLS_CERT_CLIENT,
                                                  .common_name = name,
                                                  .days = days,
                                                  .ca_cert_file = ca_cert_file,
                                                  .ca_key_file = ca_key_file},
                         cert_file, key_file, err);
}

int tls_cert_make_self_signed(const char *cert_file, const char *key_file, const char *name,
                              unsigned days, struct err *err)
{
    return tls_cert_make_device(NULL, NULL, cert_file, key_file, name, days, err);
}
