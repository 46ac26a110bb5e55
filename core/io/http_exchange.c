/* See http_server.h: the request, from the parser to what a handler asks of it. */
#include "core/io/http_server_private.h"

#include "core/base/percent.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

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
        if (x->n_headers == HTTP_HEADERS_MAX) {
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

const llhttp_settings_t http_exchange_parser = {
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

/* ------------------------------------------------------------------------------------------ what a
 * handler asks */

const char *http_exchange_method(const struct http_exchange *x)
{
    return llhttp_method_name((llhttp_method_t)x->parser.method);
}

const char *http_exchange_path(const struct http_exchange *x)
{
    return buf_str(&x->text);
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
        size_t value = equals ? len - key - 1 : 0;

        if (key == name_len && memcmp(rest, name, key) == 0)
            return percent_decode_form(rest + len - value, value, to, size);
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

const struct tls *http_exchange_tls(const struct http_exchange *x)
{
    return net_conn_tls(x->conn);
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
