/* First set-up, page 2: how big, what name, which network. */
#include "core/base/str.h"
#include "tui/field.h"
#include "tui/list.h"
#include "tui/request.h"
#include "tui/wizard.h"

#include <inttypes.h>

static const struct {
    const char *name, *use;
    uint32_t cpus, memory_mib, disk_gib;
} sizes[] = {
    {"Small", "a few light modules", 1, 512, 8},
    {"Standard", "most sites", 2, 1024, 16},
    {"Large", "video, databases", 4, 4096, 64},
};
#define SIZE_CUSTOM ARRAY_LEN(sizes)

static const char *const networks[] = {
    [VM_NETWORK_USER] = "User       Works everywhere; only this host can reach into the VM.",
    [VM_NETWORK_NAT] =
        "NAT        libvirt's network \"default\"; the VM has an address of its own.",
};
_Static_assert(ARRAY_LEN(networks) == VM_NETWORK_COUNT, "a text for each network");

/* Where the mark can stand, from top to bottom. */
enum plan_row {
    ROW_SIZE,
    ROW_CPUS = ROW_SIZE + (int)SIZE_CUSTOM + 1,
    ROW_MEMORY,
    ROW_DISK,
    ROW_NAME,
    ROW_NETWORK,
    ROW_COUNT = ROW_NETWORK + (int)VM_NETWORK_COUNT,
};

struct plan_form {
    struct vm_plan base; /* what the engine suggests */
    size_t size;
    enum vm_network network;
    struct field name, cpus, memory, disk;
    int row;
    struct err err; /* what is wrong with it */
};

static const enum action_id plan_actions[] = {
    ACTION_UP,   ACTION_DOWN, ACTION_NEXT_FIELD, ACTION_PREV_FIELD,
    ACTION_TICK, ACTION_NEXT, ACTION_NONE,
};

static void set_number(struct field *f, uint32_t value)
{
    char text[16];
    (void)str_format(text, sizeof(text), "%" PRIu32, value);
    field_set(f, text);
}

static void fill(struct plan_form *p, const struct vm_plan *plan)
{
    p->base = *plan;
    p->network = plan->network;
    field_set(&p->name, plan->name);
    set_number(&p->cpus, plan->cpus);
    set_number(&p->memory, plan->memory_mib);
    set_number(&p->disk, plan->disk_gib);
    p->size = SIZE_CUSTOM;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (sizes[i].cpus == plan->cpus && sizes[i].memory_mib == plan->memory_mib &&
            sizes[i].disk_gib == plan->disk_gib)
            p->size = i;
    p->row = ROW_SIZE + (int)p->size;
}

static void plan_enter(struct ui *ui, void *state, const void *arg)
{
    struct plan_form *p = state;
    struct vm_plan first = {.cpus = 2, .memory_mib = 1024, .disk_gib = 16};
    (void)arg;
    STR_SET(first.accel, "auto");
    fill(p, &first);
    p->name.max = 40;
    p->cpus.digits = p->memory.digits = p->disk.digits = true;
    p->cpus.max = 4;
    p->memory.max = 8;
    p->disk.max = 5;
    request_plan_default(ui);
}

static struct field *field_at(struct plan_form *p, int row)
{
    switch (row) {
    case ROW_CPUS:
        return &p->cpus;
    case ROW_MEMORY:
        return &p->memory;
    case ROW_DISK:
        return &p->disk;
    case ROW_NAME:
        return &p->name;
    default:
        return NULL;
    }
}

static int read_number(const struct field *f, const char *what, uint64_t max, uint32_t *ret,
                       struct err *err)
{
    uint64_t value = 0;
    if (!str_to_u64(f->text, max, &value) || !value)
        return err_set(err, ERR_INVALID, "%s: \"%s\" is not a number from 1 to %" PRIu64, what,
                       f->text, max);
    *ret = (uint32_t)value;
    return 0;
}

/* Only what can be said without the engine; it checks the rest on the next page. */
static int read_plan(const struct plan_form *p, struct vm_plan *ret, struct err *err)
{
    struct vm_plan plan = p->base;
    plan.network = p->network;
    STR_SET(plan.name, p->name.text);
    if (!plan.name[0])
        return err_set(err, ERR_INVALID, "Name: the VM needs one, for example edge-vm");
    for (const char *c = plan.name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-'))
            return err_set(err, ERR_INVALID, "Name: use small letters, digits and - only");
    if (plan.name[0] < 'a')
        return err_set(err, ERR_INVALID, "Name: it must begin with a small letter");
    if (p->size < SIZE_CUSTOM) {
        plan.cpus = sizes[p->size].cpus;
        plan.memory_mib = sizes[p->size].memory_mib;
        plan.disk_gib = sizes[p->size].disk_gib;
    } else if (read_number(&p->cpus, "CPUs", 512, &plan.cpus, err) < 0 ||
               read_number(&p->memory, "Memory", 16777216, &plan.memory_mib, err) < 0 ||
               read_number(&p->disk, "Disk", 2048, &plan.disk_gib, err) < 0) {
        return -1;
    }
    *ret = plan;
    return 0;
}

static void mark(struct surface *s, int y, const struct plan_form *p, int row)
{
    if (p->row != row)
        return;
    surface_text(s, y, 1, 1, STYLE_STRONG, ">");
    if (row < ROW_CPUS || row >= ROW_NETWORK)
        surface_focus(s, y, 4, false);
}

static int draw_sizes(const struct plan_form *p, struct surface *s, int y)
{
    for (size_t i = 0; i <= SIZE_CUSTOM; i++, y++) {
        const char *dot = p->size == i ? "(*)" : "( )";
        if (i == SIZE_CUSTOM)
            surface_printf(s, y, 3, STYLE_TEXT, "%s Custom", dot);
        else
            surface_printf(s, y, 3, STYLE_TEXT,
                           "%s %-9s %2" PRIu32 " CPU   %4" PRIu32 " MiB memory   %2" PRIu32
                           " GiB disk   %s",
                           dot, sizes[i].name, sizes[i].cpus, sizes[i].memory_mib,
                           sizes[i].disk_gib, sizes[i].use);
        mark(s, y, p, ROW_SIZE + (int)i);
    }
    return y;
}

static void draw_number(const struct plan_form *p, struct surface *s, int y, int x, int row,
                        const char *label, const char *unit)
{
    struct plan_form *form = (struct plan_form *)(uintptr_t)p;
    x += surface_text(s, y, x, -1, STYLE_TEXT, label) + 1;
    field_draw(s, y, x, 10, field_at(form, row), p->row == row);
    surface_text(s, y, x + 11, -1, STYLE_TEXT, unit);
}

static void plan_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct plan_form *p = state;
    struct area a = wizard_head(s, body, WIZARD_PLAN);
    struct vm_plan ignored;
    struct err err = {0};
    (void)view;
    surface_text(s, a.y, 1, -1, STYLE_TEXT,
                 "How big should the VM be?  Arrow keys choose, Enter goes on.");
    int y = draw_sizes(p, s, a.y + 2);
    if (p->size == SIZE_CUSTOM) {
        draw_number(p, s, y, 7, ROW_CPUS, "CPUs", "");
        draw_number(p, s, y, 26, ROW_MEMORY, "Memory", "MiB");
        draw_number(p, s, y, 52, ROW_DISK, "Disk", "GiB");
    }
    y += 2;
    surface_text(s, y, 3, -1, STYLE_TEXT, "VM name");
    field_draw(s, y, 12, 42, &p->name, p->row == ROW_NAME);
    mark(s, y, p, ROW_NAME);
    y += 2;
    surface_text(s, y++, 3, -1, STYLE_TEXT, "Network");
    for (int i = 0; i < VM_NETWORK_COUNT; i++, y++) {
        surface_printf(s, y, 3, STYLE_TEXT, "%s %s", (int)p->network == i ? "(*)" : "( )",
                       networks[i]);
        mark(s, y, p, ROW_NETWORK + i);
    }
    if (read_plan(p, &ignored, &err) < 0)
        surface_light(s, a.y + a.h - 1, 1, -1, LIGHT_BAD, err.msg);
    else
        surface_light(s, a.y + a.h - 1, 1, -1, LIGHT_OK,
                      "The next page checks whether it fits this computer. Nothing is made yet.");
}

/* The groups that Tab walks through: sizes, each field, networks. */
static int group_start(int row)
{
    return row < ROW_CPUS ? ROW_SIZE : row >= ROW_NETWORK ? ROW_NETWORK : row;
}

static int chosen_row(const struct plan_form *p, int row)
{
    if (row < ROW_CPUS)
        return ROW_SIZE + (int)p->size;
    return row >= ROW_NETWORK ? ROW_NETWORK + (int)p->network : row;
}

static bool row_shown(const struct plan_form *p, int row)
{
    return row < ROW_CPUS || row > ROW_DISK || p->size == SIZE_CUSTOM;
}

/* Coming into a group of choices lands on the one that is chosen; moving inside it chooses. */
static void move_row(struct plan_form *p, int step, bool by_group)
{
    int from = group_start(p->row);
    int row = p->row;
    do {
        row = (row + step + ROW_COUNT) % ROW_COUNT;
    } while (!row_shown(p, row) || (by_group && group_start(row) == from));
    if (group_start(row) != from) {
        p->row = chosen_row(p, row);
        return;
    }
    p->row = row;
    if (row < ROW_CPUS)
        p->size = (size_t)(row - ROW_SIZE);
    else if (row >= ROW_NETWORK)
        p->network = (enum vm_network)(row - ROW_NETWORK);
}

static bool plan_key(struct ui *ui, void *state, const struct key *key)
{
    struct plan_form *p = state;
    struct field *f = field_at(p, p->row);
    (void)ui;
    return f && field_key(f, key);
}

static bool plan_action(struct ui *ui, void *state, enum action_id id)
{
    struct plan_form *p = state;
    struct vm_plan plan;
    struct err err = {0};
    if (id == ACTION_UP || id == ACTION_DOWN)
        move_row(p, id == ACTION_UP ? -1 : 1, false);
    else if (id == ACTION_NEXT_FIELD || id == ACTION_PREV_FIELD)
        move_row(p, id == ACTION_PREV_FIELD ? -1 : 1, true);
    else if (id == ACTION_NEXT && read_plan(p, &plan, &err) < 0)
        ui_toast(ui, LIGHT_BAD, "%s", err.msg);
    else if (id == ACTION_NEXT)
        ui_push(ui, &screen_review, &plan);
    else
        return id == ACTION_TICK;
    return true;
}

static bool plan_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct plan_form *p = state;
    (void)ui;
    if (reply->kind != REPLY_PLAN)
        return false;
    if (!reply->err && !p->name.len)
        fill(p, reply->plan);
    return true;
}

const struct screen screen_plan = {
    .title = "Set-up  2/4 Plan",
    .tab = TAB_NONE,
    .state_size = sizeof(struct plan_form),
    .actions = plan_actions,
    .form = true,
    .enter = plan_enter,
    .draw = plan_draw,
    .on_key = plan_key,
    .on_action = plan_action,
    .on_reply = plan_reply,
};
