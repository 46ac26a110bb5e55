/* See tls_stream.h. Name, TCP (each address in turn), perhaps a proxy's tunnel, TLS; what is
 * written before all that is done waits. Every end is reported from the loop, since each step
 * before it was asynchronous. */
#include "core/io/tls_stream.h"

#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "core/io/tls.h"

#include <openssl/evp.h>
#include <string.h>

#define READ_MAX         16384
#define PROXY_ANSWER_MAX 8192

struct tls_dialer {
    struct dialer base;
    uv_loop_t *loop;
    struct tls_client *client;
    char *proxy_auth; /* "user:password"; NULL: none */
    char *proxy_host; /* NULL: none */
    char *proxy_port;
    char room[READ_MAX]; /* one read at a time: libuv calls the reader right after */
};

enum phase { PHASE_RESOLVE, PHASE_CONNECT, PHASE_PROXY, PHASE_TLS, PHASE_OPEN, PHASE_ENDED };

struct tls_stream {
    struct stream base;
    struct tls_dialer *dialer;
    enum phase phase;
    char *host, *port;
    uv_getaddrinfo_t resolve;
    struct addrinfo *addresses, *next_address;
    uv_connect_t connecting;
    uv_tcp_t *tcp;   /* NULL: none open */
    uv_timer_t turn; /* what cannot be told from inside a call */
    struct tls *tls;
    struct buf early;
    struct buf proxy_answer;
    struct err why;
    bool paused, eof_seen, shut, closed;
    unsigned waits; /* requests and handles that point here */
};

struct tls_write {
    uv_write_t req;
    char data[];
};

static int tls_stream_write(struct stream *base, const void *data, size_t len, struct err *err);
static void tls_stream_shutdown(struct stream *base);
static void tls_stream_pause(struct stream *base, bool paused);
static void tls_stream_close(struct stream *base);

static const struct stream_ops tls_ops = {
    .write = tls_stream_write,
    .shutdown = tls_stream_shutdown,
    .pause = tls_stream_pause,
    .close = tls_stream_close,
};

static void connect_next(struct tls_stream *s);

/* ------------------------------------------------------------------------------- ends */

static void release(struct tls_stream *s)
{
    if (--s->waits || !s->closed)
        return;
    tls_free(s->tls);
    if (s->addresses)
        uv_freeaddrinfo(s->addresses);
    buf_wipe(&s->early);
    buf_done(&s->proxy_answer);
    free(s->host);
    free(s->port);
    free(s);
}

static void on_turn_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct tls_stream *s = handle->data;
    free(handle);
    release(s);
}

static void drop_tcp(struct tls_stream *s)
{
    if (s->tcp)
        uv_close((uv_handle_t *)steal(s->tcp), on_tcp_closed);
}

static void on_end_turn(uv_timer_t *timer)
{
    struct tls_stream *s = timer->data;
    if (!s->closed)
        s->base.events->on_close(s->base.arg, s->why.kind == ERR_NONE ? NULL : &s->why);
}

/* The end, told on the loop's next turn. WHY NULL: an orderly one. */
static void end(struct tls_stream *s, const struct err *why)
{
    if (s->phase == PHASE_ENDED || s->closed)
        return;
    s->phase = PHASE_ENDED;
    s->why = why ? *why : (struct err){0};
    drop_tcp(s);
    (void)uv_timer_start(&s->turn, on_end_turn, 0, 0);
}

static void end_unreachable(struct tls_stream *s, const char *what, int status)
{
    struct err err;
    err_set(&err, ERR_UNREACHABLE, "%s %s:%s: %s", what, s->host, s->port, uv_strerror(status));
    end(s, &err);
}

static void end_unresolved(struct tls_stream *s, int status)
{
    const struct tls_dialer *d = s->dialer;
    struct err err;
    err_set(&err, ERR_UNREACHABLE, "the name %s cannot be resolved: %s",
            d->proxy_host ? d->proxy_host : s->host, uv_strerror(status));
    err_hint(&err, "check DNS and the network");
    end(s, &err);
}

/* ------------------------------------------------------------------------------- bytes out */

static void on_written(uv_write_t *req, int status)
{
    struct tls_stream *s = req->data;
    free(req);
    if (status < 0 && status != UV_ECANCELED)
        end_unreachable(s, "send to", status);
    release(s);
}

static void send_raw(struct tls_stream *s, const void *data, size_t len)
{
    if (!len || !s->tcp)
        return;
    struct tls_write *w = xmalloc(sizeof(*w) + len);
    memcpy(w->data, data, len);
    w->req.data = s;
    uv_buf_t piece = uv_buf_init(w->data, (unsigned)len);
    s->waits++;
    if (uv_write(&w->req, (uv_stream_t *)s->tcp, &piece, 1, on_written) < 0) {
        s->waits--;
        free(w);
    }
}

static void send_plain(struct tls_stream *s, const void *data, size_t len)
{
    auto_buf struct buf wire = {0};
    struct err err;
    if (tls_write(s->tls, data, len, &wire, &err) < 0)
        end(s, &err);
    else
        send_raw(s, wire.data, wire.len);
}

/* ------------------------------------------------------------------------------- bytes in */

static void opened(struct tls_stream *s)
{
    s->phase = PHASE_OPEN;
    send_plain(s, buf_str(&s->early), s->early.len);
    buf_wipe(&s->early);
    if (s->base.events->on_open)
        s->base.events->on_open(s->base.arg);
}

/* One owner's callback may close the stream: it stays in memory, and `closed` tells. */
static void feed_tls(struct tls_stream *s, const char *data, size_t len)
{
    auto_wiped_buf struct buf plain = {0};
    auto_buf struct buf wire = {0};
    struct err err;
    int status = tls_feed(s->tls, data, len, &plain, &wire, &err);
    send_raw(s, wire.data, wire.len);
    if (status == 0 && s->phase == PHASE_TLS && tls_is_open(s->tls))
        opened(s);
    if (plain.len && !s->closed)
        s->base.events->on_data(s->base.arg, plain.data, plain.len);
    if (s->closed)
        return;
    if (status < 0) {
        end(s, &err);
    } else if (tls_peer_ended(s->tls) && !s->eof_seen) {
        s->eof_seen = true;
        if (s->base.events->on_eof)
            s->base.events->on_eof(s->base.arg);
    }
}

static void begin_tls(struct tls_stream *s)
{
    s->phase = PHASE_TLS;
    s->tls = tls_open(s->dialer->client, s->host);
    feed_tls(s, NULL, 0);
}

static void feed_proxy(struct tls_stream *s, const char *data, size_t len)
{
    struct err err;
    buf_append(&s->proxy_answer, data, len);
    const char *text = buf_str(&s->proxy_answer);
    if (strstr(text, "\r\n\r\n")) {
        if (str_starts(text, "HTTP/1.") && strncmp(text + 8, " 200", 4) == 0) {
            begin_tls(s);
            return;
        }
        bool denied = str_starts(text, "HTTP/1.") && strncmp(text + 8, " 407", 4) == 0;
        err_set(&err, denied ? ERR_AUTH : ERR_UNREACHABLE, "the proxy %s %s", s->dialer->proxy_host,
                denied ? "wants a user name and password" : "refused the tunnel");
        if (denied)
            err_hint(&err, "give them in the proxy's address: http://user:password@host:port");
        end(s, &err);
    } else if (s->proxy_answer.len > PROXY_ANSWER_MAX) {
        err_set(&err, ERR_PROTOCOL, "the proxy %s does not speak HTTP", s->dialer->proxy_host);
        end(s, &err);
    }
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    (void)wanted;
    struct tls_stream *s = handle->data;
    *room = uv_buf_init(s->dialer->room, READ_MAX);
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *room)
{
    struct tls_stream *s = tcp->data;
    if (s->closed || s->phase == PHASE_ENDED || n == 0)
        return;
    if (n > 0 && s->phase == PHASE_PROXY) {
        feed_proxy(s, room->base, (size_t)n);
    } else if (n > 0) {
        feed_tls(s, room->base, (size_t)n);
    } else if (n == UV_EOF && s->phase == PHASE_OPEN) {
        if (!s->eof_seen && s->base.events->on_eof)
            s->base.events->on_eof(s->base.arg);
        s->eof_seen = true;
        end(s, NULL);
    } else {
        end_unreachable(s, "connection to", (int)n);
    }
}

/* ------------------------------------------------------------------------------- connecting */

static void put_base64(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    char *room = buf_reserve(out, len / 3 * 4 + 5);
    int n = EVP_EncodeBlock((unsigned char *)room, (const unsigned char *)text, (int)len);
    buf_commit(out, (size_t)n);
}

static void ask_proxy(struct tls_stream *s)
{
    auto_wiped_buf struct buf text = {0};
    s->phase = PHASE_PROXY;
    buf_printf(&text, "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n", s->host, s->port, s->host,
               s->port);
    if (s->dialer->proxy_auth) {
        buf_puts(&text, "Proxy-Authorization: Basic ");
        put_base64(&text, s->dialer->proxy_auth);
        buf_puts(&text, "\r\n");
    }
    buf_puts(&text, "\r\n");
    send_raw(s, text.data, text.len);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct tls_stream *s = req->data;
    if (!s->closed && s->phase == PHASE_CONNECT) {
        if (status < 0 && s->next_address) {
            drop_tcp(s);
            connect_next(s);
        } else if (status < 0) {
            end_unreachable(s, "connect to", status);
        } else {
            (void)uv_tcp_nodelay(s->tcp, 1);
            (void)uv_read_start((uv_stream_t *)s->tcp, on_alloc, on_read);
            if (s->dialer->proxy_host)
                ask_proxy(s);
            else
                begin_tls(s);
        }
    }
    release(s);
}

static void connect_next(struct tls_stream *s)
{
    const struct addrinfo *address = s->next_address;
    s->next_address = address->ai_next;
    s->phase = PHASE_CONNECT;
    s->tcp = xcalloc(1, sizeof(*s->tcp));
    (void)uv_tcp_init(s->dialer->loop, s->tcp);
    s->tcp->data = s;
    s->connecting.data = s;
    s->waits += 2; /* the handle and the request */
    int status = uv_tcp_connect(&s->connecting, s->tcp, address->ai_addr, on_connected);
    if (status < 0) {
        s->waits--;
        end_unreachable(s, "connect to", status);
    }
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
    struct tls_stream *s = req->data;
    s->addresses = addresses;
    s->next_address = addresses;
    if (!s->closed && s->phase == PHASE_RESOLVE) {
        if (status < 0 || !addresses)
            end_unresolved(s, status);
        else
            connect_next(s);
    }
    release(s);
}

static struct stream *tls_stream_open(struct dialer *base, const char *path,
                                      const struct stream_events *events, void *arg)
{
    struct tls_dialer *d = (struct tls_dialer *)base;
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct tls_stream *s = xcalloc(1, sizeof(*s));
    const char *colon = strrchr(path, ':');
    size_t host_len = colon ? (size_t)(colon - path) : strlen(path);
    s->base = (struct stream){.ops = &tls_ops, .events = events, .arg = arg};
    s->dialer = d;
    s->host = xstrndup(path, host_len);
    s->port = xstrdup(colon ? colon + 1 : "443");
    (void)uv_timer_init(d->loop, &s->turn);
    s->turn.data = s->resolve.data = s;
    s->waits = 2; /* the timer and the look-up */
    int status =
        uv_getaddrinfo(d->loop, &s->resolve, on_resolved, d->proxy_host ? d->proxy_host : s->host,
                       d->proxy_host ? d->proxy_port : s->port, &hints);
    if (status < 0) {
        s->waits--;
        end_unresolved(s, status);
    }
    return &s->base;
}

/* ------------------------------------------------------------------------------- stream_ops */

static int tls_stream_write(struct stream *base, const void *data, size_t len, struct err *err)
{
    struct tls_stream *s = (struct tls_stream *)base;
    if (s->phase == PHASE_ENDED || s->shut)
        return err_set(err, ERR_UNREACHABLE, "the connection is closed");
    size_t waiting =
        s->early.len + (s->tcp ? uv_stream_get_write_queue_size((uv_stream_t *)s->tcp) : 0);
    if (waiting + len > STREAM_OUT_MAX)
        return err_set(err, ERR_BUSY, "too much waits for a slow peer");
    if (s->phase == PHASE_OPEN)
        send_plain(s, data, len);
    else
        buf_append(&s->early, data, len);
    return 0;
}

static void tls_stream_shutdown(struct stream *base)
{
    struct tls_stream *s = (struct tls_stream *)base;
    auto_buf struct buf wire = {0};
    s->shut = true;
    if (s->phase != PHASE_OPEN)
        return;
    tls_end(s->tls, &wire);
    send_raw(s, wire.data, wire.len);
}

static void tls_stream_pause(struct stream *base, bool paused)
{
    struct tls_stream *s = (struct tls_stream *)base;
    if (s->paused == paused || !s->tcp || s->phase != PHASE_OPEN)
        return;
    s->paused = paused;
    if (paused)
        (void)uv_read_stop((uv_stream_t *)s->tcp);
    else
        (void)uv_read_start((uv_stream_t *)s->tcp, on_alloc, on_read);
}

static void tls_stream_close(struct stream *base)
{
    struct tls_stream *s = (struct tls_stream *)base;
    if (s->closed)
        return;
    s->closed = true;
    s->phase = PHASE_ENDED;
    (void)uv_cancel((uv_req_t *)&s->resolve); /* too late is fine */
    drop_tcp(s);
    uv_close((uv_handle_t *)&s->turn, on_turn_closed);
}

/* ------------------------------------------------------------------------------- dialer */

static int set_proxy(struct tls_dialer *d, const char *proxy, struct err *err)
{
    proxy += str_starts(proxy, "http://") ? strlen("http://") : 0;
    const char *at = strrchr(proxy, '@');
    if (at)
        d->proxy_auth = xstrndup(proxy, (size_t)(at - proxy));
    if (at && at - proxy > 1000)
        return err_set(err, ERR_INVALID, "the proxy's user name and password are too long");
    proxy = at ? at + 1 : proxy;
    size_t len = strcspn(proxy, "/");
    const char *colon = memchr(proxy, ':', len);
    if (!colon || colon == proxy || colon + 1 == proxy + len)
        return err_set(err, ERR_INVALID, "the proxy must be given as host:port");
    d->proxy_host = xstrndup(proxy, (size_t)(colon - proxy));
    d->proxy_port = xstrndup(colon + 1, len - (size_t)(colon + 1 - proxy));
    return 0;
}

struct dialer *dialer_tls_new(uv_loop_t *loop, const char *ca_file, const char *proxy,
                              struct err *err)
{
    struct tls_dialer *d = xcalloc(1, sizeof(*d));
    d->base.open_unix = tls_stream_open;
    d->loop = loop;
    d->client = tls_client_new(ca_file && *ca_file ? ca_file : NULL, err);
    if (!d->client || (proxy && *proxy && set_proxy(d, proxy, err) < 0)) {
        dialer_tls_free(&d->base);
        return NULL;
    }
    return &d->base;
}

int dialer_tls_show(struct dialer *base, const char *cert_file, const char *key_file,
                    struct err *err)
{
    return tls_client_show(((struct tls_dialer *)base)->client, cert_file, key_file, err);
}

void dialer_tls_free(struct dialer *base)
{
    struct tls_dialer *d = (struct tls_dialer *)base;
    if (!d)
        return;
    tls_client_free(d->client);
    secret_free(d->proxy_auth);
    free(d->proxy_host);
    free(d->proxy_port);
    free(d);
}
