/* How a device proves itself: where its key goes, and what is said of a certificate that ran out.
 */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tests/support/certs.h"
#include "vm/guest/edged/credential.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY "0123456789abcdef0123456789abcdef"

struct parts {
    char dir[64];
    uv_loop_t loop;
    struct config config;
    struct keys *keys;
    struct credential *credential;
    bool told;
    struct err err;
    char token[300];
};

static void parts_done(struct parts *p)
{
    credential_free(p->credential);
    keys_free(p->keys);
    config_done(&p->config);
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&p->loop), 0);
    (void)file_remove_tree(p->dir, NULL);
}

static void parts_init(struct parts *p, enum config_method method)
{
    memset(p, 0, sizeof(*p));
    STR_SET(p->dir, "/tmp/test-edged-cred.XXXXXX");
    cr_assert(mkdtemp(p->dir));
    (void)uv_loop_init(&p->loop);
    p->config.provisioning.method = method;
    p->keys = keys_new(p->dir, &p->config.preloaded_keys, NULL);
    cr_assert(p->keys);
}

static void parts_open(struct parts *p)
{
    struct err err = {0};
    p->credential = credential_new(&p->loop, &p->config, p->keys, &err);
    cr_assert(p->credential, "%s", err.msg);
}

static void on_token(void *arg, const struct secret *token, const struct err *err)
{
    struct parts *p = arg;
    p->told = true;
    if (token)
        STR_SET(p->token, token->data);
    if (err)
        p->err = *err;
}

static void ask_token(struct parts *p)
{
    (void)credential_token(p->credential, "hub/devices/d", on_token, p);
    cr_assert_not(p->told, "told from inside");
    while (!p->told)
        (void)uv_run(&p->loop, UV_RUN_ONCE);
}

#define PARTS(method)                        \
    ATTR_CLEANUP(parts_done) struct parts p; \
    parts_init(&p, (method))

Test(edged_credential, moves_an_inline_key_into_the_store)
{
    struct sas sas;
    PARTS(CONFIG_MANUAL_KEY);
    secret_set(&p.config.provisioning.key, KEY, strlen(KEY));
    parts_open(&p);
    cr_assert_eq(p.config.provisioning.key.len, 0);
    ask_token(&p);
    cr_assert_eq(sas_parse(p.token, strlen(p.token), &sas, NULL), 0);
    cr_assert(sas_signed_by(&sas, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="));
    cr_assert_str_eq(sas.resource, "hub/devices/d");
    cr_assert_null(credential_signer(p.credential), "a hub's key is not the service's");
    cr_assert_null(credential_tpm(p.credential));
}

Test(edged_credential, forgets_the_key_of_an_earlier_configuration)
{
    struct keys_handle handle = {.id = KEYS_DEVICE};
    struct err err = {0};
    unsigned char signature[32];
    auto_secret struct secret old = {0};
    PARTS(CONFIG_DPS_TPM);
    secret_set(&old, KEY, strlen(KEY));
    cr_assert_eq(keys_import(p.keys, KEYS_DEVICE, &old, NULL), 0);
    parts_open(&p);
    cr_assert_lt(keys_sign(p.keys, &handle, "x", 1, signature, &err), 0);
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    cr_assert_not_null(credential_tpm(p.credential));
    cr_assert_str_eq(credential_word(p.credential), "TPM");
}

Test(edged_credential, needs_no_token_with_a_certificate)
{
    PARTS(CONFIG_MANUAL_X509);
    parts_open(&p);
    ask_token(&p);
    cr_assert_str_eq(p.token, "");
    cr_assert_eq(p.err.kind, ERR_NONE);
}

Test(edged_credential, tells_nobody_who_has_cancelled)
{
    PARTS(CONFIG_DPS_KEY);
    secret_set(&p.config.provisioning.key, KEY, strlen(KEY));
    parts_open(&p);
    cr_assert_not_null(credential_signer(p.credential));
    credential_cancel(credential_token(p.credential, "x", on_token, &p));
    (void)uv_run(&p.loop, UV_RUN_DEFAULT);
    cr_assert_not(p.told);
}

static void put_cert(struct parts *p, long from_s, long until_s)
{
    auto_cert struct cert cert =
        cert_make(&(struct cert_spec){.cn = "d", .from_s = from_s, .until_s = until_s});
    auto_buf struct buf text = {0};
    cert_put_pem(&text, &cert);
    (void)str_format(p->config.provisioning.cert, CONFIG_PATH_MAX, "%s/cert.pem", p->dir);
    cr_assert_eq(file_write(p->config.provisioning.cert, text.data, text.len, 0600, NULL), 0);
}

Test(edged_credential, blames_a_certificate_that_has_expired)
{
    struct err err;
    PARTS(CONFIG_DPS_X509);
    put_cert(&p, -20 * CERT_DAY_S, -10 * CERT_DAY_S);
    parts_open(&p);
    err_set(&err, ERR_REMOTE, "refused");
    credential_explain(p.credential, &err);
    cr_assert(str_starts(err.msg, "the device's certificate expired on 20"), "%s", err.msg);
    cr_assert(str_ends(err.msg, ": refused"), "%s", err.msg);

    put_cert(&p, -CERT_DAY_S, CERT_DAY_S);
    err_set(&err, ERR_REMOTE, "refused");
    credential_explain(p.credential, &err);
    cr_assert_str_eq(err.msg, "refused");
}
