/* First set-up, page 1: can this computer run the VM? */
#include "core/base/str.h"
#include "tui/list.h"
#include "tui/request.h"
#include "tui/wizard.h"

struct check {
    struct host_report report;
    bool have, asked;
    struct err err; /* the check itself failed */
    struct list list;
};

static const enum action_id check_actions[] = {
    LIST_ACTIONS, ACTION_NEXT, ACTION_REFRESH, ACTION_SANDBOX, ACTION_JOBS, ACTION_NONE,
};

static void check_ask(struct ui *ui, struct check *check)
{
    check->have = false;
    check->asked = true;
    check->err.kind = ERR_NONE;
    request_host_check(ui, NULL);
}

static void check_enter(struct ui *ui, void *state, const void *arg)
{
    (void)arg;
    check_ask(ui, state);
}

static size_t count(const struct host_report *report, enum light light)
{
    size_t n = 0;
    for (size_t i = 0; i < report->n; i++)
        n += report->checks[i].light == light;
    return n;
}

/* The row that needs the technician most: the first broken one, else the first warning. */
static size_t worst_row(const struct host_report *report)
{
    static const enum light order[] = {LIGHT_BAD, LIGHT_WARN};
    for (size_t k = 0; k < ARRAY_LEN(order); k++)
        for (size_t i = 0; i < report->n; i++)
            if (report->checks[i].light == order[k])
                return i;
    return 0;
}

static void draw_explained(const struct check *check, struct surface *s, struct area a)
{
    const struct host_check *c = &check->report.checks[check->list.sel];
    auto_buf struct buf text = {0};
    buf_printf(&text, "%s: %s", c->label, c->text);
    a.y += surface_wrap(s, (struct area){a.y, 1, 2, a.w - 2}, STYLE_TEXT, buf_str(&text));
    if (c->hint[0]) {
        buf_clear(&text);
        buf_printf(&text, "What to do: %s", c->hint);
        surface_wrap(s, (struct area){a.y, 1, 3, a.w - 2}, STYLE_STRONG, buf_str(&text));
    }
}

static void draw_sum(const struct check *check, struct surface *s, int y)
{
    size_t bad = count(&check->report, LIGHT_BAD);
    size_t warn = count(&check->report, LIGHT_WARN);
    if (bad)
        surface_printf(
            s, y, 1, STYLE_BAD,
            "[X] %zu problem%s, %zu warning%s. Solve what is broken, then R checks again.", bad,
            bad == 1 ? "" : "s", warn, warn == 1 ? "" : "s");
    else if (warn)
        surface_printf(s, y, 1, STYLE_WARN, "[!] %zu warning%s. You can go on with Enter.", warn,
                       warn == 1 ? "" : "s");
    else
        surface_text(s, y, 1, -1, STYLE_OK, "[OK] This computer is ready. Enter goes on.");
}

static void check_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct check *check = state;
    struct area a = wizard_head(s, body, WIZARD_CHECK);
    (void)view;
    surface_text(s, a.y, 1, -1, STYLE_TEXT, "This computer must be able to run a virtual machine.");
    surface_focus(s, a.y + 2, 1, false);
    if (!check->have && check->err.kind != ERR_NONE) {
        surface_light(s, a.y + 2, 3, -1, LIGHT_BAD, "The check could not be made:");
        surface_wrap(s, (struct area){a.y + 3, 8, 4, a.w - 9}, STYLE_TEXT, check->err.msg);
        surface_wrap(s, (struct area){a.y + 8, 8, 2, a.w - 9}, STYLE_TEXT, check->err.hint);
        return;
    }
    if (!check->have) {
        surface_light(s, a.y + 2, 3, -1, LIGHT_BUSY,
                      "Checking processor, KVM, libvirt, memory, disk, clock, image ...");
        return;
    }
    list_resize(&check->list, check->report.n);
    int bottom = a.y + a.h - 7;
    wizard_checks(s, (struct area){a.y + 2, 0, bottom - a.y - 2, a.w}, &check->report,
                  check->list.sel);
    surface_rule(s, (struct area){bottom, 0, 1, a.w}, NULL);
    if (check->report.n)
        draw_explained(check, s, (struct area){bottom + 1, 0, 5, a.w});
    draw_sum(check, s, a.y + a.h - 1);
}

static bool check_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct check *check = state;
    if (id == ACTION_NEXT)
        return check->have;
    return id != ACTION_JOBS || view->snap.n_jobs;
}

static bool check_action(struct ui *ui, void *state, enum action_id id)
{
    struct check *check = state;
    if (list_action(&check->list, id))
        return true;
    if (id == ACTION_REFRESH)
        check_ask(ui, check);
    else if (id == ACTION_NEXT && count(&check->report, LIGHT_BAD))
        ui_toast(ui, LIGHT_BAD, "Solve what is broken first; R checks again");
    else if (id == ACTION_NEXT)
        ui_push(ui, &screen_plan, NULL);
    else if (id == ACTION_BACK)
        ui_pop(ui);
    else
        return false;
    return true;
}

static bool check_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct check *check = state;
    (void)ui;
    if (reply->kind != REPLY_HOST_REPORT)
        return false;
    check->have = !reply->err;
    if (reply->err) {
        check->err = *reply->err;
        return true;
    }
    check->report = *reply->report;
    check->list.sel = worst_row(&check->report);
    return true;
}

const struct screen screen_check = {
    .title = "Set-up  1/4 Host check",
    .tab = TAB_NONE,
    .state_size = sizeof(struct check),
    .actions = check_actions,
    .enter = check_enter,
    .draw = check_draw,
    .enabled = check_enabled,
    .on_action = check_action,
    .on_reply = check_reply,
};
