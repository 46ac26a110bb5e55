/* WebSocket (RFC 6455) on the server's side as a machine without sockets, as tls.h is: frames in,
 * payload and frames out. Binary messages only; their payload is one stream, whatever its pieces
 * were. It keeps no message, and nothing at all between messages. Loop thread only. */
#ifndef BERTH_IO_WEBSOCKET_H
#define BERTH_IO_WEBSOCKET_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct websocket;

enum websocket_state {
    WEBSOCKET_OPEN,
    WEBSOCKET_ENDED,  /* the client said goodbye, and was answered */
    WEBSOCKET_BROKEN, /* the client broke the protocol, and was told so */
};

/* A message of more than MESSAGE_MAX bytes breaks the protocol. */
struct websocket *websocket_new(uint64_t message_max);
void websocket_free(struct websocket *w); /* NULL is fine */

/* Takes bytes from the client. Appends what they carry to PLAIN and what must be answered to WIRE.
 * Nothing once a goodbye was said, by whomever. */
void websocket_feed(struct websocket *w, const char *data, size_t len, struct buf *plain,
                    struct buf *wire);
/* Appends a message to WIRE. Nothing once a goodbye was said. */
void websocket_write(struct websocket *w, const char *data, size_t len, struct buf *wire);
/* Says goodbye, once. */
void websocket_end(struct websocket *w, struct buf *wire);

enum websocket_state websocket_state(const struct websocket *w);
/* A message has begun that is not complete yet; which one: RET_NUMBER. */
bool websocket_midway(const struct websocket *w, uint64_t *ret_number);

#endif
