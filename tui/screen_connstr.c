/* Paste the connection string: its parts are looked at as they come, the key is never shown unless
 * asked for, and the memory it stood in is wiped. */
#include "core/base/str.h"
#include "tui/connstr_view.h"
#include "tui/field.h"
#include "tui/request.h"

#include <string.h>

struct connstr_form {
    struct field field;
    struct connstr_view parsed;
    bool asked;
};

static const enum action_id connstr_actions[] = {
    ACTION_CONNECT_NOW,
    ACTION_SHOW_SECRET,
    ACTION_WIPE,
    ACTION_NONE,
};

static void connstr_enter(struct ui *ui, void *state, const void *arg)
{
    struct connstr_form *f = state;
    (void)ui;
    (void)arg;
    f->field.secret = true;
    connstr_view_parse("", 0, &f->parsed);
}

static void connstr_leave(struct ui *ui, void *state)
{
    (void)ui;
    explicit_bzero(state, sizeof(struct connstr_form));
}

static void connstr_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct connstr_form *f = state;
    const struct vm_status *vm = view_vm(view);
    int y = body.y + 1;
    surface_rule(s, body, NULL);
    surface_printf(s, y, 1, STYLE_TEXT,
                   "Paste the connection string of the device for VM %s:", vm ? vm->name : "-");
    field_draw(s, y + 2, 1, body.w - 2, &f->field, true);
    y += 4;
    for (size_t i = 0; i < CONNSTR_PARTS; i++, y++) {
        surface_light(s, y, 3, 24, f->parsed.parts[i].light, f->parsed.parts[i].label);
        surface_text(s, y, 26, body.w - 27, STYLE_TEXT, f->parsed.parts[i].text);
    }
    y++;
    if (f->field.overflow)
        surface_light(s, y, 1, -1, LIGHT_BAD, "That was far too long for a connection string.");
    else if (!f->field.len)
        surface_text(s, y, 1, -1, STYLE_TEXT,
                     "In the Azure portal: IoT Hub > Devices > your device > Primary connection "
                     "string.");
    else if (f->parsed.good)
        surface_light(s, y, 1, -1, LIGHT_OK, "Complete. Enter connects; every step is shown.");
    else
        surface_light(s, y, 1, -1, LIGHT_WARN, "Not complete yet. Ctrl-U empties the field.");
    surface_rule(s, (struct area){body.y + body.h - 3, 0, 1, body.w},
                 "The same thing as a command");
    surface_printf(
        s, body.y + body.h - 2, 1, STYLE_TEXT,
        "berth provision connection-string --file -      (reads it from standard input)");
    surface_text(s, body.y + body.h - 1, 1, -1, STYLE_TEXT,
                 "The key goes into the VM over SSH and is kept there, on its data disk, only.");
}

static bool connstr_key(struct ui *ui, void *state, const struct key *key)
{
    struct connstr_form *f = state;
    (void)ui;
    if (!field_key(&f->field, key))
        return false;
    connstr_view_parse(f->field.text, f->field.len, &f->parsed);
    return true;
}

static bool connstr_action(struct ui *ui, void *state, enum action_id id)
{
    struct connstr_form *f = state;
    const struct vm_status *vm = view_vm(ui_view(ui));
    if (id != ACTION_CONNECT_NOW)
        return false;
    if (!f->field.len)
        ui_toast(ui, LIGHT_WARN, "Paste the connection string first");
    else if (!f->parsed.good)
        ui_toast(ui, LIGHT_BAD, "Not complete: see the lines marked [X]");
    else if (vm && !f->asked) {
        f->asked = true;
        request_connection_string(ui, vm->name, f->field.text);
    }
    return true;
}

static bool connstr_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct connstr_form *f = state;
    f->asked = false;
    return ui_show_job(ui, reply);
}

const struct screen screen_connstr = {
    .title = "Connection string",
    .tab = TAB_NONE,
    .state_size = sizeof(struct connstr_form),
    .actions = connstr_actions,
    .form = true,
    .enter = connstr_enter,
    .leave = connstr_leave,
    .draw = connstr_draw,
    .on_key = connstr_key,
    .on_action = connstr_action,
    .on_reply = connstr_reply,
};
