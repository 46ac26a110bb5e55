/* See dps_client.h. One call at a time: PUT register (with a TPM twice: the first brings a
 * challenge), then GET operations/ID until the device is assigned. What a TPM has to do is done on
 * a worker, on copies, so that a registration can be cancelled at any time. */
#include "core/azure/dps_client.h"

#include "core/azure/clock_hint.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/http_client.h"

#include <string.h>

#define API_VERSION  "2021-06-01"
#define POLICY       "registration"
#define TOKEN_S      3600 /* a clock may be that far behind */
#define POLL_MS      2000 /* where the service names no time */
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000
#define RETRY_MS     3000
#define BODY_MAX     65536

enum work_kind { WORK_KEYS, WORK_ANSWER, WORK_IMPORT };

/* What runs on a worker: all that it touches is its own. */
struct work {
    uv_work_t req;
    struct dps_client *owner; /* NULL: nobody waits any more */
    enum work_kind kind;
    struct dps_tpm tpm;
    struct secret blob;
    char *resource;
    struct buf endorsement, storage;
    struct secret token;
    int status;
    struct err err;
};

struct dps_client {
    uv_loop_t *loop;
    struct dialer *dialer;
    struct dps_tpm tpm;
    bool has_tpm;
    char *host;        /* "NAME:PORT" */
    char *host_header; /* "Host: NAME" */
    char *path;        /* "/SCOPE/registrations/ID" */
    char *resource;    /* the same as a token names it */
    char *id;
    char *payload;       /* may be NULL */
    cJSON *tpm_keys;     /* goes into the next register call */
    struct secret token; /* empty: none is shown */
    char operation[256]; /* empty: not registered yet */
    struct dps_device device;
    uint64_t call_ms, deadline_ms;
    unsigned retries, failures;
    struct http_call *call;
    struct work *work;
    uv_timer_t *timer;
    struct err why; /* what could not be begun; told by the timer */
    dps_fn fn;
    void *arg;
};

static void proceed(struct dps_client *c);

/* ------------------------------------------------------------------------------- the end */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void client_free(struct dps_client *c)
{
    http_call_cancel(c->call);
    if (c->work)
        c->work->owner = NULL; /* it frees itself */
    uv_close((uv_handle_t *)c->timer, on_closed);
    cJSON_Delete(c->tpm_keys);
    secret_wipe(&c->token);
    free(c->host);
    free(c->host_header);
    free(c->path);
    free(c->resource);
    free(c->id);
    free(c->payload);
    free(c);
}

static void end(struct dps_client *c, const struct err *err)
{
    dps_fn fn = c->fn;
    void *arg = c->arg;
    struct dps_device device = c->device;
    struct err copy = {0};
    if (err)
        copy = *err;
    client_free(c);
    fn(arg, err ? NULL : &device, err ? &copy : NULL);
}

void dps_cancel(struct dps_client *c)
{
    if (c)
        client_free(c);
}

static bool too_late(const struct dps_client *c, uint64_t after_ms)
{
    return clock_mono_ms() + after_ms >= c->deadline_ms;
}

static void end_late(struct dps_client *c)
{
    struct err err;
    err_set(&err, ERR_TIMEOUT, "the provisioning service has not assigned the device in time");
    end(c, &err);
}

/* ------------------------------------------------------------------------------- TPM */

static int sign_answer(const void *arg, const void *text, size_t len, unsigned char ret[32],
                       struct err *err)
{
    const struct work *w = arg;
    return w->tpm.answer(w->tpm.arg, &w->blob, text, len, ret, err);
}

static void work_run(uv_work_t *req)
{
    struct work *w = req->data;
    const struct sas_signer signer = {sign_answer, w};
    switch (w->kind) {
    case WORK_KEYS:
        w->status = w->tpm.keys(w->tpm.arg, &w->endorsement, &w->storage, &w->err);
        break;
    case WORK_ANSWER:
        w->status = sas_make_with(&signer, w->resource, clock_wall_ms() / 1000 + TOKEN_S, POLICY,
                                  &w->token, &w->err);
        break;
    case WORK_IMPORT:
        w->status = w->tpm.import(w->tpm.arg, &w->blob, &w->err);
        break;
    }
}

static void work_free(struct work *w)
{
    secret_wipe(&w->blob);
    secret_wipe(&w->token);
    buf_done(&w->endorsement);
    buf_done(&w->storage);
    free(w->resource);
    free(w);
}

static void add_base64(cJSON *to, const char *key, const struct buf *bytes)
{
    auto_buf struct buf text = {0};
    base64_encode(bytes->data, bytes->len, &text);
    json_add_str(to, key, buf_str(&text));
}

static void work_done(uv_work_t *req, int status)
{
    struct work *w = req->data;
    struct dps_client *c = w->owner;
    (void)status; /* nobody cancels it */
    if (c) {
        c->work = NULL;
        if (w->status < 0) {
            end(c, &w->err);
        } else if (w->kind == WORK_IMPORT) {
            end(c, NULL);
        } else if (w->kind == WORK_ANSWER) {
            secret_set(&c->token, w->token.data, w->token.len);
            proceed(c);
        } else {
            c->tpm_keys = cJSON_CreateObject();
            add_base64(c->tpm_keys, "endorsementKey", &w->endorsement);
            add_base64(c->tpm_keys, "storageRootKey", &w->storage);
            proceed(c);
        }
    }
    work_free(w);
}

static void work_start(struct dps_client *c, enum work_kind kind, const struct secret *blob)
{
    struct work *w = xcalloc(1, sizeof(*w));
    w->req.data = w;
    w->owner = c;
    w->kind = kind;
    w->tpm = c->tpm;
    w->resource = xstrdup(c->resource);
    if (blob)
        secret_set(&w->blob, blob->data, blob->len);
    c->work = w;
    (void)uv_queue_work(c->loop, &w->req, work_run, work_done);
}

/* ------------------------------------------------------------------------------- answers */

static void on_timer(uv_timer_t *timer)
{
    struct dps_client *c = timer->data;
    if (c->why.kind != ERR_NONE)
        end(c, &c->why);
    else
        proceed(c);
}

/* What the service asks for, within reason. */
static uint64_t asked_pause_ms(const struct http_call *call, uint64_t otherwise_ms)
{
    char text[16];
    uint64_t seconds = 0;
    if (!http_call_header(call, "Retry-After", text, sizeof(text)) ||
        !str_to_u64(str_trim(text), UINT32_MAX, &seconds))
        return otherwise_ms;
    uint64_t ms = seconds * 1000;
    return ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms;
}

static void proceed_in(struct dps_client *c, uint64_t ms)
{
    if (too_late(c, ms))
        end_late(c);
    else
        (void)uv_timer_start(c->timer, on_timer, ms, 0);
}

static void failed(struct dps_client *c, const struct err *err, uint64_t pause_ms)
{
    bool passing = err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT;
    if (passing && c->failures++ < c->retries && !too_late(c, pause_ms))
        (void)uv_timer_start(c->timer, on_timer, pause_ms, 0);
    else
        end(c, err);
}

static void take_answer(struct dps_client *c, struct dps_answer *answer, uint64_t pause_ms)
{
    struct err err;
    c->failures = 0;
    switch (answer->kind) {
    case DPS_CHALLENGE:
        if (!c->tpm_keys) {
            err_set(&err, ERR_REMOTE,
                    c->has_tpm ? "the provisioning service did not accept the TPM's answer"
                               : "the provisioning service has a TPM's enrolment for this ID");
            err_hint(&err, c->has_tpm ? "is the enrolment made with this TPM's endorsement key?"
                                      : "use that method, or change the enrolment");
            end(c, &err);
            return;
        }
        cJSON_Delete(steal(c->tpm_keys));
        work_start(c, WORK_ANSWER, &answer->tpm_key);
        return;
    case DPS_ASSIGNING:
        STR_SET(c->operation, answer->operation);
        proceed_in(c, pause_ms);
        return;
    case DPS_ASSIGNED:
        c->device = answer->device;
        if (c->has_tpm && answer->tpm_key.len)
            work_start(c, WORK_IMPORT, &answer->tpm_key);
        else
            end(c, NULL);
        return;
    }
}

/* The call's own name is of no use to a person; what the dialer said is. */
static void strip_call(struct err *err)
{
    const char *at = strstr(err->msg, ": ");
    if (at && (str_starts(err->msg, "PUT /") || str_starts(err->msg, "GET /")))
        memmove(err->msg, at + 2, strlen(at + 2) + 1);
}

static void on_answer(void *arg, int status, const struct buf *body, const struct err *error)
{
    struct dps_client *c = arg;
    auto_dps_answer struct dps_answer answer = {0};
    struct http_call *call = steal(c->call);
    struct err err = {0};
    if (error) {
        err = *error;
        strip_call(&err);
        clock_hint_tls(&err);
        err_wrap(&err, "provisioning service %s", c->host);
        failed(c, &err, RETRY_MS);
    } else if (dps_answer_parse(status, body->data, body->len, &answer, &err) < 0) {
        char date[64];
        if (status == 401 && http_call_header(call, "Date", date, sizeof(date)))
            clock_hint_answer(date, &err);
        failed(c, &err, asked_pause_ms(call, RETRY_MS));
    } else {
        take_answer(c, &answer, asked_pause_ms(call, POLL_MS));
    }
}

/* ------------------------------------------------------------------------------- calls */

static void put_body(const struct dps_client *c, struct buf *out)
{
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "registrationId", c->id);
    if (c->payload)
        json_add(json, "payload", cJSON_CreateRaw(c->payload));
    if (c->tpm_keys)
        json_add(json, "tpm", cJSON_Duplicate(c->tpm_keys, true));
    json_print(out, json);
}

static void put_target(const struct dps_client *c, struct buf *out)
{
    buf_puts(out, c->path);
    buf_puts(out, c->operation[0] ? "/operations/" : "/register");
    percent_encode(c->operation, strlen(c->operation), out);
    buf_puts(out, "?api-version=" API_VERSION);
}

/* The next call: register, or ask how it goes. */
static void proceed(struct dps_client *c)
{
    auto_wiped_buf struct buf authorization = {0};
    auto_buf struct buf target = {0}, body = {0};
    bool registering = !c->operation[0];
    if (too_late(c, 0)) {
        end_late(c);
        return;
    }
    buf_puts(&authorization, "Authorization: ");
    buf_append(&authorization, c->token.data, c->token.len);
    const char *const headers[] = {c->host_header, c->token.len ? buf_str(&authorization) : NULL,
                                   NULL};
    put_target(c, &target);
    if (registering)
        put_body(c, &body);
    const struct http_request request = {.method = registering ? "PUT" : "GET",
                                         .target = buf_str(&target),
                                         .content_type = registering ? "application/json" : NULL,
                                         .body = body.data,
                                         .body_len = body.len,
                                         .headers = headers,
                                         .timeout_ms = c->call_ms,
                                         .body_max = BODY_MAX};
    c->call = http_call_start(c->dialer, c->loop, c->host, &request, NULL, on_answer, c);
}

static void set_names(struct dps_client *c, const struct dps_options *o)
{
    auto_buf struct buf path = {0};
    c->host = xstrdup(o->host);
    c->host_header = xasprintf("Host: %.*s", (int)strcspn(o->host, ":"), o->host);
    c->id = xstrdup(o->registration_id);
    c->resource = xasprintf("%s/registrations/%s", o->id_scope, o->registration_id);
    buf_putc(&path, '/');
    percent_encode(o->id_scope, strlen(o->id_scope), &path);
    buf_puts(&path, "/registrations/");
    percent_encode(o->registration_id, strlen(o->registration_id), &path);
    c->path = buf_steal(&path);
}

struct dps_client *dps_register(uv_loop_t *loop, const struct dps_options *o, dps_fn fn, void *arg)
{
    struct dps_client *c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->dialer = o->dialer;
    c->payload = o->payload ? xstrdup(o->payload) : NULL;
    c->call_ms = o->call_ms;
    c->retries = o->retries;
    c->deadline_ms = clock_mono_ms() + o->total_ms;
    c->fn = fn;
    c->arg = arg;
    set_names(c, o);
    c->timer = xcalloc(1, sizeof(*c->timer));
    (void)uv_timer_init(loop, c->timer);
    c->timer->data = c;
    if (o->tpm) {
        c->tpm = *o->tpm;
        c->has_tpm = true;
        work_start(c, WORK_KEYS, NULL);
        return c;
    }
    if (o->signer && sas_make_with(o->signer, c->resource, clock_wall_ms() / 1000 + TOKEN_S, POLICY,
                                   &c->token, &c->why) < 0)
        err_wrap(&c->why, "sign for the provisioning service");
    (void)uv_timer_start(c->timer, on_timer, 0, 0);
    return c;
}
