/* See text_view.h. */
#include "tui/text_view.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define SIDESTEP 20
#define LEFT_MAX 4000

void text_view_done(struct text_view *v)
{
    free(v->text);
    free(v->lines);
    *v = (struct text_view){0};
}

void text_view_set(struct text_view *v, const char *text)
{
    size_t n = 1;
    free(v->text);
    free(v->lines);
    v->text = xstrdup(text);
    for (const char *p = v->text; *p; p++)
        n += *p == '\n';
    v->lines = xcalloc(n, sizeof(*v->lines));
    v->n = 0;
    for (const char *p = v->text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        v->lines[v->n++] = p;
    if (v->top >= v->n)
        v->top = v->n - 1;
}

static void move_to(struct text_view *v, size_t top)
{
    size_t last = v->n > v->page ? v->n - v->page : 0;
    v->top = top < last ? top : last;
}

bool text_view_action(struct text_view *v, enum action_id id)
{
    size_t page = v->page > 1 ? v->page - 1 : 1;
    switch ((int)id) {
    case ACTION_UP:
        move_to(v, v->top ? v->top - 1 : 0);
        return true;
    case ACTION_DOWN:
        move_to(v, v->top + 1);
        return true;
    case ACTION_PAGE_UP:
        move_to(v, v->top > page ? v->top - page : 0);
        return true;
    case ACTION_PAGE_DOWN:
        move_to(v, v->top + page);
        return true;
    case ACTION_FIRST:
        move_to(v, 0);
        return true;
    case ACTION_LAST:
        move_to(v, v->n);
        return true;
    case ACTION_LEFT:
        v->left -= v->left < SIDESTEP ? v->left : SIDESTEP;
        return true;
    case ACTION_RIGHT:
        v->left += v->left < LEFT_MAX ? SIDESTEP : 0;
        return true;
    default:
        return false;
    }
}

/* Where LINE is as many columns in as the view is moved sideways. */
static const char *behind_left(const char *line, size_t len, size_t left)
{
    const char *end = line + len;
    for (size_t used = 0; line < end && used < left;) {
        uint32_t point = 0;
        size_t n = 0;
        used += (size_t)surface_point(line, (size_t)(end - line), &point, &n);
        line += n ? n : 1;
    }
    return line;
}

void text_view_draw(struct text_view *v, struct surface *s, struct area a)
{
    v->page = a.h > 0 ? (size_t)a.h : 0;
    move_to(v, v->top);
    for (size_t i = 0; i < v->page && v->top + i < v->n; i++) {
        const char *line = v->lines[v->top + i];
        size_t len = strcspn(line, "\n");
        const char *from = behind_left(line, len, v->left);
        auto_free char *text = xstrndup(from, len - (size_t)(from - line));
        surface_text(s, a.y + (int)i, a.x, a.w, STYLE_TEXT, text);
    }
    surface_focus(s, a.y, a.x, false);
}

void text_view_where(const struct text_view *v, char *to, size_t size)
{
    size_t last = v->top + v->page < v->n ? v->top + v->page : v->n;
    to[0] = '\0';
    if (v->n > v->page)
        (void)str_format(to, size, "lines %zu-%zu of %zu", v->top + 1, last, v->n);
}
