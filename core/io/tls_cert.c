/* See tls_cert.h. */
#include "core/io/tls_cert.h"

#include "core/base/file.h"
#include "core/base/str.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define FILE_MAX 65536
#define DAY_S    86400L

DEFINE_AUTO(evp_pkey, EVP_PKEY, EVP_PKEY_free)
DEFINE_AUTO(x509, X509, X509_free)
DEFINE_AUTO(bio, BIO, BIO_free_all)
#define auto_pkey ATTR_CLEANUP(evp_pkey_freep)
#define auto_x509 ATTR_CLEANUP(x509_freep)
#define auto_bio  ATTR_CLEANUP(bio_freep)

static int x509_err(struct err *err, const char *what)
{
    char text[160];

    ERR_error_string_n(ERR_peek_last_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(err, ERR_SYSTEM, "%s: %s", what, text);
}

/* ------------------------------------------------------------------------------------------ files
 */

static BIO *open_pem(const char *path, struct buf *text, struct err *err)
{
    if (file_read(path, FILE_MAX, text, err) < 0)
        return NULL;
    return BIO_new_mem_buf(buf_str(text), (int)text->len);
}

static X509 *read_cert(const char *path, struct err *err)
{
    auto_buf struct buf text = {0};
    auto_bio BIO *bio = open_pem(path, &text, err);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    if (bio && !cert)
        (void)x509_err(err, path);
    return cert;
}

static EVP_PKEY *read_key(const char *path, struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    auto_bio BIO *bio = open_pem(path, &text, err);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

    if (bio && !key)
        (void)x509_err(err, path);
    return key;
}

static int write_bio(const char *path, BIO *bio, mode_t mode, struct err *err)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    int status = file_write(path, data, (size_t)len, mode, err);

    explicit_bzero(data, (size_t)len);
    return status;
}

/* The key first: a certificate without its key is of no use. */
static int write_pair(const char *cert_file, X509 *cert, const char *key_file, EVP_PKEY *key,
                      struct err *err)
{
    auto_bio BIO *key_bio = BIO_new(BIO_s_secmem());
    auto_bio BIO *cert_bio = BIO_new(BIO_s_mem());

    if (!key_bio || !cert_bio ||
        !PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) ||
        !PEM_write_bio_X509(cert_bio, cert))
        return x509_err(err, "encode certificate");
    if (write_bio(key_file, key_bio, 0600, err) < 0)
        return -1;
    return write_bio(cert_file, cert_bio, 0644, err);
}

/* ------------------------------------------------------------------------------------------ making
 */

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value, struct err *err)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);

    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);

    if (!extension || !X509_add_ext(cert, extension, -1)) {
        X509_EXTENSION_free(extension);
        return x509_err(err, value);
    }
    X509_EXTENSION_free(extension);
    return 0;
}

/* Everything that authority and server have in common. Valid from yesterday: clocks differ. */
static X509 *new_cert(EVP_PKEY *key, const char *name, unsigned days, struct err *err)
{
    auto_x509 X509 *cert = X509_new();
    unsigned char serial[16];
    ASN1_INTEGER *number = cert ? X509_get_serialNumber(cert) : NULL;
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;

    if (!cert || RAND_bytes(serial, sizeof(serial)) != 1) {
        (void)x509_err(err, "new certificate");
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
        (void)x509_err(err, "new certificate");
        return NULL;
    }
    return steal(cert);
}

static EVP_PKEY *new_key(struct err *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    if (!key)
        (void)x509_err(err, "new key");
    return key;
}

int tls_cert_make_ca(const char *cert_file, const char *key_file, const char *name, unsigned days,
                     struct err *err)
{
    auto_pkey EVP_PKEY *key = new_key(err);
    auto_x509 X509 *cert = key ? new_cert(key, name, days, err) : NULL;

    if (!cert)
        return -1;
    if (!X509_set_issuer_name(cert, X509_get_subject_name(cert)))
        return x509_err(err, "new certificate");
    if (add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE", err) < 0 ||
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign", err) < 0 ||
        add_extension(cert, cert, NID_subject_key_identifier, "hash", err) < 0)
        return -1;
    if (!X509_sign(cert, key, EVP_sha256()))
        return x509_err(err, "sign certificate");
    return write_pair(cert_file, cert, key_file, key, err);
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

int tls_cert_make_server(const char *ca_cert_file, const char *ca_key_file, const char *cert_file,
                         const char *key_file, const char *const *names, unsigned days,
                         struct err *err)
{
    auto_x509 X509 *ca = read_cert(ca_cert_file, err);
    auto_pkey EVP_PKEY *ca_key = ca ? read_key(ca_key_file, err) : NULL;
    auto_pkey EVP_PKEY *key = ca_key ? new_key(err) : NULL;
    auto_x509 X509 *cert = key ? new_cert(key, names[0], days, err) : NULL;
    auto_buf struct buf alternatives = {0};

    if (!cert)
        return -1;
    for (const char *const *name = names; *name; name++)
        buf_printf(&alternatives, "%s%s:%s", alternatives.len ? "," : "",
                   is_address(*name) ? "IP" : "DNS", *name);
    if (!X509_set_issuer_name(cert, X509_get_subject_name(ca)))
        return x509_err(err, "new certificate");
    if (add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE", err) < 0 ||
        add_extension(cert, ca, NID_key_usage, "critical,digitalSignature", err) < 0 ||
        add_extension(cert, ca, NID_ext_key_usage, "serverAuth", err) < 0 ||
        add_extension(cert, ca, NID_subject_key_identifier, "hash", err) < 0 ||
        add_extension(cert, ca, NID_authority_key_identifier, "keyid", err) < 0 ||
        add_extension(cert, ca, NID_subject_alt_name, alternatives.data, err) < 0)
        return -1;
    if (!X509_sign(cert, ca_key, EVP_sha256()))
        return x509_err(err, "sign certificate");
    return write_pair(cert_file, cert, key_file, key, err);
}

/* ------------------------------------------------------------------------------------------
 * checking */

static bool names_fit(X509 *cert, const char *const *names)
{
    for (; names && *names; names++)
        if ((is_address(*names) ? X509_check_ip_asc(cert, *names, 0)
                                : X509_check_host(cert, *names, 0, 0, NULL)) != 1)
            return false;
    return true;
}

bool tls_cert_is_good(const char *ca_cert_file, const char *cert_file, const char *key_file,
                      const char *const *names, unsigned days)
{
    auto_x509 X509 *ca = read_cert(ca_cert_file, NULL);
    auto_x509 X509 *cert = ca ? read_cert(cert_file, NULL) : NULL;
    auto_pkey EVP_PKEY *key = cert ? read_key(key_file, NULL) : NULL;
    int left_days = 0, left_s = 0;
    bool good = key && X509_check_private_key(cert, key) == 1 &&
                X509_verify(cert, X509_get0_pubkey(ca)) == 1 && names_fit(cert, names) &&
                ASN1_TIME_diff(&left_days, &left_s, NULL, X509_get0_notAfter(cert)) == 1 &&
                left_days >= (int)days;

    ERR_clear_error();
    return good;
}
