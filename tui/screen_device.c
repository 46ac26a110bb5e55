/* A device of the sandbox: how it is, its twin and its modules', and its connection string, shown
 * only when asked for and not for long. */
#include "core/base/str.h"
#include "tui/dialog.h"
#include "tui/format.h"
#include "tui/invoke_arg.h"
#include "tui/list.h"
#include "tui/log_arg.h"
#include "tui/request.h"
#include "tui/text_view.h"
#include "tui/words.h"

#include <string.h>

#define SHOWN_MS    30000
#define MODULES_MAX 50
#define LABEL       11 /* columns before a value */

struct device_view {
    char id[SANDBOX_ID_MAX];
    bool known; /* the sandbox has told it once */
    bool asked; /* an answer is under way */
    struct err err;
    struct sandbox_device device;
    struct sandbox_device modules[MODULES_MAX];
    size_t n_modules;
    size_t which; /* whose twin: 0 the device's, else of modules[which - 1] */
    struct text_view twin;
    struct err twin_err;

    char string[700]; /* the connection string while it is shown */
    bool wants_string;
    uint64_t until_ms; /* then it is hidden again */
};

static const enum action_id device_actions[] = {
    TEXT_VIEW_ACTIONS,     ACTION_DEVICE_STRING, ACTION_DEVICE_MODULE,
    ACTION_DEVICE_INVOKE,  ACTION_EVENTS,        ACTION_DEVICE_ENABLE,
    ACTION_DEVICE_DISABLE, ACTION_DEVICE_DELETE, ACTION_NONE,
};

static const char *module_of(const struct device_view *v)
{
    return v->which ? v->modules[v->which - 1].module : "";
}

/* ---- what it asks */

static void hide_string(struct device_view *v)
{
    explicit_bzero(v->string, sizeof(v->string));
    v->until_ms = 0;
}

static void ask(struct ui *ui, struct device_view *v)
{
    if (v->asked)
        return;
    v->asked = true;
    request_device(ui, v->id);
    request_twin(ui, v->id, module_of(v));
}

static void device_enter(struct ui *ui, void *state, const void *arg)
{
    struct device_view *v = state;
    STR_SET(v->id, arg);
    ask(ui, v);
}

static void device_leave(struct ui *ui, void *state)
{
    struct device_view *v = state;
    (void)ui;
    hide_string(v);
    text_view_done(&v->twin);
}

static void device_tick(struct ui *ui, void *state)
{
    struct device_view *v = state;
    if (v->until_ms && ui_view(ui)->now_ms >= v->until_ms)
        hide_string(v);
    ask(ui, v);
}

static void device_ready(struct ui *ui, void *state)
{
    struct device_view *v = state;
    (void)ui;
    v->asked = v->wants_string = false;
}

static void take_device(struct ui *ui, struct device_view *v, const struct reply *reply)
{
    char module[SANDBOX_ID_MAX];
    STR_SET(module, module_of(v));
    bool wants_string = v->wants_string;
    v->wants_string = false; /* what was asked for must not show minutes later */
    v->asked = false;
    v->err = reply->err ? *reply->err : (struct err){0};
    if (reply->err || !reply->n_devices)
        return;
    v->known = true;
    v->device = reply->devices[0];
    v->n_modules = reply->n_devices - 1 < MODULES_MAX ? reply->n_devices - 1 : MODULES_MAX;
    memcpy(v->modules, reply->devices + 1, v->n_modules * sizeof(v->modules[0]));
    v->which = 0;
    for (size_t i = 0; i < v->n_modules; i++)
        if (module[0] && str_eq(v->modules[i].module, module))
            v->which = i + 1;
    if (!wants_string)
        return;
    v->until_ms = ui_view(ui)->now_ms + SHOWN_MS;
    STR_SET(v->string, reply->connection ? reply->connection : "(it has none)");
}

static bool device_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct device_view *v = state;
    if (reply->kind == REPLY_DEVICE) {
        take_device(ui, v, reply);
        return true;
    }
    if (reply->kind == REPLY_DOCUMENT) {
        v->twin_err = reply->err ? *reply->err : (struct err){0};
        if (!reply->err && str_eq(reply->module, module_of(v))) /* else Tab was faster */
            text_view_set(&v->twin, reply->text);
        return true;
    }
    if (reply->kind == REPLY_DONE && !reply->err && str_starts(reply->what, "delete")) {
        ui_toast(ui, LIGHT_OK, "%s is deleted", v->id);
        ui_close(ui, v); /* V is gone */
        return true;
    }
    return false;
}

/* ---- what it shows */

static void device_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    (void)view;
    (void)str_format(to, size, "Sandbox > %s", ((const struct device_view *)state)->id);
}

static void draw_pair(struct surface *s, int y, int x, int w, const char *label, const char *value)
{
    surface_text(s, y, x, -1, STYLE_TEXT, label);
    surface_text(s, y, x + LABEL, w - LABEL - 1, STYLE_TEXT, value[0] ? value : "-");
}

static void modules_text(const struct device_view *v, char *to, size_t size)
{
    size_t connected = 0;
    for (size_t i = 0; i < v->n_modules; i++)
        connected += v->modules[i].connected;
    (void)str_format(to, size, v->n_modules ? "%zu, %zu connected" : "none", v->n_modules,
                     connected);
}

static void draw_facts(const struct view *view, const struct device_view *v, struct surface *s,
                       int y)
{
    const struct sandbox_device *d = &v->device;
    char text[160], since[32];
    int x = s->w / 2 + 2;
    int w = s->w - x;
    format_for(since, sizeof(since), view->now_ms, d->changed_ms);
    (void)str_format(text, sizeof(text), d->changed_ms ? "%s, %s" : "%s", sandbox_device_word(d),
                     since);
    surface_text(s, y, 1, -1, STYLE_TEXT, "State");
    surface_light(s, y, 1 + LABEL, x - LABEL - 2, sandbox_device_light(d), text);
    draw_pair(s, y, x, w, "Kind", d->edge ? "IoT Edge device" : "device");
    format_ago(text, sizeof(text), view->now_ms, d->activity_ms);
    draw_pair(s, y + 1, 1, x - 2, "Heard of", d->activity_ms ? text : "-");
    draw_pair(s, y + 1, x, w, "Proves it", words_auth(d->auth));
    modules_text(v, text, sizeof(text));
    draw_pair(s, y + 2, 1, x - 2, "Modules", text);
    draw_pair(s, y + 2, x, w, "Parent", d->parent[0] ? d->parent : "none");
}

/* Returns the rows it took. */
static int draw_string(const struct view *view, const struct device_view *v, struct surface *s,
                       int y)
{
    surface_text(s, y, 1, -1, STYLE_TEXT, "String");
    if (!v->until_ms) {
        surface_text(s, y, 1 + LABEL, -1, STYLE_TEXT,
                     v->wants_string ? "..." : "hidden; S shows the connection string for 30 s");
        return 1;
    }
    int room = s->w - LABEL - 2;
    int rows = 0;
    for (size_t at = 0, len = strlen(v->string); at < len; at += (size_t)room, rows++)
        surface_raw(s, y + rows, 1 + LABEL, room, STYLE_STRONG, v->string + at,
                    len - at < (size_t)room ? len - at : (size_t)room);
    uint64_t left = v->until_ms > view->now_ms ? v->until_ms - view->now_ms : 0;
    surface_printf(
        s, y + rows, 1 + LABEL, STYLE_TEXT, "(hidden again in %u s; S hides it now)",
        (unsigned)((left + FORMAT_TICK_MS - 1) / FORMAT_TICK_MS * (FORMAT_TICK_MS / 1000)));
    return rows + 1;
}

static void draw_twin(struct device_view *v, struct surface *s, struct area a)
{
    char title[320], where[48];
    struct area body = {a.y + 1, 1, a.h - 1, a.w - 2};
    const char *module = module_of(v);
    text_view_draw(&v->twin, s, body);
    text_view_where(&v->twin, where, sizeof(where));
    (void)str_format(title, sizeof(title), "Twin of %s%s%s%s%s", module[0] ? "module " : v->id,
                     module, where[0] ? ", " : "", where,
                     v->n_modules ? " (Tab: the next module's)" : "");
    surface_rule(s, a, title);
    if (v->twin_err.kind)
        surface_light(s, a.y + 1, 1, a.w - 2, LIGHT_WARN, v->twin_err.msg);
    else if (!v->twin.n)
        surface_light(s, a.y + 1, 1, -1, LIGHT_BUSY, "Asking the sandbox ...");
}

static void device_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct device_view *v = state;
    if (v->until_ms && view->now_ms >= v->until_ms) /* also without an engine to tick */
        hide_string(v);
    surface_rule(s, body, NULL);
    surface_focus(s, body.y + 1, 1, false);
    if (v->err.kind) {
        surface_light(s, body.y + 2, 3, body.w - 4, LIGHT_WARN, v->err.msg);
        surface_wrap(s, (struct area){body.y + 3, 8, 2, body.w - 9}, STYLE_TEXT, v->err.hint);
        return;
    }
    if (!v->known) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_BUSY, "Asking the sandbox ...");
        return;
    }
    int y = body.y + 1;
    draw_facts(view, v, s, y);
    y += 3;
    y += draw_string(view, v, s, y);
    draw_twin(v, s, (struct area){y, 0, body.y + body.h - y, body.w});
}

/* ---- what keys do */

static bool device_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct device_view *v = state;
    bool there = v->known && !v->err.kind && view->snap.sandbox.light == LIGHT_OK;
    switch ((int)id) {
    case ACTION_DEVICE_MODULE:
        return there && v->n_modules > 0;
    case ACTION_DEVICE_ENABLE:
        return there && !v->device.enabled;
    case ACTION_DEVICE_DISABLE:
        return there && v->device.enabled;
    case ACTION_DEVICE_STRING:
    case ACTION_DEVICE_INVOKE:
    case ACTION_DEVICE_DELETE:
    case ACTION_EVENTS:
        return there;
    default:
        return true;
    }
}

static void disable_sure(struct ui *ui, const char *device, const char *object)
{
    (void)object;
    request_device_set(ui, device, false);
}

static void delete_sure(struct ui *ui, const char *device, const char *object)
{
    (void)object;
    request_device_delete(ui, device);
}

static void ask_disable(struct ui *ui, const struct device_view *v)
{
    char title[180], cli[200];
    (void)str_format(title, sizeof(title), "Disable %s?", v->id);
    (void)str_format(cli, sizeof(cli), "berth sandbox device disable %s", v->id);
    const struct dialog_arg ask = {
        .title = title,
        .text = "It is cut off at once and cannot connect until it is enabled again.\n"
                "Its keys, modules and twin are kept.",
        .yes = "Disable it",
        .cli = cli,
        .subject = v->id,
        .on_yes = disable_sure,
    };
    ui_push(ui, &screen_dialog, &ask);
}

static void ask_delete(struct ui *ui, const struct device_view *v)
{
    char title[180], cli[200];
    (void)str_format(title, sizeof(title), "Delete the device %s?", v->id);
    (void)str_format(cli, sizeof(cli), "berth sandbox device delete %s", v->id);
    const struct dialog_arg ask = {
        .title = title,
        .text = "This destroys its keys, modules and twin; it is cut off at once.\n"
                "A device made anew under this name gets other keys.",
        .yes = "Delete it",
        .word = v->id,
        .cli = cli,
        .subject = v->id,
        .on_yes = delete_sure,
    };
    ui_push(ui, &screen_dialog, &ask);
}

static void toggle_string(struct ui *ui, struct device_view *v)
{
    if (v->until_ms || v->wants_string) {
        v->wants_string = false;
        hide_string(v);
        return;
    }
    v->wants_string = true;
    request_device(ui, v->id);
}

static void next_module(struct ui *ui, struct device_view *v)
{
    v->which = (v->which + 1) % (v->n_modules + 1);
    text_view_done(&v->twin);
    request_twin(ui, v->id, module_of(v));
}

static bool device_action(struct ui *ui, void *state, enum action_id id)
{
    struct device_view *v = state;
    const struct log_arg events = {.module = "@sandbox", .device = v->id};
    const struct invoke_arg invoke = {.device = v->id, .module = module_of(v)};
    if (text_view_action(&v->twin, id))
        return true;
    if (id == ACTION_DEVICE_STRING) {
        toggle_string(ui, v);
        return true;
    }
    hide_string(v); /* it does not wait below another page */
    if (id == ACTION_DEVICE_MODULE)
        next_module(ui, v);
    else if (id == ACTION_DEVICE_INVOKE)
        ui_push(ui, &screen_invoke, &invoke);
    else if (id == ACTION_EVENTS)
        ui_push(ui, &screen_log, &events);
    else if (id == ACTION_DEVICE_ENABLE)
        request_device_set(ui, v->id, true);
    else if (id == ACTION_DEVICE_DISABLE)
        ask_disable(ui, v);
    else if (id == ACTION_DEVICE_DELETE)
        ask_delete(ui, v);
    else
        return false;
    return true;
}

const struct screen screen_device = {
    .title = "Device",
    .tab = TAB_NONE,
    .state_size = sizeof(struct device_view),
    .actions = device_actions,
    .enter = device_enter,
    .leave = device_leave,
    .draw = device_draw,
    .crumb = device_crumb,
    .enabled = device_enabled,
    .on_action = device_action,
    .on_reply = device_reply,
    .on_ready = device_ready,
    .on_tick = device_tick,
};
