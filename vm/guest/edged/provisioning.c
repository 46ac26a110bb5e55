/* See provisioning.h. */
#include "vm/guest/edged/provisioning.h"

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#include <errno.h>
#include <string.h>

#define TOTAL_MS 300000 /* an allocation function may take its time */

struct provisioning {
    uv_loop_t *loop;
    const struct config *config;
    struct credential *credential;
    char source[DIGEST_HEX_SIZE];
    char *path; /* of the state */
    char *mark; /* a file: ask anew, whatever is known */
    struct device known;
    enum provisioning_doubt doubt;
    bool registered; /* in this process */
    struct dps_client *client;
    uv_timer_t *turn; /* tells what is known */
    struct err why;   /* or what went wrong before anybody was asked */
    provisioning_fn fn;
    void *arg;
};

/* ------------------------------------------------------------------------------- answers */

static void answer(struct provisioning *p, const struct err *err)
{
    p->fn(p->arg, err ? NULL : &p->known, err);
}

static void on_turn(uv_timer_t *turn)
{
    struct provisioning *p = turn->data;
    answer(p, p->why.kind == ERR_NONE ? NULL : &p->why);
}

/* Written first: what is done with it must not be forgotten by a power cut. */
static int adopt(struct provisioning *p, const struct dps_device *found, struct err *err)
{
    struct device device = {.port = found->port};
    STR_SET(device.hub, found->hub);
    STR_SET(device.id, found->id);
    /* What stands there already need not be written again, which a full disk would not allow. */
    if (!device_same(&p->known, &device) &&
        provisioning_state_write(p->path, p->config->provisioning.method, p->source, &device, err) <
            0)
        return err_wrap(err, "keep what the provisioning service said");
    log_info("provisioning", "device %s of %s%s%s", device.id, device.hub,
             *found->detail ? ": " : "", found->detail);
    p->known = device;
    p->registered = true;
    p->doubt = PROVISIONING_NO_DOUBT;
    return 0;
}

static void on_registered(void *arg, const struct dps_device *device, const struct err *error)
{
    struct provisioning *p = arg;
    struct err err = {0};
    p->client = NULL;
    credential_unuse(p->credential);
    if (!error && adopt(p, device, &err) == 0) {
        (void)unlink(p->mark); /* not before: what was asked for outlives a power cut */
        answer(p, NULL);
        return;
    }
    if (error) {
        err = *error;
        credential_explain(p->credential, &err);
    }
    bool passing = err.kind == ERR_UNREACHABLE || err.kind == ERR_TIMEOUT;
    if (passing && device_known(&p->known)) {
        /* The hub is asked again, too: it may have refused in passing. Its next no raises the doubt
         * anew. */
        log_warn("provisioning", "%s; going on with what was known before", err.msg);
        p->doubt = PROVISIONING_NO_DOUBT;
        answer(p, NULL);
    } else {
        answer(p, &err);
    }
}

/* ------------------------------------------------------------------------------- asking */

static int read_payload(const struct provisioning *p, struct buf *out, struct err *err)
{
    const char *path = p->config->provisioning.payload;
    return *path ? file_read(path, CONFIG_PAYLOAD_MAX, out, err) : 0;
}

static int ask(struct provisioning *p, struct err *err)
{
    const struct config_provisioning *c = &p->config->provisioning;
    auto_buf struct buf payload = {0};
    if (read_payload(p, &payload, err) < 0)
        return -1;
    struct dialer *dialer = credential_use(p->credential, err);
    if (!dialer)
        return -1;
    const struct dps_options options = {
        .host = c->dps,
        .id_scope = c->id_scope,
        .registration_id = c->registration_id,
        .payload = payload.len ? payload.data : NULL,
        .dialer = dialer,
        .signer = credential_signer(p->credential),
        .tpm = credential_tpm(p->credential),
        .call_ms = p->config->cloud_timeout_s * 1000,
        .retries = (unsigned)p->config->cloud_retries,
        .total_ms = TOTAL_MS,
    };
    log_info("provisioning", "asking %s about %s", c->dps, c->registration_id);
    p->client = dps_register(p->loop, &options, on_registered, p);
    return 0;
}

void provisioning_get(struct provisioning *p)
{
    bool will_do = !config_method_dps(p->config->provisioning.method) ||
                   (device_known(&p->known) &&
                    provisioning_known_will_do(p->config->reprovisioning, p->doubt, p->registered));
    p->why = (struct err){0};
    if (will_do || ask(p, &p->why) < 0)
        (void)uv_timer_start(p->turn, on_turn, 0, 0);
}

void provisioning_doubt(struct provisioning *p, enum provisioning_doubt why)
{
    p->doubt = why > p->doubt ? why : p->doubt;
}

const struct device *provisioning_known(const struct provisioning *p)
{
    return device_known(&p->known) ? &p->known : NULL;
}

/* ------------------------------------------------------------------------------- life */

static void recall(struct provisioning *p)
{
    struct err err = {0};
    provisioning_source(&p->config->provisioning, p->source);
    if (provisioning_state_read(p->path, p->source, &p->known, &err))
        log_info("provisioning", "known from before: device %s of %s", p->known.id, p->known.hub);
    else if (err.kind != ERR_NONE)
        log_warn("provisioning", "what was known before is not used: %s", err.msg);
}

static void take_manual(struct provisioning *p)
{
    const struct config_provisioning *c = &p->config->provisioning;
    STR_SET(p->known.hub, c->hub);
    STR_SET(p->known.id, c->device_id);
    p->known.port = c->port;
    (void)unlink(p->path); /* of another configuration */
    (void)unlink(p->mark); /* there is nobody to ask */
}

struct provisioning *provisioning_new(uv_loop_t *loop, const struct config *config,
                                      struct credential *credential, const char *state_dir,
                                      provisioning_fn fn, void *arg)
{
    struct provisioning *p = xcalloc(1, sizeof(*p));
    p->loop = loop;
    p->config = config;
    p->credential = credential;
    p->path = xasprintf("%s/provisioning.json", state_dir);
    p->fn = fn;
    p->arg = arg;
    p->turn = xcalloc(1, sizeof(*p->turn));
    (void)uv_timer_init(loop, p->turn);
    p->turn->data = p;
    p->mark = xasprintf("%s/" PROVISIONING_MARK, state_dir);
    if (file_exists(p->mark)) /* an operator asked for it, before this process began */
        p->doubt = PROVISIONING_IDENTITY_REFUSED;
    if (config_method_dps(config->provisioning.method))
        recall(p);
    else
        take_manual(p);
    return p;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void provisioning_free(struct provisioning *p)
{
    if (!p)
        return;
    if (p->client) {
        dps_cancel(p->client);
        credential_unuse(p->credential);
    }
    uv_close((uv_handle_t *)p->turn, on_closed);
    free(p->path);
    free(p->mark);
    free(p);
}
