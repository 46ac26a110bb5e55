/* See line_ring.h. Two circular arrays: fixed-size records, and a text area in which each text lies
 * whole; a text that does not fit before the end of the area starts again at its beginning. */
#include "logs/line_ring.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

struct record {
    uint64_t seq;
    uint64_t gap;
    uint64_t at_ms;
    size_t offset;
    uint32_t len;
    uint8_t stream;
    bool cut;
};

struct line_ring {
    struct record *records;
    size_t max_lines;
    size_t oldest;
    size_t count;
    char *area;
    size_t area_size;
    size_t area_end; /* where the next text goes */
    size_t bytes;
    uint64_t last;
    uint64_t lost;
};

struct line_ring *line_ring_new(size_t max_lines, size_t max_bytes)
{
    assert(max_lines > 0 && max_bytes > 0 && max_bytes < UINT32_MAX);
    struct line_ring *r = xcalloc(1, sizeof(*r));
    r->records = xcalloc(max_lines, sizeof(*r->records));
    r->max_lines = max_lines;
    r->area_size = max_bytes + 1; /* a terminator follows each text */
    r->area = xcalloc(r->area_size, 1);
    return r;
}

void line_ring_free(struct line_ring *r)
{
    if (!r)
        return;
    free(r->records);
    free(r->area);
    free(r);
}

void line_ring_clear(struct line_ring *r)
{
    r->oldest = r->count = 0;
    r->area_end = 0;
    r->bytes = 0;
    r->last = r->lost = 0;
}

static const struct record *record_at(const struct line_ring *r, size_t index)
{
    return &r->records[(r->oldest + index) % r->max_lines];
}

static void drop_oldest(struct line_ring *r)
{
    r->bytes -= record_at(r, 0)->len;
    r->oldest = (r->oldest + 1) % r->max_lines;
    r->count--;
}

static bool oldest_within(const struct line_ring *r, size_t from, size_t to)
{
    if (!r->count)
        return false;
    size_t offset = record_at(r, 0)->offset;
    return offset >= from && offset < to;
}

/* Makes room for SIZE (> 0) bytes in one piece and returns where they go. */
static size_t area_take(struct line_ring *r, size_t size)
{
    if (r->area_end + size > r->area_size) {
        while (oldest_within(r, r->area_end, r->area_size))
            drop_oldest(r);
        r->area_end = 0;
    }
    while (oldest_within(r, r->area_end, r->area_end + size))
        drop_oldest(r);
    size_t offset = r->area_end;
    r->area_end += size;
    return offset;
}

bool line_ring_push(struct line_ring *r, const struct log_entry *entry)
{
    uint64_t seq = entry->seq ? entry->seq : r->last + entry->gap + 1;
    if (seq <= r->last)
        return false;
    uint64_t gap = r->last ? seq - r->last - 1 : entry->gap;

    bool fits = entry->len < r->area_size;
    size_t len = fits ? entry->len : r->area_size - 1;
    while (!fits && len && ((unsigned char)entry->text[len] & 0xC0) == 0x80)
        len--;
    if (r->count == r->max_lines)
        drop_oldest(r);
    size_t offset = area_take(r, len + 1);
    if (len)
        memcpy(r->area + offset, entry->text, len);
    r->area[offset + len] = '\0';

    r->records[(r->oldest + r->count) % r->max_lines] = (struct record){
        .seq = seq,
        .gap = gap,
        .at_ms = entry->at_ms,
        .offset = offset,
        .len = (uint32_t)len,
        .stream = entry->stream,
        .cut = entry->cut || !fits,
    };
    r->count++;
    r->bytes += len;
    r->last = seq;
    r->lost += gap;
    return true;
}

size_t line_ring_count(const struct line_ring *r)
{
    return r->count;
}

size_t line_ring_bytes(const struct line_ring *r)
{
    return r->bytes;
}

uint64_t line_ring_first(const struct line_ring *r)
{
    return r->count ? record_at(r, 0)->seq : 0;
}

uint64_t line_ring_last(const struct line_ring *r)
{
    return r->last;
}

uint64_t line_ring_lost(const struct line_ring *r)
{
    return r->lost;
}

bool line_ring_at(const struct line_ring *r, size_t index, struct log_entry *ret_entry)
{
    if (index >= r->count)
        return false;
    const struct record *record = record_at(r, index);
    *ret_entry = (struct log_entry){
        .seq = record->seq,
        .gap = record->gap,
        .at_ms = record->at_ms,
        .stream = record->stream,
        .cut = record->cut,
        .text = r->area + record->offset,
        .len = record->len,
    };
    return true;
}

size_t line_ring_find(const struct line_ring *r, uint64_t seq)
{
    size_t low = 0;
    size_t high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (record_at(r, middle)->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool line_ring_next(const struct line_ring *r, uint64_t seq, struct log_entry *ret_entry)
{
    if (!line_ring_at(r, line_ring_find(r, seq), ret_entry))
        return false;
    ret_entry->gap = seq ? ret_entry->seq - seq : ret_entry->gap;
    return true;
}
