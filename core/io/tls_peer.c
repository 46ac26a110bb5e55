/* See tls.h: who the other side is. The handshake takes any certificate or none; here it is
 * judged. */
#include "core/io/tls.h"

#include "core/io/tls_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#define CHAIN_BYTES_MAX 32768 /* of all certificates that a client shows */
#define CHAIN_DEPTH_MAX 10    /* authorities between a device and the one that is registered */
/* Keys and signatures of 112 bits of strength: RSA from 2048 bits, no SHA-1. */
#define STRENGTH 2

DEFINE_AUTO(x509_store, X509_STORE, X509_STORE_free)
DEFINE_AUTO(x509_store_ctx, X509_STORE_CTX, X509_STORE_CTX_free)
#define auto_store     ATTR_CLEANUP(x509_store_freep)
#define auto_store_ctx ATTR_CLEANUP(x509_store_ctx_freep)

static int accept_any(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* Without tickets and cache no session is ever resumed, so that a certificate is always the one
 * whose key was proven on this very connection. */
void tls_server_ask_client(struct tls_server *s)
{
    SSL_CTX *ctx = s->ctx;

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    (void)SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES_MAX);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

bool tls_peer(const struct tls *t, struct tls_cert_info *ret)
{
    X509 *cert = SSL_get0_peer_certificate(t->ssl);

    return cert && tls_cert_describe(cert, ret, NULL) == 0;
}

static X509_STORE *store_of(const char *ca_pem, struct err *err)
{
    auto_store X509_STORE *store = X509_STORE_new();
    auto_bio BIO *bio = BIO_new_mem_buf(ca_pem, -1);
    unsigned n = 0;

    if (!store || !bio)
        abort(); /* only memory can be missing */
    for (X509 *ca; (ca = PEM_read_bio_X509(bio, NULL, tls_no_password, NULL)); n++) {
        (void)X509_STORE_add_cert(store, ca);
        X509_free(ca);
    }
    ERR_clear_error();
    if (n == 0) {
        (void)err_set(err, ERR_AUTH, "there is no authority that its certificate could lead to");
        return NULL;
    }
    return steal(store);
}

int tls_peer_signed_by(const struct tls *t, const char *ca_pem, struct err *err)
{
    X509 *cert = SSL_get0_peer_certificate(t->ssl);

    if (!cert)
        return err_set(err, ERR_AUTH, "it showed no certificate");

    auto_store X509_STORE *store = store_of(ca_pem, err);
    auto_store_ctx X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    if (!store)
        return -1;
    if (!ctx || X509_STORE_CTX_init(ctx, store, cert, SSL_get_peer_cert_chain(t->ssl)) != 1)
        abort(); /* only memory can be missing */

    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(ctx);

    /* A registered authority need not be the topmost one. */
    (void)X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_depth(how, CHAIN_DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(how, STRENGTH);

    bool good = X509_verify_cert(ctx) == 1;

    ERR_clear_error();
    if (good)
        return 0;
    return err_set(err, ERR_AUTH, "its certificate is not accepted: %s",
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
}
