/* For tests: WebSocket frames as a client sends them. */
#ifndef BERTH_TESTS_FRAMES_H
#define BERTH_TESTS_FRAMES_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum opcode { MORE = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static inline void frame_put(struct buf *to, enum opcode opcode, bool fin, const char *data,
                             size_t len)
{
    static const char mask[] = {0x12, 0x34, 0x56, 0x78};

    buf_putc(to, (char)((fin ? 0x80 : 0) | (int)opcode));
    buf_putc(to, (char)(0x80 | (len > 0xffff ? 127 : len > 125 ? 126 : (int)len)));
    for (int shift = len > 0xffff ? 56 : len > 125 ? 8 : -1; shift >= 0; shift -= 8)
        buf_putc(to, (char)((uint64_t)len >> shift));
    buf_append(to, mask, sizeof(mask));
    for (size_t i = 0; i < len; i++)
        buf_putc(to, (char)(data[i] ^ mask[i % 4]));
}

#endif
