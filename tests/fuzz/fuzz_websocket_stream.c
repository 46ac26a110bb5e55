/* The client's side of a WebSocket's opening, and what follows it, against any server. Bit 0 of the
 * first byte: the answer begins with a status and the right Sec-WebSocket-Accept, which nobody can
 * guess; the others say how the rest is cut into reads. It opens once at the most, gives nothing
 * before, and ends exactly once. */
#include "core/io/websocket_stream.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream without a peer: the fuzzer calls its events. */
static struct stream *peer;
static char accept_line[80];

static int peer_write(struct stream *s, const void *data, size_t len, struct err *err)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    const char *key = memmem(data, len, name, strlen(name));

    (void)s, (void)err;
    if (key && !accept_line[0]) {
        char seed[24 + sizeof(GUID)], accept[DIGEST_SHA1_BASE64_SIZE];

        (void)str_format(seed, sizeof(seed), "%.24s" GUID, key + strlen(name));
        digest_sha1_base64(seed, strlen(seed), accept);
        (void)str_format(accept_line, sizeof(accept_line), "Sec-WebSocket-Accept: %s\r\n", accept);
    }
    return 0;
}

static void peer_shutdown(struct stream *s)
{
    (void)s;
}

static void peer_pause(struct stream *s, bool paused)
{
    (void)s, (void)paused;
}

static void peer_close(struct stream *s)
{
    assert(s == peer);
    free(peer);
    peer = NULL;
}

static struct stream *peer_open(struct dialer *d, const char *target,
                                const struct stream_events *events, void *arg)
{
    static const struct stream_ops ops = {peer_write, peer_shutdown, peer_pause, peer_close};

    (void)d, (void)target;
    peer = xcalloc(1, sizeof(*peer));
    *peer = (struct stream){.ops = &ops, .events = events, .arg = arg};
    return peer;
}

struct seen {
    unsigned opened, ended;
};

static void on_open(void *arg)
{
    struct seen *s = arg;

    assert(s->opened++ == 0 && !s->ended);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct seen *s = arg;

    assert(data && len > 0 && s->opened && !s->ended);
}

static void on_close(void *arg, const struct err *why)
{
    struct seen *s = arg;

    assert(s->ended++ == 0 && (s->opened || why));
}

static void say(const void *data, size_t len)
{
    if (peer && len > 0)
        peer->events->on_data(peer->arg, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char status[] = "HTTP/1.1 101 Switching Protocols\r\n";
    static const struct stream_events events = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    struct dialer under = {.open_unix = peer_open};
    struct seen seen = {0};

    if (!size)
        return 0;
    accept_line[0] = '\0';

    struct dialer *dialer = dialer_websocket_new(&under, "/ws", "mqtt");
    struct stream *s = dialer->open_unix(dialer, "hub:443", &events, &seen);
    size_t step = data[0] > 1 ? data[0] >> 1 : size;

    (void)stream_write(s, "early", 5, NULL);
    assert(accept_line[0]);
    if (data[0] & 1) {
        say(status, strlen(status));
        say(accept_line, strlen(accept_line));
    }
    for (size_t at = 1; at < size; at += step)
        say(data + at, size - at < step ? size - at : step);
    if (peer)
        peer->events->on_close(peer->arg, NULL);
    assert(seen.ended == 1 && !peer);
    stream_close(s);
    dialer_websocket_free(dialer);
    return 0;
}
