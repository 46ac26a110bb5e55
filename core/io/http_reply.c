/* See http_server.h: the answer, whole or in chunks. */
#include "core/io/http_server_private.h"

#include "core/base/str.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

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

    x->dated |= strcasecmp(name, "Date") == 0;
    buf_printf(&x->reply_headers, "%s: %s", name, value);
    /* A value that came from outside must not begin a header of its own. */
    for (size_t i = start; i < x->reply_headers.len; i++)
        if ((unsigned char)x->reply_headers.data[i] < 0x20)
            x->reply_headers.data[i] = ' ';
    buf_puts(&x->reply_headers, "\r\n");
}

/* Clients find out from it that their clock is wrong. Written once a second. */
static const char *date(struct http_server *s)
{
    uint64_t now_ms = clock_wall_ms();

    if (now_ms / 1000 != s->date_s || !*s->date)
        clock_format_http(s->date, now_ms);
    s->date_s = now_ms / 1000;
    return s->date;
}

static void start_head(struct http_exchange *x, int status, const char *content_type,
                       struct buf *head)
{
    assert(x->handling && !x->streaming);
    buf_printf(head, "HTTP/1.1 %d %s\r\n", status, reason(status));
    if (!x->dated)
        buf_printf(head, "Date: %s\r\n", date(x->server));
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
    http_exchange_finish(x);
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
        return net_conn_pending(x->conn) <= HTTP_REPLY_HIGH;
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
    http_exchange_finish(x);
}
