/* First set-up, page 3: what will be made, whether it fits, and the same thing as a command.
 * Nothing was changed before Enter here. */
#include "core/base/str.h"
#include "tui/request.h"
#include "tui/wizard.h"

#include <inttypes.h>

struct review {
    struct vm_plan plan;
    struct host_report report;
    bool have;
    bool wanted; /* Enter came before the check's end: install if it is good */
    bool asked;  /* the engine was told to install */
    struct err err;
};

static const enum action_id review_actions[] = {ACTION_INSTALL, ACTION_REFRESH, ACTION_NONE};

static void review_ask(struct ui *ui, struct review *r)
{
    r->have = false;
    r->wanted = false;
    r->err.kind = ERR_NONE;
    request_host_check(ui, &r->plan);
}

static void review_enter(struct ui *ui, void *state, const void *arg)
{
    struct review *r = state;
    r->plan = *(const struct vm_plan *)arg;
    review_ask(ui, r);
}

static int draw_plan(const struct review *r, struct surface *s, int y)
{
    const struct vm_plan *p = &r->plan;
    surface_text(s, y++, 1, -1, STYLE_STRONG, "Will be made:");
    surface_printf(s, y++, 3, STYLE_TEXT,
                   "VM        %s: %" PRIu32 " CPU, %" PRIu32 " MiB memory, data disk up to %" PRIu32
                   " GiB",
                   p->name, p->cpus, p->memory_mib, p->disk_gib);
    surface_text(s, y++, 3, -1, STYLE_TEXT,
                 "System    a read-only image with IoT Edge and a container engine");
    surface_text(s, y++, 3, -1, STYLE_TEXT,
                 p->network == VM_NETWORK_USER
                     ? "Network   user: reaches out through this host; nothing listens outside"
                     : "Network   NAT on libvirt's network \"default\"");
    if (r->have && r->report.accel[0]) {
        surface_printf(s, y++, 3, STYLE_TEXT, "Runs by   %s", r->report.accel_why);
        surface_printf(s, y++, 3, STYLE_TEXT, "libvirt   %s: 1 domain%s", r->report.uri,
                       p->network == VM_NETWORK_NAT ? ", network \"default\" is started" : "");
    }
    return y + 1;
}

static int draw_fits(const struct review *r, struct surface *s, int y, int w)
{
    size_t shown = 0;
    if (r->err.kind != ERR_NONE) {
        surface_light(s, y, 1, w - 2, LIGHT_BAD, r->err.msg);
        return y + 1 + surface_wrap(s, (struct area){y + 1, 6, 2, w - 7}, STYLE_TEXT, r->err.hint);
    }
    if (!r->have) {
        surface_light(s, y, 1, -1, LIGHT_BUSY, "Checking whether this fits the computer ...");
        return y + 1;
    }
    for (size_t i = 0; i < r->report.n && shown < 3; i++) {
        const struct host_check *c = &r->report.checks[i];
        if (c->light != LIGHT_BAD && c->light != LIGHT_WARN)
            continue;
        shown++;
        surface_light(s, y, 1, 14, c->light, c->label);
        surface_text(s, y++, 16, w - 17, STYLE_TEXT, c->text);
        if (c->hint[0] && c->light == LIGHT_BAD)
            y += surface_wrap(s, (struct area){y, 16, 2, w - 17}, STYLE_TEXT, c->hint);
    }
    if (!shown)
        surface_light(s, y++, 1, -1, LIGHT_OK, "It fits this computer.");
    return y;
}

static void review_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct review *r = state;
    struct area a = wizard_head(s, body, WIZARD_REVIEW);
    const struct vm_plan *p = &r->plan;
    (void)view;
    int y = draw_plan(r, s, a.y);
    (void)draw_fits(r, s, y, a.w);
    y = a.y + a.h - 4;
    surface_text(s, y, 1, -1, STYLE_STRONG, "The same thing as a command:");
    surface_printf(s, y + 1, 3, STYLE_TEXT,
                   "berth vm create --name %s --cpu %" PRIu32 " --memory %" PRIu32
                   " --disk %" PRIu32 " --network %s",
                   p->name, p->cpus, p->memory_mib, p->disk_gib, vm_network_name(p->network));
    surface_text(s, a.y + a.h - 1, 1, -1, STYLE_TEXT,
                 "Nothing has been changed so far. Enter installs it; you can watch each step.");
    surface_focus(s, a.y + a.h - 1, 1, false);
}

static bool has_bad(const struct review *r)
{
    for (size_t i = 0; i < r->report.n; i++)
        if (r->report.checks[i].light == LIGHT_BAD)
            return true;
    return false;
}

static void review_install(struct ui *ui, struct review *r)
{
    r->wanted = !r->have;
    if (!r->have) {
        ui_toast(ui, LIGHT_BUSY, "Checking; the install begins as soon as everything fits");
    } else if (has_bad(r)) {
        ui_toast(ui, LIGHT_BAD, "It does not fit: Esc goes back to the plan");
    } else if (!r->asked) {
        r->asked = true;
        request_vm_create(ui, &r->plan);
    }
}

static bool review_action(struct ui *ui, void *state, enum action_id id)
{
    struct review *r = state;
    if (id == ACTION_REFRESH) {
        review_ask(ui, r);
    } else if (id == ACTION_INSTALL) {
        review_install(ui, r);
    } else {
        return false;
    }
    return true;
}

static bool review_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct review *r = state;
    if (reply->kind == REPLY_HOST_REPORT) {
        r->have = !reply->err;
        if (reply->err)
            r->err = *reply->err;
        else
            r->report = *reply->report;
        if (r->wanted && r->have)
            review_install(ui, r);
        return true;
    }
    r->asked = false;
    return ui_show_job(ui, reply);
}

const struct screen screen_review = {
    .title = "Set-up  3/4 Review",
    .tab = TAB_NONE,
    .state_size = sizeof(struct review),
    .actions = review_actions,
    .enter = review_enter,
    .draw = review_draw,
    .on_action = review_action,
    .on_reply = review_reply,
};
