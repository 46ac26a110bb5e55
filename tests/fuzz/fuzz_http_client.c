/* The HTTP client against any peer: the first byte chooses collected or streamed and how the answer
 * is cut into reads. The end must come exactly once, and what is kept must stay within its bound.
 */
#include "core/io/http_client.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream without a peer: the fuzzer calls its events. */
static struct stream *peer;
static bool peer_paused;

static int peer_write(struct stream *s, const void *data, size_t len, struct err *err)
{
    (void)s;
    (void)data;
    (void)len;
    (void)err;
    return 0;
}

static void peer_shutdown(struct stream *s)
{
    (void)s;
}

static void peer_pause(struct stream *s, bool paused)
{
    (void)s;
    peer_paused = paused;
}

static void peer_close(struct stream *s)
{
    assert(s == peer);
    free(peer);
    peer = NULL;
}

static const struct stream_ops peer_ops = {peer_write, peer_shutdown, peer_pause, peer_close};

static struct stream *peer_open(struct dialer *d, const char *path,
                                const struct stream_events *events, void *arg)
{
    (void)d;
    (void)path;
    peer_paused = false;
    peer = xcalloc(1, sizeof(*peer));
    *peer = (struct stream){.ops = &peer_ops, .events = events, .arg = arg};
    return peer;
}

struct seen {
    int ends;
    unsigned reads;
    struct http_call *call;
};

static bool on_data(void *arg, const char *data, size_t len)
{
    struct seen *s = arg;
    assert(data && len);
    return ++s->reads % 3 != 0;
}

static void on_done(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct seen *s = arg;
    char text[32];
    s->ends++;
    if (http_call_header(s->call, "Retry-After", text, sizeof(text)))
        assert(strlen(text) < sizeof(text));
    assert(body->len <= BODY_MAX && (err ? status == 0 : status >= 200));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    uv_loop_t loop;
    (void)uv_loop_init(&loop);
    struct dialer dialer = {.open_unix = peer_open};
    struct seen s = {0};
    bool streamed = data[0] & 1;
    size_t step = (data[0] >> 1) ? data[0] >> 1 : 65536;
    struct http_request request = {
        .method = data[0] & 64 ? "HEAD" : "GET", .target = "/", .body_max = BODY_MAX};
    s.call =
        http_call_start(&dialer, &loop, "/x", &request, streamed ? on_data : NULL, on_done, &s);
    for (size_t at = 1; peer && at < size;) {
        if (peer_paused) { /* a peer that is paused sends nothing */
            http_call_resume(s.call);
            (void)uv_run(&loop, UV_RUN_NOWAIT);
            continue;
        }
        size_t len = size - at < step ? size - at : step;
        peer->events->on_data(peer->arg, (const char *)data + at, len);
        at += len;
    }
    while (peer && peer_paused) {
        http_call_resume(s.call);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    if (peer)
        peer->events->on_eof(peer->arg);
    assert(s.ends == 1 && !peer);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&loop);
    assert(left == 0);
    return 0;
}
