/* See websocket.h. wslay knows the frames, the order in which they may come, pings and the closing
 * handshake. It holds 8.5 KiB for a connection, which is more than a third of what an idle one may
 * cost; so it lives only while a message is under way, and whether one is, is counted here. */
#include "core/io/websocket.h"

#include "core/base/mem.h"
#include "core/base/random.h"

#include <assert.h>
#include <string.h>
#include <wslay/wslay.h>

struct websocket {
    wslay_event_context_ptr ctx; /* NULL at rest */
    bool client;
    uint64_t message_max;
    uint64_t message; /* bytes of the one under way, as announced so far */
    uint64_t number;  /* of messages that were complete */
    size_t unknown;   /* bytes that wslay took and has not explained yet: half a frame's header */
    bool in_frame;
    bool in_message;    /* fragments are still to come */
    bool control;       /* the frame at hand is one */
    bool last;          /* it ends its message */
    bool silent;        /* our goodbye is said */
    struct buf goodbye; /* what the peer's end, or its fault, is to be answered with */
    enum websocket_state state;
    const char *in; /* of the running call */
    size_t in_len;
    struct buf *plain, *wire;
};

/* ------------------------------------------------------------------------------------------ wslay
 * asks and tells */

static ssize_t on_want(wslay_event_context_ptr ctx, uint8_t *to, size_t size, int flags, void *arg)
{
    struct websocket *w = arg;
    size_t n = w->in_len < size ? w->in_len : size;

    (void)flags;
    if (n == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, w->in, n);
    w->in += n;
    w->in_len -= n;
    w->unknown += n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *arg)
{
    struct websocket *w = arg;

    (void)ctx, (void)flags;
    buf_append(w->wire, data, len);
    return (ssize_t)len;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *to, size_t len, void *arg)
{
    (void)ctx, (void)arg;
    random_bytes(to, len);
    return 0;
}

static void refuse(wslay_event_context_ptr ctx, uint16_t code)
{
    (void)wslay_event_queue_close(ctx, code, NULL, 0);
    wslay_event_shutdown_read(ctx);
}

/* Of a frame that came. */
static size_t header_size(const struct websocket *w, uint64_t payload)
{
    size_t mask = w->client ? 0U : 4U; /* only what a client sends has one */

    return (payload > 0xffff ? 10U : payload > 125 ? 4U : 2U) + mask;
}

static void on_frame(wslay_event_context_ptr ctx,
                     const struct wslay_event_on_frame_recv_start_arg *frame, void *arg)
{
    struct websocket *w = arg;

    w->unknown -= header_size(w, frame->payload_length);
    w->in_frame = true;
    w->control = wslay_is_ctrl_frame(frame->opcode);
    w->last = frame->fin;
    if (w->control)
        return;
    w->in_message = true;
    if (frame->opcode == WSLAY_TEXT_FRAME)
        refuse(ctx, WSLAY_CODE_UNSUPPORTED_DATA);
    else if (frame->payload_length > w->message_max - w->message)
        refuse(ctx, WSLAY_CODE_MESSAGE_TOO_BIG);
    else
        w->message += frame->payload_length;
}

static void on_piece(wslay_event_context_ptr ctx,
                     const struct wslay_event_on_frame_recv_chunk_arg *piece, void *arg)
{
    struct websocket *w = arg;

    w->unknown -= piece->data_length;
    if (!w->control && wslay_event_get_read_enabled(ctx))
        buf_append(w->plain, piece->data, piece->data_length);
}

static void on_frame_end(wslay_event_context_ptr ctx, void *arg)
{
    struct websocket *w = arg;

    (void)ctx;
    w->in_frame = false;
    if (!w->control && w->last) {
        w->in_message = false;
        w->message = 0;
    }
    w->number += !w->in_message;
}

/* ------------------------------------------------------------------------------------------ life
 */

struct websocket *websocket_new(uint64_t message_max)
{
    struct websocket *w = xcalloc(1, sizeof(*w));

    w->message_max = message_max;
    return w;
}

struct websocket *websocket_client_new(uint64_t message_max)
{
    struct websocket *w = websocket_new(message_max);

    w->client = true;
    return w;
}

void websocket_free(struct websocket *w)
{
    if (!w)
        return;
    wslay_event_context_free(w->ctx);
    buf_done(&w->goodbye);
    free(w);
}

bool websocket_midway(const struct websocket *w, uint64_t *ret_number)
{
    *ret_number = w->number;
    return w->state == WEBSOCKET_OPEN && (w->unknown > 0 || w->in_frame || w->in_message);
}

enum websocket_state websocket_state(const struct websocket *w)
{
    return w->state;
}

static void wake(struct websocket *w)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_want,
        .send_callback = on_send,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = on_piece,
        .on_frame_recv_end_callback = on_frame_end,
        .genmask_callback = on_mask,
    };

    if (w->ctx)
        return;
    if ((w->client ? wslay_event_context_client_init(&w->ctx, &callbacks, w)
                   : wslay_event_context_server_init(&w->ctx, &callbacks, w)) != 0)
        abort(); /* only memory can be missing */
    wslay_event_config_set_no_buffering(w->ctx, 1);
}

static void drop(struct websocket *w)
{
    wslay_event_context_free(w->ctx);
    w->ctx = NULL;
}

/* Takes to WIRE what wslay has to say, and lets it go where it has nothing to remember. */
static void settle(struct websocket *w, struct buf *wire)
{
    uint64_t number;

    w->wire = wire;
    if (wslay_event_send(w->ctx) != 0)
        abort(); /* the buffer takes everything */
    w->wire = NULL;
    if (!websocket_midway(w, &number))
        drop(w);
}

/* Up to the goodbye among them: that one waits for what its owner has still to say. */
static void put_answers(struct websocket *w, const struct buf *answers, struct buf *wire)
{
    const unsigned char *frames = (const unsigned char *)answers->data;
    size_t at = 0;

    while (at < answers->len && (frames[at] & 15) != WSLAY_CONNECTION_CLOSE)
        at += 2U + (frames[at + 1] & 0x7fU) + (w->client ? 4U : 0U); /* control frames are short */
    buf_append(wire, answers->data, at);
    buf_append(&w->goodbye, answers->data + at, answers->len - at);
}

void websocket_feed(struct websocket *w, const char *data, size_t len, struct buf *plain,
                    struct buf *wire)
{
    auto_buf struct buf answers = {0};

    if (w->state != WEBSOCKET_OPEN || w->silent || len == 0)
        return;
    wake(w);
    w->in = data;
    w->in_len = len;
    w->plain = plain;
    if (wslay_event_recv(w->ctx) != 0) {
        /* A frame that cannot be read: wslay would say goodbye without a reason. */
        drop(w);
        wake(w);
        refuse(w->ctx, WSLAY_CODE_PROTOCOL_ERROR);
    }
    w->plain = NULL;
    if (wslay_event_get_close_received(w->ctx))
        w->state = WEBSOCKET_ENDED;
    else if (!wslay_event_get_read_enabled(w->ctx))
        w->state = WEBSOCKET_BROKEN;
    assert(w->in_len == 0 || w->state != WEBSOCKET_OPEN);
    settle(w, &answers);
    if (answers.len > 0)
        put_answers(w, &answers, wire);
}

void websocket_write(struct websocket *w, const char *data, size_t len, struct buf *wire)
{
    const struct wslay_event_msg message = {
        .opcode = WSLAY_BINARY_FRAME, .msg = (const uint8_t *)data, .msg_length = len};

    if (w->silent || len == 0)
        return;
    wake(w);
    if (wslay_event_queue_msg(w->ctx, &message) != 0)
        abort(); /* only memory can be missing */
    settle(w, wire);
}

void websocket_end(struct websocket *w, struct buf *wire)
{
    if (w->silent)
        return;
    w->silent = true;
    if (w->goodbye.len > 0) {
        buf_append(wire, w->goodbye.data, w->goodbye.len);
        return;
    }
    wake(w);
    if (wslay_event_queue_close(w->ctx, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) != 0)
        abort(); /* only memory can be missing */
    settle(w, wire);
}
