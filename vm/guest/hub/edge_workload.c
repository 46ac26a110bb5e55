/* See edge_workload.h. Calls in the order in which they came, a few of them under way. A call's
 * deadline counts from when it was made, so that a runtime that hangs holds nobody up for longer.
 */
#include "vm/guest/hub/edge_workload.h"

#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/queue.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/http_client.h"

#include <string.h>

#define API_VERSION "?api-version=2020-07-07"
#define CALL_MS     10000
#define ANSWER_MAX  262144
#define RUNNING_MAX 8 /* the workload API takes ten of one caller */
#define WAITING_MAX 512
#define DIGEST_SIZE 32

enum call_kind { CALL_SIGN, CALL_TOKEN, CALL_CERT, CALL_TRUST };

struct edge_workload_call {
    struct queue_link link; /* first */
    struct edge_workload *w;
    enum call_kind kind;
    struct buf target, body;
    uint64_t end_ms;
    struct http_call *http; /* NULL: it waits */
    char *resource;         /* of a token */
    uint64_t expiry_s;
    union {
        edge_sign_fn sign;
        edge_token_fn token;
        edge_cert_fn cert;
        edge_trust_fn trust;
    } fn;
    void *arg;
};

struct edge_workload {
    uv_loop_t *loop;
    struct dialer *dialer;
    char *path;
    struct queue calls;
    struct queue refused; /* since too many wait: told on the loop's next turn */
    size_t running;
    uv_timer_t *turn;
};

/* ---- the list ---- */

static void call_free(struct edge_workload_call *c)
{
    struct edge_workload *w = c->w;

    queue_remove(&c->link);
    w->running -= c->http != NULL;
    buf_done(&c->target);
    buf_wipe(&c->body);
    free(c->resource);
    free(c);
}

static void on_done(void *arg, int status, const struct buf *body, const struct err *why);

static void start_waiting(struct edge_workload *w)
{
    uint64_t now = clock_mono_ms();

    for (struct queue_link *at = w->calls.first; at && w->running < RUNNING_MAX; at = at->next) {
        struct edge_workload_call *c = (struct edge_workload_call *)at;

        if (c->http)
            continue;

        const struct http_request request = {
            .method = c->kind == CALL_TRUST ? "GET" : "POST",
            .target = buf_str(&c->target),
            .content_type = c->body.len ? "application/json" : NULL,
            .body = c->body.data,
            .body_len = c->body.len,
            .timeout_ms = c->end_ms > now ? c->end_ms - now : 1,
            .body_max = ANSWER_MAX,
        };

        c->http = http_call_start(w->dialer, w->loop, w->path, &request, NULL, on_done, c);
        w->running++;
    }
}

/* ---- answers ---- */

static void fail(const struct edge_workload_call *c, const struct err *err)
{
    switch (c->kind) {
    case CALL_SIGN:
        c->fn.sign(c->arg, NULL, err);
        break;
    case CALL_TOKEN:
        c->fn.token(c->arg, NULL, err);
        break;
    case CALL_CERT:
        c->fn.cert(c->arg, NULL, NULL, 0, err);
        break;
    case CALL_TRUST:
    default:
        c->fn.trust(c->arg, NULL, err);
    }
}

static int take_digest(const struct edge_workload_call *c, const cJSON *json, struct err *err)
{
    auto_wiped_buf struct buf digest = {0};
    auto_secret struct secret token = {0};
    const char *text = NULL;

    if (json_need_str(json, "digest", &text, err) < 0 ||
        base64_decode(text, strlen(text), &digest, err) < 0)
        return -1;
    if (digest.len != DIGEST_SIZE)
        return err_set(err, ERR_PROTOCOL, "a digest of %zu bytes", digest.len);
    if (c->kind == CALL_SIGN) {
        c->fn.sign(c->arg, (const unsigned char *)digest.data, NULL);
        return 0;
    }
    sas_make_signed(c->resource, c->expiry_s, NULL, (const unsigned char *)digest.data, &token);
    c->fn.token(c->arg, &token, NULL);
    return 0;
}

static int take_cert(const struct edge_workload_call *c, const cJSON *json, struct err *err)
{
    const cJSON *private_key = NULL;
    const char *cert = NULL, *key = NULL, *expiration = NULL;
    uint64_t until_ms = 0;

    if (json_need_str(json, "certificate", &cert, err) < 0 ||
        json_need_obj(json, "privateKey", &private_key, err) < 0 ||
        json_need_str(private_key, "bytes", &key, err) < 0 ||
        json_need_str(json, "expiration", &expiration, err) < 0)
        return -1;
    if (!clock_parse(expiration, &until_ms))
        return err_set(err, ERR_PROTOCOL, "expiration: is no time");
    c->fn.cert(c->arg, cert, key, until_ms, NULL);
    return 0;
}

static int take_trust(const struct edge_workload_call *c, const cJSON *json, struct err *err)
{
    const char *pem = NULL;

    if (json_need_str(json, "certificate", &pem, err) < 0)
        return -1;
    c->fn.trust(c->arg, pem, NULL);
    return 0;
}

/* -1: FN was not called. */
static int take_answer(const struct edge_workload_call *c, const struct buf *body, struct err *err)
{
    auto_json cJSON *json = json_parse(buf_str(body), body->len, err);

    if (!json)
        return -1;
    switch (c->kind) {
    case CALL_SIGN:
    case CALL_TOKEN:
        return take_digest(c, json, err);
    case CALL_CERT:
        return take_cert(c, json, err);
    case CALL_TRUST:
    default:
        return take_trust(c, json, err);
    }
}

static int refused(const struct edge_workload_call *c, int status, const struct buf *body,
                   struct err *err)
{
    auto_json cJSON *json = json_parse(buf_str(body), body->len, NULL);
    char text[200];

    str_sanitise_to(text, sizeof(text), json_str(json, "message", ""));
    if (status == 404 && c->kind != CALL_TRUST)
        return err_set(err, ERR_NOT_FOUND, "the runtime knows no such module");
    return err_set(err, ERR_REMOTE, "the runtime answered %d %s", status, text);
}

static void on_done(void *arg, int status, const struct buf *body, const struct err *why)
{
    struct edge_workload_call *c = arg;
    struct edge_workload *w = c->w;
    struct err err = {0};
    int failed = 0;

    if (why)
        failed = err_set(&err, ERR_UNREACHABLE, "the runtime does not answer: %s", why->msg);
    else if (status / 100 != 2)
        failed = refused(c, status, body, &err);
    else if (take_answer(c, body, &err) < 0)
        failed = err_wrap(&err, "the runtime's answer");
    if (failed < 0)
        fail(c, &err);
    call_free(c);
    start_waiting(w);
}

static void on_turn(uv_timer_t *timer)
{
    struct edge_workload *w = timer->data;
    struct edge_workload_call *c;
    struct err err;

    (void)err_set(&err, ERR_BUSY, "too many questions to the runtime wait");
    while ((c = (struct edge_workload_call *)queue_take(&w->refused))) {
        fail(c, &err);
        call_free(c);
    }
}

/* ---- calls ---- */

static struct edge_workload_call *call_new(struct edge_workload *w, enum call_kind kind, void *arg)
{
    struct edge_workload_call *c = xcalloc(1, sizeof(*c));

    *c = (struct edge_workload_call){
        .w = w, .kind = kind, .arg = arg, .end_ms = clock_mono_ms() + CALL_MS};
    return c;
}

/* To this PATH, with this body (NULL: none). */
static struct edge_workload_call *call_go(struct edge_workload_call *c, const char *module,
                                          const char *path, const cJSON *body)
{
    struct edge_workload *w = c->w;

    if (module) {
        buf_puts(&c->target, "/modules/");
        percent_encode(module, strlen(module), &c->target);
        buf_puts(&c->target, "/genid/0");
    }
    buf_printf(&c->target, "%s" API_VERSION, path);
    if (body)
        json_print(&c->body, body);
    if (w->calls.n - w->running < WAITING_MAX) {
        queue_append(&w->calls, &c->link);
        start_waiting(w);
    } else {
        queue_append(&w->refused, &c->link);
        (void)uv_timer_start(w->turn, on_turn, 0, 0);
    }
    return c;
}

static struct edge_workload_call *sign(struct edge_workload_call *c, const char *module,
                                       bool secondary, const void *data, size_t len)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_wiped_buf struct buf text = {0};

    base64_encode(data, len, &text);
    json_add_str(body, "keyId", secondary ? "secondary" : "primary");
    json_add_str(body, "algo", "HMACSHA256");
    json_add_str(body, "data", buf_str(&text));
    return call_go(c, module, "/sign", body);
}

struct edge_workload_call *edge_workload_sign(struct edge_workload *w, const char *module,
                                              bool secondary, const void *data, size_t len,
                                              edge_sign_fn fn, void *arg)
{
    struct edge_workload_call *c = call_new(w, CALL_SIGN, arg);

    c->fn.sign = fn;
    return sign(c, module, secondary, data, len);
}

struct edge_workload_call *edge_workload_token(struct edge_workload *w, const char *module,
                                               const char *resource, uint64_t expiry_s,
                                               edge_token_fn fn, void *arg)
{
    struct edge_workload_call *c = call_new(w, CALL_TOKEN, arg);
    auto_buf struct buf text = {0};

    c->fn.token = fn;
    c->resource = xstrdup(resource);
    c->expiry_s = expiry_s;
    sas_text(resource, expiry_s, &text);
    return sign(c, module, false, text.data, text.len);
}

struct edge_workload_call *edge_workload_cert(struct edge_workload *w, const char *host,
                                              edge_cert_fn fn, void *arg)
{
    struct edge_workload_call *c = call_new(w, CALL_CERT, arg);
    auto_json cJSON *body = cJSON_CreateObject();

    c->fn.cert = fn;
    json_add_str(body, "commonName", host);
    return call_go(c, "$edgeHub", "/certificate/server", body);
}

struct edge_workload_call *edge_workload_trust(struct edge_workload *w, edge_trust_fn fn, void *arg)
{
    struct edge_workload_call *c = call_new(w, CALL_TRUST, arg);

    c->fn.trust = fn;
    return call_go(c, NULL, "/trust-bundle", NULL);
}

void edge_workload_cancel(struct edge_workload_call *c)
{
    if (!c)
        return;

    struct edge_workload *w = c->w;
    struct http_call *http = c->http;

    call_free(c);
    http_call_cancel(http);
    start_waiting(w);
}

/* ---- life ---- */

struct edge_workload *edge_workload_new(uv_loop_t *loop, const char *socket_path)
{
    struct edge_workload *w = xcalloc(1, sizeof(*w));

    w->loop = loop;
    w->dialer = dialer_local_new(loop);
    w->path = xstrdup(socket_path);
    w->turn = xcalloc(1, sizeof(*w->turn));
    (void)uv_timer_init(loop, w->turn);
    w->turn->data = w;
    return w;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void edge_workload_free(struct edge_workload *w)
{
    struct edge_workload_call *c;

    if (!w)
        return;
    while ((c = (struct edge_workload_call *)queue_take(&w->calls)) ||
           (c = (struct edge_workload_call *)queue_take(&w->refused))) {
        http_call_cancel(c->http);
        call_free(c);
    }
    uv_close((uv_handle_t *)w->turn, on_closed);
    dialer_local_free(w->dialer);
    free(w->path);
    free(w);
}
