/* The last lines of a log, bounded by count and by bytes, each with its sequence number. What was
 * lost (here or before) is counted exactly, so that a view can show "12 lines lost" where they are
 * missing. One thread. */
#ifndef BERTH_LOGS_LINE_RING_H
#define BERTH_LOGS_LINE_RING_H

#include "core/base/attr.h"
#include "core/base/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_ring;

/* Holds at most MAX_LINES lines and MAX_BYTES of text (both > 0; memory is touched as it fills).
 * Free with line_ring_free. */
struct line_ring *line_ring_new(size_t max_lines, size_t max_bytes) ATTR_USE_RESULT;
void line_ring_free(struct line_ring *r);
DEFINE_AUTO(line_ring, struct line_ring, line_ring_free)
#define auto_line_ring ATTR_CLEANUP(line_ring_freep)

/* Copies ENTRY in, dropping the oldest lines as needed. seq 0: numbered on (gap counts). A seq
 * beyond the next one makes the hole between them its gap; one that is not beyond the last (a
 * second delivery) is ignored: false. A text longer than MAX_BYTES is cut. */
bool line_ring_push(struct line_ring *r, const struct log_entry *entry);

/* Forgets the lines and the numbering. */
void line_ring_clear(struct line_ring *r);

size_t line_ring_count(const struct line_ring *r);
size_t line_ring_bytes(const struct line_ring *r);   /* of text kept */
uint64_t line_ring_first(const struct line_ring *r); /* seq of the oldest line kept; 0 when empty */
uint64_t line_ring_last(
    const struct line_ring *r); /* seq of the newest line ever pushed; 0 for none */
uint64_t line_ring_lost(
    const struct line_ring *r); /* lines that were never received: the sum of all gaps pushed */

/* The line at INDEX (0 oldest). Its text is borrowed until the next push or clear; gap is what was
 * lost just before it on the way here (for index 0: not what the ring itself dropped). */
bool line_ring_at(const struct line_ring *r, size_t index, struct log_entry *ret_entry);

/* Index of the first line with a seq >= SEQ; the count where there is none. */
size_t line_ring_find(const struct line_ring *r, uint64_t seq);

/* Reading on: the first line with a seq >= SEQ (1: from the start); its gap is the exact number of
 * lines between SEQ and it that the reader will never see, whether lost before or dropped by the
 * ring. Go on with ret_entry->seq + 1. False at the end. */
bool line_ring_next(const struct line_ring *r, uint64_t seq, struct log_entry *ret_entry);

#endif
