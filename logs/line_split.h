/* Log bytes to lines: one open line per stream, time stamps stripped into at_ms, text sanitised.
 * Any chunking of the same bytes gives the same lines. A line of any length costs at most
 * LINE_SPLIT_KEEP bytes of memory per stream. Pure; any thread. */
#ifndef BERTH_LOGS_LINE_SPLIT_H
#define BERTH_LOGS_LINE_SPLIT_H

#include "core/base/attr.h"
#include "core/base/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a line that are kept, and the longest text of an entry. */
#define LINE_SPLIT_KEEP 16384

struct line_split;

/* ENTRY (its text too) is borrowed for the call. seq counts 1, 2, 3 ...; gap is 0: nothing is lost
 * here. */
typedef void (*line_split_fn)(void *arg, const struct log_entry *entry);

struct line_split_options {
    bool timestamps; /* each line (and each frame) may start with an RFC 3339 time and a space */
};

struct line_split *line_split_new(const struct line_split_options *options, line_split_fn fn,
                                  void *arg) ATTR_USE_RESULT;
void line_split_free(struct line_split *s);
DEFINE_AUTO(line_split, struct line_split, line_split_free)
#define auto_line_split ATTR_CLEANUP(line_split_freep)

/* Feeds bytes of STREAM (0..2). FIRST: they begin a frame (false where there are no frames); the
 * engine writes a time at the start of each frame, in the middle of a long line too. The signature
 * fits docker_frames_fn. */
void line_split_feed(void *split, uint8_t stream, bool first, const char *data, size_t len);

/* The stream is over: delivers lines that have no end. The splitter is as new, but counts on. */
void line_split_end(struct line_split *s);

#endif
