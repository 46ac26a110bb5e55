/* See surface.h. */
#include "tui/surface.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdarg.h>
#include <string.h>
#include <wchar.h>

static int clamp(int value, int max)
{
    return value < 1 ? 1 : value > max ? max : value;
}

struct surface *surface_new(int h, int w)
{
    struct surface *s = xcalloc(1, sizeof(*s));
    surface_resize(s, h, w);
    return s;
}

void surface_free(struct surface *s)
{
    if (!s)
        return;
    free(s->cells);
    free(s);
}

void surface_resize(struct surface *s, int h, int w)
{
    s->h = clamp(h, SURFACE_HEIGHT_MAX);
    s->w = clamp(w, SURFACE_WIDTH_MAX);
    s->cells = xreallocarray(s->cells, (size_t)s->h * (size_t)s->w, sizeof(*s->cells));
    surface_clear(s);
}

void surface_clear(struct surface *s)
{
    for (size_t i = 0; i < (size_t)s->h * (size_t)s->w; i++)
        s->cells[i] = (struct cell){.point = ' ', .style = STYLE_TEXT};
    surface_focus(s, s->h - 1, s->w - 1, false);
}

bool surface_equal(const struct surface *a, const struct surface *b)
{
    if (a->h != b->h || a->w != b->w || a->cursor_y != b->cursor_y || a->cursor_x != b->cursor_x ||
        a->cursor_shown != b->cursor_shown)
        return false;
    for (size_t i = 0; i < (size_t)a->h * (size_t)a->w; i++)
        if (a->cells[i].point != b->cells[i].point || a->cells[i].style != b->cells[i].style)
            return false;
    return true;
}

void surface_copy(struct surface *to, const struct surface *from)
{
    if (to->h != from->h || to->w != from->w)
        surface_resize(to, from->h, from->w);
    memcpy(to->cells, from->cells, (size_t)to->h * (size_t)to->w * sizeof(*to->cells));
    surface_focus(to, from->cursor_y, from->cursor_x, from->cursor_shown);
}

static struct cell *cell_at(struct surface *s, int y, int x)
{
    return &s->cells[(size_t)y * (size_t)s->w + (size_t)x];
}

/* Writes one code point of WIDTH columns; half-covered wide ones beside it become blanks. */
static void put_point(struct surface *s, int y, int x, uint32_t point, int width, enum style style)
{
    if (!cell_at(s, y, x)->point && x > 0)
        cell_at(s, y, x - 1)->point = ' ';
    if (x + width < s->w && !cell_at(s, y, x + width)->point)
        cell_at(s, y, x + width)->point = ' ';
    *cell_at(s, y, x) = (struct cell){.point = point, .style = (uint8_t)style};
    if (width == 2)
        *cell_at(s, y, x + 1) = (struct cell){.point = 0, .style = (uint8_t)style};
}

int surface_point(const char *text, size_t len, uint32_t *ret_point, size_t *ret_len)
{
    size_t n = str_utf8_decode(text, len, ret_point);
    if (!n) {
        *ret_point = '?';
        *ret_len = 1;
        return 1;
    }
    *ret_len = n;
    if (*ret_point >= 0x20 && *ret_point < 0x7F)
        return 1;
    int width = *ret_point < 0x20 ? -1 : wcwidth((wchar_t)*ret_point);
    if (width >= 0)
        return width > 2 ? 2 : width;
    *ret_point = '?';
    return 1;
}

int surface_width(const char *text)
{
    int columns = 0;
    size_t left = strlen(text);
    for (size_t n = 0; left; text += n, left -= n) {
        uint32_t point = 0;
        columns += surface_point(text, left, &point, &n);
    }
    return columns;
}

int surface_raw(struct surface *s, int y, int x, int max, enum style style, const char *text,
                size_t len)
{
    int room = max < 0 || max > s->w ? s->w : max;
    int used = 0;
    if (y < 0 || y >= s->h || x < 0)
        return 0;
    for (size_t n = 0; len; text += n, len -= n) {
        uint32_t point = 0;
        int width = surface_point(text, len, &point, &n);
        if (used + width > room || x + used + width > s->w)
            break;
        if (width)
            put_point(s, y, x + used, point, width, style);
        used += width;
    }
    return used;
}

int surface_text(struct surface *s, int y, int x, int max, enum style style, const char *text)
{
    int room = s->w - x;
    if (max >= 0 && max < room)
        room = max;
    if (room <= 0)
        return 0;
    size_t len = strlen(text);
    if (room < 8 || surface_width(text) <= room)
        return surface_raw(s, y, x, room, style, text, len);
    int used = surface_raw(s, y, x, room - 3, style, text, len);
    return used + surface_raw(s, y, x + used, 3, style, "...", 3);
}

int surface_printf(struct surface *s, int y, int x, enum style style, const char *fmt, ...)
{
    auto_buf struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    return surface_text(s, y, x, -1, style, buf_str(&text));
}

void surface_right(struct surface *s, int y, int x, int max, enum style style, const char *text)
{
    int width = surface_width(text);
    surface_text(s, y, x + (width < max ? max - width : 0), width < max ? width : max, style, text);
}

int surface_light(struct surface *s, int y, int x, int max, enum light light, const char *word)
{
    const char *symbol = light_symbol(light);
    int used = surface_text(s, y, x, max, light_style(light), symbol);
    int gap = LIGHT_SYMBOL_WIDTH + 1;
    if (max >= 0 && max <= gap)
        return used;
    return gap + surface_text(s, y, x + gap, max < 0 ? -1 : max - gap, STYLE_TEXT, word);
}

/* Length of the next row of TEXT that fits WIDTH columns, cut at a blank where there is one. */
static size_t wrap_row(const char *text, int width)
{
    size_t len = strlen(text);
    size_t at = 0;
    size_t blank = 0;
    int used = 0;
    while (at < len) {
        uint32_t point = 0;
        size_t n = 0;
        if (text[at] == '\n')
            return at;
        if (text[at] == ' ')
            blank = at;
        int w = surface_point(text + at, len - at, &point, &n);
        if (used + w > width)
            return blank ? blank : at ? at : n;
        used += w;
        at += n;
    }
    return at;
}

int surface_wrap_rows(const char *text, int width)
{
    int rows = 0;
    for (; *text && width > 0; rows++) {
        size_t n = wrap_row(text, width);
        text += n + (text[n] == ' ' || text[n] == '\n');
    }
    return rows;
}

int surface_wrap(struct surface *s, struct area a, enum style style, const char *text)
{
    int row = 0;
    if (a.w <= 0)
        return 0;
    while (*text && row < a.h) {
        size_t n = wrap_row(text, a.w);
        const char *rest = text + n + (text[n] == ' ' || text[n] == '\n');
        if (row + 1 == a.h && *rest)
            surface_text(s, a.y + row, a.x, a.w, style, text);
        else
            surface_raw(s, a.y + row, a.x, a.w, style, text, n);
        text = rest;
        row++;
    }
    return row;
}

void surface_rule(struct surface *s, struct area a, const char *title)
{
    if (a.y < 0 || a.y >= s->h || a.x < 0)
        return;
    for (int x = a.x; x < a.x + a.w && x < s->w; x++)
        put_point(s, a.y, x, '-', 1, STYLE_RULE);
    if (!title || !*title || a.w < 8)
        return;
    int used = surface_text(s, a.y, a.x + 3, a.w - 5, STYLE_STRONG, title);
    surface_raw(s, a.y, a.x + 2, 1, STYLE_RULE, " ", 1);
    surface_raw(s, a.y, a.x + 3 + used, 1, STYLE_RULE, " ", 1);
}

void surface_restyle(struct surface *s, int y, int x, int max, enum style style)
{
    if (y < 0 || y >= s->h)
        return;
    for (int i = x < 0 ? 0 : x; i < s->w && (max < 0 || i < x + max); i++)
        cell_at(s, y, i)->style = (uint8_t)style;
}

void surface_focus(struct surface *s, int y, int x, bool typing)
{
    s->cursor_y = y < 0 ? 0 : y >= s->h ? s->h - 1 : y;
    s->cursor_x = x < 0 ? 0 : x >= s->w ? s->w - 1 : x;
    s->cursor_shown = typing;
}

static void put_utf8(struct buf *out, uint32_t p)
{
    if (p < 0x80) {
        buf_putc(out, (char)p);
        return;
    }
    int more = p < 0x800 ? 1 : p < 0x10000 ? 2 : 3;
    buf_putc(out, (char)((0xFF00U >> (more + 1) & 0xFF) | p >> (6 * more)));
    while (more--)
        buf_putc(out, (char)(0x80 | (p >> (6 * more) & 0x3F)));
}

void surface_to_text(const struct surface *s, struct buf *out)
{
    for (int y = 0; y < s->h; y++) {
        size_t keep = out->len;
        for (int x = 0; x < s->w; x++) {
            uint32_t p = s->cells[(size_t)y * (size_t)s->w + (size_t)x].point;
            if (p)
                put_utf8(out, p);
            if (p && p != ' ')
                keep = out->len;
        }
        if (out->len > keep)
            out->len = keep;
        buf_putc(out, '\n');
    }
}
