/* See tls_cert.h: reading. Making is in tls_cert_make.c. */
#include "core/io/tls_cert.h"

#include "core/base/file.h"
#include "core/base/str.h"
#include "core/io/tls_private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define FILE_MAX 65536
#define TEXT_MAX 65536 /* a certificate with what stands around it */
/* "CN=dev, O=Contoso": the most specific part first, as people and other hubs write it. */
#define NAME_STYLE                                                                             \
    ((ASN1_STRFLGS_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_DN_REV | \
     XN_FLAG_FN_SN)

int tls_err(struct err *err, enum err_kind kind, const char *what)
{
    char text[160];
    unsigned long code = ERR_peek_last_error();

    ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_set(err, kind, "%s: %s", what, code ? text : "broken connection");
}

int tls_no_password(char *to, int size, int writing, void *arg)
{
    (void)writing, (void)arg;
    if (size > 0)
        *to = '\0';
    return -1;
}

/* ------------------------------------------------------------------------------------------ files
 */

static BIO *open_pem(const char *path, struct buf *text, struct err *err)
{
    if (file_read(path, FILE_MAX, text, err) < 0)
        return NULL;
    return BIO_new_mem_buf(buf_str(text), (int)text->len);
}

X509 *tls_cert_load(const char *path, struct err *err)
{
    auto_buf struct buf text = {0};
    auto_bio BIO *bio = open_pem(path, &text, err);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, tls_no_password, NULL) : NULL;

    if (bio && !cert)
        (void)tls_err(err, ERR_INVALID, path);
    return cert;
}

EVP_PKEY *tls_key_load(const char *path, struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    auto_bio BIO *bio = open_pem(path, &text, err);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_password, NULL) : NULL;

    if (bio && !key)
        (void)tls_err(err, ERR_INVALID, path);
    return key;
}

/* ------------------------------------------------------------------------------------------ what
 * one says */

static void put_hex(char *to, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '\0';
}

/* Who reads it takes it for an identity: rather none than a shortened one, or one of several. */
static void describe_common_name(const X509_NAME *subject, struct tls_cert_info *to)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    auto_buf struct buf text = {0};
    unsigned char *utf8 = NULL;

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return;

    int len =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));

    if (len > 0)
        str_sanitise(&text, (const char *)utf8, (size_t)len);
    OPENSSL_free(utf8);
    if (text.len < sizeof(to->common_name))
        STR_SET(to->common_name, buf_str(&text));
}

static void describe_name(const X509_NAME *name, char *to, size_t size)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    auto_buf struct buf text = {0};
    char *data = NULL;

    if (!bio)
        abort(); /* only memory can be missing */
    (void)X509_NAME_print_ex(bio, name, 0, NAME_STYLE);

    long len = BIO_get_mem_data(bio, &data);

    str_sanitise(&text, data, len > 0 ? (size_t)len : 0);
    (void)str_copy(to, size, buf_str(&text));
}

static void describe_serial(const X509 *cert, struct tls_cert_info *to)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    size_t len = (size_t)ASN1_STRING_length(serial);
    size_t max = (sizeof(to->serial) - 1) / 2;

    put_hex(to->serial, ASN1_STRING_get0_data(serial), len < max ? len : max);
}

static bool to_ms(const ASN1_TIME *time, uint64_t *ret_ms)
{
    struct tm tm = {0};

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return false;

    time_t s = timegm(&tm);

    *ret_ms = s > 0 ? (uint64_t)s * 1000 : 0;
    return true;
}

int tls_cert_describe(X509 *cert, struct tls_cert_info *ret, struct err *err)
{
    struct tls_cert_info info = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (!to_ms(X509_get0_notBefore(cert), &info.not_before_ms) ||
        !to_ms(X509_get0_notAfter(cert), &info.not_after_ms)) {
        ERR_clear_error();
        return err_set(err, ERR_INVALID, "the certificate's period of validity is damaged");
    }
    if (X509_digest(cert, EVP_sha1(), digest, NULL) != 1)
        return tls_err(err, ERR_INVALID, "thumbprint");
    put_hex(info.sha1, digest, SHA_DIGEST_LENGTH);
    if (X509_digest(cert, EVP_sha256(), digest, NULL) != 1)
        return tls_err(err, ERR_INVALID, "thumbprint");
    put_hex(info.sha256, digest, SHA256_DIGEST_LENGTH);
    describe_common_name(X509_get_subject_name(cert), &info);
    describe_name(X509_get_subject_name(cert), info.subject, sizeof(info.subject));
    describe_name(X509_get_issuer_name(cert), info.issuer, sizeof(info.issuer));
    describe_serial(cert, &info);
    info.is_ca = X509_check_ca(cert) == 1; /* other values: only the habits of old ones say so */
    ERR_clear_error();
    *ret = info;
    return 0;
}

/* The base64 of DER, over any number of lines. */
static X509 *decode_bare(const char *text, size_t len)
{
    auto_buf struct buf der = {0};
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    unsigned char *to = (unsigned char *)buf_reserve(&der, len);
    const unsigned char *at = to;
    int n = 0, rest = 0;
    X509 *cert = NULL;

    if (!ctx)
        abort(); /* only memory can be missing */
    EVP_DecodeInit(ctx);
    if (EVP_DecodeUpdate(ctx, to, &n, (const unsigned char *)text, (int)len) >= 0 &&
        EVP_DecodeFinal(ctx, to + n, &rest) == 1)
        cert = d2i_X509(NULL, &at, n + rest);
    EVP_ENCODE_CTX_free(ctx);
    if (cert && at != to + n + rest) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

int tls_cert_read(const char *text, size_t len, struct tls_cert_info *ret, struct err *err)
{
    auto_bio BIO *bio = NULL;
    auto_x509 X509 *cert = NULL;

    if (len > TEXT_MAX)
        return err_set(err, ERR_INVALID, "a certificate of more than %d bytes", TEXT_MAX);
    if (memmem(text, len, "-----BEGIN", strlen("-----BEGIN"))) {
        bio = BIO_new_mem_buf(text, (int)len);
        cert = bio ? PEM_read_bio_X509(bio, NULL, tls_no_password, NULL) : NULL;
    } else if (len > 0) {
        cert = decode_bare(text, len);
    }
    ERR_clear_error();
    if (!cert)
        return err_set(err, ERR_INVALID,
                       "not a certificate: it must be PEM text, or the base64 of its DER form");
    return tls_cert_describe(cert, ret, err);
}

/* ------------------------------------------------------------------------------------------
 * checking */

int tls_cert_check_time(const struct tls_cert_info *cert, uint64_t now_ms, uint64_t skew_ms,
                        struct err *err)
{
    if (now_ms + skew_ms < cert->not_before_ms || now_ms > cert->not_after_ms + skew_ms)
        return err_set(err, ERR_AUTH, "its certificate has expired, or is not valid yet");
    return 0;
}

bool tls_name_is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool names_fit(X509 *cert, const char *const *names)
{
    for (; names && *names; names++)
        if ((tls_name_is_address(*names) ? X509_check_ip_asc(cert, *names, 0)
                                         : X509_check_host(cert, *names, 0, 0, NULL)) != 1)
            return false;
    return true;
}

bool tls_cert_is_good(const char *ca_cert_file, const char *cert_file, const char *key_file,
                      const char *const *names, unsigned days)
{
    auto_x509 X509 *ca = tls_cert_load(ca_cert_file, NULL);
    auto_x509 X509 *cert = ca ? tls_cert_load(cert_file, NULL) : NULL;
    auto_pkey EVP_PKEY *key = cert ? tls_key_load(key_file, NULL) : NULL;
    int left_days = 0, left_s = 0;
    bool good = key && X509_check_private_key(cert, key) == 1 &&
                X509_verify(cert, X509_get0_pubkey(ca)) == 1 && names_fit(cert, names) &&
                ASN1_TIME_diff(&left_days, &left_s, NULL, X509_get0_notAfter(cert)) == 1 &&
                left_days >= (int)days;

    ERR_clear_error();
    return good;
}
