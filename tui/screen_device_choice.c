/* Which of the sandbox's IoT Edge devices shall the VM be? */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/device_table.h"
#include "tui/list.h"
#include "tui/request.h"

struct choice {
    struct list list;
    struct sandbox_device *devices; /* those that a VM can be */
    size_t n;
    bool known;
    bool asked; /* the job */
    struct err err;
};

static const enum action_id choice_actions[] = {LIST_ACTIONS, ACTION_CHOOSE, ACTION_NONE};

static void choice_enter(struct ui *ui, void *state, const void *arg)
{
    struct view *view = ui_view(ui);
    (void)state;
    (void)arg;
    if (view->hub[0]) /* a VM is connected to the first one */
        STR_SET(view->hub, view->snap.sandbox.hubs[0].host);
    request_devices(ui);
}

static void choice_leave(struct ui *ui, void *state)
{
    (void)ui;
    free(((struct choice *)state)->devices);
}

static void choice_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct choice *c = state;
    const struct vm_status *vm = view_vm(view);
    surface_rule(s, body, NULL);
    surface_printf(s, body.y + 1, 1, STYLE_TEXT, "Which device shall VM %s be?",
                   vm ? vm->name : "-");
    surface_focus(s, body.y + 3, 3, false);
    if (c->err.kind)
        surface_light(s, body.y + 3, 3, body.w - 4, LIGHT_BAD, c->err.msg);
    else if (!c->known)
        surface_light(s, body.y + 3, 3, -1, LIGHT_BUSY, "Asking the sandbox ...");
    else if (!c->n)
        surface_text(s, body.y + 3, 3, -1, STYLE_TEXT,
                     "It has no enabled IoT Edge device with a key: O, then N, makes one.");
    if (!c->n)
        return;
    device_table_head(s, (struct area){body.y + 3, 0, 1, body.w});
    list_resize(&c->list, c->n);
    size_t rows = list_window(&c->list, (size_t)(body.h - 8));
    for (size_t i = 0; i < rows; i++) {
        int y = body.y + 4 + (int)i;
        device_table_row(s, body, y, view, &c->devices[c->list.top + i]);
        if (c->list.top + i == c->list.sel)
            list_mark(s, body, y);
    }
    surface_rule(s, (struct area){body.y + body.h - 4, 0, 1, body.w}, NULL);
    surface_wrap(s, (struct area){body.y + body.h - 3, 1, 3, body.w - 2}, STYLE_TEXT,
                 "The VM connects as this device and gets what is deployed to it. Another one that "
                 "is connected under this name is cut off: two cannot be the same device.");
}

static bool choice_action(struct ui *ui, void *state, enum action_id id)
{
    struct choice *c = state;
    const struct vm_status *vm = view_vm(ui_view(ui));
    if (list_action(&c->list, id))
        return true;
    if (id != ACTION_CHOOSE)
        return false;
    if (vm && c->n && !c->asked) {
        c->asked = true;
        request_provision_sandbox(ui, vm->name, c->devices[c->list.sel].id);
    }
    return true;
}

static void take_devices(struct choice *c, const struct reply *reply)
{
    free(c->devices);
    c->devices = xcalloc(reply->n_devices + 1, sizeof(*c->devices));
    c->n = 0;
    c->known = true;
    for (size_t i = 0; i < reply->n_devices; i++) {
        const struct sandbox_device *d = &reply->devices[i];
        if (d->edge && d->enabled && d->auth == SANDBOX_AUTH_SAS)
            c->devices[c->n++] = *d;
    }
}

static bool choice_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct choice *c = state;
    if (reply->kind == REPLY_DEVICES && reply->err) {
        c->err = *reply->err;
        return true;
    }
    if (reply->kind == REPLY_DEVICES) {
        take_devices(c, reply);
        return true;
    }
    c->asked = false;
    return ui_show_job(ui, reply);
}

const struct screen screen_device_choice = {
    .title = "Connect > Device",
    .tab = TAB_NONE,
    .state_size = sizeof(struct choice),
    .actions = choice_actions,
    .enter = choice_enter,
    .leave = choice_leave,
    .draw = choice_draw,
    .on_action = choice_action,
    .on_reply = choice_reply,
};
