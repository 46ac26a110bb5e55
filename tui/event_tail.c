/* See event_tail.h. */
#include "tui/event_tail.h"

#include "core/base/str.h"
#include "tui/format.h"
#include "tui/request.h"

#include <inttypes.h>

#define LINES_MAX 500
#define BYTES_MAX (512UL * 1024)
#define BEGIN     50 /* so many of those that were kept */

void event_tail_init(struct event_tail *t)
{
    *t = (struct event_tail){.lines = line_ring_new(LINES_MAX, BYTES_MAX)};
}

void event_tail_done(struct event_tail *t, struct ui *ui)
{
    if (t->stream[0])
        request_events_stop(ui, t->stream);
    line_ring_free(t->lines);
}

void event_tail_follow(struct event_tail *t, struct ui *ui)
{
    if (t->stream[0] || t->asked)
        return;
    t->asked = true;
    line_ring_clear(t->lines);
    request_events_follow(ui, "", BEGIN);
}

void event_tail_lost(struct event_tail *t)
{
    t->stream[0] = '\0';
    t->asked = false;
}

void event_tail_reply(struct event_tail *t, const struct reply *reply)
{
    t->asked = false;
    t->err = reply->err ? *reply->err : (struct err){0};
    STR_SET(t->stream, reply->err ? "" : reply->id);
}

void event_tail_log(struct event_tail *t, const struct log_batch *batch)
{
    if (!t->stream[0] || !str_eq(batch->stream, t->stream))
        return;
    for (size_t i = 0; i < batch->n; i++)
        (void)line_ring_push(t->lines, &batch->entries[i]);
    if (batch->err)
        t->err = *batch->err;
    if (batch->end)
        t->stream[0] = '\0';
}

/* ---- drawing ---- */

/* Index of the first line of those that fill ROWS, gaps counted. */
static size_t first_shown(const struct line_ring *lines, size_t rows)
{
    struct log_entry e;
    size_t i = line_ring_count(lines);
    for (size_t used = 0; i > 0 && line_ring_at(lines, i - 1, &e); i--) {
        used += e.gap ? 2 : 1;
        if (used > rows)
            break;
    }
    return i;
}

static int draw_event(struct surface *s, const struct area *a, int y, const struct log_entry *e)
{
    char at[16];
    if (e->gap)
        surface_printf(s, y++, 1, STYLE_WARN, "-- %" PRIu64 " lost here: they came too fast --",
                       e->gap);
    format_time(at, sizeof(at), e->at_ms, false);
    surface_text(s, y, 1, 8, STYLE_TEXT, at);
    if (e->at_ms)
        surface_text(s, y, 10, a->w - 11, STYLE_TEXT, e->text);
    else
        surface_text(s, y, 1, a->w - 2, STYLE_WARN, e->text);
    return y + 1;
}

void event_tail_draw(const struct event_tail *t, struct surface *s, struct area a)
{
    struct log_entry e;
    size_t n = line_ring_count(t->lines);
    int y = a.y + 1;
    surface_rule(s, a, "What they send, as it arrives");
    if (!n && t->err.kind)
        surface_light(s, y, 1, a.w - 2, LIGHT_WARN, t->err.msg);
    else if (!n)
        surface_text(s, y, 1, -1, STYLE_TEXT, "Nothing yet.");
    for (size_t i = first_shown(t->lines, (size_t)(a.h - 1)); i < n; i++)
        if (line_ring_at(t->lines, i, &e))
            y = draw_event(s, &a, y, &e);
}
