/* 1 Dash: what needs attention, the VM, IoT Edge, the cloud and the modules. One mark walks through
 * problems and modules. */
#include "core/base/str.h"
#include "tui/attention.h"
#include "tui/format.h"
#include "tui/list.h"
#include "tui/log_arg.h"
#include "tui/module_table.h"
#include "tui/progress.h"
#include "tui/words.h"

#include <inttypes.h>
#include <string.h>

struct dash {
    struct list list; /* the problems, then the modules */
    struct list modules;
};

static const enum action_id dash_actions[] = {
    LIST_ACTIONS,   ACTION_OPEN,   ACTION_LOG,  ACTION_CONNECT, ACTION_SANDBOX,
    ACTION_NEXT_VM, ACTION_NEW_VM, ACTION_JOBS, ACTION_NONE,
};

/* What the mark stands on. */
static const struct module_status *marked_module(const struct view *view, const struct dash *dash,
                                                 struct attention *ret_item, bool *ret_is_item)
{
    struct attention items[ATTENTION_MAX];
    size_t order[MODEL_MODULES_MAX];
    size_t n = attention_collect(view, items, ATTENTION_MAX);
    const struct vm_status *vm = view_vm(view);
    *ret_is_item = dash->list.sel < n;
    if (*ret_is_item) {
        *ret_item = items[dash->list.sel];
        return ret_item->about == ATTENTION_MODULE ? view_module(view, ret_item->subject) : NULL;
    }
    if (!vm || dash->list.sel - n >= vm->n_modules)
        return NULL;
    module_order(vm, order);
    return &vm->modules[order[dash->list.sel - n]];
}

static int draw_attention(const struct view *view, struct dash *dash, struct surface *s,
                          struct area a, size_t *ret_n)
{
    struct attention items[ATTENTION_MAX];
    char title[64];
    size_t n = attention_collect(view, items, ATTENTION_MAX);
    size_t rows = n > 4 && a.h < 30 ? 4 : n;
    size_t first = dash->list.sel < n && dash->list.sel >= rows ? dash->list.sel - rows + 1 : 0;
    *ret_n = n;
    if (!n) {
        surface_rule(s, a, "Nothing needs attention");
        return 1;
    }
    (void)str_format(title, sizeof(title), "Needs attention (%zu)", n);
    surface_rule(s, a, title);
    for (size_t i = 0; i < rows; i++) {
        const struct attention *item = &items[first + i];
        int y = a.y + 1 + (int)i;
        surface_light(s, y, 3, -1, item->light, item->what);
        surface_text(s, y, 30, a.w - 31, STYLE_TEXT, item->text);
        if (surface_width(item->what) > 21)
            surface_text(s, y, 8, 21, STYLE_TEXT, item->what);
        if (first + i == dash->list.sel)
            list_mark(s, a, y);
    }
    return 1 + (int)rows;
}

static void draw_share(struct surface *s, int y, const char *label, double percent, uint64_t total,
                       const char *of)
{
    char text[16], size[24];
    surface_text(s, y, 1, -1, STYLE_TEXT, label);
    progress_share(s, y, 10, 10, percent);
    format_percent(text, sizeof(text), percent);
    surface_right(s, y, 20, 6, STYLE_TEXT, text);
    str_bytes(size, sizeof(size), total);
    if (of)
        surface_text(s, y, 28, 16, STYLE_TEXT, of);
    else if (total)
        surface_printf(s, y, 28, STYLE_TEXT, "of %s", size);
}

static double share(uint64_t used, uint64_t total)
{
    return total ? (double)used * 100 / (double)total : -1;
}

static void draw_vm(const struct view *view, const struct vm_status *vm, struct surface *s, int y)
{
    char text[80], up[32], cpus[24];
    bool known = vm->state == VM_STATE_RUNNING && vm->seen_ms;
    format_for(up, sizeof(up), view->now_ms, vm->started_ms);
    STR_SET(text, words_vm(vm->state));
    if (vm->state == VM_STATE_RUNNING && vm->started_ms)
        (void)str_format(text, sizeof(text), "running, up %s", up);
    surface_text(s, y, 1, -1, STYLE_TEXT, "State");
    surface_light(s, y, 10, 34, vm_state_light(vm->state), text);
    (void)str_format(cpus, sizeof(cpus), "of %" PRIu32 " CPU%s", vm->cpus,
                     vm->cpus == 1 ? "" : "s");
    draw_share(s, y + 1, "CPU", known ? vm->cpu_percent : -1, 0, cpus);
    draw_share(s, y + 2, "Memory", known ? share(vm->memory_used, vm->memory_total) : -1,
               vm->memory_total, NULL);
    draw_share(s, y + 3, "Disk", known ? share(vm->disk_used, vm->disk_total) : -1, vm->disk_total,
               NULL);
    surface_text(s, y + 4, 1, -1, STYLE_TEXT, "Address");
    surface_text(s, y + 4, 10, 35, STYLE_TEXT, vm->address[0] ? vm->address : "-");
}

static void draw_pair(struct surface *s, int y, int x, const char *label, const char *value)
{
    surface_text(s, y, x, -1, STYLE_TEXT, label);
    surface_text(s, y, x + 9, s->w - x - 10, STYLE_TEXT, value[0] ? value : "-");
}

/* The whole host name where there is room, else its first part: the rest is the same for every hub.
 */
static void draw_hub(struct surface *s, int y, int x, const char *hub)
{
    char text[130];
    STR_SET(text, hub);
    char *dot = strchr(text, '.');
    if (dot && surface_width(text) > s->w - x - 10)
        *dot = '\0';
    draw_pair(s, y, x, "Hub", text);
}

static void draw_edge(const struct view *view, const struct vm_status *vm, struct surface *s, int y,
                      int x)
{
    char text[96], since[32];
    bool runs = vm->runtime == RUNTIME_STATE_RUNNING;
    (void)str_format(text, sizeof(text), "%s %s", words_runtime(vm->runtime),
                     runs ? vm->runtime_version : "");
    surface_text(s, y, x, -1, STYLE_TEXT, "Runtime");
    surface_light(s, y, x + 9, s->w - x - 10, runtime_state_light(vm->runtime), text);
    format_for(since, sizeof(since), view->now_ms, vm->cloud_since_ms);
    (void)str_format(text, sizeof(text), vm->cloud_since_ms ? "%s, %s" : "%s",
                     words_cloud(vm->cloud), since);
    surface_text(s, y + 1, x, -1, STYLE_TEXT, "Cloud");
    surface_light(s, y + 1, x + 9, s->w - x - 10, cloud_state_light(vm->cloud), text);
    draw_pair(s, y + 2, x, "Device", vm->device_id);
    draw_hub(s, y + 3, x, vm->hub);
    surface_text(s, y + 4, x, -1, STYLE_TEXT, "Sandbox");
    words_sandbox(&view->snap, text, sizeof(text));
    surface_light(s, y + 4, x + 9, s->w - x - 10, view->snap.sandbox.light, text);
}

static void draw_modules(const struct view *view, const struct vm_status *vm, struct dash *dash,
                         struct surface *s, struct area a, size_t problems)
{
    char title[96], counts[64];
    size_t order[MODEL_MODULES_MAX];
    bool on_module = dash->list.sel >= problems;
    module_counts(vm, counts, sizeof(counts));
    (void)str_format(title, sizeof(title), "Modules (%s)", counts);
    surface_rule(s, a, title);
    if (!vm->n_modules) {
        surface_text(s, a.y + 2, 3, -1, STYLE_TEXT,
                     vm->runtime == RUNTIME_STATE_UNPROVISIONED
                         ? "None yet: modules come with a deployment, once the VM is connected (C)."
                         : "None yet.");
        return;
    }
    module_table_head(s, (struct area){a.y + 1, a.x, 1, a.w});
    module_order(vm, order);
    list_resize(&dash->modules, vm->n_modules);
    if (on_module)
        dash->modules.sel = dash->list.sel - problems;
    size_t rows = list_window(&dash->modules, a.h > 2 ? (size_t)a.h - 2 : 0);
    for (size_t i = 0; i < rows; i++) {
        size_t at = dash->modules.top + i;
        int y = a.y + 2 + (int)i;
        module_table_row(s, a, y, view, &vm->modules[order[at]]);
        if (on_module && at == dash->modules.sel)
            list_mark(s, a, y);
    }
}

static void draw_empty(struct surface *s, struct area body)
{
    surface_rule(s, body, NULL);
    surface_light(s, body.y + 2, 3, -1, LIGHT_OFF, "There is no VM on this host yet.");
    surface_text(s, body.y + 4, 8, -1, STYLE_TEXT, "Press N to install one.");
    surface_focus(s, body.y + 4, 8, false);
}

static void dash_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct dash *dash = state;
    char title[96];
    size_t problems = 0;
    const struct vm_status *vm = view_vm(view);
    if (view->link == LINK_LOST) {
        surface_rule(s, body, NULL);
        surface_light(s, body.y + 1, 3, -1, LIGHT_BAD,
                      "The engine is gone; trying to reach it again. VMs go on running.");
        surface_text(s, body.y + 2, 8, -1, STYLE_TEXT, view->link_err.msg);
        body = (struct area){body.y + 3, body.x, body.h - 3, body.w};
    }
    if (!vm) {
        draw_empty(s, body);
        return;
    }
    int used = draw_attention(view, dash, s, body, &problems);
    list_resize(&dash->list, problems + vm->n_modules);
    int y = body.y + used;
    int x = body.w / 2 + 6;
    (void)str_format(title, sizeof(title), "VM %s", vm->name);
    surface_rule(s, (struct area){y, 0, 1, body.w}, title);
    surface_rule(s, (struct area){y, x - 3, 1, body.w - x + 3}, "IoT Edge");
    draw_vm(view, vm, s, y + 1);
    draw_edge(view, vm, s, y + 1, x);
    y += 6;
    draw_modules(view, vm, dash, s, (struct area){y, 0, body.y + body.h - y, body.w}, problems);
    if (!problems && !vm->n_modules)
        surface_focus(s, y, 0, false);
}

static bool dash_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct vm_status *vm = view_vm(view);
    (void)state;
    switch ((int)id) {
    case ACTION_OPEN:
    case ACTION_LOG:
        return vm != NULL;
    case ACTION_CONNECT:
        return vm && vm->state == VM_STATE_RUNNING && vm->cloud != CLOUD_STATE_CONNECTED;
    case ACTION_NEXT_VM:
        return view->snap.n_vms > 1;
    case ACTION_NEW_VM:
        return view->snap.n_vms < MODEL_VMS_MAX && view->have_snap;
    default:
        return true;
    }
}

static void open_marked(struct ui *ui, const struct dash *dash)
{
    struct attention item;
    bool is_item = false;
    const struct module_status *m = marked_module(ui_view(ui), dash, &item, &is_item);
    if (m)
        ui_push(ui, &screen_module, m->name);
    else if (is_item && item.about == ATTENTION_JOB)
        ui_push(ui, &screen_job, item.subject);
    else if (is_item && item.about == ATTENTION_CONNECT)
        ui_push(ui, &screen_connect, NULL);
    else if (is_item)
        ui_push(ui, &screen_vm, NULL);
}

static void open_log(struct ui *ui, const struct dash *dash)
{
    struct attention item;
    bool is_item = false;
    const struct module_status *m = marked_module(ui_view(ui), dash, &item, &is_item);
    struct log_arg arg = {.module = m ? m->name : "@serial"};
    ui_push(ui, &screen_log, &arg);
}

static void next_vm(struct view *view)
{
    for (size_t i = 0; i < view->snap.n_vms; i++)
        if (str_eq(view->snap.vms[i].name, view->vm)) {
            STR_SET(view->vm, view->snap.vms[(i + 1) % view->snap.n_vms].name);
            return;
        }
}

static bool dash_action(struct ui *ui, void *state, enum action_id id)
{
    struct dash *dash = state;
    if (list_action(&dash->list, id))
        return true;
    if (id == ACTION_OPEN)
        open_marked(ui, dash);
    else if (id == ACTION_LOG)
        open_log(ui, dash);
    else if (id == ACTION_CONNECT)
        ui_push(ui, &screen_connect, NULL);
    else if (id == ACTION_NEW_VM)
        ui_push(ui, &screen_check, NULL);
    else if (id == ACTION_NEXT_VM)
        next_vm(ui_view(ui));
    else
        return false;
    return true;
}

const struct screen screen_dash = {
    .title = "Dashboard",
    .tab = TAB_DASH,
    .state_size = sizeof(struct dash),
    .actions = dash_actions,
    .draw = dash_draw,
    .enabled = dash_enabled,
    .on_action = dash_action,
};
