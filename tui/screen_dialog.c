/* The box that asks before something is lost. Cancel is the default; a word must be typed for what
 * cannot be undone. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/dialog.h"
#include "tui/field.h"

#include <string.h>

#define BOX_WIDTH 76

struct dialog {
    char title[200], text[600], yes[32], word[SANDBOX_ID_MAX], cli[200];
    char prompt[48], subject[SANDBOX_ID_MAX], object[SANDBOX_ID_MAX];
    void (*on_yes)(struct ui *ui, const char *subject, const char *object);
    struct field field;
    bool on_field; /* the focus: the field, else a button */
    bool yes_marked;
};

static const enum action_id dialog_actions[] = {
    ACTION_NEXT_FIELD, ACTION_PREV_FIELD, ACTION_LEFT,   ACTION_RIGHT,
    ACTION_UP,         ACTION_DOWN,       ACTION_CHOOSE, ACTION_NONE,
};

static void dialog_enter(struct ui *ui, void *state, const void *arg)
{
    struct dialog *d = state;
    const struct dialog_arg *a = arg;
    (void)ui;
    STR_SET(d->title, a->title);
    STR_SET(d->text, a->text);
    STR_SET(d->yes, a->yes);
    STR_SET(d->word, a->word);
    STR_SET(d->prompt, a->prompt ? a->prompt : "Type its name to confirm:");
    STR_SET(d->cli, a->cli);
    STR_SET(d->subject, a->subject);
    STR_SET(d->object, a->object);
    d->on_yes = a->on_yes;
    d->field.max = sizeof(d->word) - 1;
    d->on_field = d->word[0] != '\0';
}

static bool word_fits(const struct dialog *d)
{
    return str_eq(d->word, d->field.text);
}

static void draw_buttons(const struct dialog *d, struct surface *s, int y, int x)
{
    const char *no = "Cancel";
    for (int i = 0; i < 2; i++) {
        bool marked = !d->on_field && d->yes_marked == (i == 1);
        const char *label = i ? d->yes : no;
        int from = x;
        x += surface_printf(s, y, x, marked ? STYLE_SELECTED : STYLE_TEXT,
                            marked ? "> %s <" : "  %s  ", label);
        if (marked)
            surface_focus(s, y, from + 2, false);
        x += 6;
    }
}

static void draw_frame(struct surface *s, struct area a)
{
    for (int y = 1; y < s->h; y++)
        for (int x = 0; x < s->w; x++)
            surface_raw(s, y, x, 1, STYLE_TEXT, " ", 1);
    for (int y = a.y; y < a.y + a.h; y++) {
        bool edge = y == a.y || y == a.y + a.h - 1;
        for (int x = a.x; x < a.x + a.w; x++)
            surface_raw(s, y, x, 1, STYLE_RULE, " ", 1);
        if (edge)
            surface_rule(s, (struct area){y, a.x, 1, a.w}, NULL);
        surface_raw(s, y, a.x, 1, STYLE_RULE, edge ? "+" : "|", 1);
        surface_raw(s, y, a.x + a.w - 1, 1, STYLE_RULE, edge ? "+" : "|", 1);
    }
}

static struct area box(const struct surface *s, int rows)
{
    int w = s->w - 4 < BOX_WIDTH ? s->w - 4 : BOX_WIDTH;
    int h = rows < s->h - 2 ? rows : s->h - 2;
    return (struct area){(s->h - h) / 2, (s->w - w) / 2, h, w};
}

static void dialog_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct dialog *d = state;
    (void)view;
    (void)body;
    int text_rows = surface_wrap_rows(d->text, BOX_WIDTH - 6);
    struct area a = box(s, text_rows + (d->word[0] ? 2 : 0) + (d->cli[0] ? 2 : 0) + 6);
    int x = a.x + 3;
    int y = a.y + 1;
    draw_frame(s, a);
    surface_printf(s, y, x, STYLE_STRONG, "[!] %s", d->title);
    y += 2;
    y += surface_wrap(s, (struct area){y, x, text_rows, a.w - 6}, STYLE_TEXT, d->text) + 1;
    if (d->cli[0]) {
        surface_printf(s, y, x, STYLE_TEXT, "As a command:  %s", d->cli);
        y += 2;
    }
    if (d->word[0]) {
        int used = 2 + surface_text(s, y, x, -1, STYLE_TEXT, d->prompt);
        field_draw(s, y, x + used, a.w - 6 - used, &d->field, d->on_field);
        y += 2;
    }
    draw_buttons(d, s, y, x + 8);
}

static void dialog_answer(struct ui *ui, struct dialog *d)
{
    struct dialog copy = *d;
    if (copy.yes_marked && copy.word[0] && !word_fits(&copy)) {
        ui_toast(ui, LIGHT_WARN, "That does not match: type %s", copy.word);
        d->on_field = true;
        return;
    }
    ui_pop(ui);
    if (copy.yes_marked)
        copy.on_yes(ui, copy.subject, copy.object);
}

/* Field (where there is one), Cancel, yes, and around again. */
static void dialog_move(struct dialog *d, bool forward)
{
    int n = d->word[0] ? 3 : 2;
    int at = (d->on_field ? 0 : 1 + d->yes_marked) - (n == 2);
    at = (at + (forward ? 1 : n - 1)) % n + (n == 2);
    d->on_field = at == 0;
    d->yes_marked = at == 2;
}

static bool dialog_key(struct ui *ui, void *state, const struct key *key)
{
    struct dialog *d = state;
    (void)ui;
    bool move = key->sym == KEYSYM_LEFT || key->sym == KEYSYM_RIGHT;
    return d->on_field && !(move && !d->field.len) && field_key(&d->field, key);
}

static bool dialog_action(struct ui *ui, void *state, enum action_id id)
{
    struct dialog *d = state;
    bool forward = id == ACTION_NEXT_FIELD || id == ACTION_RIGHT || id == ACTION_DOWN;
    bool backward = id == ACTION_PREV_FIELD || id == ACTION_LEFT || id == ACTION_UP;
    if (id == ACTION_CHOOSE && !d->on_field)
        dialog_answer(ui, d);
    else if (forward || backward || id == ACTION_CHOOSE)
        dialog_move(d, !backward);
    else
        return false;
    return true;
}

const struct screen screen_dialog = {
    .title = "Sure?",
    .tab = TAB_NONE,
    .state_size = sizeof(struct dialog),
    .actions = dialog_actions,
    .overlay = true,
    .form = true,
    .enter = dialog_enter,
    .draw = dialog_draw,
    .on_key = dialog_key,
    .on_action = dialog_action,
};

/* ---- a message */

struct message {
    char title[120];
    struct err err;
};

static const enum action_id message_actions[] = {ACTION_CLOSE, ACTION_NONE};

static void message_enter(struct ui *ui, void *state, const void *arg)
{
    struct message *m = state;
    const struct message_arg *a = arg;
    (void)ui;
    STR_SET(m->title, a->title);
    m->err = *a->err;
}

static void message_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct message *m = state;
    (void)view;
    (void)body;
    int w = BOX_WIDTH - 6;
    int msg_rows = surface_wrap_rows(m->err.msg, w);
    int hint_rows = m->err.hint[0] ? surface_wrap_rows(m->err.hint, w) + 2 : 0;
    struct area a = box(s, msg_rows + hint_rows + 7);
    int x = a.x + 3;
    int y = a.y + 1;
    draw_frame(s, a);
    int used = surface_text(s, y, x, -1, STYLE_BAD, "[X] ");
    surface_printf(s, y, x + used, STYLE_STRONG, "Could not %s", m->title);
    y += 2;
    y += surface_wrap(s, (struct area){y, x, msg_rows, a.w - 6}, STYLE_TEXT, m->err.msg) + 1;
    if (hint_rows) {
        surface_text(s, y++, x, -1, STYLE_STRONG, "What to do");
        y += surface_wrap(s, (struct area){y, x, hint_rows - 2, a.w - 6}, STYLE_TEXT, m->err.hint);
        y++;
    }
    surface_text(s, y, x + 8, -1, STYLE_SELECTED, "> Close <");
    surface_focus(s, y, x + 10, false);
}

static bool message_action(struct ui *ui, void *state, enum action_id id)
{
    (void)state;
    if (id != ACTION_CLOSE)
        return false;
    ui_pop(ui);
    return true;
}

const struct screen screen_message = {
    .title = "Message",
    .tab = TAB_NONE,
    .state_size = sizeof(struct message),
    .actions = message_actions,
    .overlay = true,
    .enter = message_enter,
    .draw = message_draw,
    .on_action = message_action,
};
