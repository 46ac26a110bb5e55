/* See docker_frames.h. A byte-level state machine: either header bytes are being collected (left ==
 * 0) or payload is passed through. */
#include "logs/docker_frames.h"

#include <string.h>

#define STREAM_MAX 3 /* 0 input, 1 output, 2 errors, 3 the daemon's own errors */

void docker_frames_init(struct docker_frames *f, enum docker_mode mode, docker_frames_fn fn,
                        void *arg)
{
    *f = (struct docker_frames){.fn = fn, .arg = arg, .mode = mode, .first = true};
}

static bool header_fits(const unsigned char *header, size_t n)
{
    for (size_t i = 0; i < n && i < 4; i++)
        if (i == 0 ? header[i] > STREAM_MAX : header[i] != 0)
            return false;
    return true;
}

/* What was held back as a possible header is text after all. */
static void become_raw(struct docker_frames *f)
{
    f->mode = DOCKER_MODE_RAW;
    if (f->n_header)
        f->fn(f->arg, 1, true, (const char *)f->header, f->n_header);
    f->first = f->n_header == 0;
    f->n_header = 0;
}

static int refuse(struct docker_frames *f, struct err *err)
{
    f->broken = true;
    err_set(err, ERR_PROTOCOL, "the log stream is broken: no frame header where one is due");
    return err_hint(err, "open the log again");
}

static void open_frame(struct docker_frames *f)
{
    const unsigned char *h = f->header;
    f->mode = DOCKER_MODE_FRAMED;
    f->n_header = 0;
    f->first = true;
    f->stream = h[0] == 1 ? 1 : h[0] >= 2 ? 2 : 0;
    f->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | (uint32_t)h[7];
}

static size_t pass_on(struct docker_frames *f, uint8_t stream, const char *data, size_t len)
{
    f->fn(f->arg, stream, f->first, data, len);
    f->first = false;
    return len;
}

/* Collects header bytes. Returns how many of them were used; a negative number where they are no
 * header. */
static int take_header(struct docker_frames *f, const char *data, size_t len)
{
    size_t n = DOCKER_FRAMES_HEADER - f->n_header;
    if (n > len)
        n = len;
    memcpy(f->header + f->n_header, data, n);
    f->n_header += n;
    if (!header_fits(f->header, f->n_header)) {
        f->n_header -= n;
        return -1;
    }
    if (f->n_header == DOCKER_FRAMES_HEADER)
        open_frame(f);
    return (int)n;
}

int docker_frames_feed(struct docker_frames *f, const void *data, size_t len, struct err *err)
{
    const char *at = data;
    const char *end = at + len;
    if (f->broken)
        return refuse(f, err);

    while (at < end) {
        size_t rest = (size_t)(end - at);
        if (f->mode == DOCKER_MODE_RAW) {
            at += pass_on(f, 1, at, rest);
        } else if (f->left) {
            size_t n = pass_on(f, f->stream, at, rest < f->left ? rest : f->left);
            f->left -= (uint32_t)n;
            at += n;
        } else {
            int used = take_header(f, at, rest);
            if (used >= 0)
                at += used;
            else if (f->mode == DOCKER_MODE_DETECT)
                become_raw(f);
            else
                return refuse(f, err);
        }
    }
    return 0;
}

int docker_frames_end(struct docker_frames *f, struct err *err)
{
    if (f->broken)
        return refuse(f, err);
    if (f->mode == DOCKER_MODE_DETECT)
        become_raw(f);
    if (f->mode == DOCKER_MODE_FRAMED && (f->left || f->n_header))
        return err_set(err, ERR_PROTOCOL, "the log stream ended inside a frame");
    return 0;
}
