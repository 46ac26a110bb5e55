/* O: the sandbox: where it is, its devices, and what they send, as it arrives. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/device_table.h"
#include "tui/dialog.h"
#include "tui/event_tail.h"
#include "tui/list.h"
#include "tui/log_arg.h"
#include "tui/request.h"
#include "tui/words.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_ROWS  4
#define EVENT_ROWS 6 /* at least, their rule not counted */

struct sandbox_view {
    struct list list;
    struct sandbox_device *devices;
    size_t n;
    uint64_t total;
    char marked[SANDBOX_ID_MAX];
    bool have_devices;  /* the sandbox has told them once */
    bool asked_devices; /* an answer is under way */
    bool other_hub;     /* it will be about a hub that is no longer on screen */
    struct err devices_err;

    struct event_tail tail;
    char job[16]; /* that this screen started: its failure is told here */
};

static const enum action_id sandbox_actions[] = {
    LIST_ACTIONS,         ACTION_OPEN,         ACTION_DEVICE_NEW,    ACTION_EVENTS, ACTION_NEXT_HUB,
    ACTION_SANDBOX_START, ACTION_SANDBOX_STOP, ACTION_SANDBOX_RESET, ACTION_NONE,
};

/* ---- what it asks */

static bool runs(const struct view *view)
{
    return view->have_snap && view->snap.sandbox.light == LIGHT_OK;
}

static void forget(struct sandbox_view *v)
{
    free(v->devices);
    v->devices = NULL;
    v->n = 0;
    v->have_devices = false;
}

/* A start takes two seconds: no screen of its own, but what went wrong is said. */
static void watch_job(struct ui *ui, struct sandbox_view *v)
{
    const struct job_status *job = v->job[0] ? view_job(ui_view(ui), v->job) : NULL;
    if (!job || !job_state_ended(job->state))
        return;
    v->job[0] = '\0';
    if (job->state == JOB_STATE_FAILED)
        ui_fail(ui, "do this with the sandbox", &job->error);
}

static void sandbox_tick(struct ui *ui, void *state)
{
    struct sandbox_view *v = state;
    watch_job(ui, v);
    if (!runs(ui_view(ui))) {
        forget(v);
        return;
    }
    if (!v->asked_devices) {
        v->asked_devices = true;
        request_devices(ui);
    }
    event_tail_follow(&v->tail, ui);
}

static void sandbox_enter(struct ui *ui, void *state, const void *arg)
{
    struct sandbox_view *v = state;
    (void)arg;
    event_tail_init(&v->tail);
    sandbox_tick(ui, state);
}

/* The engine is another one: its streams are new. The next tick asks for them. */
static void sandbox_ready(struct ui *ui, void *state)
{
    struct sandbox_view *v = state;
    (void)ui;
    event_tail_lost(&v->tail);
    v->asked_devices = false;
}

static void sandbox_leave(struct ui *ui, void *state)
{
    struct sandbox_view *v = state;
    event_tail_done(&v->tail, ui);
    forget(v);
}

static bool take_devices(struct sandbox_view *v, const struct reply *reply)
{
    v->asked_devices = false;
    if (v->other_hub) {
        v->other_hub = false;
        return true; /* the next tick asks */
    }
    v->devices_err = reply->err ? *reply->err : (struct err){0};
    if (reply->err)
        return true;
    forget(v);
    v->devices = xcalloc(reply->n_devices + 1, sizeof(*v->devices));
    memcpy(v->devices, reply->devices, reply->n_devices * sizeof(*v->devices));
    v->n = reply->n_devices;
    v->total = reply->total;
    v->have_devices = true;
    return true;
}

static bool sandbox_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct sandbox_view *v = state;
    (void)ui;
    if (reply->kind == REPLY_DEVICES)
        return take_devices(v, reply);
    if (reply->kind == REPLY_JOB && !reply->err) {
        STR_SET(v->job, reply->id);
        return true;
    }
    if (reply->kind != REPLY_STREAM)
        return false;
    event_tail_reply(&v->tail, reply);
    return true;
}

static void sandbox_log(struct ui *ui, void *state, const struct log_batch *batch)
{
    struct sandbox_view *v = state;
    (void)ui;
    event_tail_log(&v->tail, batch);
}

/* ---- what it shows */

static void draw_pair(struct surface *s, int y, int x, int w, const char *label, const char *value)
{
    surface_text(s, y, x, -1, STYLE_TEXT, label);
    surface_text(s, y, x + 10, w - 11, STYLE_TEXT, value[0] ? value : "-");
}

static void draw_head(const struct view *view, struct surface *s, struct area a)
{
    const struct sandbox_status *b = &view->snap.sandbox;
    char text[160];
    int x = a.w / 2 + 4;
    surface_text(s, a.y + 1, 1, -1, STYLE_TEXT, "State");
    surface_light(s, a.y + 1, 11, x - 12, b->light, "running"); /* how many devices: below */
    (void)str_format(text, sizeof(text), "MQTT %u, HTTPS %u", b->mqtt_port, b->https_port);
    draw_pair(s, a.y + 1, x, a.w - x, "Ports", text);
    draw_pair(s, a.y + 2, 1, x - 2, "Host", view->hub[0] ? view->hub : b->host);
    draw_pair(s, a.y + 2, x, a.w - x, "ID scope", b->id_scope);
    draw_pair(s, a.y + 3, 1, x - 2, "CA file", b->ca_file);
    (void)str_format(text, sizeof(text), b->registry_port ? "registry, port %u" : "no registry",
                     b->registry_port);
    draw_pair(s, a.y + 3, x, a.w - x, "Images", text);
}

/* The mark stays on its device when others come and go. */
static void follow_mark(struct sandbox_view *v)
{
    list_resize(&v->list, v->n);
    for (size_t i = 0; i < v->n; i++)
        if (str_eq(v->devices[i].id, v->marked))
            v->list.sel = i;
    STR_SET(v->marked, v->n ? v->devices[v->list.sel].id : "");
}

static void devices_title(const struct view *view, const struct sandbox_view *v, char *to,
                          size_t size)
{
    size_t connected = 0;
    for (size_t i = 0; i < v->n; i++)
        connected += v->devices[i].connected;
    if (!v->n)
        (void)str_copy(to, size, "Devices");
    else if (v->total > v->n)
        (void)str_format(to, size, "Devices (the first %zu of %" PRIu64 ")", v->n, v->total);
    else
        (void)str_format(to, size, "Devices (%zu, %zu connected)", v->n, connected);
    size_t len = strlen(to);
    if (view->hub[0])
        (void)str_format(to + len, size - len, " of %s, one of %zu hubs", view->hub,
                         view->snap.sandbox.n_hubs);
}

static void draw_devices(const struct view *view, struct sandbox_view *v, struct surface *s,
                         struct area a)
{
    char title[260];
    devices_title(view, v, title, sizeof(title));
    surface_rule(s, a, title);
    follow_mark(v);
    if (v->devices_err.kind)
        surface_light(s, a.y + 1, 3, a.w - 4, LIGHT_WARN, v->devices_err.msg);
    else if (!v->have_devices)
        surface_light(s, a.y + 1, 3, -1, LIGHT_BUSY, "Asking the sandbox ...");
    else if (!v->n)
        surface_text(s, a.y + 1, 3, -1, STYLE_TEXT,
                     "None yet: N makes one, or C on the dashboard connects the VM.");
    if (!v->n) {
        surface_focus(s, a.y + 1, 3, false);
        return;
    }
    device_table_head(s, (struct area){a.y + 1, 0, 1, a.w});
    size_t rows = list_window(&v->list, a.h > 2 ? (size_t)a.h - 2 : 0);
    for (size_t i = 0; i < rows; i++) {
        int y = a.y + 2 + (int)i;
        device_table_row(s, a, y, view, &v->devices[v->list.top + i]);
        if (v->list.top + i == v->list.sel)
            list_mark(s, a, y);
    }
}

static void draw_off(const struct view *view, struct surface *s, struct area body)
{
    static const char what[] =
        "The sandbox is a small hub on this computer that speaks IoT Hub's protocols: devices, "
        "deployments, messages and all of Berth can be tried without Azure and without a network. "
        "Nothing leaves this computer.";
    const struct sandbox_status *b = &view->snap.sandbox;
    char text[220];
    words_sandbox(&view->snap, text, sizeof(text));
    surface_text(s, body.y + 1, 1, -1, STYLE_TEXT, "State");
    surface_light(s, body.y + 1, 11, body.w - 12, b->light, text);
    int y = body.y + 3;
    y += surface_wrap(s, (struct area){y, 1, 4, body.w - 2}, STYLE_TEXT, what) + 1;
    if (b->light != LIGHT_BUSY)
        surface_text(s, y, 1, -1, STYLE_STRONG, "A starts it. It takes about two seconds.");
    else
        surface_text(s, y, 1, -1, STYLE_TEXT, "A job is at work on it: J shows how far it is.");
    surface_focus(s, y, 1, false);
}

static void sandbox_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct sandbox_view *v = state;
    surface_rule(s, body, NULL);
    if (!runs(view)) {
        draw_off(view, s, body);
        return;
    }
    draw_head(view, s, body);
    int rest = body.h - HEAD_ROWS;
    int events = rest * 2 / 5;
    if (events < EVENT_ROWS + 1)
        events = EVENT_ROWS + 1;
    int y = body.y + HEAD_ROWS;
    draw_devices(view, v, s, (struct area){y, 0, rest - events, body.w});
    event_tail_draw(&v->tail, s, (struct area){y + rest - events, 0, events, body.w});
}

/* ---- what keys do */

static bool sandbox_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct sandbox_view *v = state;
    enum light light = view->have_snap ? view->snap.sandbox.light : LIGHT_UNKNOWN;
    switch ((int)id) {
    case ACTION_OPEN:
        return runs(view) && v->n > 0;
    case ACTION_NEXT_HUB:
        return runs(view) && view->snap.sandbox.n_hubs > 1;
    case ACTION_DEVICE_NEW:
    case ACTION_EVENTS:
    case ACTION_SANDBOX_STOP:
        return runs(view);
    case ACTION_SANDBOX_START:
        return light == LIGHT_OFF || light == LIGHT_BAD;
    case ACTION_SANDBOX_RESET:
        return light != LIGHT_BUSY && light != LIGHT_UNKNOWN;
    default:
        return true;
    }
}

static void stop_sure(struct ui *ui, const char *subject, const char *object)
{
    (void)subject;
    (void)object;
    request_sandbox(ui, "stop");
}

static void reset_sure(struct ui *ui, const char *subject, const char *object)
{
    (void)subject;
    (void)object;
    request_sandbox(ui, "reset");
}

static void ask_stop(struct ui *ui)
{
    const struct dialog_arg ask = {
        .title = "Stop the sandbox?",
        .text = "Devices connected to it will show \"disconnected\" until it runs again.\n"
                "Its devices, keys and deployments are kept.",
        .yes = "Stop it",
        .cli = "berth sandbox stop",
        .on_yes = stop_sure,
    };
    ui_push(ui, &screen_dialog, &ask);
}

static void ask_reset(struct ui *ui)
{
    const struct dialog_arg ask = {
        .title = "Reset the sandbox?",
        .text = "This stops it and destroys its devices, keys, deployments, enrolments and images. "
                "The next start makes a fresh one.\n"
                "A VM that is connected to it must then be connected anew (C on the dashboard). "
                "Azure is not touched.",
        .yes = "Reset it",
        .word = "reset",
        .prompt = "Type \"reset\" to confirm:",
        .cli = "berth sandbox reset",
        .on_yes = reset_sure,
    };
    ui_push(ui, &screen_dialog, &ask);
}

static void next_hub(struct ui *ui, struct sandbox_view *v)
{
    struct view *view = ui_view(ui);
    const struct sandbox_status *b = &view->snap.sandbox;
    size_t i = 0;
    while (i < b->n_hubs && !str_eq(b->hubs[i].host, view->hub))
        i++;
    i = i + 1 < b->n_hubs ? i + 1 : 0;
    STR_SET(view->hub, b->hubs[i].host);
    forget(v);
    v->other_hub = v->asked_devices;
    sandbox_tick(ui, v);
}

static bool sandbox_action(struct ui *ui, void *state, enum action_id id)
{
    struct sandbox_view *v = state;
    const struct log_arg events = {.module = "@sandbox"};
    if (list_action(&v->list, id)) {
        STR_SET(v->marked, v->n ? v->devices[v->list.sel].id : "");
        return true;
    }
    if (id == ACTION_OPEN)
        ui_push(ui, &screen_device, v->marked);
    else if (id == ACTION_DEVICE_NEW)
        ui_push(ui, &screen_device_new, NULL);
    else if (id == ACTION_EVENTS)
        ui_push(ui, &screen_log, &events);
    else if (id == ACTION_NEXT_HUB)
        next_hub(ui, v);
    else if (id == ACTION_SANDBOX_START)
        request_sandbox(ui, "start");
    else if (id == ACTION_SANDBOX_STOP)
        ask_stop(ui);
    else if (id == ACTION_SANDBOX_RESET)
        ask_reset(ui);
    else
        return false;
    return true;
}

const struct screen screen_sandbox = {
    .title = "Sandbox",
    .tab = TAB_NONE,
    .state_size = sizeof(struct sandbox_view),
    .actions = sandbox_actions,
    .enter = sandbox_enter,
    .leave = sandbox_leave,
    .draw = sandbox_draw,
    .enabled = sandbox_enabled,
    .on_action = sandbox_action,
    .on_reply = sandbox_reply,
    .on_log = sandbox_log,
    .on_ready = sandbox_ready,
    .on_tick = sandbox_tick,
};
