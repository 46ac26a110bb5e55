/* 2 Modules: all of them, worst first, with a word about the marked one. The mark stays on its
 * module when the order changes. */
#include "core/base/str.h"
#include "tui/format.h"
#include "tui/list.h"
#include "tui/module_act.h"
#include "tui/module_table.h"
#include "tui/words.h"

#define NOTE_ROWS 5

struct modules {
    struct list list;
    char marked[MODEL_NAME_MAX];
};

static const enum action_id modules_actions[] = {
    LIST_ACTIONS,        ACTION_DETAIL,      ACTION_LOG,  ACTION_MODULE_RESTART,
    ACTION_MODULE_START, ACTION_MODULE_STOP, ACTION_NONE,
};

static void follow_mark(struct modules *m, const struct vm_status *vm, const size_t *order)
{
    list_resize(&m->list, vm->n_modules);
    for (size_t i = 0; i < vm->n_modules; i++)
        if (str_eq(vm->modules[order[i]].name, m->marked))
            m->list.sel = i;
    STR_SET(m->marked, vm->n_modules ? vm->modules[order[m->list.sel]].name : "");
}

static void draw_note(const struct view *view, const struct module_status *m, struct surface *s,
                      struct area a)
{
    char ago[32], line[320];
    surface_rule(s, a, m->name);
    format_ago(ago, sizeof(ago), view->now_ms, m->exited_ms);
    if (m->description[0])
        STR_SET(line, m->description);
    else if (m->exited_ms)
        (void)str_format(line, sizeof(line), "%s; ended last with exit code %d, %s",
                         words_module(m->state), m->exit_code, ago);
    else
        (void)str_format(line, sizeof(line), "%s; has not ended since it was first seen",
                         words_module(m->state));
    surface_wrap(s, (struct area){a.y + 1, 1, 2, a.w - 2}, STYLE_TEXT, line);
    surface_text(s, a.y + 3, 1, -1, STYLE_TEXT, "Image");
    surface_text(s, a.y + 3, 8, a.w - 9, STYLE_TEXT, m->image[0] ? m->image : "-");
}

static const char *why_none(const struct vm_status *vm)
{
    if (!vm)
        return "There is no VM: go to 1 Dash and press N.";
    if (vm->state == VM_STATE_OFF || vm->state == VM_STATE_CRASHED)
        return "The VM is off: 5 VM starts it.";
    if (vm->state != VM_STATE_RUNNING)
        return "They appear as soon as the VM answers.";
    if (vm->runtime == RUNTIME_STATE_UNPROVISIONED)
        return "Connect the VM first: go to 1 Dash and press C.";
    return "They appear as soon as the device has a deployment.";
}

static void modules_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct modules *modules = state;
    size_t order[MODEL_MODULES_MAX];
    char counts[80], title[120];
    const struct vm_status *vm = view_vm(view);
    if (!vm || !vm->n_modules) {
        surface_rule(s, body, "Modules");
        surface_light(s, body.y + 2, 3, -1, LIGHT_OFF, "There are no modules yet.");
        surface_text(s, body.y + 4, 8, -1, STYLE_TEXT, why_none(vm));
        return;
    }
    module_order(vm, order);
    follow_mark(modules, vm, order);
    module_counts(vm, counts, sizeof(counts));
    (void)str_format(title, sizeof(title), "%zu modules, worst first: %s", vm->n_modules, counts);
    surface_rule(s, body, title);
    module_table_head(s, (struct area){body.y + 1, 0, 1, body.w});
    size_t rows = list_window(&modules->list, (size_t)(body.h - 2 - NOTE_ROWS));
    for (size_t i = 0; i < rows; i++) {
        size_t at = modules->list.top + i;
        int y = body.y + 2 + (int)i;
        module_table_row(s, body, y, view, &vm->modules[order[at]]);
        if (at == modules->list.sel)
            list_mark(s, body, y);
    }
    draw_note(view, &vm->modules[order[modules->list.sel]], s,
              (struct area){body.y + body.h - NOTE_ROWS + 1, 0, NOTE_ROWS - 1, body.w});
}

static const struct module_status *marked(const struct view *view, const struct modules *m)
{
    return view_module(view, m->marked);
}

static bool modules_enabled(const struct view *view, const void *state, enum action_id id)
{
    return module_act_possible(marked(view, state), id);
}

static bool modules_action(struct ui *ui, void *state, enum action_id id)
{
    struct modules *modules = state;
    const struct vm_status *vm = view_vm(ui_view(ui));
    const struct module_status *m = marked(ui_view(ui), modules);
    size_t order[MODEL_MODULES_MAX];
    if (list_action(&modules->list, id)) {
        if (vm && vm->n_modules) {
            module_order(vm, order);
            STR_SET(modules->marked, vm->modules[order[modules->list.sel]].name);
        }
        return true;
    }
    if (id == ACTION_DETAIL && m) {
        ui_push(ui, &screen_module, m->name);
        return true;
    }
    return module_act(ui, m, id);
}

const struct screen screen_modules = {
    .title = "Modules",
    .tab = TAB_MODULES,
    .state_size = sizeof(struct modules),
    .actions = modules_actions,
    .draw = modules_draw,
    .enabled = modules_enabled,
    .on_action = modules_action,
};
