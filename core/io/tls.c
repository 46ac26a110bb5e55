/* See tls.h. Two tiny BIOs of our own instead of OpenSSL's memory BIO, which keeps the largest
 * buffer it ever needed: one reads from the bytes just fed, the other appends to the caller's
 * buffer. With SSL_MODE_RELEASE_BUFFERS an idle connection then holds no I/O buffer. */
#include "core/io/tls.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/tls_private.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define RECORD_MAX 16384

struct tls_client {
    SSL_CTX *ctx;
};

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls *t = BIO_get_data(bio);

    buf_append(t->wire, data, (size_t)len);
    return len;
}

static int bio_read(BIO *bio, char *to, int size)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = t->in_len < (size_t)size ? t->in_len : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, t->in, n);
    t->in += n;
    t->in_len -= n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

/* Made once and kept: OpenSSL frees nothing of it while a BIO lives. */
static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method;

    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "berth");
        if (!method)
            abort();
        (void)BIO_meth_set_write(method, bio_write);
        (void)BIO_meth_set_read(method, bio_read);
        (void)BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

static int use_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct err *err)
{
    SSL_CTX_set_default_passwd_cb(ctx, tls_no_password);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return tls_err(err, ERR_INVALID, cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return tls_err(err, ERR_INVALID, key_file);
    return 0;
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    ERR_clear_error();
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        abort(); /* only memory can be missing */
    if (use_pair(ctx, cert_file, key_file, err) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ctx, 1);

    struct tls_server *s = xcalloc(1, sizeof(*s));

    s->ctx = ctx;
    return s;
}

void tls_server_free(struct tls_server *s)
{
    if (!s)
        return;
    SSL_CTX_free(s->ctx);
    free(s);
}

static struct tls *connection_new(SSL_CTX *ctx)
{
    struct tls *t = xcalloc(1, sizeof(*t));
    BIO *bio = BIO_new(bio_method());

    t->ssl = SSL_new(ctx);
    if (!t->ssl || !bio)
        abort(); /* only memory can be missing */
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

struct tls *tls_new(struct tls_server *s)
{
    struct tls *t = connection_new(s->ctx);

    SSL_set_accept_state(t->ssl);
    return t;
}

/* Whether a directory of certificates has them by the hashes of their names. */
static bool is_hashed(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry = NULL;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
    while (dir && (entry = readdir(dir)) && !str_ends(entry->d_name, ".0"))
        ;
    if (dir)
        (void)closedir(dir);
    return entry != NULL;
}

/* By directory, where a certificate is read when it is asked for: all of them in memory cost more
 * than a megabyte. */
static void trust_system(SSL_CTX *ctx)
{
    const char *dir = X509_get_default_cert_dir();

    if (secure_getenv(X509_get_default_cert_dir_env()) ||
        secure_getenv(X509_get_default_cert_file_env()) || !is_hashed(dir) ||
        SSL_CTX_load_verify_dir(ctx, dir) != 1)
        (void)SSL_CTX_set_default_verify_paths(ctx);
    ERR_clear_error(); /* a machine without a store has only CA_FILE */
}

struct tls_client *tls_client_new(const char *ca_file, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    ERR_clear_error();
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
        abort(); /* only memory can be missing */
    trust_system(ctx);
    if (ca_file && SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1) {
        (void)tls_err(err, ERR_INVALID, ca_file);
        SSL_CTX_free(ctx);
        return NULL;
    }
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    struct tls_client *c = xcalloc(1, sizeof(*c));

    c->ctx = ctx;
    return c;
}

int tls_client_show(struct tls_client *c, const char *cert_file, const char *key_file,
                    struct err *err)
{
    return use_pair(c->ctx, cert_file, key_file, err);
}

void tls_client_free(struct tls_client *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}

struct tls *tls_open(struct tls_client *c, const char *host)
{
    struct tls *t = connection_new(c->ctx);

    SSL_set_connect_state(t->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) != 1) {
        ERR_clear_error();
        (void)SSL_set1_host(t->ssl, host);
        auto_free char *name = xstrdup(host); /* the macro's type is not const */
        (void)SSL_set_tlsext_host_name(t->ssl, name);
    }
    return t;
}

static int handshake_err(const struct tls *t, struct err *err)
{
    long verified = SSL_get_verify_result(t->ssl);

    if (SSL_is_server(t->ssl) || verified == X509_V_OK)
        return tls_err(err, ERR_PROTOCOL, "TLS handshake");
    ERR_clear_error();
    return err_set(err, ERR_AUTH, "the server's certificate is not trusted: %s",
                   X509_verify_cert_error_string(verified));
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

/* Reads until OpenSSL wants more input. */
static int read_all(struct tls *t, struct buf *plain, struct err *err)
{
    for (;;) {
        char *room = buf_reserve(plain, RECORD_MAX);
        size_t n = 0;

        if (SSL_read_ex(t->ssl, room, RECORD_MAX, &n) == 1) {
            buf_commit(plain, n);
            continue;
        }
        buf_commit(plain, 0);
        switch (SSL_get_error(t->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            return 0;
        case SSL_ERROR_ZERO_RETURN:
            t->ended = true;
            return 0;
        default:
            return tls_err(err, ERR_PROTOCOL, "TLS");
        }
    }
}

int tls_feed(struct tls *t, const char *data, size_t len, struct buf *plain, struct buf *wire,
             struct err *err)
{
    int status = 0;

    ERR_clear_error();
    t->in = data;
    t->in_len = len;
    t->wire = wire;
    if (!SSL_is_init_finished(t->ssl)) {
        int done = SSL_do_handshake(t->ssl);

        if (done != 1 && SSL_get_error(t->ssl, done) != SSL_ERROR_WANT_READ)
            status = handshake_err(t, err);
    }
    if (status == 0 && SSL_is_init_finished(t->ssl) && !t->ended)
        status = read_all(t, plain, err);
    t->in = NULL;
    t->in_len = 0;
    t->wire = NULL;
    return status;
}

int tls_write(struct tls *t, const char *data, size_t len, struct buf *wire, struct err *err)
{
    int status = 0;

    ERR_clear_error();
    t->wire = wire;
    while (len > 0 && status == 0) {
        size_t n = 0;

        /* The BIO takes everything, so a write never has to be repeated. */
        if (SSL_write_ex(t->ssl, data, len < RECORD_MAX ? len : RECORD_MAX, &n) != 1)
            status = tls_err(err, ERR_PROTOCOL, "TLS");
        data += n;
        len -= n;
    }
    t->wire = NULL;
    return status;
}

void tls_end(struct tls *t, struct buf *wire)
{
    ERR_clear_error();
    t->wire = wire;
    if (SSL_is_init_finished(t->ssl))
        (void)SSL_shutdown(t->ssl);
    t->wire = NULL;
    ERR_clear_error();
}

bool tls_is_open(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

bool tls_peer_ended(const struct tls *t)
{
    return t->ended;
}
