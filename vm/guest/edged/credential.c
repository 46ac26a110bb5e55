/* See credential.h. Tokens are made on a worker, since a TPM takes its time. */
#include "vm/guest/edged/credential.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/io/tls_cert.h"
#include "core/io/tls_stream.h"
#include "vm/guest/edged/tpm.h"

#define TOKEN_S 3600 /* a clock may be that far behind */

struct credential {
    uv_loop_t *loop;
    const struct config *config;
    struct keys_handle device_key;
    struct keys_signer by_key;
    struct sas_signer signer; /* by key or TPM */
    struct dps_tpm tpm;
    struct dialer *dialer;
    unsigned users; /* of the dialer */
};

/* A token being made; touches nothing else on the worker. */
struct credential_wait {
    uv_work_t req;
    struct sas_signer signer; /* none: by certificate */
    char *resource;
    struct secret token;
    int status;
    struct err err;
    credential_fn fn; /* NULL: cancelled */
    void *arg;
};

/* ------------------------------------------------------------------------------- life */

/* What an earlier configuration left in the store must not outlive it. */
static int settle_key(struct config *config, const struct keys *keys, struct err *err)
{
    struct secret *key = &config->provisioning.key;
    if (!key->len)
        return keys_delete(keys, KEYS_DEVICE, err);
    int status = keys_import(keys, KEYS_DEVICE, key, err);
    secret_wipe(key);
    return status;
}

struct credential *credential_new(uv_loop_t *loop, struct config *config, const struct keys *keys,
                                  struct err *err)
{
    if (settle_key(config, keys, err) < 0)
        return NULL;
    struct credential *c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->config = config;
    c->device_key.id = KEYS_DEVICE;
    c->by_key = (struct keys_signer){keys, &c->device_key};
    c->tpm = (struct dps_tpm){tpm_keys, tpm_answer, tpm_import, &config->tpm};
    if (config->provisioning.method == CONFIG_DPS_TPM)
        c->signer = (struct sas_signer){tpm_sign, &config->tpm};
    else if (!config_method_x509(config->provisioning.method))
        c->signer = (struct sas_signer){keys_signer_sign, &c->by_key};
    return c;
}

void credential_free(struct credential *c)
{
    if (!c)
        return;
    dialer_tls_free(c->dialer);
    free(c);
}

/* ------------------------------------------------------------------------------- parts */

static struct dialer *make_dialer(const struct credential *c, struct err *err)
{
    const struct config_provisioning *p = &c->config->provisioning;
    struct dialer *dialer = dialer_tls_new(c->loop, c->config->trust_bundle, c->config->proxy, err);
    if (dialer && config_method_x509(p->method) &&
        dialer_tls_show(dialer, p->cert, p->cert_key, err) < 0)
        dialer_tls_free(steal(dialer));
    return dialer;
}

struct dialer *credential_use(struct credential *c, struct err *err)
{
    if (!c->dialer && !(c->dialer = make_dialer(c, err)))
        return NULL;
    c->users++;
    return c->dialer;
}

void credential_unuse(struct credential *c)
{
    if (--c->users == 0)
        dialer_tls_free(steal(c->dialer));
}

const struct sas_signer *credential_signer(const struct credential *c)
{
    return c->config->provisioning.method == CONFIG_DPS_KEY ? &c->signer : NULL;
}

const struct dps_tpm *credential_tpm(const struct credential *c)
{
    return c->config->provisioning.method == CONFIG_DPS_TPM ? &c->tpm : NULL;
}

const char *credential_word(const struct credential *c)
{
    enum config_method method = c->config->provisioning.method;
    return config_method_x509(method) ? "certificate" : method == CONFIG_DPS_TPM ? "TPM" : "key";
}

void credential_explain(const struct credential *c, struct err *err)
{
    const struct config_provisioning *p = &c->config->provisioning;
    auto_buf struct buf text = {0};
    struct tls_cert_info info;
    char end[CLOCK_TEXT_MAX];
    if (!config_method_x509(p->method) || file_read(p->cert, CONFIG_CERT_MAX, &text, NULL) < 0 ||
        tls_cert_read(buf_str(&text), text.len, &info, NULL) < 0 ||
        info.not_after_ms > clock_wall_ms())
        return;
    clock_format(end, sizeof(end), info.not_after_ms);
    err_wrap(err, "the device's certificate expired on %s", end);
}

/* ------------------------------------------------------------------------------- tokens */

static void run(uv_work_t *req)
{
    struct credential_wait *w = req->data;
    if (w->signer.sign)
        w->status = sas_make_with(&w->signer, w->resource, clock_wall_ms() / 1000 + TOKEN_S, NULL,
                                  &w->token, &w->err);
}

static void done(uv_work_t *req, int status)
{
    struct credential_wait *w = req->data;
    (void)status; /* nobody cancels the work itself */
    if (w->fn)
        w->fn(w->arg, w->token.len ? &w->token : NULL, w->status < 0 ? &w->err : NULL);
    secret_wipe(&w->token);
    free(w->resource);
    free(w);
}

struct credential_wait *credential_token(struct credential *c, const char *resource,
                                         credential_fn fn, void *arg)
{
    struct credential_wait *w = xcalloc(1, sizeof(*w));
    w->req.data = w;
    w->signer = c->signer;
    w->resource = xstrdup(resource);
    w->fn = fn;
    w->arg = arg;
    (void)uv_queue_work(c->loop, &w->req, run, done);
    return w;
}

void credential_cancel(struct credential_wait *wait)
{
    if (wait)
        wait->fn = NULL;
}
