/* A server and OpenSSL's own client, joined in memory. */
#include "core/base/file.h"
#include "core/io/tls.h"
#include "tests/support/certs.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <string.h>

static char dir[] = "/tmp/berth-peer-XXXXXX";
static char ca_file[64], ca_key[64], cert_file[64], key_file[64], dev_file[64], dev_key[64];
static struct tls_server *server;

static void begin(void)
{
    static const char *const names[] = {"hub.example", NULL};

    cr_assert(mkdtemp(dir));
    snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", dir);
    snprintf(ca_key, sizeof(ca_key), "%s/ca.key", dir);
    snprintf(cert_file, sizeof(cert_file), "%s/server.pem", dir);
    snprintf(key_file, sizeof(key_file), "%s/server.key", dir);
    snprintf(dev_file, sizeof(dev_file), "%s/dev.pem", dir);
    snprintf(dev_key, sizeof(dev_key), "%s/dev.key", dir);
    cr_assert_eq(tls_cert_make_ca(ca_file, ca_key, "CA", 2, NULL), 0);
    cr_assert_eq(tls_cert_make_server(ca_file, ca_key, cert_file, key_file, names, 2, NULL), 0);
    server = tls_server_new(cert_file, key_file, NULL);
    cr_assert(server);
    tls_server_ask_client(server);
}

static void finish(void)
{
    tls_server_free(server);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(tls_peer, .init = begin, .fini = finish);

/* What the client shows and how it speaks. */
struct client {
    int version;             /* 0: any */
    const struct cert *cert; /* NULL: none */
    const struct cert *chain[12];
    SSL_SESSION *resume;
};

static void feed_server(struct tls *t, SSL *c, bool *ok)
{
    auto_buf struct buf plain = {0};
    auto_buf struct buf wire = {0};
    char data[16384];
    int n;

    while (*ok && (n = BIO_read(SSL_get_wbio(c), data, sizeof(data))) > 0) {
        *ok = tls_feed(t, data, (size_t)n, &plain, &wire, NULL) == 0;
        if (wire.len)
            BIO_write(SSL_get_rbio(c), wire.data, (int)wire.len);
        buf_clear(&wire);
    }
}

/* The server's side after the handshake, NULL where it failed. SESSION: what the client could
 * resume later. */
static struct tls *join(const struct client *how, SSL_SESSION **ret_session, bool *ret_resumed)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct tls *t = tls_new(server);
    bool ok = true;

    if (how->version) {
        SSL_CTX_set_min_proto_version(ctx, how->version);
        SSL_CTX_set_max_proto_version(ctx, how->version);
    }
    SSL_CTX_set_security_level(ctx, 0); /* a careless client */

    SSL *c = SSL_new(ctx);

    SSL_set_bio(c, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(c);
    if (how->cert)
        cr_assert(SSL_use_certificate(c, how->cert->x509) == 1 &&
                  SSL_use_PrivateKey(c, how->cert->key) == 1);
    for (unsigned i = 0; how->chain[i]; i++)
        SSL_add1_chain_cert(c, how->chain[i]->x509);
    if (how->resume)
        SSL_set_session(c, how->resume);
    for (int i = 0; i < 10 && ok; i++) {
        char data[16];

        (void)SSL_read(c, data, sizeof(data)); /* takes the tickets too */
        feed_server(t, c, &ok);
    }
    if (ret_session)
        *ret_session = SSL_get1_session(c);
    if (ret_resumed)
        *ret_resumed = SSL_session_reused(c);
    SSL_free(c);
    SSL_CTX_free(ctx);
    if (!ok || !tls_is_open(t)) {
        tls_free(t);
        return NULL;
    }
    return t;
}

/* 0: accepted by AUTHORITY; else -1 and why. */
static int judge(const struct client *how, const struct cert *authority, struct err *err)
{
    auto_buf struct buf pem = {0};
    struct tls *t = join(how, NULL, NULL);

    cr_assert(t, "the handshake takes any certificate");
    cert_put_pem(&pem, authority);

    int status = tls_peer_signed_by(t, pem.data, err);

    tls_free(t);
    return status;
}

#define REFUSED(how, authority, why)                                      \
    do {                                                                  \
        struct err refused_err = {0};                                     \
        cr_assert_eq(judge((how), (authority), &refused_err), -1);        \
        cr_assert_eq(refused_err.kind, ERR_AUTH);                         \
        cr_assert(strstr(refused_err.msg, (why)), "%s", refused_err.msg); \
    } while (0)

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

Test(tls_peer, a_client_without_a_certificate_is_welcome)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tls *t = join(&(struct client){.version = versions[i]}, NULL, NULL);
        struct tls_cert_info info;
        struct err err = {0};

        cr_assert(t);
        cr_assert_not(tls_peer(t, &info));
        cr_assert_eq(tls_peer_signed_by(t, "", &err), -1);
        cr_assert_eq(err.kind, ERR_AUTH);
        tls_free(t);
    }
}

Test(tls_peer, is_whoever_holds_the_key)
{
    static const char *const keys[] = {"P-256", "RSA-2048", "Ed25519"};

    for (size_t i = 0; i < ARRAY_LEN(versions) * ARRAY_LEN(keys); i++) {
        auto_cert struct cert c =
            cert_make(&(struct cert_spec){.cn = "dev", .key = keys[i / ARRAY_LEN(versions)]});
        struct client how = {.version = versions[i % ARRAY_LEN(versions)], .cert = &c};
        struct tls *t = join(&how, NULL, NULL);
        struct tls_cert_info info, same;
        auto_buf struct buf pem = {0};

        cr_assert(t, "%s", keys[i / ARRAY_LEN(versions)]);
        cr_assert(tls_peer(t, &info));
        cert_put_pem(&pem, &c);
        cr_assert_eq(tls_cert_read(pem.data, pem.len, &same, NULL), 0);
        cr_assert_str_eq(info.sha256, same.sha256);
        cr_assert_str_eq(info.common_name, "dev");
        tls_free(t);
    }
}

Test(tls_peer, is_accepted_by_the_authority_that_signed_it)
{
    auto_cert struct cert root = cert_make(&(struct cert_spec){.cn = "root", .ca = true});
    auto_cert struct cert mid =
        cert_make(&(struct cert_spec){.cn = "mid", .ca = true, .issuer = &root});
    auto_cert struct cert leaf = cert_make(&(struct cert_spec){.cn = "dev", .issuer = &mid});
    /* Another one under the same name. */
    auto_cert struct cert other = cert_make(&(struct cert_spec){.cn = "root", .ca = true});

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct client whole = {.version = versions[i], .cert = &leaf, .chain = {&mid}};
        struct client with_root = {.version = versions[i], .cert = &leaf, .chain = {&mid, &root}};
        struct client alone = {.version = versions[i], .cert = &leaf};

        cr_assert_eq(judge(&whole, &root, NULL), 0);
        cr_assert_eq(judge(&with_root, &root, NULL), 0);
        cr_assert_eq(judge(&alone, &mid, NULL), 0, "a registered intermediate is enough");
        cr_assert_eq(judge(&whole, &mid, NULL), 0);
        REFUSED(&alone, &root, "unable to get local issuer");
        REFUSED(&whole, &other, "signature failure");
        REFUSED(&with_root, &other, "");
    }
}

Test(tls_peer, one_of_many_authorities_is_enough_and_damaged_text_is_none)
{
    auto_cert struct cert a = cert_make(&(struct cert_spec){.cn = "a", .ca = true});
    auto_cert struct cert b = cert_make(&(struct cert_spec){.cn = "b", .ca = true});
    auto_cert struct cert leaf = cert_make(&(struct cert_spec){.cn = "dev", .issuer = &b});
    struct tls *t = join(&(struct client){.cert = &leaf}, NULL, NULL);
    auto_buf struct buf pem = {0};
    struct err err = {0};

    cert_put_pem(&pem, &a);
    cert_put_pem(&pem, &b);
    cr_assert_eq(tls_peer_signed_by(t, pem.data, NULL), 0);
    cr_assert_eq(tls_peer_signed_by(t, "nonsense", &err), -1);
    cr_assert_eq(err.kind, ERR_AUTH);
    tls_free(t);
}

Test(tls_peer, must_be_valid_now)
{
    auto_cert struct cert root = cert_make(&(struct cert_spec){.cn = "root", .ca = true});
    auto_cert struct cert old = cert_make(
        &(struct cert_spec){.cn = "dev", .issuer = &root, .from_s = -7200, .until_s = -3600});
    auto_cert struct cert early = cert_make(
        &(struct cert_spec){.cn = "dev", .issuer = &root, .from_s = 3600, .until_s = 7200});
    auto_cert struct cert old_mid = cert_make(&(struct cert_spec){
        .cn = "mid", .ca = true, .issuer = &root, .from_s = -7200, .until_s = -3600});
    auto_cert struct cert under_old = cert_make(&(struct cert_spec){.cn = "d", .issuer = &old_mid});
    struct client under = {.cert = &under_old, .chain = {&old_mid}};

    REFUSED(&(struct client){.cert = &old}, &root, "expired");
    REFUSED(&(struct client){.cert = &early}, &root, "not yet valid");
    REFUSED(&under, &root, "expired");
    REFUSED(&under, &old_mid, "expired");
}

Test(tls_peer, may_not_be_signed_by_another_device)
{
    auto_cert struct cert root = cert_make(&(struct cert_spec){.cn = "root", .ca = true});
    auto_cert struct cert device = cert_make(&(struct cert_spec){.cn = "dev", .issuer = &root});
    auto_cert struct cert forged = cert_make(&(struct cert_spec){.cn = "other", .issuer = &device});
    struct client how = {.cert = &forged, .chain = {&device}};

    REFUSED(&how, &root, "invalid CA");
}

Test(tls_peer, is_asked_for_no_purpose_but_for_strength)
{
    auto_cert struct cert root = cert_make(&(struct cert_spec){.cn = "root", .ca = true});
    auto_cert struct cert server_only =
        cert_make(&(struct cert_spec){.cn = "dev", .issuer = &root, .eku = "serverAuth"});
    auto_cert struct cert weak =
        cert_make(&(struct cert_spec){.cn = "dev", .issuer = &root, .key = "RSA-1024"});
    struct client how = {.cert = &weak};
    struct tls *t = NULL;

    cr_assert_eq(judge(&(struct client){.cert = &server_only}, &root, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        how.version = versions[i];
        t = join(&how, NULL, NULL);
        if (t)
            REFUSED(&how, &root, "too weak");
        tls_free(t);
    }
}

/* What it costs to read is bounded before any of it is looked at. */
Test(tls_peer, may_not_show_a_huge_chain)
{
    auto_cert struct cert huge = cert_make(&(struct cert_spec){.cn = "dev", .padding = 40000});
    auto_cert struct cert large = cert_make(&(struct cert_spec){.cn = "dev", .padding = 20000});

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct client how = {.version = versions[i], .cert = &huge};
        struct tls *t = join(&how, NULL, NULL);

        cr_assert_null(t);
        how.cert = &large;
        t = join(&how, NULL, NULL);
        cr_assert(t);
        tls_free(t);
    }
}

Test(tls_peer, may_not_have_a_long_line_of_authorities)
{
    struct cert chain[13] = {cert_make(&(struct cert_spec){.cn = "root", .ca = true})};
    struct client how = {.cert = &chain[12]};

    for (size_t i = 1; i < ARRAY_LEN(chain); i++) {
        char name[8];

        snprintf(name, sizeof(name), "c%zu", i);
        chain[i] = cert_make(&(struct cert_spec){.cn = name, .ca = true, .issuer = &chain[i - 1]});
    }
    for (size_t i = 0; i < 11; i++)
        how.chain[i] = &chain[11 - i];
    REFUSED(&how, &chain[0], "chain too long");
    cr_assert_eq(judge(&how, &chain[5], NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(chain); i++)
        cert_done(&chain[i]);
}

Test(tls_peer, is_never_taken_from_an_earlier_connection)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        auto_cert struct cert c = cert_make(&(struct cert_spec){.cn = "dev"});
        struct client how = {.version = versions[i], .cert = &c};
        SSL_SESSION *session = NULL;
        bool resumed = true;
        struct tls_cert_info info;

        tls_free(join(&how, &session, NULL));
        how.cert = NULL;
        how.resume = session;

        struct tls *t = join(&how, NULL, &resumed);

        SSL_SESSION_free(session);
        cr_assert(t);
        cr_assert_not(resumed);
        cr_assert_not(tls_peer(t, &info));
        tls_free(t);
    }
}

/* ------------------------------------------------------------------------------------------ our
 * own client */

static struct tls *join_own(struct tls_client *client, struct tls **ret_client)
{
    struct tls *s = tls_new(server);
    struct tls *c = tls_open(client, "hub.example");
    auto_buf struct buf plain = {0};
    auto_buf struct buf up = {0};
    auto_buf struct buf down = {0};

    cr_assert_eq(tls_feed(c, NULL, 0, &plain, &up, NULL), 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(tls_feed(s, buf_str(&up), up.len, &plain, &down, NULL), 0);
        buf_clear(&up);
        cr_assert_eq(tls_feed(c, buf_str(&down), down.len, &plain, &up, NULL), 0);
        buf_clear(&down);
    }
    cr_assert(tls_is_open(s));
    *ret_client = c;
    return s;
}

Test(tls_peer, our_own_client_shows_its_certificate)
{
    struct tls_client *client = tls_client_new(ca_file, NULL);
    struct tls_cert_info info;
    struct tls *c;
    auto_buf struct buf pem = {0};
    struct err err = {0};

    cr_assert_eq(tls_cert_make_device(ca_file, ca_key, dev_file, dev_key, "dev-7", 2, NULL), 0);
    cr_assert_eq(tls_client_show(client, dev_file, dev_key, &err), 0, "%s", err.msg);

    struct tls *s = join_own(client, &c);

    cr_assert(tls_peer(s, &info));
    cr_assert_str_eq(info.common_name, "dev-7");
    cr_assert_eq(file_read(ca_file, 65536, &pem, NULL), 0);
    cr_assert_eq(tls_peer_signed_by(s, pem.data, NULL), 0);
    cr_assert(tls_peer(c, &info), "and it sees the server's");
    cr_assert_str_eq(info.common_name, "hub.example");
    tls_free(c);
    tls_free(s);
    tls_client_free(client);
}

Test(tls_peer, a_key_that_does_not_fit_is_named)
{
    struct tls_client *client = tls_client_new(ca_file, NULL);
    struct err err = {0};

    cr_assert_eq(tls_client_show(client, cert_file, ca_key, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert(strstr(err.msg, "ca.key"), "%s", err.msg);
    tls_client_free(client);
}
