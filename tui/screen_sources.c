/* 3 Logs: whose? */
#include "core/base/str.h"
#include "tui/list.h"
#include "tui/log_arg.h"
#include "tui/ui.h"
#include "tui/words.h"

static const enum action_id sources_actions[] = {LIST_ACTIONS, ACTION_OPEN, ACTION_NONE};

static size_t sources_count(const struct view *view)
{
    const struct vm_status *vm = view_vm(view);
    return 2 + (vm ? vm->n_modules : 0) + (view->snap.sandbox.light == LIGHT_OK);
}

static const char *source_name(const struct view *view, size_t i)
{
    const struct vm_status *vm = view_vm(view);
    size_t modules = vm ? vm->n_modules : 0;
    static const char *const others[] = {"@serial", "@engine", "@sandbox"};
    return i < modules ? vm->modules[i].name : others[(i - modules) % ARRAY_LEN(others)];
}

static void sources_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct list *list = state;
    surface_rule(s, body, "Whose log?");
    list_resize(list, sources_count(view));
    size_t rows = list_window(list, (size_t)body.h - 2);
    for (size_t i = 0; i < rows; i++) {
        const char *name = source_name(view, list->top + i);
        const struct module_status *m = view_module(view, name);
        int y = body.y + 2 + (int)i;
        surface_text(s, y, 3, 40, STYLE_TEXT, words_source(name));
        if (m)
            surface_light(s, y, 46, -1, module_state_light(m->state), words_module(m->state));
        if (list->top + i == list->sel)
            list_mark(s, body, y);
    }
}

static bool sources_action(struct ui *ui, void *state, enum action_id id)
{
    struct list *list = state;
    if (list_action(list, id))
        return true;
    if (id != ACTION_OPEN)
        return false;
    const struct log_arg arg = {.module = source_name(ui_view(ui), list->sel)};
    ui_push(ui, &screen_log, &arg);
    return true;
}

const struct screen screen_sources = {
    .title = "Logs",
    .tab = TAB_LOGS,
    .state_size = sizeof(struct list),
    .actions = sources_actions,
    .draw = sources_draw,
    .on_action = sources_action,
};
