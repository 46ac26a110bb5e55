/* A module's log as the direct methods give it away: the engine's frames in; the lines wanted out,
 * as text or as a JSON array, perhaps compressed. Pure. */
#ifndef BERTH_EDGED_METHOD_TEXT_H
#define BERTH_EDGED_METHOD_TEXT_H

#include "core/base/buf.h"
#include "vm/guest/edged/method_request.h"

#include <stdint.h>

struct method_text;

struct method_text_options {
    const struct method_item *item;
    bool gzip;
    bool json; /* frames then begin with the engine's time: ask it for that */
    const char *hub, *device, *module;
};

/* What OPTIONS point to outlives it. */
struct method_text *method_text_new(const struct method_text_options *options);
void method_text_free(struct method_text *t); /* NULL is fine */

/* Fits docker_frames_fn; ARG is the method_text. */
void method_text_feed(void *arg, uint8_t stream, bool first, const char *data, size_t len);
void method_text_end(struct method_text *t); /* no more comes: what is held goes out */

/* What came out so far; the caller may consume it. */
struct buf *method_text_out(struct method_text *t);

#endif
