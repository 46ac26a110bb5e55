/* See http_server.h. The parser stops at the end of each request and goes on after the answer; what
 * a client pipelined meanwhile waits in its connection, bounded there. A request that breaks a rule
 * is answered and ends its connection: where the next one would begin is then a guess, and guessing
 * is how requests are smuggled. */
#include "core/io/http_server.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/net_server.h"

#include <assert.h>
#include <inttypes.h>
#include <llhttp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX  100
#define REPLY_HIGH   (1U << 20) /* the mark of http_reply_chunk() */
#define REPLY_MAX    (8U << 20)
#define PIPELINE_MAX 65536
#define STALL_MS     30000
#define HANDSHAKE_MS 10000

struct http_server {
    struct net_server *server;
    struct http_limits limits;
    http_handler_fn handler;
    void *arg;
    bool (*before_send)(void *arg);
    void *before_send_arg;
};

struct header {
    size_t name, value; /* offsets into text */
};

/* A connection, and the one request that it carries at a time: the exchange. */
struct http_exchange {
    struct http_server *server;
    struct net_conn *conn;
    llhttp_t parser;
    /* The request. */
    struct buf text; /* target, then names and values, each terminated */
    struct header headers[HEADERS_MAX];
    size_t n_headers;
    size_t query; /* offset of the query behind '?'; 0: none */
    struct buf body;
    bool begun;   /* its first byte came: the deadline runs */
    bool in_text; /* an element of TEXT is being received */
    int refuse;   /* status to refuse it with, found while parsing */
    /* The answer. */
    bool handling; /* the handler has it */
    bool in_handler;
    bool keep;
    bool streaming;
    bool chunked;
    bool eof; /* the client sends no more */
    struct buf reply_headers;
    void (*on_close)(void *arg);
    void *on_close_arg;
    void (*on_drain)(void *arg);
    void *on_drain_arg;
    void *data;
};

/* ------------------------------------------------------------------------------------------ parser
 */

static struct http_exchange *of(llhttp_t *parser)
{
    return parser->data;
}

static int append_text(llhttp_t *parser, const char *at, size_t len)
{
    struct http_exchange *x = of(parser);

    if (x->text.len + len > x->server->limits.header_max) {
        x->refuse = 431;
        return HPE_USER;
    }
    buf_append(&x->text, at, len);
    return 0;
}

static int end_text(llhttp_t *parser)
{
    buf_putc(&of(parser)->text, '\0');
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_exchange *x = of(parser);

    if (!x->in_text) {
        if (x->n_headers == HEADERS_MAX) {
            x->refuse = 431;
            return HPE_USER;
        }
        x->in_text = true;
        x->headers[x->n_headers].name = x->text.len;
    }
    return append_text(parser, at, len);
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct http_exchange *x = of(parser);

    (void)end_text(parser);
    x->in_text = false;
    x->headers[x->n_headers].value = x->text.len;
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    (void)end_text(parser);
    of(parser)->n_headers++;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_exchange *x = of(parser);
    const char *expect = http_exchange_header(x, "Expect");
    bool has_body = (parser->flags & F_CHUNKED) ||
                    ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > 0);

    if ((parser->flags & F_CONTENT_LENGTH) && parser->content_length > x->server->limits.body_max) {
        x->refuse = 413;
        return -1;
    }
    if (expect && strcasecmp(expect, "100-continue") != 0) {
        x->refuse = 417;
        return -1;
    }
    if (expect && has_body && parser->http_minor >= 1)
        (void)net_conn_write(x->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_exchange *x = of(parser);

    if (x->body.len + len > x->server->limits.body_max) {
        x->refuse = 413;
        return HPE_USER;
    }
    buf_append(&x->body, at, len);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
    .on_url = append_text,
    .on_url_complete = end_text,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = append_text,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ------------------------------------------------------------------------------------------ life
 * of an exchange */

static void next_request(struct http_exchange *x)
{
    buf_wipe(&x->text); /* tokens travel in headers */
    buf_wipe(&x->body);
    buf_done(&x->reply_headers);
    x->n_headers = 0;
    x->query = 0;
    x->begun = false;
    x->in_text = false;
    x->refuse = 0;
    x->handling = false;
    x->streaming = false;
    x->chunked = false;
    x->on_close = NULL;
    x->on_drain = NULL;
    x->data = NULL;
}

static void exchange_free(struct http_exchange *x)
{
    next_request(x);
    free(x);
}

/* The answer is complete. */
static void finish(struct http_exchange *x)
{
    struct net_conn *conn = x->conn;

    if (!x->keep || x->eof) {
        x->conn = NULL;
        net_conn_close(conn);
        if (!x->in_handler)
            exchange_free(x);
        return;
    }
    next_request(x);
    llhttp_resume(&x->parser);
    net_conn_deadline(conn, x->server->limits.idle_ms);
    if (!x->in_handler)
        net_conn_resume(conn);
}

/* An answer to what is not a whole request; the connection ends with it. */
static void refuse(struct http_exchange *x, int status)
{
    x->handling = true;
    x->keep = false;
    http_reply_message(x, status, "%s",
                       status == 413   ? "the request is too large"
                       : status == 431 ? "the request headers are too large"
                       : status == 408 ? "the request did not arrive in time"
                       : status == 417 ? "this expectation cannot be met"
                                       : "malformed request");
}

/* The parser stands behind a whole request. */
static void handle(struct http_exchange *x)
{
    char *query = x->text.len > 0 ? strchr(x->text.data, '?') : NULL;

    if (query) {
        *query = '\0';
        x->query = (size_t)(query - x->text.data) + 1;
    }
    x->handling = true;
    x->keep = llhttp_should_keep_alive(&x->parser) && !x->parser.upgrade;
    net_conn_deadline(x->conn, 0);
    x->server->handler(x, x->server->arg);
}

static size_t on_data(void *arg, const char *data, size_t len)
{
    struct http_exchange *x = arg;
    size_t used = 0;

    x->in_handler = true;
    while (x->conn && !x->handling && used < len) {
        if (!x->begun) {
            x->begun = true;
            net_conn_deadline(x->conn, x->server->limits.request_ms);
        }

        llhttp_errno_t status = llhttp_execute(&x->parser, data + used, len - used);

        if (status == HPE_OK) {
            used = len;
        } else if (status == HPE_PAUSED || status == HPE_PAUSED_UPGRADE) {
            used = (size_t)(llhttp_get_error_pos(&x->parser) - data);
            handle(x);
        } else {
            used = len;
            refuse(x, x->refuse ? x->refuse : 400);
        }
    }
    x->in_handler = false;
    if (!x->conn)
        exchange_free(x);
    return used;
}

static void *on_open(struct net_conn *c, void *arg)
{
    struct http_server *s = arg;
    struct http_exchange *x = xcalloc(1, sizeof(*x));

    x->server = s;
    x->conn = c;
    llhttp_init(&x->parser, HTTP_REQUEST, &parser_settings);
    x->parser.data = x;
    net_conn_deadline(c, s->limits.idle_ms);
    return x;
}

static void gone(struct http_exchange *x)
{
    void (*fn)(void *) = x->on_close;
    void *arg = x->on_close_arg;

    x->conn = NULL;
    if (x->handling && fn)
        fn(arg);
    exchange_free(x);
}

/* A client that half-closes still gets the answer it waits for, but a stream would never end. */
static void on_eof(void *arg)
{
    struct http_exchange *x = arg;
    struct net_conn *c = x->conn;

    x->eof = true;
    if (x->handling && !x->streaming)
        return;
    gone(x);
    net_conn_close(c);
}

static void on_drain(void *arg)
{
    struct http_exchange *x = arg;

    if (x->streaming && x->on_drain)
        x->on_drain(x->on_drain_arg);
}

static void on_deadline(void *arg)
{
    struct http_exchange *x = arg;
    struct net_conn *c = x->conn;

    if (x->handling)
        return;
    if (x->begun) {
        refuse(x, 408);
    } else {
        gone(x);
        net_conn_close(c);
    }
}

static void on_closed(void *arg)
{
    gone(arg);
}

static bool before_flush(void *arg)
{
    struct http_server *s = arg;

    return !s->before_send || s->before_send(s->before_send_arg);
}

static const struct net_server_events events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_deadline = on_deadline,
    .on_close = on_closed,
    .before_flush = before_flush,
};

/* ------------------------------------------------------------------------------------------ server
 */

struct http_server *http_server_new(uv_loop_t *loop, const struct http_limits *limits,
                                    http_handler_fn handler, void *arg)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    struct http_limits l = limits ? *limits : (struct http_limits){0};

    s->limits = (struct http_limits){
        .header_max = l.header_max ? l.header_max : 16384,
        .body_max = l.body_max ? l.body_max : 1U << 20,
        .request_ms = l.request_ms ? l.request_ms : 10000,
        .idle_ms = l.idle_ms ? l.idle_ms : 60000,
        .connections_max = l.connections_max ? l.connections_max : 256,
    };
    s->handler = handler;
    s->arg = arg;
    s->server = net_server_new(loop,
                               &(struct net_server_limits){
                                   .connections_max = s->limits.connections_max,
                                   .in_max = PIPELINE_MAX,
                                   .out_high = REPLY_HIGH,
                                   .out_max = REPLY_MAX,
                                   .handshake_ms = HANDSHAKE_MS,
                                   .stall_ms = STALL_MS,
                               },
                               &events, s);
    return s;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    net_server_free(s->server);
    free(s);
}

int http_server_listen_unix(struct http_server *s, const char *path, mode_t mode, uid_t uid,
                            gid_t gid, struct err *err)
{
    return net_server_listen_unix(s->server, path, mode, uid, gid, err);
}

int http_server_listen_tls(struct http_server *s, const char *address, uint16_t port,
                           struct tls_server *tls, struct err *err)
{
    return net_server_listen_tls(s->server, address, port, tls, err);
}

void http_server_set_tls(struct http_server *s, struct tls_server *tls)
{
    net_server_set_tls(s->server, tls);
}

void http_server_before_send(struct http_server *s, bool (*fn)(void *arg), void *arg)
{
    s->before_send = fn;
    s->before_send_arg = arg;
}

/* ------------------------------------------------------------------------------------------
 * request */

const char *http_exchange_method(const struct http_exchange *x)
{
    return llhttp_method_name((llhttp_method_t)x->parser.method);
}

const char *http_exchange_path(const struct http_exchange *x)
{
    return buf_str(&x->text);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* As forms encode: '+' is a space here, and only here. */
static bool decode_query(const char *text, size_t len, char *to, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i] == '+' ? ' ' : text[i];

        if (c == '%') {
            int high = len - i > 2 ? hex(text[i + 1]) : -1;
            int low = len - i > 2 ? hex(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || n + 1 >= size)
            return false;
        to[n++] = c;
    }
    to[n] = '\0';
    return true;
}

bool http_exchange_query(const struct http_exchange *x, const char *name, char *to, size_t size)
{
    const char *rest = x->query ? x->text.data + x->query : "";
    size_t name_len = strlen(name);

    assert(size > 0);
    while (*rest) {
        size_t len = strcspn(rest, "&");
        const char *equals = memchr(rest, '=', len);
        size_t key = equals ? (size_t)(equals - rest) : len;

        if (key == name_len && memcmp(rest, name, key) == 0)
            return decode_query(equals ? equals + 1 : rest + len, equals ? len - key - 1 : 0, to,
                                size);
        rest += len + (rest[len] == '&');
    }
    return false;
}

const char *http_exchange_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->n_headers; i++)
        if (strcasecmp(x->text.data + x->headers[i].name, name) == 0)
            return x->text.data + x->headers[i].value;
    return NULL;
}

const char *http_exchange_body(const struct http_exchange *x, size_t *ret_len)
{
    *ret_len = x->body.len;
    return buf_str(&x->body);
}

const char *http_exchange_peer(const struct http_exchange *x)
{
    return net_conn_peer_text(x->conn);
}

pid_t http_exchange_peer_pid(const struct http_exchange *x)
{
    return net_conn_peer_pid(x->conn);
}

void http_exchange_on_close(struct http_exchange *x, void (*fn)(void *arg), void *arg)
{
    x->on_close = fn;
    x->on_close_arg = arg;
}

void http_exchange_set_data(struct http_exchange *x, void *data)
{
    x->data = data;
}

void *http_exchange_data(const struct http_exchange *x)
{
    return x->data;
}

/* ------------------------------------------------------------------------------------------ answer
 */

/* The names that clients may look at; others do without. */
static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Payload Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Entity"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Status";
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
    size_t start = x->reply_headers.len;

    buf_printf(&x->reply_headers, "%s: %s", name, value);
    /* A value that came from outside must not begin a header of its own. */
    for (size_t i = start; i < x->reply_headers.len; i++)
        if ((unsigned char)x->reply_headers.data[i] < 0x20)
            x->reply_headers.data[i] = ' ';
    buf_puts(&x->reply_headers, "\r\n");
}

static void start_head(struct http_exchange *x, int status, const char *content_type,
                       struct buf *head)
{
    assert(x->handling && !x->streaming);
    buf_printf(head, "HTTP/1.1 %d %s\r\n", status, reason(status));
    if (content_type)
        buf_printf(head, "Content-Type: %s\r\n", content_type);
    buf_append(head, buf_str(&x->reply_headers), x->reply_headers.len);
    if (!x->keep || x->eof)
        buf_puts(head, "Connection: close\r\n");
    else if (x->parser.http_major == 1 && x->parser.http_minor == 0)
        buf_puts(head, "Connection: keep-alive\r\n");
}

void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body,
                size_t len)
{
    auto_buf struct buf head = {0};
    bool bodyless = status == 204 || status == 304;

    start_head(x, status, bodyless ? NULL : content_type, &head);
    if (!bodyless)
        buf_printf(&head, "Content-Length: %zu\r\n", len);
    buf_puts(&head, "\r\n");
    (void)net_conn_write(x->conn, head.data, head.len);
    if (!bodyless && len > 0 && x->parser.method != HTTP_HEAD)
        (void)net_conn_write(x->conn, body, len);
    finish(x);
}

/* JSON string text: the message may quote what a client sent. */
static void put_json_text(struct buf *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            buf_printf(to, "\\%c", c);
        else if (c < 0x20)
            buf_printf(to, "\\u%04x", c);
        else
            buf_putc(to, *text);
    }
}

void http_reply_message(struct http_exchange *x, int status, const char *fmt, ...)
{
    auto_buf struct buf text = {0};
    auto_buf struct buf body = {0};
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_puts(&body, "{\"message\":\"");
    put_json_text(&body, buf_str(&text));
    buf_puts(&body, "\"}");
    http_reply(x, status, "application/json", body.data, body.len);
}

void http_reply_start(struct http_exchange *x, int status, const char *content_type,
                      void (*drain)(void *arg), void *arg)
{
    auto_buf struct buf head = {0};

    x->chunked = x->parser.http_major > 1 || x->parser.http_minor >= 1;
    if (!x->chunked)
        x->keep = false; /* HTTP/1.0: the end of the connection ends the body */
    start_head(x, status, content_type, &head);
    if (x->chunked)
        buf_puts(&head, "Transfer-Encoding: chunked\r\n");
    buf_puts(&head, "\r\n");
    x->streaming = true;
    x->on_drain = drain;
    x->on_drain_arg = arg;
    (void)net_conn_write(x->conn, head.data, head.len);
}

bool http_reply_chunk(struct http_exchange *x, const void *data, size_t len)
{
    char size[24];

    assert(x->streaming);
    if (len == 0 || x->parser.method == HTTP_HEAD)
        return net_conn_pending(x->conn) <= REPLY_HIGH;
    if (!x->chunked)
        return net_conn_write(x->conn, data, len);
    (void)str_format(size, sizeof(size), "%zx\r\n", len);
    (void)net_conn_write(x->conn, size, strlen(size));
    (void)net_conn_write(x->conn, data, len);
    return net_conn_write(x->conn, "\r\n", 2);
}

void http_reply_end(struct http_exchange *x)
{
    assert(x->streaming);
    if (x->chunked && x->parser.method != HTTP_HEAD)
        (void)net_conn_write(x->conn, "0\r\n\r\n", 5);
    finish(x);
}
