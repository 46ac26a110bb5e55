/* What the tls files share. Nobody else includes this. */
#ifndef BERTH_IO_TLS_PRIVATE_H
#define BERTH_IO_TLS_PRIVATE_H

#include "core/base/attr.h"
#include "core/io/tls.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>

DEFINE_AUTO(evp_pkey, EVP_PKEY, EVP_PKEY_free)
DEFINE_AUTO(x509, X509, X509_free)
DEFINE_AUTO(bio, BIO, BIO_free_all)
#define auto_pkey ATTR_CLEANUP(evp_pkey_freep)
#define auto_x509 ATTR_CLEANUP(x509_freep)
#define auto_bio  ATTR_CLEANUP(bio_freep)

struct tls_server {
    SSL_CTX *ctx;
};

struct tls {
    SSL *ssl;
    const char *in; /* ciphertext of the running call that OpenSSL has not read yet */
    size_t in_len;
    struct buf *wire; /* where ciphertext goes in the running call */
    bool ended;
};

/* "WHAT: " and OpenSSL's last word, if it has one; its queue is empty after this. */
int tls_err(struct err *err, enum err_kind kind, const char *what);
/* For PEM readers: an encrypted file fails instead of asking on the terminal. */
int tls_no_password(char *to, int size, int writing, void *arg);

X509 *tls_cert_load(const char *path, struct err *err); /* the first of the file */
EVP_PKEY *tls_key_load(const char *path, struct err *err);
bool tls_name_is_address(const char *name);
int tls_cert_describe(X509 *cert, struct tls_cert_info *ret, struct err *err);

#endif
