/* Requests to a guest: see guest.h. Each is one stream over the session, held in the guest's list
 * so that it ends with the guest. */
#include "core/engine/guest_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdio.h>
#include <string.h>

#define ADMIN_REPLY_MAX (512U << 10)
#define ADMIN_TEXT_MAX  400
#define ADMIN_MS        60000

enum call_kind { CALL_ADMIN, CALL_MODULE, CALL_LOG, CALL_GET, CALL_REACH };

struct guest_call {
    struct guest *g;
    enum call_kind kind;
    void *arg;
    union {
        guest_admin_fn admin;
        guest_done_fn plain;
        guest_get_fn get;
    } done;
    bool (*data)(void *arg, const char *data, size_t len);

    struct http_call *http;
    struct stream *stream; /* where there is no HTTP: admin, reach */
    uv_timer_t timer;      /* its deadline */
    bool has_timer;
    struct buf reply;

    struct dialer dialer; /* of a get: leads to HOST:PORT inside */
    uint16_t port;
};

/* ---- the list ---- */

static struct guest_call *call_new(struct guest *g, enum call_kind kind, void *arg, struct err *err)
{
    if (g->state != GUEST_STATE_READY || g->freed) {
        err_set(err, ERR_UNREACHABLE, "the VM does not answer at present");
        err_hint(err, "%s", g->why.hint);
        return NULL;
    }
    struct guest_call *c = xcalloc(1, sizeof(*c));
    c->g = g;
    c->kind = kind;
    c->arg = arg;
    if (g->n_calls == g->cap_calls) {
        g->cap_calls = g->cap_calls ? 2 * g->cap_calls : 8;
        g->calls = xreallocarray(g->calls, g->cap_calls, sizeof(*g->calls));
    }
    g->calls[g->n_calls++] = c;
    return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void call_free(struct guest_call *c)
{
    struct guest *g = c->g;
    for (size_t i = 0; i < g->n_calls; i++) {
        if (g->calls[i] == c) {
            g->calls[i] = g->calls[--g->n_calls];
            break;
        }
    }
    buf_wipe(&c->reply);
    if (c->has_timer)
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    else
        free(c);
}

static void call_deadline(struct guest_call *c, uv_timer_cb fn, uint64_t ms)
{
    (void)uv_timer_init(c->g->loop, &c->timer);
    c->timer.data = c;
    c->has_timer = true;
    uv_update_time(c->g->loop);
    uv_timer_start(&c->timer, fn, ms, 0);
}

void guest_call_cancel(struct guest_call *c)
{
    if (!c)
        return;
    http_call_cancel(c->http);
    stream_close(c->stream);
    call_free(c);
}

static void call_tell(const struct guest_call *c, const char *text, const struct buf *body,
                      const struct err *err)
{
    switch (c->kind) {
    case CALL_ADMIN:
        c->done.admin(c->arg, text, body, err);
        break;
    case CALL_GET:
        c->done.get(c->arg, body, err);
        break;
    case CALL_MODULE:
    case CALL_LOG:
    case CALL_REACH:
        c->done.plain(c->arg, err);
        break;
    }
}

void guest_calls_end(struct guest *g)
{
    static const struct buf none;
    struct err err;
    err_set(&err, ERR_UNREACHABLE, "the VM is being stopped");
    while (g->n_calls) {
        struct guest_call *c = g->calls[0];
        http_call_cancel(steal(c->http));
        stream_close(steal(c->stream));
        call_tell(c, "", &none, &err);
        call_free(c);
    }
}

/* ---- the privileged helper ---- */

static void admin_end(struct guest_call *c, const struct err *err)
{
    static const struct buf none;
    stream_close(steal(c->stream));
    if (err) {
        call_tell(c, "", &none, err);
        call_free(c);
        return;
    }

    /* "ok[ TEXT]" or "error TEXT" in one line, then the body. */
    struct err bad;
    char text[ADMIN_TEXT_MAX];
    size_t line = strcspn(buf_str(&c->reply), "\n");
    bool whole = line < c->reply.len;
    auto_buf struct buf clean = {0};
    str_sanitise(&clean, buf_str(&c->reply), line);
    (void)str_copy(text, sizeof(text), buf_str(&clean));
    if (whole)
        buf_consume(&c->reply, line + 1);
    if (whole && (str_eq(text, "ok") || str_starts(text, "ok "))) {
        call_tell(c, text[2] ? text + 3 : "", &c->reply, NULL);
    } else {
        if (whole && str_starts(text, "error "))
            err_set(&bad, ERR_REMOTE, "%s", text + 6);
        else
            err_set(&bad, ERR_PROTOCOL, "the VM's helper gave no answer");
        call_tell(c, "", &none, &bad);
    }
    call_free(c);
}

static void admin_on_data(void *arg, const char *data, size_t len)
{
    struct guest_call *c = arg;
    if (len > ADMIN_REPLY_MAX - c->reply.len) {
        struct err err;
        err_set(&err, ERR_PROTOCOL, "the VM's helper answers without an end");
        admin_end(c, &err);
        return;
    }
    buf_append(&c->reply, data, len);
}

static void admin_on_eof(void *arg)
{
    admin_end(arg, NULL);
}

static void admin_on_close(void *arg, const struct err *why)
{
    admin_end(arg, why);
}

static const struct stream_events admin_events = {
    .on_data = admin_on_data,
    .on_eof = admin_on_eof,
    .on_close = admin_on_close,
};

static void admin_on_deadline(uv_timer_t *timer)
{
    struct err err;
    err_set(&err, ERR_TIMEOUT, "the VM's helper took too long");
    admin_end(timer->data, &err);
}

struct guest_call *guest_admin(struct guest *g, const char *line, const void *body, size_t len,
                               uint64_t timeout_ms, guest_admin_fn done, void *arg, struct err *err)
{
    struct guest_call *c = call_new(g, CALL_ADMIN, arg, err);
    if (!c)
        return NULL;
    c->done.admin = done;
    call_deadline(c, admin_on_deadline, timeout_ms ? timeout_ms : ADMIN_MS);

    struct dialer *dialer = remote_dialer(g->remote);
    c->stream = dialer->open_unix(dialer, g->admin, &admin_events, c);
    /* A stream that has ended, or is too full for this, says so by itself or by the deadline. */
    (void)stream_write(c->stream, line, strlen(line), NULL);
    (void)stream_write(c->stream, "\n", 1, NULL);
    if (body)
        (void)stream_write(c->stream, body, len, NULL);
    stream_shutdown(c->stream);
    return c;
}

/* ---- HTTP ---- */

void guest_url_segment(struct buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

/* What the runtime says in {"message": ...}, or the status. */
static void err_of_status(struct err *err, int status, const struct buf *body)
{
    char said[300] = "";
    const char *at = strstr(buf_str(body), "\"message\":\"");
    if (at) {
        at += strlen("\"message\":\"");
        auto_buf struct buf clean = {0};
        str_sanitise(&clean, at, strcspn(at, "\""));
        (void)str_copy(said, sizeof(said), buf_str(&clean));
    }
    err_set(err, status == 404 ? ERR_NOT_FOUND : ERR_REMOTE, "the runtime answered %d%s%s", status,
            said[0] ? ": " : "", said);
}

static void on_http_done(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct guest_call *c = arg;
    c->http = NULL;
    struct err bad;
    if (!err && (status < 200 || status > 299) && status != 304) {
        err_of_status(&bad, status, body);
        err = &bad;
    }
    call_tell(c, "", body, err);
    call_free(c);
}

static bool on_http_data(void *arg, const char *data, size_t len)
{
    struct guest_call *c = arg;
    return c->data(c->arg, data, len);
}

struct guest_call *guest_module(struct guest *g, enum guest_module_action action,
                                const char *module, guest_done_fn done, void *arg, struct err *err)
{
    static const char *const verbs[] = {
        [GUEST_MODULE_START] = "start",
        [GUEST_MODULE_STOP] = "stop",
        [GUEST_MODULE_RESTART] = "restart",
    };
    struct guest_call *c = call_new(g, CALL_MODULE, arg, err);
    if (!c)
        return NULL;
    c->done.plain = done;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/modules/");
    guest_url_segment(&target, module);
    buf_printf(&target, "/%s?" GUEST_API, verbs[action]);
    struct http_request request = {
        .method = "POST", .target = buf_str(&target), .timeout_ms = 2 * (uint64_t)GUEST_CALL_MS};
    c->http = http_call_start(remote_dialer(g->remote), g->loop, g->mgmt, &request, NULL,
                              on_http_done, c);
    return c;
}

struct guest_call *guest_log(struct guest *g, const char *module,
                             const struct guest_log_options *options,
                             bool (*data)(void *arg, const char *data, size_t len),
                             guest_done_fn done, void *arg, struct err *err)
{
    struct guest_call *c = call_new(g, CALL_LOG, arg, err);
    if (!c)
        return NULL;
    c->done.plain = done;
    c->data = data;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/modules/");
    guest_url_segment(&target, module);
    buf_printf(&target, "/logs?" GUEST_API "&timestamps=true&follow=%s",
               options->follow ? "true" : "false");
    if (options->tail != UINT64_MAX)
        buf_printf(&target, "&tail=%llu", (unsigned long long)options->tail);
    if (options->since)
        buf_printf(&target, "&since=%llu", (unsigned long long)options->since);
    struct http_request request = {
        .method = "GET", .target = buf_str(&target), .timeout_ms = GUEST_CALL_MS};
    c->http = http_call_start(remote_dialer(g->remote), g->loop, g->mgmt, &request, on_http_data,
                              on_http_done, c);
    return c;
}

void guest_log_resume(struct guest_call *c)
{
    if (c->http)
        http_call_resume(c->http);
}

/* The HTTP client names its peer by a path: here it is a host inside the guest. */
static struct stream *get_open(struct dialer *d, const char *host,
                               const struct stream_events *events, void *arg)
{
    const struct guest_call *c =
        (const struct guest_call *)((const char *)d - offsetof(struct guest_call, dialer));
    return remote_open_tcp(c->g->remote, host, c->port, events, arg);
}

struct guest_call *guest_get(struct guest *g, const char *host, uint16_t port, const char *path,
                             size_t body_max, guest_get_fn done, void *arg, struct err *err)
{
    struct guest_call *c = call_new(g, CALL_GET, arg, err);
    if (!c)
        return NULL;
    c->done.get = done;
    c->port = port;
    c->dialer.open_unix = get_open;
    struct http_request request = {
        .method = "GET", .target = path, .timeout_ms = GUEST_CALL_MS, .body_max = body_max};
    c->http = http_call_start(&c->dialer, g->loop, host, &request, NULL, on_http_done, c);
    return c;
}

struct guest_call *guest_inspect(struct guest *g, const char *name, guest_get_fn done, void *arg,
                                 struct err *err)
{
    struct guest_call *c = call_new(g, CALL_GET, arg, err);
    if (!c)
        return NULL;
    c->done.get = done;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/containers/");
    guest_url_segment(&target, name);
    buf_puts(&target, "/json");
    struct http_request request = {
        .method = "GET", .target = buf_str(&target), .timeout_ms = GUEST_CALL_MS};
    c->http = http_call_start(remote_dialer(g->remote), g->loop, g->docker, &request, NULL,
                              on_http_done, c);
    return c;
}

/* ---- a look at the network from inside ---- */

static void reach_end(struct guest_call *c, const struct err *err)
{
    static const struct buf none;
    stream_close(steal(c->stream));
    call_tell(c, "", &none, err);
    call_free(c);
}

static void reach_on_open(void *arg)
{
    reach_end(arg, NULL);
}

static void reach_on_data(void *arg, const char *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
}

static void reach_on_eof(void *arg)
{
    (void)arg;
}

static void reach_on_close(void *arg, const struct err *why)
{
    reach_end(arg, why);
}

static const struct stream_events reach_events = {
    .on_open = reach_on_open,
    .on_data = reach_on_data,
    .on_eof = reach_on_eof,
    .on_close = reach_on_close,
};

static void reach_on_deadline(uv_timer_t *timer)
{
    struct err err;
    err_set(&err, ERR_TIMEOUT, "no answer in time");
    reach_end(timer->data, &err);
}

struct guest_call *guest_reach(struct guest *g, const char *host, uint16_t port, guest_done_fn done,
                               void *arg, struct err *err)
{
    struct guest_call *c = call_new(g, CALL_REACH, arg, err);
    if (!c)
        return NULL;
    c->done.plain = done;
    call_deadline(c, reach_on_deadline, GUEST_CALL_MS);
    c->stream = remote_open_tcp(g->remote, host, port, &reach_events, c);
    return c;
}
