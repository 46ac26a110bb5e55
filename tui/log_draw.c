/* Draws a log view (log_view.h): full width, so that a terminal can scroll it by itself. */
#include "core/base/clock.h"
#include "core/base/str.h"
#include "tui/format.h"
#include "tui/log_lines.h"

#include <inttypes.h>
#include <string.h>

static int stamp(const struct log_view *v, const struct log_entry *e, char *to, size_t size)
{
    to[0] = '\0';
    if (v->stamps == LOG_STAMPS_UTC)
        clock_format(to, size, e->at_ms);
    else if (v->stamps != LOG_STAMPS_OFF)
        format_time(to, size, e->at_ms, v->stamps == LOG_STAMPS_MS);
    return (int)strlen(to);
}

/* Bytes of TEXT that make up at most COLUMNS columns; *RET_COLUMNS is how many they are. */
static size_t take_columns(const char *text, size_t len, size_t columns, size_t *ret_columns)
{
    size_t used = 0;
    size_t at = 0;
    while (at < len) {
        uint32_t point = 0;
        size_t n = 0;
        size_t w = (size_t)surface_point(text + at, len - at, &point, &n);
        if (used + w > columns)
            break;
        used += w;
        at += n;
    }
    if (ret_columns)
        *ret_columns = used;
    return at;
}

/* Where a line's text begins: behind the mark column, the time and the level. */
static int text_column(const struct log_view *v, const struct log_entry *e)
{
    char text[CLOCK_TEXT_MAX];
    int n = stamp(v, e, text, sizeof(text));
    return 1 + (n ? n + 1 : 0) + 2;
}

static int rows_of(const struct log_view *v, const struct log_entry *e, int width)
{
    int room = width - text_column(v, e);
    int rows = e->gap ? 2 : 1;
    if (!v->fold || room <= 0)
        return rows;
    size_t at = take_columns(e->text, e->len, (size_t)room, NULL);
    while (at < e->len) {
        size_t n = take_columns(e->text + at, e->len - at, (size_t)room, NULL);
        at += n ? n : 1;
        rows++;
    }
    return rows;
}

static void draw_gap(struct surface *s, struct area a, int y, uint64_t gap)
{
    char text[80];
    surface_rule(s, (struct area){y, a.x, 1, a.w}, NULL);
    (void)str_format(text, sizeof(text), "--gap-- %" PRIu64 " line%s not shown: %s ", gap,
                     gap == 1 ? "" : "s", "they came faster than could be read");
    surface_text(s, y, a.x, a.w, STYLE_WARN, text);
}

static void mark_matches(struct log_view *v, const struct log_entry *e, struct surface *s, int y,
                         int x, int room)
{
    size_t from = 0;
    size_t at = 0;
    size_t len = 0;
    for (int i = 0; v->finder && !v->fold && i < 64; i++) {
        size_t begin = 0;
        size_t columns = 0;
        if (!filter_find(v->finder, e->text, e->len, from, &at, &len))
            return;
        (void)take_columns(e->text, at, SIZE_MAX, &begin);
        (void)take_columns(e->text + at, len, SIZE_MAX, &columns);
        from = at + len;
        if (begin + columns <= v->left)
            continue;
        if (begin >= v->left + (size_t)room)
            return;
        size_t cut = begin < v->left ? v->left - begin : 0;
        surface_restyle(s, y, x + (int)(begin + cut - v->left), (int)(columns - cut), STYLE_MATCH);
    }
}

/* Draws one line at Y; returns the rows it took within the area. */
static int draw_line(struct log_view *v, const struct log_entry *e, struct surface *s,
                     struct area a, int y)
{
    char when[CLOCK_TEXT_MAX];
    enum line_level level = line_level_of(e->text, e->len);
    enum style style = level == LINE_LEVEL_ERROR  ? STYLE_BAD
                       : level == LINE_LEVEL_WARN ? STYLE_WARN
                                                  : STYLE_TEXT;
    char letter = line_level_letter(level);
    int top = y;
    int end = a.y + a.h;
    int x = text_column(v, e);
    int room = a.w - x;
    if (e->gap && y < end)
        draw_gap(s, a, y++, e->gap);
    if (y >= end)
        return y - top;
    if (stamp(v, e, when, sizeof(when)))
        surface_text(s, y, a.x + 1, -1, STYLE_TEXT, when);
    surface_raw(s, y, a.x + x - 2, 1, style, &letter, 1);
    size_t at = take_columns(e->text, e->len, v->fold ? 0 : v->left, NULL);
    do {
        size_t n = take_columns(e->text + at, e->len - at, (size_t)(room > 0 ? room : 0), NULL);
        surface_raw(s, y, a.x + x, room, level == LINE_LEVEL_ERROR ? style : STYLE_TEXT,
                    e->text + at, n);
        if (!v->fold)
            mark_matches(v, e, s, y, a.x + x, room);
        at += n ? n : 1;
        y++;
    } while (v->fold && at < e->len && y < end);
    return y - top;
}

/* The first line of a window of ROWS rows that ends with line LAST. */
static size_t window_above(const struct log_view *v, size_t last, int rows, int width)
{
    struct log_entry e;
    size_t i = last;
    while (log_lines_at(v, i, &e)) {
        rows -= rows_of(v, &e, width);
        if (rows < 0 && i < last)
            return i + 1;
        if (rows <= 0 || i == 0)
            return i;
        i--;
    }
    return i;
}

/* The line at the top: while following, the last ones show; else the window moves just enough to
 * show the mark. */
static size_t window_top(struct log_view *v, size_t n, struct area a)
{
    struct log_entry e;
    if (!v->paused)
        return window_above(v, n - 1, a.h, a.w);
    size_t mark = log_lines_find(v, v->mark);
    size_t top = log_lines_find(v, v->top);
    if (mark >= n)
        mark = n - 1;
    size_t lowest = window_above(v, mark, a.h, a.w);
    if (top > mark)
        top = mark;
    if (top < lowest)
        top = lowest;
    if (log_lines_at(v, top, &e))
        v->top = e.seq;
    if (log_lines_at(v, mark, &e))
        v->mark = e.seq;
    return top;
}

void log_view_draw(struct log_view *v, struct surface *s, struct area a)
{
    struct log_entry e;
    size_t n = log_lines_count(v);
    int y = a.y;
    v->page = (size_t)(a.h > 0 ? a.h : 0);
    surface_focus(s, a.y, a.x, false);
    if (!n || a.h <= 0)
        return;
    for (size_t i = window_top(v, n, a); i < n && y < a.y + a.h && log_lines_at(v, i, &e); i++) {
        int rows = draw_line(v, &e, s, a, y);
        int line_y = e.gap && rows > 1 ? y + 1 : y;
        if (v->paused && e.seq == v->mark)
            surface_text(s, line_y, a.x, 1, STYLE_STRONG, ">");
        if (!v->paused || e.seq == v->mark)
            surface_focus(s, line_y, a.x, false);
        y += rows;
    }
}
