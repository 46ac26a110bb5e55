/* Frames from a peer, in pieces of any size: the first byte says how they are cut. Every other
 * piece is answered with a message, and the end must be a goodbye. */
#include "core/io/websocket.h"

#include <stdlib.h>

#define MESSAGE_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last frame is the goodbye, and there is no other. */
static void check_wire(const struct buf *wire)
{
    const unsigned char *at = (const unsigned char *)wire->data, *end = at + wire->len;

    while (at[0] != 0x88) {
        if (at[0] != 0x82 && at[0] != 0x8a)
            abort();
        at += 2 + at[1];
        if (at >= end)
            abort();
    }
    if (at + 2 + at[1] != end)
        abort();
}

/* The same bytes as if a server sent them. */
static void feed_client(const uint8_t *data, size_t size)
{
    struct websocket *w = websocket_client_new(MESSAGE_MAX);
    auto_buf struct buf plain = {0};
    auto_buf struct buf wire = {0};
    size_t step = size > 0 ? data[0] + 1U : 1;

    for (size_t at = 1; at < size; at += step)
        websocket_feed(w, (const char *)data + at, size - at < step ? size - at : step, &plain,
                       &wire);
    if (plain.len > size)
        abort();
    websocket_end(w, &wire);
    websocket_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192)
        return -1;
    feed_client(data, size);

    struct websocket *w = websocket_new(MESSAGE_MAX);
    auto_buf struct buf plain = {0};
    auto_buf struct buf wire = {0};
    size_t step = size > 0 ? data[0] + 1U : 1;

    for (size_t at = 1; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;

        websocket_feed(w, (const char *)data + at, n, &plain, &wire);
        if (at % 2)
            websocket_write(w, "answer", 6, &wire);
    }
    if (plain.len > size)
        abort();
    websocket_end(w, &wire);
    check_wire(&wire);
    websocket_free(w);
    return 0;
}
