/* Calls a method of a device or module of the sandbox and shows what it answered. */
#include "core/base/str.h"
#include "tui/field.h"
#include "tui/invoke_arg.h"
#include "tui/request.h"
#include "tui/text_view.h"

struct invoke {
    char device[SANDBOX_ID_MAX], module[SANDBOX_ID_MAX];
    struct field method, payload;
    bool on_payload; /* the field that has the focus */
    bool asked;
    bool answered;
    unsigned status;
    struct text_view answer;
    struct err err;
};

static const enum action_id invoke_actions[] = {
    ACTION_INVOKE_NOW, ACTION_NEXT_FIELD, ACTION_PREV_FIELD, ACTION_WIPE,
    ACTION_PAGE_UP,    ACTION_PAGE_DOWN,  ACTION_NONE,
};

static void invoke_enter(struct ui *ui, void *state, const void *arg)
{
    struct invoke *v = state;
    const struct invoke_arg *a = arg;
    (void)ui;
    STR_SET(v->device, a->device);
    STR_SET(v->module, a->module);
    v->method.max = 100;
}

static void invoke_leave(struct ui *ui, void *state)
{
    (void)ui;
    text_view_done(&((struct invoke *)state)->answer);
}

static void invoke_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    const struct invoke *v = state;
    (void)view;
    (void)str_format(to, size, "Invoke on %s%s%s", v->device, v->module[0] ? "/" : "", v->module);
}

static void draw_answer(struct invoke *v, struct surface *s, struct area a)
{
    char title[80], where[48];
    surface_rule(s, a, "Answer");
    if (v->err.kind) {
        surface_light(s, a.y + 1, 1, a.w - 2, LIGHT_BAD, v->err.msg);
        surface_wrap(s, (struct area){a.y + 2, 6, a.h - 2, a.w - 7}, STYLE_TEXT, v->err.hint);
        return;
    }
    if (!v->answered) {
        surface_text(s, a.y + 1, 1, -1, STYLE_TEXT,
                     v->asked ? "Waiting for the device, 30 s at most ..."
                              : "Nothing is sent yet: Enter calls the method.");
        return;
    }
    text_view_draw(&v->answer, s, (struct area){a.y + 2, 1, a.h - 2, a.w - 2});
    text_view_where(&v->answer, where, sizeof(where));
    (void)str_format(title, sizeof(title), "Answer%s%s", where[0] ? ", " : "", where);
    surface_rule(s, a, title);
    (void)str_format(title, sizeof(title), "the device answered with status %u", v->status);
    surface_light(s, a.y + 1, 1, -1, v->status < 400 ? LIGHT_OK : LIGHT_BAD, title);
}

static void invoke_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct invoke *v = state;
    int y = body.y + 2;
    int w = body.w - 14 < 90 ? body.w - 14 : 90;
    (void)view;
    surface_rule(s, body, NULL);
    draw_answer(v, s, (struct area){y + 5, 0, body.y + body.h - y - 5, body.w});
    surface_text(s, y, 1, -1, STYLE_TEXT, "Method");
    field_draw(s, y, 12, w, &v->method, !v->on_payload);
    surface_text(s, y + 1, 1, -1, STYLE_TEXT, "Payload");
    field_draw(s, y + 1, 12, w, &v->payload, v->on_payload);
    surface_text(s, y + 2, 12, -1, STYLE_TEXT,
                 "JSON, for example {\"delay\":5} or \"text\"; empty: none");
}

static bool invoke_key(struct ui *ui, void *state, const struct key *key)
{
    struct invoke *v = state;
    (void)ui;
    return field_key(v->on_payload ? &v->payload : &v->method, key);
}

static void call(struct ui *ui, struct invoke *v)
{
    struct err err = {0};
    if (v->asked)
        return;
    v->answered = false;
    v->err.kind = ERR_NONE;
    if (!v->method.len) {
        ui_toast(ui, LIGHT_WARN, "Type the method's name first");
        v->on_payload = false;
    } else if (request_invoke(ui, v->device, v->module, v->method.text, v->payload.text, &err)) {
        v->asked = true;
    } else {
        ui_toast(ui, LIGHT_BAD, "The payload is no JSON; text needs quotes: \"text\"");
        v->on_payload = true;
    }
}

static bool invoke_action(struct ui *ui, void *state, enum action_id id)
{
    struct invoke *v = state;
    if (id == ACTION_INVOKE_NOW)
        call(ui, v);
    else if (id == ACTION_NEXT_FIELD || id == ACTION_PREV_FIELD)
        v->on_payload = !v->on_payload;
    else
        return text_view_action(&v->answer, id);
    return true;
}

static bool invoke_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct invoke *v = state;
    (void)ui;
    if (reply->kind != REPLY_DOCUMENT)
        return false;
    v->asked = false;
    v->err = reply->err ? *reply->err : (struct err){0};
    v->answered = !reply->err;
    v->status = reply->status;
    if (!reply->err)
        text_view_set(&v->answer, reply->text);
    return true;
}

const struct screen screen_invoke = {
    .title = "Invoke",
    .tab = TAB_NONE,
    .state_size = sizeof(struct invoke),
    .actions = invoke_actions,
    .form = true,
    .enter = invoke_enter,
    .leave = invoke_leave,
    .draw = invoke_draw,
    .crumb = invoke_crumb,
    .on_key = invoke_key,
    .on_action = invoke_action,
    .on_reply = invoke_reply,
};
