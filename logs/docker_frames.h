/* Takes Docker's log stream apart: frames of eight header bytes (stream 0..3, three zeros, payload
 * length in big-endian order) and a payload. The payload is handed on as it arrives, so a frame of
 * any claimed length costs no memory. Pure; any thread. */
#ifndef BERTH_LOGS_DOCKER_FRAMES_H
#define BERTH_LOGS_DOCKER_FRAMES_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCKER_FRAMES_HEADER 8

enum docker_mode {
    DOCKER_MODE_FRAMED, /* a wrong header ends the stream */
    DOCKER_MODE_RAW,    /* a container with a TTY: bytes as they are, all of stream 1 */
    DOCKER_MODE_DETECT, /* the first header decides */
};

/* A piece of the payload of a frame of STREAM (1 output, 2 errors, 0 otherwise). FIRST: the piece
 * begins a frame. LEN > 0. */
typedef void (*docker_frames_fn)(void *arg, uint8_t stream, bool first, const char *data,
                                 size_t len);

/* In place, owns nothing; the members belong to docker_frames.c. */
struct docker_frames {
    docker_frames_fn fn;
    void *arg;
    enum docker_mode mode;
    bool first;  /* no byte of the open frame was handed on yet */
    bool broken; /* a wrong header was seen */
    uint8_t stream;
    uint32_t left; /* payload bytes of the open frame still to come */
    size_t n_header;
    unsigned char header[DOCKER_FRAMES_HEADER];
};

void docker_frames_init(struct docker_frames *f, enum docker_mode mode, docker_frames_fn fn,
                        void *arg);

/* Feeds bytes in chunks of any size. ERR_PROTOCOL on a header that is none, then and for every
 * later call. */
int docker_frames_feed(struct docker_frames *f, const void *data, size_t len, struct err *err);

/* The stream is over. ERR_PROTOCOL where it stops inside a frame. */
int docker_frames_end(struct docker_frames *f, struct err *err);

#endif
