/* WebSocket (RFC 6455), either side, as a machine without sockets, as tls.h is: frames in, payload
 * and frames out. Binary messages only; their payload is one stream, whatever its pieces were. It
 * keeps no message, and nothing at all between messages. Loop thread only. */
#ifndef BERTH_IO_WEBSOCKET_H
#define BERTH_IO_WEBSOCKET_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct websocket;

enum websocket_state {
    WEBSOCKET_OPEN,
    WEBSOCKET_ENDED,  /* the peer said goodbye */
    WEBSOCKET_BROKEN, /* the peer broke the protocol */
};

/* For a server. A message of more than MESSAGE_MAX bytes breaks the protocol. */
struct websocket *websocket_new(uint64_t message_max);
struct websocket *websocket_client_new(uint64_t message_max);
void websocket_free(struct websocket *w); /* NULL is fine */

/* Takes bytes from the peer. Appends what they carry to PLAIN and the answers to pings to WIRE.
 * Nothing once it is not WEBSOCKET_OPEN. */
void websocket_feed(struct websocket *w, const char *data, size_t len, struct buf *plain,
                    struct buf *wire);
/* Appends a message to WIRE. */
void websocket_write(struct websocket *w, const char *data, size_t len, struct buf *wire);
/* Says goodbye, once: the answer to the peer's, or what it did wrong, or that all is well.
 * Nothing is said after it. */
void websocket_end(struct websocket *w, struct buf *wire);

enum websocket_state websocket_state(const struct websocket *w);
/* A message has begun that is not complete yet; which one: RET_NUMBER. */
bool websocket_midway(const struct websocket *w, uint64_t *ret_number);

#endif
