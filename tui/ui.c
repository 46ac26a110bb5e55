/* See ui.h: the stack of screens, keys to actions, and what is drawn. */
#include "tui/ui.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/dialog.h"
#include "tui/frame.h"
#include "tui/request.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STACK_MAX 16

struct open_screen {
    const struct screen *screen;
    void *state;
    uint64_t id;
};

struct ui {
    struct ui_ops ops;
    struct view view;
    struct open_screen stack[STACK_MAX];
    size_t depth;
    uint64_t last_id;
    bool quit;
    bool redraw;
    struct request *requests;
};

struct ui *ui_new(const struct ui_ops *ops)
{
    struct ui *ui = xcalloc(1, sizeof(*ui));
    ui->ops = *ops;
    ui_push(ui, &screen_start, NULL);
    return ui;
}

static void close_top(struct ui *ui)
{
    struct open_screen *top = &ui->stack[--ui->depth];
    if (top->screen->leave)
        top->screen->leave(ui, top->state);
    free(top->state);
    top->screen = NULL;
}

void ui_free(struct ui *ui)
{
    if (!ui)
        return;
    while (ui->depth)
        close_top(ui);
    request_drop(ui);
    free(ui);
}

struct view *ui_view(struct ui *ui)
{
    return &ui->view;
}

const struct ui_ops *ui_ops(struct ui *ui)
{
    return &ui->ops;
}

void ui_push(struct ui *ui, const struct screen *screen, const void *arg)
{
    /* Nothing is closed to make room: who asks for this one is among those that are open. */
    if (ui->depth == STACK_MAX) {
        ui_toast(ui, LIGHT_WARN, "Too many pages are open; Esc goes back");
        return;
    }
    struct open_screen *top = &ui->stack[ui->depth++];
    top->screen = screen;
    top->state = xcalloc(1, screen->state_size ? screen->state_size : 1);
    top->id = ++ui->last_id;
    if (screen->enter)
        screen->enter(ui, top->state, arg);
}

void ui_pop(struct ui *ui)
{
    assert(ui->depth);
    close_top(ui);
    if (!ui->depth)
        ui->quit = true;
}

void ui_close(struct ui *ui, const void *state)
{
    size_t at = 0;
    while (at < ui->depth && ui->stack[at].state != state)
        at++;
    while (ui->depth > at)
        ui_pop(ui);
}

void ui_reset(struct ui *ui, const struct screen *screen, const void *arg)
{
    while (ui->depth)
        close_top(ui);
    ui_push(ui, screen, arg);
}

bool ui_show_job(struct ui *ui, const struct reply *reply)
{
    if (reply->kind != REPLY_JOB || reply->err)
        return false;
    ui_reset(ui, &screen_dash, NULL);
    ui_push(ui, &screen_job, reply->id);
    return true;
}

const struct screen *ui_top(struct ui *ui, void **ret_state)
{
    if (!ui->depth)
        return NULL;
    if (ret_state)
        *ret_state = ui->stack[ui->depth - 1].state;
    return ui->stack[ui->depth - 1].screen;
}

uint64_t ui_top_id(struct ui *ui)
{
    return ui->depth ? ui->stack[ui->depth - 1].id : 0;
}

bool ui_quitting(const struct ui *ui)
{
    return ui->quit;
}

void ui_toast(struct ui *ui, enum light light, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(ui->view.toast, sizeof(ui->view.toast), fmt, ap);
    va_end(ap);
    ui->view.toast_light = light;
}

void ui_fail(struct ui *ui, const char *what, const struct err *err)
{
    struct message_arg arg = {.title = what, .err = err};
    ui_push(ui, &screen_message, &arg);
}

struct request **ui_requests(struct ui *ui)
{
    return &ui->requests;
}

/* ---- keys */

static const struct screen *const tab_screens[] = {
    [TAB_DASH] = &screen_dash,       [TAB_MODULES] = &screen_modules, [TAB_LOGS] = &screen_sources,
    [TAB_METRICS] = &screen_metrics, [TAB_VM] = &screen_vm,
};

/* Tabs are for a host that has a VM to look at; the wizard has none. */
static void go_to_tab(struct ui *ui, enum tab tab)
{
    if (!ui->view.have_snap || !ui->view.snap.n_vms)
        return;
    ui_reset(ui, &screen_dash, NULL);
    if (tab != TAB_DASH)
        ui_push(ui, tab_screens[tab], NULL);
}

/* There is one; what lies above it closes. */
static void go_to_sandbox(struct ui *ui)
{
    for (size_t i = ui->depth; i-- > 0;)
        if (ui->stack[i].screen == &screen_sandbox) {
            while (ui->depth > i + 1)
                close_top(ui);
            return;
        }
    ui_push(ui, &screen_sandbox, NULL);
}

static void act_everywhere(struct ui *ui, enum action_id id)
{
    if (id >= ACTION_TAB_1 && id <= ACTION_TAB_5)
        go_to_tab(ui, (enum tab)(id - ACTION_TAB_1));
    else if (id == ACTION_REDRAW)
        ui->redraw = true;
    else if (id == ACTION_INTERRUPT)
        ui->quit = true;
    else if (id == ACTION_HELP)
        ui_push(ui, &screen_help, ui_top(ui, NULL));
    else if (id == ACTION_JOBS && ui_top(ui, NULL) != &screen_jobs)
        ui_push(ui, &screen_jobs, NULL);
    else if (id == ACTION_SANDBOX)
        go_to_sandbox(ui);
    else if (id == ACTION_LEAVE || (id == ACTION_BACK && ui->depth > 1))
        ui_pop(ui);
}

/* A screen may switch off its own actions, never those that work everywhere: there is always a way
 * out. */
static bool switched_off(const struct ui *ui, const struct screen *screen, const void *state,
                         enum action_id id)
{
    const enum action_id *own = screen->actions;
    while (own && *own != ACTION_NONE && *own != id)
        own++;
    return own && *own == id && screen->enabled && !screen->enabled(&ui->view, state, id);
}

void ui_key(struct ui *ui, const struct key *key)
{
    void *state = NULL;
    const struct screen *screen = ui_top(ui, &state);
    if (!screen)
        return;
    ui->view.toast[0] = '\0';
    if (screen->on_key && screen->on_key(ui, state, key))
        return;
    enum action_id id = action_for_key(screen->actions, key->sym);
    if (id == ACTION_NONE)
        return;
    if (switched_off(ui, screen, state, id))
        return;
    if (screen->on_action && screen->on_action(ui, state, id))
        return;
    if (screen->overlay && id != ACTION_BACK && id != ACTION_LEAVE && id != ACTION_REDRAW &&
        id != ACTION_INTERRUPT)
        return;
    act_everywhere(ui, id);
}

bool ui_wants_text(struct ui *ui)
{
    const struct screen *top = ui_top(ui, NULL);
    return top && top->form;
}

bool ui_take_redraw(struct ui *ui)
{
    bool redraw = ui->redraw;
    ui->redraw = false;
    return redraw;
}

/* ---- events */

/* The hub on screen stays as long as there is one of that name. */
static void keep_hub(struct view *view)
{
    const struct sandbox_status *b = &view->snap.sandbox;
    for (size_t i = 0; i < b->n_hubs && b->n_hubs > 1; i++)
        if (str_eq(b->hubs[i].host, view->hub))
            return;
    STR_SET(view->hub, b->n_hubs > 1 ? b->hubs[0].host : "");
}

void ui_snapshot(struct ui *ui)
{
    const struct vm_status *vm = view_vm(&ui->view);
    bool first = !ui->view.have_snap;
    ui->view.have_snap = true;
    STR_SET(ui->view.vm, vm ? vm->name : "");
    keep_hub(&ui->view);
    if (first)
        ui_choose_start(ui);
}

void ui_ready(struct ui *ui, bool again)
{
    ui->view.link = LINK_READY;
    for (size_t i = 0; again && i < ui->depth; i++)
        if (ui->stack[i].screen->on_ready)
            ui->stack[i].screen->on_ready(ui, ui->stack[i].state);
}

void ui_lost(struct ui *ui, const struct err *why)
{
    ui->view.link = LINK_LOST;
    ui->view.link_err = *why;
}

void ui_log(struct ui *ui, const struct log_batch *batch)
{
    for (size_t i = 0; i < ui->depth; i++)
        if (ui->stack[i].screen->on_log)
            ui->stack[i].screen->on_log(ui, ui->stack[i].state, batch);
}

void ui_tick(struct ui *ui)
{
    void *state = NULL;
    const struct screen *top = ui_top(ui, &state);
    if (top && top->on_tick && ui->view.link == LINK_READY)
        top->on_tick(ui, state);
}

void ui_reply(struct ui *ui, uint64_t screen_id, const struct reply *reply)
{
    for (size_t i = 0; i < ui->depth; i++) {
        struct open_screen *open = &ui->stack[i];
        if (open->id == screen_id && open->screen->on_reply &&
            open->screen->on_reply(ui, open->state, reply))
            return;
    }
    if (reply->err)
        ui_fail(ui, reply->what, reply->err);
    else if (reply->kind == REPLY_JOB)
        ui_push(ui, &screen_job, reply->id);
    else if (reply->kind == REPLY_DONE)
        ui_toast(ui, LIGHT_OK, "Asked: %s", reply->what);
    else if (reply->kind == REPLY_STREAM) /* its screen was closed before it began */
        (str_starts(reply->id, "sandbox-") ? request_events_stop : request_logs_stop)(ui,
                                                                                      reply->id);
}

/* ---- drawing */

static void draw_one(struct ui *ui, struct open_screen *open, struct surface *s)
{
    struct area body = {0, 0, s->h, s->w};
    if (!open->screen->overlay)
        body = frame_top(&ui->view, open->screen, open->state, s);
    open->screen->draw(&ui->view, open->state, s, body);
    frame_bottom(&ui->view, open->screen, open->state, s);
}

void ui_draw(struct ui *ui, struct surface *s)
{
    surface_clear(s);
    if (s->h < FRAME_HEIGHT_MIN || s->w < FRAME_WIDTH_MIN) {
        frame_too_small(&ui->view, s);
        return;
    }
    size_t from = ui->depth;
    ui->view.root = ui->depth == 1;
    while (from > 1 && ui->stack[from - 1].screen->overlay)
        from--;
    for (size_t i = from ? from - 1 : 0; i < ui->depth; i++)
        draw_one(ui, &ui->stack[i], s);
}
