/* How should the VM be connected: to Azure, or to the sandbox on this host? */
#include "tui/list.h"
#include "tui/request.h"

struct connect {
    struct list list;
    bool asked;
};

static const enum action_id connect_actions[] = {LIST_ACTIONS, ACTION_CHOOSE, ACTION_NONE};

static const struct {
    const char *title, *text;
} choices[] = {
    {"1  Connect to Azure with a connection string",
     "You need the device's connection string, which looks like "
     "HostName=...;DeviceId=...;SharedAccessKey=... It is in the Azure portal: IoT Hub > Devices > "
     "your device > Primary connection string. The device must have been created as an IoT Edge "
     "device. Nothing is sent before you have seen what it holds."},
    {"2  Try it here, without Azure",
     "Starts the sandbox: a small hub on this computer that speaks IoT Hub's protocols, with a "
     "registry that holds a sample module. The VM is registered there and gets two sample modules, "
     "so that you can look at everything. No account, no network needed. You can connect to Azure "
     "later."},
    {"3  Use a device that the sandbox has already",
     "The sandbox runs on this computer: choose one of its IoT Edge devices. The VM becomes that "
     "device, with the modules that are deployed to it there; nothing else is deployed."},
};

/* The last one needs a sandbox. */
static size_t choices_count(const struct view *view)
{
    return ARRAY_LEN(choices) - (view->snap.sandbox.light != LIGHT_OK);
}

static void connect_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct connect *c = state;
    surface_rule(s, body, NULL);
    surface_text(s, body.y + 1, 1, -1, STYLE_TEXT, "What should the VM be connected to?");
    list_resize(&c->list, choices_count(view));
    for (size_t i = 0; i < c->list.n; i++) {
        int y = body.y + 3 + (int)i;
        surface_text(s, y, 3, -1, STYLE_TEXT, choices[i].title);
        if (i == c->list.sel)
            list_mark(s, body, y);
    }
    surface_rule(s, (struct area){body.y + 7, 0, 1, body.w}, NULL);
    surface_wrap(s, (struct area){body.y + 8, 1, body.h - 8, body.w - 2}, STYLE_TEXT,
                 choices[c->list.sel].text);
}

static void choose(struct ui *ui, struct connect *c)
{
    const struct vm_status *vm = view_vm(ui_view(ui));
    if (!vm) {
        ui_toast(ui, LIGHT_WARN, "There is no VM yet");
    } else if (c->list.sel == 0) {
        ui_push(ui, &screen_connstr, NULL);
    } else if (c->list.sel == 2) {
        ui_push(ui, &screen_device_choice, NULL);
    } else if (!c->asked) {
        c->asked = true;
        request_provision_sandbox(ui, vm->name, NULL);
    }
}

static bool connect_key(struct ui *ui, void *state, const struct key *key)
{
    struct connect *c = state;
    if (key->sym < '1' || key->sym >= '1' + choices_count(ui_view(ui)))
        return false;
    c->list.sel = key->sym - '1';
    choose(ui, c);
    return true;
}

static bool connect_action(struct ui *ui, void *state, enum action_id id)
{
    struct connect *c = state;
    if (list_action(&c->list, id))
        return true;
    if (id != ACTION_CHOOSE)
        return false;
    choose(ui, c);
    return true;
}

static bool connect_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct connect *c = state;
    (void)ui;
    (void)reply;
    c->asked = false;
    return false;
}

const struct screen screen_connect = {
    .title = "Connect",
    .tab = TAB_NONE,
    .state_size = sizeof(struct connect),
    .actions = connect_actions,
    .draw = connect_draw,
    .on_key = connect_key,
    .on_action = connect_action,
    .on_reply = connect_reply,
};
