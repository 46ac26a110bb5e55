/* What is on screen until the engine has said how things are, and the choice of the first real
 * screen. */
#include "tui/ui.h"

static const enum action_id start_actions[] = {ACTION_NONE};

static void start_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct area text = {body.y + 4, 3, body.h - 4, body.w - 6};
    (void)state;
    surface_rule(s, body, NULL);
    if (view->link != LINK_LOST) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_BUSY, "Starting the engine (berthd) ...");
    } else {
        surface_light(s, body.y + 2, 3, -1, LIGHT_BAD, "The engine is not running.");
        text.y += surface_wrap(s, text, STYLE_TEXT, view->link_err.msg) + 1;
        text.y += surface_wrap(s, text, STYLE_TEXT, view->link_err.hint) + 1;
        surface_wrap(s, text, STYLE_TEXT,
                     "This screen tries again every second. VMs go on running without the engine.");
    }
    surface_focus(s, body.y + 2, 3, false);
}

const struct screen screen_start = {
    .title = "Start",
    .tab = TAB_NONE,
    .actions = start_actions,
    .draw = start_draw,
};

void ui_choose_start(struct ui *ui)
{
    const struct view *view = ui_view(ui);
    const struct job_status *job = view_running_job(view);
    if (job) {
        ui_reset(ui, &screen_dash, NULL);
        ui_push(ui, &screen_reattach, job->id);
    } else if (!view->snap.n_vms) {
        ui_reset(ui, &screen_check, NULL);
    } else {
        ui_reset(ui, &screen_dash, NULL);
    }
}
