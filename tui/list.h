/* A marked row among many and the part of them that shows. Pure. */
#ifndef BERTH_TUI_LIST_H
#define BERTH_TUI_LIST_H

#include "tui/action.h"
#include "tui/surface.h"

#include <stdbool.h>
#include <stddef.h>

#define LIST_ACTIONS \
    ACTION_UP, ACTION_DOWN, ACTION_PAGE_UP, ACTION_PAGE_DOWN, ACTION_FIRST, ACTION_LAST

struct list {
    size_t n, sel, top;
    size_t page; /* rows shown by the last draw */
};

void list_resize(struct list *l, size_t n);          /* keeps the mark inside */
bool list_action(struct list *l, enum action_id id); /* true: it was a move */
/* Makes the marked row visible in PAGE rows; returns how many rows from l->top to draw. */
size_t list_window(struct list *l, size_t page);
/* Marks row Y as the focused one: ">" in column 1, style, cursor. */
void list_mark(struct surface *s, struct area a, int y);

#endif
