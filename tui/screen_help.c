/* ?: what the keys of the screen below do, made from the action table. */
#include "core/base/str.h"
#include "tui/ui.h"

struct help {
    const struct screen *about;
};

static const enum action_id help_actions[] = {ACTION_CLOSE, ACTION_NONE};

static const char *const group_titles[] = {
    [GROUP_MOVE] = "Moving",
    [GROUP_LOOK] = "Looking",
    [GROUP_CHANGE] = "Changing things",
    [GROUP_EVERYWHERE] = "Everywhere",
};
_Static_assert(ARRAY_LEN(group_titles) == GROUP_COUNT, "a title for each group");

/* Where the next line goes: two columns, the left one first. */
struct pen {
    struct surface *s;
    struct area a;
    int row;
};

static void pen_line(struct pen *pen, enum style style, const char *left, const char *right)
{
    int column = pen->row / pen->a.h;
    int w = pen->a.w / 2 - 1;
    int x = pen->a.x + 1 + column * (w + 1);
    int y = pen->a.y + pen->row % pen->a.h;
    if (column > 1)
        return;
    if (right) {
        surface_text(pen->s, y, x + 2, 10, STYLE_KEY, left);
        surface_text(pen->s, y, x + 12, w - 12, style, right);
    } else {
        surface_text(pen->s, y, x, w, style, left);
    }
    pen->row++;
}

static void pen_group(struct pen *pen, const enum action_id *list, enum action_group group)
{
    bool titled = false;
    for (; *list != ACTION_NONE; list++) {
        const struct action *action = action_get(*list);
        if (action->group != group || !action->label)
            continue;
        if (!titled)
            pen_line(pen, STYLE_STRONG, group_titles[group], NULL);
        titled = true;
        pen_line(pen, STYLE_TEXT, action->label, action->help);
    }
}

static void help_enter(struct ui *ui, void *state, const void *arg)
{
    (void)ui;
    ((struct help *)state)->about = arg;
}

static void help_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    (void)view;
    (void)str_format(to, size, "Help: %s", ((const struct help *)state)->about->title);
}

static void help_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct help *help = state;
    struct pen pen = {s, {body.y + 1, body.x, body.h - 4, body.w}, 0};
    (void)view;
    surface_rule(s, body, NULL);
    for (int g = 0; g < GROUP_EVERYWHERE; g++)
        pen_group(&pen, help->about->actions, (enum action_group)g);
    if (pen.row < pen.a.h)
        pen.row = pen.a.h;
    pen_group(&pen, action_everywhere, GROUP_EVERYWHERE);
    int y = body.y + body.h - 3;
    surface_rule(s, (struct area){y, body.x, 1, body.w}, "Words");
    surface_text(s, y + 1, 1, -1, STYLE_TEXT,
                 "[OK] fine   [!] look   [X] broken   [..] busy   [-] off   [?] unknown");
    surface_text(s, y + 2, 1, -1, STYLE_TEXT,
                 "Everything here can also be done as a command: berth --help");
    surface_focus(s, body.y + 1, 1, false);
}

static bool help_action(struct ui *ui, void *state, enum action_id id)
{
    (void)state;
    if (id != ACTION_CLOSE && id != ACTION_HELP)
        return false;
    ui_pop(ui);
    return true;
}

static bool help_key(struct ui *ui, void *state, const struct key *key)
{
    (void)state;
    if (key->sym != '?' && key->sym != KEYSYM_F1)
        return false;
    ui_pop(ui);
    return true;
}

const struct screen screen_help = {
    .title = "Help",
    .tab = TAB_NONE,
    .state_size = sizeof(struct help),
    .actions = help_actions,
    .enter = help_enter,
    .draw = help_draw,
    .crumb = help_crumb,
    .on_key = help_key,
    .on_action = help_action,
};
