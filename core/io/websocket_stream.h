/* Streams that are WebSockets over other streams: a dialer that asks an HTTP server for one. What
 * is written before the server agreed waits. Loop thread only. */
#ifndef BERTH_IO_WEBSOCKET_STREAM_H
#define BERTH_IO_WEBSOCKET_STREAM_H

#include "core/io/stream.h"

/* Over UNDER's streams (tls_stream.h; borrowed), whose "HOST:PORT" these have, too. PATH:
 * "/$iothub/websocket"; PROTOCOL: the sub-protocol. A server that does not agree ends the stream as
 * ERR_UNREACHABLE, one that breaks the protocol as ERR_PROTOCOL. */
struct dialer *dialer_websocket_new(struct dialer *under, const char *path, const char *protocol);
void dialer_websocket_free(struct dialer *base); /* when no stream of it is left; NULL is fine */

#endif
