/* See edge_scope_link.h. */
#include "vm/guest/hub/edge_scope_link.h"

#include "core/azure/clock_hint.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "core/io/http_client.h"
#include "core/io/tls_stream.h"
#include "vm/guest/hub/edge_workload.h"

#include <string.h>

#define API_VERSION   "?api-version=2020-06-30-preview"
#define ANSWER_MAX    (4U << 20) /* of a page of devices with all the modules that they may have */
#define TOKEN_S       3600
#define TOKEN_SPARE_S 300 /* a new one is made this long before */
#define PAUSE_MAX_S   600 /* that the cloud may ask for */

struct edge_scope_link {
    struct edge *edge;
    struct dialer *dialer;
    char *host_port;
    char *host_header;
    char *resource; /* of the tokens */
    char *path;     /* up to what is asked for */
    struct secret token;
    uint64_t token_until_s;
};

struct edge_scope_call {
    struct edge_scope_link *l;
    char *target;
    struct buf body;
    uint64_t timeout_ms;
    struct edge_workload_call *signing;
    struct http_call *http;
    edge_scope_call_fn fn;
    void *arg;
};

static void call_free(struct edge_scope_call *c)
{
    free(c->target);
    buf_done(&c->body);
    free(c);
}

static void fail(struct edge_scope_call *c, uint64_t pause_ms, const struct err *err)
{
    c->fn(c->arg, NULL, pause_ms, err);
    call_free(c);
}

/* ---- answers ---- */

static uint64_t wanted_pause(const struct edge_scope_call *c)
{
    char text[16];
    uint64_t seconds = 0;

    if (!http_call_header(c->http, "Retry-After", text, sizeof(text)) ||
        !str_to_u64(str_trim(text), UINT32_MAX, &seconds))
        return 0;
    return (seconds < PAUSE_MAX_S ? seconds : PAUSE_MAX_S) * 1000;
}

static void refused(struct edge_scope_call *c, int status, const struct buf *body)
{
    auto_json cJSON *json = json_parse(buf_str(body), body->len, NULL);
    const char *hub = c->l->edge->settings->hub;
    uint64_t pause_ms = wanted_pause(c);
    char text[200], date[64];
    struct err err;

    str_sanitise_to(text, sizeof(text),
                    json_str(json, "ErrorMessage", json_str(json, "Message", "")));
    if (status == 401 || status == 403) {
        secret_wipe(&c->l->token);
        err_set(&err, ERR_AUTH, "%s refused the token of " EDGE_HUB_ID ": %d %s", hub, status,
                text);
        if (http_call_header(c->http, "Date", date, sizeof(date)))
            clock_hint_answer(date, &err);
    } else if (status == 404) {
        err_set(&err, ERR_NOT_FOUND, "%s does not know it: %s", hub, text);
    } else {
        bool passing = status >= 500 || status == 429;

        err_set(&err, passing ? ERR_UNREACHABLE : ERR_REMOTE, "%s answered %d %s", hub, status,
                text);
    }
    fail(c, pause_ms, &err);
}

static void on_answer(void *arg, int status, const struct buf *body, const struct err *error)
{
    struct edge_scope_call *c = arg;

    if (error) {
        struct err err = *error;

        if (err.kind == ERR_TIMEOUT)
            err.kind = ERR_UNREACHABLE;
        clock_hint_tls(&err);
        fail(c, 0, &err);
    } else if (status / 100 != 2) {
        refused(c, status, body);
    } else {
        c->fn(c->arg, body, 0, NULL);
        call_free(c);
    }
}

/* ---- calls ---- */

static void post(struct edge_scope_call *c)
{
    struct edge_scope_link *l = c->l;
    auto_wiped_buf struct buf authorization = {0};

    buf_puts(&authorization, "Authorization: ");
    buf_append(&authorization, l->token.data, l->token.len);

    const char *const headers[] = {l->host_header, buf_str(&authorization), NULL};
    const struct http_request request = {
        .method = "POST",
        .target = c->target,
        .content_type = "application/json",
        .body = c->body.data,
        .body_len = c->body.len,
        .headers = headers,
        .timeout_ms = c->timeout_ms,
        .body_max = ANSWER_MAX,
    };

    c->http = http_call_start(l->dialer, l->edge->loop, l->host_port, &request, NULL, on_answer, c);
}

/* That the runtime knows no $edgeHub says nothing of who was asked for. */
static void on_token(void *arg, const struct secret *token, const struct err *error)
{
    struct edge_scope_call *c = arg;

    c->signing = NULL;
    if (error) {
        struct err err = *error;

        err.kind = ERR_UNREACHABLE;
        fail(c, 0, &err);
        return;
    }
    secret_set(&c->l->token, token->data, token->len);
    c->l->token_until_s = clock_wall_ms() / 1000 + TOKEN_S;
    post(c);
}

/* Also false where the clock was set back far behind the time at which the token was made. */
static bool token_is_good(const struct edge_scope_link *l)
{
    uint64_t now_s = clock_wall_ms() / 1000;

    return l->token.len && now_s + TOKEN_SPARE_S < l->token_until_s &&
           now_s + TOKEN_S + TOKEN_SPARE_S > l->token_until_s;
}

struct edge_scope_call *edge_scope_link_call(struct edge_scope_link *l, const char *what,
                                             const struct buf *body, uint64_t timeout_ms,
                                             edge_scope_call_fn fn, void *arg)
{
    struct edge_scope_call *c = xcalloc(1, sizeof(*c));

    *c = (struct edge_scope_call){.l = l, .timeout_ms = timeout_ms, .fn = fn, .arg = arg};
    c->target = xasprintf("%s%s" API_VERSION, l->path, what);
    buf_append(&c->body, body->data, body->len);
    if (token_is_good(l))
        post(c);
    else
        c->signing = edge_workload_token(l->edge->workload, EDGE_HUB_ID, l->resource,
                                         clock_wall_ms() / 1000 + TOKEN_S, on_token, c);
    return c;
}

void edge_scope_link_cancel(struct edge_scope_call *c)
{
    if (!c)
        return;
    edge_workload_cancel(c->signing);
    http_call_cancel(c->http);
    call_free(c);
}

/* ---- life ---- */

struct edge_scope_link *edge_scope_link_new(struct edge *edge, struct err *err)
{
    const struct edge_settings *s = edge->settings;
    struct dialer *dialer = dialer_tls_new(edge->loop, s->ca_file, s->proxy, err);
    auto_buf struct buf path = {0};

    if (!dialer)
        return NULL;

    struct edge_scope_link *l = xcalloc(1, sizeof(*l));

    l->edge = edge;
    l->dialer = dialer;
    l->host_port = xasprintf("%s:%u", s->hub, s->https_port);
    l->host_header = xasprintf("Host: %s", s->hub);
    l->resource = xasprintf("%s/devices/%s/modules/" EDGE_HUB_ID, s->hub, s->device);
    buf_puts(&path, "/devices/");
    percent_encode(s->device, strlen(s->device), &path);
    buf_puts(&path, "/modules/" EDGE_HUB_ID "/");
    l->path = buf_steal(&path);
    return l;
}

void edge_scope_link_free(struct edge_scope_link *l)
{
    if (!l)
        return;
    dialer_tls_free(l->dialer);
    secret_wipe(&l->token);
    free(l->host_port);
    free(l->host_header);
    free(l->resource);
    free(l->path);
    free(l);
}
