/* See websocket_stream.h. Events come from the stream below, so that none comes from inside a call;
 * a stream that is closed in one lives until that is over. */
#include "core/io/websocket_stream.h"

#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/digest.h"
#include "core/io/websocket.h"

#include <string.h>
#include <strings.h>

#define MESSAGE_MAX (1U << 20)
#define ANSWER_MAX  8192
#define KEY_SIZE    25 /* the base64 of 16 bytes, and the end */
#define GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct websocket_dialer {
    struct dialer base;
    struct dialer *under;
    char *path, *protocol;
};

struct websocket_stream {
    struct stream base;
    struct stream *under; /* NULL: at its end */
    struct websocket *websocket;
    char *protocol;
    char accept[DIGEST_SHA1_BASE64_SIZE]; /* what proves that the server understood */
    bool open, busy, closed;
    struct buf answer; /* the server's, so far */
    struct buf early;
};

static void release(struct websocket_stream *s)
{
    if (s->busy || !s->closed)
        return;
    websocket_free(s->websocket);
    free(s->protocol);
    buf_done(&s->answer);
    buf_wipe(&s->early);
    free(s);
}

/* From an event of the stream below. */
static void end(struct websocket_stream *s, const struct err *why)
{
    stream_close(steal(s->under));
    if (!s->closed)
        s->base.events->on_close(s->base.arg, why);
}

static void broke(struct websocket_stream *s, enum err_kind kind, const char *what)
{
    struct err err;

    err_set(&err, kind, "%s", what);
    end(s, &err);
}

static void send_wire(struct websocket_stream *s, const struct buf *wire)
{
    if (wire->len > 0 && s->under)
        (void)stream_write(s->under, wire->data, wire->len, NULL); /* its end follows */
}

/* ------------------------------------------------------------------------------- in */

static void feed(struct websocket_stream *s, const char *data, size_t len)
{
    auto_wiped_buf struct buf plain = {0};
    auto_buf struct buf wire = {0};

    websocket_feed(s->websocket, data, len, &plain, &wire);
    if (websocket_state(s->websocket) != WEBSOCKET_OPEN)
        websocket_end(s->websocket, &wire);
    send_wire(s, &wire);
    if (plain.len > 0)
        s->base.events->on_data(s->base.arg, plain.data, plain.len);
    if (!s->closed && websocket_state(s->websocket) == WEBSOCKET_ENDED)
        end(s, NULL);
    else if (!s->closed && websocket_state(s->websocket) == WEBSOCKET_BROKEN)
        broke(s, ERR_PROTOCOL, "the server broke the WebSocket protocol");
}

/* The value of the header NAME in the LEN bytes of HEAD; "" where there is none. */
static void header(const char *head, size_t len, const char *name, char *to, size_t size)
{
    const char *end = head + len;
    size_t name_len = strlen(name);

    to[0] = '\0';
    for (const char *at = head; at < end;) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        size_t n = (size_t)((line_end ? line_end : end) - at);

        if (n > name_len && at[name_len] == ':' && strncasecmp(at, name, name_len) == 0) {
            auto_free char *value = xstrndup(at + name_len + 1, n - name_len - 1);

            (void)str_copy(to, size, str_trim(value));
            return;
        }
        at += n + (line_end ? 2 : 0);
    }
}

/* Whether the LEN bytes of HEAD open a WebSocket. */
static int check_answer(const struct websocket_stream *s, const char *head, size_t len,
                        struct err *err)
{
    char value[100];

    if (!str_starts(head, "HTTP/1.1 "))
        return err_set(err, ERR_PROTOCOL, "the server does not speak HTTP");
    if (!str_starts(head + 9, "101"))
        return err_set(err, ERR_UNREACHABLE, "the server opens no WebSocket (HTTP status %.3s)",
                       head + 9);
    header(head, len, "Sec-WebSocket-Accept", value, sizeof(value));
    if (!str_eq(value, s->accept))
        return err_set(err, ERR_PROTOCOL, "the server's answer is not to this WebSocket");
    header(head, len, "Sec-WebSocket-Protocol", value, sizeof(value));
    if (!str_eq(value, s->protocol))
        return err_set(err, ERR_PROTOCOL, "the server's WebSocket is not for %s", s->protocol);
    header(head, len, "Sec-WebSocket-Extensions", value, sizeof(value));
    if (value[0])
        return err_set(err, ERR_PROTOCOL, "the server's WebSocket has extensions");
    return 0;
}

static void opened(struct websocket_stream *s)
{
    auto_wiped_buf struct buf wire = {0};

    s->open = true;
    websocket_write(s->websocket, s->early.data, s->early.len, &wire);
    buf_wipe(&s->early);
    send_wire(s, &wire);
    if (s->base.events->on_open)
        s->base.events->on_open(s->base.arg);
}

static void take_answer(struct websocket_stream *s, const char *data, size_t len)
{
    auto_buf struct buf answer = {0};
    struct err err;

    buf_append(&s->answer, data, len);

    const char *head = buf_str(&s->answer);
    const char *head_end = strstr(head, "\r\n\r\n");

    if (!head_end && s->answer.len > ANSWER_MAX)
        broke(s, ERR_PROTOCOL, "the server does not speak HTTP");
    if (!head_end)
        return;
    answer = s->answer;
    s->answer = (struct buf){0};

    size_t head_len = (size_t)(head_end - head);

    if (check_answer(s, head, head_len, &err) < 0) {
        end(s, &err);
        return;
    }
    opened(s);
    if (!s->closed && answer.len > head_len + 4)
        feed(s, answer.data + head_len + 4, answer.len - head_len - 4);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct websocket_stream *s = arg;

    s->busy = true;
    if (s->open)
        feed(s, data, len);
    else
        take_answer(s, data, len);
    s->busy = false;
    release(s);
}

static void on_eof(void *arg)
{
    struct websocket_stream *s = arg;

    s->busy = true;
    if (s->open && s->base.events->on_eof)
        s->base.events->on_eof(s->base.arg);
    s->busy = false;
    release(s);
}

static void on_close(void *arg, const struct err *why)
{
    struct websocket_stream *s = arg;

    s->busy = true;
    if (why || s->open)
        end(s, why);
    else
        broke(s, ERR_UNREACHABLE, "the server ended the connection");
    s->busy = false;
    release(s);
}

/* ------------------------------------------------------------------------------- stream_ops */

static int websocket_stream_write(struct stream *base, const void *data, size_t len,
                                  struct err *err)
{
    struct websocket_stream *s = (struct websocket_stream *)base;
    auto_wiped_buf struct buf wire = {0};

    if (!s->under)
        return err_set(err, ERR_UNREACHABLE, "the connection is closed");
    if (!s->open && s->early.len + len > STREAM_OUT_MAX)
        return err_set(err, ERR_BUSY, "too much waits for a slow peer");
    if (!s->open) {
        buf_append(&s->early, data, len);
        return 0;
    }
    websocket_write(s->websocket, data, len, &wire);
    return stream_write(s->under, wire.data, wire.len, err);
}

static void websocket_stream_shutdown(struct stream *base)
{
    struct websocket_stream *s = (struct websocket_stream *)base;
    auto_buf struct buf wire = {0};

    if (!s->under)
        return;
    if (s->open)
        websocket_end(s->websocket, &wire);
    send_wire(s, &wire);
    stream_shutdown(s->under);
}

static void websocket_stream_pause(struct stream *base, bool paused)
{
    struct websocket_stream *s = (struct websocket_stream *)base;

    if (s->under)
        stream_pause(s->under, paused);
}

static void websocket_stream_close(struct stream *base)
{
    struct websocket_stream *s = (struct websocket_stream *)base;

    stream_close(steal(s->under));
    s->closed = true;
    release(s);
}

/* ------------------------------------------------------------------------------- dialer */

static void make_key(char to[KEY_SIZE])
{
    unsigned char random[16];
    auto_buf struct buf text = {0};

    random_bytes(random, sizeof(random));
    base64_encode(random, sizeof(random), &text);
    (void)str_copy(to, KEY_SIZE, text.data);
}

static struct stream *websocket_stream_open(struct dialer *base, const char *target,
                                            const struct stream_events *events, void *arg)
{
    static const struct stream_ops ops = {
        .write = websocket_stream_write,
        .shutdown = websocket_stream_shutdown,
        .pause = websocket_stream_pause,
        .close = websocket_stream_close,
    };
    static const struct stream_events under_events = {
        .on_data = on_data, .on_eof = on_eof, .on_close = on_close};
    const struct websocket_dialer *d = (const struct websocket_dialer *)base;
    struct websocket_stream *s = xcalloc(1, sizeof(*s));
    char key[KEY_SIZE], seed[KEY_SIZE + sizeof(GUID)];
    auto_buf struct buf request = {0};

    s->base = (struct stream){.ops = &ops, .events = events, .arg = arg};
    s->websocket = websocket_client_new(MESSAGE_MAX);
    s->protocol = xstrdup(d->protocol);
    make_key(key);
    (void)str_format(seed, sizeof(seed), "%s" GUID, key);
    digest_sha1_base64(seed, strlen(seed), s->accept);
    buf_printf(&request,
               "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
               "Sec-WebSocket-Protocol: %s\r\n\r\n",
               d->path, target, key, d->protocol);
    s->under = d->under->open_unix(d->under, target, &under_events, s);
    (void)stream_write(s->under, request.data, request.len, NULL); /* nothing waits yet */
    return &s->base;
}

struct dialer *dialer_websocket_new(struct dialer *under, const char *path, const char *protocol)
{
    struct websocket_dialer *d = xcalloc(1, sizeof(*d));

    d->base.open_unix = websocket_stream_open;
    d->under = under;
    d->path = xstrdup(path);
    d->protocol = xstrdup(protocol);
    return &d->base;
}

void dialer_websocket_free(struct dialer *base)
{
    struct websocket_dialer *d = (struct websocket_dialer *)base;

    if (!d)
        return;
    free(d->path);
    free(d->protocol);
    free(d);
}
