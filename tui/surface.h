/* A grid of cells that screens draw to. Pure: no terminal, no clock. Everything is clipped to the
 * grid, so that a screen may draw at any size, down to 1x1. Text is UTF-8; its width is wcwidth()'s
 * (needs LC_CTYPE to be set); what has no width of its own is left out, what the locale cannot show
 * becomes "?". */
#ifndef BERTH_TUI_SURFACE_H
#define BERTH_TUI_SURFACE_H

#include "core/base/buf.h"
#include "tui/style.h"

#include <stdbool.h>
#include <stdint.h>

#define SURFACE_HEIGHT_MAX 500
#define SURFACE_WIDTH_MAX  1000

struct cell {
    uint32_t point; /* code point; 0 in the right half of a wide one */
    uint8_t style;  /* enum style */
};

struct surface {
    int h, w;
    int cursor_y, cursor_x; /* the focused thing: the hardware cursor stands there */
    bool cursor_shown;      /* one types there */
    struct cell *cells;     /* h * w, row by row */
};

/* A part of a surface. */
struct area {
    int y, x, h, w;
};

struct surface *surface_new(int h, int w); /* sizes are clamped to 1..MAX */
void surface_free(struct surface *s);
void surface_resize(struct surface *s, int h, int w); /* content is lost */
void surface_clear(struct surface *s);                /* blanks, cursor in the corner */
bool surface_equal(const struct surface *a, const struct surface *b);
void surface_copy(struct surface *to, const struct surface *from); /* takes on the size too */

/* Draw TEXT within MAX columns (< 0: to the edge); return the columns used. _text marks a cut with
 * "...", _raw just cuts. */
int surface_text(struct surface *s, int y, int x, int max, enum style style, const char *text);
int surface_raw(struct surface *s, int y, int x, int max, enum style style, const char *text,
                size_t len);
int surface_printf(struct surface *s, int y, int x, enum style style, const char *fmt, ...)
    ATTR_PRINTF(5, 6);
/* Right-aligned in the MAX columns from X. */
void surface_right(struct surface *s, int y, int x, int max, enum style style, const char *text);
/* Symbol, blank, WORD. */
int surface_light(struct surface *s, int y, int x, int max, enum light light, const char *word);
/* Words wrapped into an area; returns the rows used, at most a.h (the last one then ends in "...").
 */
int surface_wrap(struct surface *s, struct area a, enum style style, const char *text);
int surface_wrap_rows(const char *text, int width); /* rows that it would use */
/* A line over the area's first row, TITLE set into it where not NULL. */
void surface_rule(struct surface *s, struct area a, const char *title);
/* Gives the columns a style and leaves their text. */
void surface_restyle(struct surface *s, int y, int x, int max, enum style style);
/* Where the focus is. */
void surface_focus(struct surface *s, int y, int x, bool typing);

int surface_width(const char *text); /* columns */
/* Columns of the LEN bytes' first code point and its length in *RET_LEN. */
int surface_point(const char *text, size_t len, uint32_t *ret_point, size_t *ret_len);

/* The whole as text for tests and for "what is shown": rows end in \n, trailing blanks cut, rules
 * as "-". */
void surface_to_text(const struct surface *s, struct buf *out);

#endif
