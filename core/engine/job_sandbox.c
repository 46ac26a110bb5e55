/* Starting, stopping and resetting the sandbox. */
#include "core/engine/job_kinds.h"
#include "core/engine/sandbox_steps.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/host.h"
#include "core/engine/sandbox_state.h"
#include "core/engine/vms.h"
#include "provision/sandbox.h"

#include <string.h>

#define HUB_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

static int get_port(const cJSON *params, const char *key, uint16_t *ret_port, struct err *err)
{
    uint64_t port = 0;
    if (!json_get(params, key))
        return 0;
    if (json_need_u64(params, key, UINT16_MAX, &port, err) < 0)
        return -1;
    *ret_port = (uint16_t)port;
    return 0;
}

static int get_hubs(const cJSON *params, struct sandbox_ctx *c, struct err *err)
{
    const cJSON *hubs = json_get(params, "hubs"), *item = NULL;
    cJSON_ArrayForEach(item, hubs)
    {
        const char *name = cJSON_IsString(item) ? item->valuestring : "";
        if (c->n_hubs == SANDBOX_HUBS_MAX)
            return err_set(err, ERR_INVALID, "hubs: no more than %d", SANDBOX_HUBS_MAX);
        if (!name[0] || name[strspn(name, HUB_LETTERS)] ||
            !str_copy(c->hubs[c->n_hubs], sizeof(c->hubs[0]), name))
            return err_set(err, ERR_INVALID,
                           "hub: a name has letters, digits, \"-\" and \".\" only");
        c->n_hubs++;
    }
    return 0;
}

int sandbox_ctx_init(struct sandbox_ctx *c, struct engine *e, const cJSON *params, struct err *err)
{
    struct vm_status vms[MODEL_VMS_MAX];
    c->engine = e;
    c->host = e->host;
    for (size_t i = 0, n = vms_fill(e->vms, vms, ARRAY_LEN(vms)); i < n; i++) {
        const struct vm_record *record = vms_find(e->vms, vms[i].name, NULL);
        c->nat = c->nat || (record && record->plan.network == VM_NETWORK_NAT);
    }
    if (get_port(params, "mqttPort", &c->mqtt_port, err) < 0 ||
        get_port(params, "httpsPort", &c->https_port, err) < 0 ||
        get_port(params, "registryPort", &c->registry_port, err) < 0)
        return -1;
    return get_hubs(params, c, err);
}

static void *ctx_new(void *owner, const cJSON *params, struct err *err)
{
    struct sandbox_ctx *c = xcalloc(1, sizeof(*c));
    if (sandbox_ctx_init(c, owner, params, err) == 0)
        return c;
    free(c);
    return NULL;
}

static void on_ended(void *arg, const struct err *err)
{
    struct job *job = arg;
    struct sandbox_ctx *c = job_ctx(job);
    sandbox_state_busy(c->engine->sandbox, false);
    job_step_done(job, err);
}

/* Where guests on the NAT network see this host. Only asked where there is such a guest. */
static int find_gateway(struct job_work *work, void *ctx, struct err *err)
{
    struct sandbox_ctx *c = ctx;
    (void)work;
    if (!c->nat)
        return 0;
    struct vm_conn *conn = host_conn(c->host, err);
    return conn ? network_nat_gateway(conn, c->gateway, err) : -1;
}

static void gateway_found(struct job *job, void *ctx, const struct err *err)
{
    struct sandbox_ctx *c = ctx;
    if (err) {
        on_ended(job, err);
        return;
    }
    const char *const listen[] = {"127.0.0.1", *c->gateway ? c->gateway : NULL, NULL};
    const char *hubs[SANDBOX_HUBS_MAX + 1] = {0};
    for (size_t i = 0; i < c->n_hubs; i++)
        hubs[i] = c->hubs[i];
    const struct sandbox_options options = {.listen = listen,
                                            .hubs = c->n_hubs ? hubs : NULL,
                                            .mqtt_port = c->mqtt_port,
                                            .https_port = c->https_port,
                                            .registry_port = c->registry_port};
    job_progress(job, -1, "Waiting until it listens");
    sandbox_start(c->engine->loop, &options, on_ended, job);
}

void step_sandbox_start(struct job *job, void *ctx)
{
    struct sandbox_ctx *c = ctx;
    sandbox_state_busy(c->engine->sandbox, true);
    job_work_then(job, find_gateway, gateway_found);
}

static void apply_stop(struct job *job, void *ctx)
{
    struct sandbox_ctx *c = ctx;
    sandbox_state_busy(c->engine->sandbox, true);
    sandbox_stop(c->engine->loop, on_ended, job);
}

static int erase(struct job_work *work, void *ctx, struct err *err)
{
    (void)work;
    (void)ctx;
    return sandbox_erase(err);
}

static void erased(struct job *job, void *ctx, const struct err *err)
{
    (void)ctx;
    on_ended(job, err);
}

static void apply_erase(struct job *job, void *ctx)
{
    struct sandbox_ctx *c = ctx;
    sandbox_state_busy(c->engine->sandbox, true);
    job_work_then(job, erase, erased);
}

static const struct job_step_def start_steps[] = {
    {"Start the sandbox", .usual_ms = 1500, .apply = step_sandbox_start},
};

static const struct job_step_def stop_steps[] = {
    {"Stop the sandbox", .usual_ms = 1000, .apply = apply_stop},
};

static const struct job_step_def reset_steps[] = {
    {"Stop the sandbox", .usual_ms = 1000, .apply = apply_stop, .again = true},
    {"Delete its devices, keys and images", .usual_ms = 500, .apply = apply_erase},
};

const struct job_kind job_sandbox_start = {"sandbox.start", start_steps, ARRAY_LEN(start_steps),
                                           ctx_new,         free,        .resumes = true};
const struct job_kind job_sandbox_stop = {"sandbox.stop", stop_steps, ARRAY_LEN(stop_steps),
                                          ctx_new,        free,       .resumes = true};
const struct job_kind job_sandbox_reset = {"sandbox.reset", reset_steps, ARRAY_LEN(reset_steps),
                                           ctx_new,         free,        .resumes = true};
