/* See frame.h. */
#include "tui/frame.h"

#include "core/base/str.h"
#include "tui/format.h"

static const char *const tab_names[] = {"1 Dash", "2 Modules", "3 Logs", "4 Metrics", "5 VM"};
_Static_assert(ARRAY_LEN(tab_names) == TAB_COUNT, "a name for each tab");

/* Label and symbol, blanks up to COLUMNS. */
static int draw_state(struct surface *s, int x, const char *label, enum light light)
{
    x += surface_text(s, 0, x, -1, STYLE_TITLE, label);
    x += 1 + surface_text(s, 0, x + 1, -1, light_style(light), light_symbol(light));
    return x + (light_symbol(light)[3] ? 2 : 3);
}

#define STATES_WIDTH 37 /* "VM [OK]  Edge [OK]  Cloud [OK]  14:31" */

static void draw_states(const struct view *view, struct surface *s, int x)
{
    char clock[8];
    const struct vm_status *vm = view_vm(view);
    x = draw_state(s, x, "VM", vm ? vm_state_light(vm->state) : LIGHT_OFF);
    x = draw_state(s, x, "Edge", vm ? runtime_state_light(vm->runtime) : LIGHT_OFF);
    x = draw_state(s, x, "Cloud", vm ? cloud_state_light(vm->cloud) : LIGHT_OFF);
    format_clock(clock, sizeof(clock), view->now_ms);
    surface_text(s, 0, x, 5, STYLE_TITLE, clock);
}

static void draw_title(const struct view *view, const struct screen *screen, const void *state,
                       struct surface *s)
{
    char crumb[120];
    const char *note = view->link == LINK_LOST                        ? "[X] no engine"
                       : view->link != LINK_READY || !view->have_snap ? "[..] connecting"
                       : !view->snap.n_vms                            ? "no VM yet"
                                                                      : NULL;
    int right = s->w - 1 - (note ? surface_width(note) : STATES_WIDTH);
    int x = 1;
    STR_SET(crumb, screen->title);
    if (screen->crumb)
        screen->crumb(view, state, crumb, sizeof(crumb));
    x += surface_text(s, 0, x, -1, STYLE_TITLE, "berth") + 2;
    int spare = right - 2 - x - surface_width(crumb) - 2;
    if (view->snap.host[0])
        x += surface_text(s, 0, x, spare > 8 ? spare : 8, STYLE_TITLE, view->snap.host) + 2;
    surface_text(s, 0, x, right - 2 - x, STYLE_STRONG, crumb);
    if (note)
        surface_text(s, 0, right, -1, STYLE_TITLE, note);
    else
        draw_states(view, s, right);
}

static void draw_tabs(struct surface *s, enum tab tab)
{
    int x = 1;
    for (int i = 0; i < TAB_COUNT; i++)
        x += 2 +
             surface_text(s, 1, x, -1, i == (int)tab ? STYLE_SELECTED : STYLE_TEXT, tab_names[i]);
}

static bool possible(const struct view *view, const struct screen *screen, const void *state,
                     enum action_id id)
{
    return !screen->enabled || screen->enabled(view, state, id);
}

/* Places one hint; a new row where it does not fit. */
static void put_hint(struct surface *s, struct area a, int *row, int *x, enum action_id id)
{
    const struct action *action = action_get(id);
    if (!action->hint[0])
        return;
    int width = surface_width(action->label) + 1 + surface_width(action->hint);
    if (*x > 1 && *x + width > a.w) {
        (*row)++;
        *x = 1;
    }
    if (*row < a.h) {
        int at = a.x + *x;
        at += surface_text(s, a.y + *row, at, a.w - *x, STYLE_KEY, action->label) + 1;
        surface_text(s, a.y + *row, at, a.x + a.w - at, STYLE_TEXT, action->hint);
    }
    *x += width + 3;
}

int frame_hints(const struct view *view, const struct screen *screen, const void *state,
                struct surface *s, struct area a)
{
    int row = 0;
    int x = 1;
    for (const enum action_id *id = screen->actions; *id != ACTION_NONE; id++)
        if (possible(view, screen, state, *id))
            put_hint(s, a, &row, &x, *id);
    if (view->root)
        put_hint(s, a, &row, &x, screen->form ? ACTION_INTERRUPT : ACTION_LEAVE);
    else if (screen->tab == TAB_NONE)
        put_hint(s, a, &row, &x, ACTION_BACK);
    put_hint(s, a, &row, &x, screen->form ? ACTION_FORM_HELP : ACTION_HELP);
    return row + 1;
}

void frame_bottom(const struct view *view, const struct screen *screen, const void *state,
                  struct surface *s)
{
    char toast[180] = "";
    if (view->toast[0])
        (void)str_format(toast, sizeof(toast), "%s %s", light_symbol(view->toast_light),
                         view->toast);
    for (int y = s->h - 2; y < s->h; y++)
        for (int x = 0; x < s->w; x++)
            surface_raw(s, y, x, 1, STYLE_TEXT, " ", 1);
    surface_rule(s, (struct area){s->h - 3, 0, 1, s->w}, toast);
    (void)frame_hints(view, screen, state, s, (struct area){s->h - 2, 0, 2, s->w});
}

struct area frame_top(const struct view *view, const struct screen *screen, const void *state,
                      struct surface *s)
{
    int top = screen->tab == TAB_NONE ? 1 : 2;
    draw_title(view, screen, state, s);
    if (screen->tab != TAB_NONE)
        draw_tabs(s, screen->tab);
    return (struct area){top, 0, s->h - 3 - top, s->w};
}

/* Draws TEXT wrapped from row Y on; returns the row behind it. */
static int say(struct surface *s, int y, const char *text)
{
    return y + surface_wrap(s, (struct area){y, 0, s->h - y, s->w}, STYLE_TEXT, text);
}

void frame_too_small(const struct view *view, struct surface *s)
{
    static const char way_out[] = "Make it larger, or press q to quit.";
    const struct vm_status *vm = view_vm(view);
    char why[80], status[160];
    (void)str_format(why, sizeof(why), "berth: this window is %dx%d; screens need %dx%d.", s->w,
                     s->h, FRAME_WIDTH_MIN, FRAME_HEIGHT_MIN);
    if (vm)
        (void)str_format(status, sizeof(status), "VM %s %s  Edge %s %s  Cloud %s %s",
                         light_symbol(vm_state_light(vm->state)), vm_state_name(vm->state),
                         light_symbol(runtime_state_light(vm->runtime)),
                         runtime_state_name(vm->runtime),
                         light_symbol(cloud_state_light(vm->cloud)), cloud_state_name(vm->cloud));
    else
        STR_SET(status, view->have_snap ? "No VM yet." : "The engine has not answered yet.");

    int y = say(s, 0, why);
    /* What to do comes before how things are. */
    if (s->h - y >= surface_wrap_rows(status, s->w) + surface_wrap_rows(way_out, s->w))
        y = say(s, y, status);
    (void)say(s, y, way_out);
    surface_focus(s, y < s->h ? y : 0, 0, false);
}
