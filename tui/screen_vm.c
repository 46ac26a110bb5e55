/* 5 VM: what it is made of, and its power. */
#include "core/base/str.h"
#include "tui/dialog.h"
#include "tui/format.h"
#include "tui/log_arg.h"
#include "tui/request.h"
#include "tui/words.h"

#include <inttypes.h>

static const enum action_id vm_actions[] = {
    ACTION_VM_START, ACTION_VM_STOP, ACTION_VM_RESTART, ACTION_VM_FORCE, ACTION_SERIAL,
    ACTION_CONNECT,  ACTION_TPM,     ACTION_VM_DELETE,  ACTION_NONE,
};

static void draw_row(struct surface *s, int y, const char *label, const char *value)
{
    surface_text(s, y, 1, -1, STYLE_TEXT, label);
    surface_text(s, y, 16, s->w - 17, STYLE_TEXT, value[0] ? value : "-");
}

static int draw_power(const struct view *view, const struct vm_status *vm, struct surface *s, int y)
{
    char text[240], up[32];
    format_for(up, sizeof(up), view->now_ms, vm->started_ms);
    STR_SET(text, words_vm(vm->state));
    if (vm->state == VM_STATE_RUNNING && vm->started_ms)
        (void)str_format(text, sizeof(text), "running, up %s", up);
    surface_text(s, y, 1, -1, STYLE_TEXT, "Power");
    surface_light(s, y, 16, s->w - 17, vm_state_light(vm->state), text);
    if (!vm->reason[0])
        return 1;
    return 1 + surface_wrap(s, (struct area){y + 1, 16, 3, s->w - 17}, STYLE_TEXT, vm->reason);
}

static void used_of(char *to, size_t size, uint64_t used, uint64_t total)
{
    char a[24], b[24];
    str_bytes(a, sizeof(a), used);
    str_bytes(b, sizeof(b), total);
    (void)str_format(to, size, "; %s of %s used", a, b);
}

static void draw_hardware(const struct vm_status *vm, struct surface *s, int y)
{
    char text[120], used[64] = "";
    draw_row(s, y, "Name", vm->name);
    (void)str_format(text, sizeof(text), "%" PRIu32 " (%s)", vm->cpus,
                     str_eq(vm->accel, "kvm")   ? "KVM: at full speed"
                     : str_eq(vm->accel, "tcg") ? "TCG: emulated, several times slower than KVM"
                                                : "accelerator not known");
    draw_row(s, y + 1, "CPUs", text);
    if (vm->memory_total)
        used_of(used, sizeof(used), vm->memory_used, vm->memory_total);
    (void)str_format(text, sizeof(text), "%" PRIu32 " MiB%s", vm->memory_mib, used);
    draw_row(s, y + 2, "Memory", text);
    used[0] = '\0';
    if (vm->disk_total)
        used_of(used, sizeof(used), vm->disk_used, vm->disk_total);
    (void)str_format(text, sizeof(text), "%" PRIu32 " GiB%s", vm->disk_gib, used);
    draw_row(s, y + 3, "Data disk", text);
    draw_row(s, y + 4, "Network", vm->address);
    (void)str_format(text, sizeof(text), "%s (read-only; the host replaces it as a whole)",
                     vm->bundle[0] ? vm->bundle : "-");
    draw_row(s, y + 5, "System image", text);
}

static void draw_edge(const struct view *view, const struct vm_status *vm, struct surface *s, int y)
{
    char text[240], since[32];
    (void)str_format(text, sizeof(text), "%s %s%s%s", words_runtime(vm->runtime),
                     vm->runtime_version, vm->runtime_reason[0] ? ": " : "", vm->runtime_reason);
    surface_text(s, y, 1, -1, STYLE_TEXT, "Runtime");
    surface_light(s, y, 16, s->w - 17, runtime_state_light(vm->runtime), text);
    format_for(since, sizeof(since), view->now_ms, vm->cloud_since_ms);
    (void)str_format(text, sizeof(text), "%s%s%s%s%s", words_cloud(vm->cloud),
                     vm->cloud_since_ms ? " for " : "", vm->cloud_since_ms ? since : "",
                     vm->cloud_reason[0] ? ": " : "", vm->cloud_reason);
    surface_text(s, y + 1, 1, -1, STYLE_TEXT, "Cloud");
    surface_light(s, y + 1, 16, s->w - 17, cloud_state_light(vm->cloud), text);
    draw_row(s, y + 2, "Device", vm->device_id);
    draw_row(s, y + 3, "Hub", vm->hub);
}

static void vm_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct vm_status *vm = view_vm(view);
    (void)state;
    surface_rule(s, body, vm ? vm->name : "VM");
    surface_focus(s, body.y + 1, 1, false);
    if (!vm) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_OFF, "There is no VM on this host.");
        surface_text(s, body.y + 4, 8, -1, STYLE_TEXT, "Go to 1 Dash and press N to install one.");
        return;
    }
    int y = body.y + 1;
    y += draw_power(view, vm, s, y);
    draw_hardware(vm, s, y);
    surface_rule(s, (struct area){y + 6, 0, 1, body.w}, "IoT Edge");
    draw_edge(view, vm, s, y + 7);
    if (y + 12 < body.y + body.h)
        surface_rule(s, (struct area){y + 11, 0, 1, body.w}, "As a command");
    if (y + 13 < body.y + body.h) {
        surface_printf(s, y + 12, 1, STYLE_TEXT, "berth vm start|stop|restart|delete %s", vm->name);
        surface_text(s, y + 13, 1, -1, STYLE_TEXT, "berth vm show --json");
    }
}

static bool vm_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct vm_status *vm = view_vm(view);
    (void)state;
    bool off = vm && (vm->state == VM_STATE_OFF || vm->state == VM_STATE_CRASHED);
    switch ((int)id) {
    case ACTION_VM_START:
        return off;
    case ACTION_VM_STOP:
    case ACTION_VM_RESTART:
        return vm && !off && vm->state != VM_STATE_STOPPING;
    case ACTION_VM_FORCE:
        return vm && !off;
    case ACTION_CONNECT:
    case ACTION_TPM:
        return vm && vm->state == VM_STATE_RUNNING;
    default:
        return vm != NULL;
    }
}

static void stop_sure(struct ui *ui, const char *vm, const char *object)
{
    (void)object;
    request_vm(ui, "stop", vm, false);
}

static void force_sure(struct ui *ui, const char *vm, const char *object)
{
    (void)object;
    request_vm(ui, "stop", vm, true);
}

static void restart_sure(struct ui *ui, const char *vm, const char *object)
{
    (void)object;
    request_vm(ui, "restart", vm, false);
}

static void delete_sure(struct ui *ui, const char *vm, const char *object)
{
    (void)object;
    request_vm(ui, "delete", vm, false);
}

/* What is asked before each act, and what it costs. */
static const struct {
    const char *title, *text, *yes, *cli;
    void (*on_yes)(struct ui *ui, const char *subject, const char *object);
    enum action_id id;
    bool typed;
} questions[] = {
    {.id = ACTION_VM_STOP,
     .title = "Stop VM",
     .text = "Its modules are stopped cleanly. Nothing is lost; A starts it again.",
     .yes = "Stop it",
     .cli = "berth vm stop",
     .on_yes = stop_sure},
    {.id = ACTION_VM_RESTART,
     .title = "Restart VM",
     .text = "Its modules are stopped cleanly and come back by themselves after about a minute.",
     .yes = "Restart it",
     .cli = "berth vm restart",
     .on_yes = restart_sure},
    {.id = ACTION_VM_FORCE,
     .title = "Cut the power of VM",
     .text = "Like pulling the plug: what modules have not written yet is lost.\n"
             "Stop (T) is the gentle way.",
     .yes = "Cut power",
     .cli = "berth vm stop --force",
     .on_yes = force_sure},
    {.id = ACTION_VM_DELETE,
     .title = "Delete VM",
     .text = "This destroys:  its disk: the modules' data and the device's keys\n"
             "This keeps:     the sandbox, and the system image on this host\n"
             "In Azure:       nothing changes; the device shows \"disconnected\"",
     .yes = "Delete",
     .cli = "berth vm delete",
     .typed = true,
     .on_yes = delete_sure},
};

static bool ask(struct ui *ui, const struct vm_status *vm, enum action_id id)
{
    char title[120], cli[160];
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        if (questions[i].id != id)
            continue;
        (void)str_format(title, sizeof(title), "%s %s?", questions[i].title, vm->name);
        (void)str_format(cli, sizeof(cli), "%s %s", questions[i].cli, vm->name);
        const struct dialog_arg arg = {
            .title = title,
            .text = questions[i].text,
            .yes = questions[i].yes,
            .word = questions[i].typed ? vm->name : NULL,
            .cli = cli,
            .subject = vm->name,
            .on_yes = questions[i].on_yes,
        };
        ui_push(ui, &screen_dialog, &arg);
        return true;
    }
    return false;
}

static bool vm_action(struct ui *ui, void *state, enum action_id id)
{
    const struct vm_status *vm = view_vm(ui_view(ui));
    const struct log_arg serial = {.module = "@serial"};
    (void)state;
    if (!vm)
        return false;
    if (id == ACTION_VM_START)
        request_vm(ui, "start", vm->name, false);
    else if (id == ACTION_SERIAL)
        ui_push(ui, &screen_log, &serial);
    else if (id == ACTION_TPM)
        ui_push(ui, &screen_tpm, NULL);
    else if (id == ACTION_CONNECT)
        ui_push(ui, &screen_connect, NULL);
    else
        return ask(ui, vm, id);
    return true;
}

const struct screen screen_vm = {
    .title = "VM",
    .tab = TAB_VM,
    .actions = vm_actions,
    .draw = vm_draw,
    .enabled = vm_enabled,
    .on_action = vm_action,
};
