/* See http_client.h. One call = one stream, one llhttp parser, one timer. The parser's callbacks
 * may reach the owner (streamed bodies), who may cancel the call from there: a cancelled call stays
 * in memory until its timer handle is closed, and everything checks `over` after it came back. */
#include "core/io/http_client.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <llhttp.h>
#include <string.h>
#include <strings.h>

#define HTTP_HEADERS_MAX  (64U << 10)
#define HTTP_BODY_DEFAULT (1U << 20)

struct http_call {
    struct stream *stream;
    llhttp_t parser;
    uv_timer_t timer; /* the deadline */
    uv_timer_t turn;  /* after resume: the loop's next turn */
    unsigned handles;
    char *what; /* "GET /modules", without the query: it may name a secret */
    http_data_fn on_data;
    http_done_fn done;
    void *arg;
    struct buf headers; /* of the answer: "name:value\n" */
    struct buf body;
    size_t body_max;
    size_t header_seen; /* bytes before the headers were complete */
    struct buf held;    /* arrived, not parsed: the owner is paused */
    bool streaming;     /* this body goes to on_data */
    bool headers_done;
    bool complete; /* the whole answer is there */
    bool paused;
    bool eof_held; /* the peer ended while the owner was paused */
    bool over;     /* done was called, or the call was cancelled */
    bool too_big;
};

static void on_turn(uv_timer_t *timer);

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_call *c = handle->data;
    if (--c->handles)
        return;
    buf_done(&c->headers);
    buf_wipe(&c->body);
    buf_wipe(&c->held);
    free(c->what);
    free(c);
}

static void call_release(struct http_call *c)
{
    c->over = true;
    stream_close(steal(c->stream));
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
    uv_close((uv_handle_t *)&c->turn, on_handle_closed);
}

static void call_end(struct http_call *c, const struct err *why)
{
    if (c->over)
        return;
    c->over = true;
    struct err err;
    if (why) {
        err = *why;
        err_wrap(&err, "%s", c->what);
        buf_clear(&c->body);
    }
    c->done(c->arg, why ? 0 : c->parser.status_code, &c->body, why ? &err : NULL);
    call_release(c);
}

static void call_fail(struct http_call *c, enum err_kind kind, const char *text)
{
    struct err err;
    err_set(&err, kind, "%s", text);
    call_end(c, &err);
}

void http_call_cancel(struct http_call *c)
{
    if (c && !c->over)
        call_release(c);
}

/* ---- the parser's callbacks ---- */

/* What trails a chunked body is not kept: it has no limit. */
static void keep_header(llhttp_t *parser, const char *at, size_t len)
{
    struct http_call *c = parser->data;
    if (!c->headers_done)
        buf_append(&c->headers, at, len);
}

static int on_header_text(llhttp_t *parser, const char *at, size_t len)
{
    keep_header(parser, at, len);
    return HPE_OK;
}

static int on_header_name_end(llhttp_t *parser)
{
    keep_header(parser, ":", 1);
    return HPE_OK;
}

static int on_header_value_end(llhttp_t *parser)
{
    keep_header(parser, "\n", 1);
    return HPE_OK;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_call *c = parser->data;
    if (parser->status_code < 200) { /* 100 Continue and the like: the answer follows */
        buf_clear(&c->headers);
        return 0;
    }
    c->headers_done = true;
    c->streaming = c->on_data && parser->status_code < 300;
    if (c->streaming)
        uv_timer_stop(&c->timer);
    return str_starts(c->what, "HEAD ") ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_call *c = parser->data;
    if (!len)
        return HPE_OK;
    if (c->streaming) {
        bool more = c->on_data(c->arg, at, len);
        if (c->over)
            return HPE_USER;
        c->paused = !more;
        return more ? HPE_OK : HPE_PAUSED;
    }
    if (len > c->body_max - c->body.len) {
        c->too_big = true;
        return HPE_USER;
    }
    buf_append(&c->body, at, len);
    return HPE_OK;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_call *c = parser->data;
    if (!c->headers_done)
        return HPE_OK;
    c->complete = true;
    return HPE_PAUSED; /* nothing behind it is ours */
}

static const llhttp_settings_t http_settings = {
    .on_header_field = on_header_text,
    .on_header_field_complete = on_header_name_end,
    .on_header_value = on_header_text,
    .on_header_value_complete = on_header_value_end,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- from the stream to the parser ---- */

static void call_judge(struct http_call *c, llhttp_errno_t result)
{
    if (c->over)
        return;
    if (c->complete)
        call_end(c, NULL);
    else if (c->too_big)
        call_fail(c, ERR_PROTOCOL, "the answer is larger than allowed");
    else if (result != HPE_OK && result != HPE_PAUSED)
        call_fail(c, ERR_PROTOCOL, "the answer is not HTTP");
}

static void call_parse(struct http_call *c, const char *data, size_t len)
{
    if (!c->headers_done) {
        if (c->header_seen > HTTP_HEADERS_MAX) {
            call_fail(c, ERR_PROTOCOL, "the headers of the answer do not end");
            return;
        }
        c->header_seen += len;
    }
    llhttp_errno_t result = llhttp_execute(&c->parser, data, len);
    if (!c->over && !c->complete && c->paused) {
        const char *at = llhttp_get_error_pos(&c->parser);
        size_t used = at ? (size_t)(at - data) : len;
        if (used < len)
            buf_append(&c->held, data + used, len - used);
        stream_pause(c->stream, true);
    }
    call_judge(c, result);
}

static void call_finish(struct http_call *c)
{
    if (!c->headers_done) {
        call_fail(c, ERR_UNREACHABLE, "the connection was closed without an answer");
        return;
    }
    (void)llhttp_finish(&c->parser);
    if (c->complete)
        call_end(c, NULL);
    else
        call_fail(c, ERR_PROTOCOL, "the connection ended in the middle of the answer");
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct http_call *c = arg;
    if (c->paused) /* a stream may still deliver what it had begun */
        buf_append(&c->held, data, len);
    else
        call_parse(c, data, len);
}

static void on_eof(void *arg)
{
    struct http_call *c = arg;
    if (c->paused)
        c->eof_held = true;
    else
        call_finish(c);
}

static void on_close(void *arg, const struct err *why)
{
    struct http_call *c = arg;
    if (why)
        call_end(c, why);
    else if (c->paused)
        c->eof_held = true;
    else
        call_finish(c);
}

static const struct stream_events http_stream_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_close = on_close,
};

/* The owner takes data again: first what is held, then what the stream brings. */
static void on_turn(uv_timer_t *timer)
{
    struct http_call *c = timer->data;
    if (c->over || !c->paused)
        return;
    c->paused = false;
    llhttp_resume(&c->parser);
    /* Also with nothing held: the parser may have stopped just before the end of the answer. */
    struct buf held = c->held;
    c->held = (struct buf){0};
    call_parse(c, buf_str(&held), held.len);
    buf_wipe(&held);
    if (c->over || c->paused)
        return;
    if (c->eof_held)
        call_finish(c);
    else
        stream_pause(c->stream, false);
}

bool http_call_header(const struct http_call *c, const char *name, char *to, size_t size)
{
    size_t len = strlen(name);
    const char *end = NULL;
    for (const char *at = buf_str(&c->headers); (end = strchr(at, '\n')); at = end + 1)
        if (strncasecmp(at, name, len) == 0 && at[len] == ':')
            return str_format(to, size, "%.*s", (int)(end - at - (ptrdiff_t)len - 1), at + len + 1);
    return false;
}

void http_call_resume(struct http_call *c)
{
    if (!c->over && c->paused)
        uv_timer_start(&c->turn, on_turn, 0, 0);
}

/* ---- starting ---- */

static void on_deadline(uv_timer_t *timer)
{
    call_fail(timer->data, ERR_TIMEOUT, "no answer in time");
}

static void on_refused(uv_timer_t *timer)
{
    call_fail(timer->data, ERR_INVALID, "the request is too large");
}

/* The caller's header lines; says whether a Host is among them. */
static bool put_headers(struct buf *out, const char *const *headers)
{
    bool host = false;
    for (size_t i = 0; headers && headers[i]; i++) {
        buf_printf(out, "%s\r\n", headers[i]);
        host = host || strncasecmp(headers[i], "Host:", 5) == 0;
    }
    return host;
}

static void call_send(struct http_call *c, const struct http_request *request)
{
    auto_wiped_buf struct buf out = {0};
    buf_printf(&out, "%s %s HTTP/1.1\r\nConnection: close\r\n", request->method, request->target);
    if (!put_headers(&out, request->headers))
        buf_puts(&out, "Host: localhost\r\n");
    if (request->content_type)
        buf_printf(&out, "Content-Type: %s\r\n", request->content_type);
    if (request->body || !str_eq(request->method, "GET"))
        buf_printf(&out, "Content-Length: %zu\r\n", request->body_len);
    buf_puts(&out, "\r\n");
    if (request->body)
        buf_append(&out, request->body, request->body_len);

    /* A stream that has ended says why by itself. */
    struct err err;
    if (stream_write(c->stream, out.data, out.len, &err) < 0 && err.kind == ERR_BUSY)
        uv_timer_start(&c->timer, on_refused, 0, 0);
}

struct http_call *http_call_start(struct dialer *dialer, uv_loop_t *loop, const char *socket_path,
                                  const struct http_request *request, http_data_fn data_fn,
                                  http_done_fn done, void *arg)
{
    struct http_call *c = xcalloc(1, sizeof(*c));
    c->on_data = data_fn;
    c->done = done;
    c->arg = arg;
    c->body_max = request->body_max ? request->body_max : HTTP_BODY_DEFAULT;
    c->what =
        xasprintf("%s %.*s", request->method, (int)strcspn(request->target, "?"), request->target);
    llhttp_init(&c->parser, HTTP_RESPONSE, &http_settings);
    c->parser.data = c;
    c->handles = 2;
    (void)uv_timer_init(loop, &c->timer);
    (void)uv_timer_init(loop, &c->turn);
    c->timer.data = c->turn.data = c;
    if (request->timeout_ms) {
        uv_update_time(loop);
        uv_timer_start(&c->timer, on_deadline, request->timeout_ms, 0);
    }
    c->stream = dialer->open_unix(dialer, socket_path, &http_stream_events, c);
    call_send(c, request);
    return c;
}
