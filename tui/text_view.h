/* A text of many lines and the part of it that shows, moved by the keys of a list. Pure. */
#ifndef BERTH_TUI_TEXT_VIEW_H
#define BERTH_TUI_TEXT_VIEW_H

#include "tui/action.h"
#include "tui/surface.h"

#define TEXT_VIEW_ACTIONS                                                                \
    ACTION_UP, ACTION_DOWN, ACTION_PAGE_UP, ACTION_PAGE_DOWN, ACTION_FIRST, ACTION_LAST, \
        ACTION_LEFT, ACTION_RIGHT

struct text_view {
    char *text;
    const char **lines; /* into the text; each ends at '\n' or with it */
    size_t n, top, left;
    size_t page; /* rows of the last draw */
};

/* Copies TEXT, whose bytes must be harmless; the window stays where it is as far as it can. */
void text_view_set(struct text_view *v, const char *text);
void text_view_done(struct text_view *v);                      /* an empty one is fine */
bool text_view_action(struct text_view *v, enum action_id id); /* true: it was a move */
void text_view_draw(struct text_view *v, struct surface *s, struct area a);
/* "lines 1-13 of 40"; "" where all of it shows. For after the draw. */
void text_view_where(const struct text_view *v, char *to, size_t size);

#endif
