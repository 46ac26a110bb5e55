/* One end of a connection between console and engine: lines in, lines out, over a unix socket on
 * the loop. Both sides use it. What waits to be sent is bounded; what comes in is bounded by
 * FRAME_MAX a line.
 *
 * Loop thread only. Callbacks never run from inside the call that caused them. */
#ifndef BERTH_RPC_WIRE_H
#define BERTH_RPC_WIRE_H

#include "core/base/err.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <uv.h>

#define WIRE_OUT_MAX (4U << 20) /* bytes that may wait for a slow reader */

struct wire;

struct wire_events {
    void (*on_line)(void *arg, const char *line, size_t len); /* may call wire_free */
    void (*on_drain)(void *arg); /* everything that waited is sent; may be NULL */
    void (*on_end)(
        void *arg,
        const struct err *why); /* last event: the peer closed or broke the rules; call wire_free */
};

/* Takes the connected, non-blocking socket FD, also where it fails. */
struct wire *wire_new(uv_loop_t *loop, int take_fd, const struct wire_events *events, void *arg,
                      struct err *err);

/* Closes it; no event comes any more. What waits is still sent if the socket takes it at once. NULL
 * is fine. */
void wire_free(struct wire *w);

/* Queues MESSAGE as one line. ERR_BUSY where more than WIRE_OUT_MAX would wait, ERR_INVALID where
 * it is longer than a line may be. */
int wire_send(struct wire *w, const cJSON *message, struct err *err);

/* Bytes that wait for the reader. */
size_t wire_queued(const struct wire *w);

#endif
