/* See list.h. */
#include "tui/list.h"

void list_resize(struct list *l, size_t n)
{
    l->n = n;
    if (l->sel >= n)
        l->sel = n ? n - 1 : 0;
}

bool list_action(struct list *l, enum action_id id)
{
    size_t last = l->n ? l->n - 1 : 0;
    size_t page = l->page ? l->page : 1;
    if (id == ACTION_UP)
        l->sel -= l->sel > 0;
    else if (id == ACTION_DOWN)
        l->sel += l->sel < last;
    else if (id == ACTION_PAGE_UP)
        l->sel = l->sel > page ? l->sel - page : 0;
    else if (id == ACTION_PAGE_DOWN)
        l->sel = l->sel + page < last ? l->sel + page : last;
    else if (id == ACTION_FIRST)
        l->sel = 0;
    else if (id == ACTION_LAST)
        l->sel = last;
    else
        return false;
    return true;
}

size_t list_window(struct list *l, size_t page)
{
    l->page = page;
    if (!page || !l->n)
        return 0;
    if (l->sel < l->top)
        l->top = l->sel;
    if (l->sel >= l->top + page)
        l->top = l->sel - page + 1;
    if (l->top + page > l->n)
        l->top = l->n > page ? l->n - page : 0;
    return l->n - l->top < page ? l->n - l->top : page;
}

void list_mark(struct surface *s, struct area a, int y)
{
    surface_restyle(s, y, a.x, a.w, STYLE_SELECTED);
    surface_text(s, y, a.x + 1, 1, STYLE_SELECTED, ">");
    surface_focus(s, y, a.x + 1, false);
}
