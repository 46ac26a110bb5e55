/* Cuts a byte stream into lines of at most FRAME_MAX bytes. Pure; used by both ends of the wire and
 * by the fuzzers. */
#ifndef BERTH_RPC_FRAME_H
#define BERTH_RPC_FRAME_H

#include "core/base/buf.h"
#include "core/base/err.h"

#define FRAME_MAX (1U << 20) /* bytes of a line, its line end not counted */

struct frame {
    struct buf data;
    size_t taken;   /* bytes at the front that were handed out */
    size_t scanned; /* bytes known to hold no line end */
};

void frame_done(struct frame *f);

/* Adds bytes of the peer, a read's worth; then call frame_next() until it does not return 1. */
void frame_push(struct frame *f, const void *data, size_t len);

/* 1: the next whole line, without its '\n', valid until the next push; empty lines are skipped. 0:
 * more bytes are needed. -1 with ERR_PROTOCOL: a line grew beyond FRAME_MAX, the stream is of no
 * use any more. */
int frame_next(struct frame *f, const char **ret_line, size_t *ret_len, struct err *err);

/* Overwrites what was handed out: it may have held a secret. */
void frame_wipe_taken(struct frame *f);

#endif
