/* J: what is running and what ran; and, as the first screen after a dropped connection, the job
 * that is still at work. */
#include "core/base/str.h"
#include "tui/format.h"
#include "tui/list.h"
#include "tui/ui.h"
#include "tui/words.h"

static const enum action_id jobs_actions[] = {LIST_ACTIONS, ACTION_OPEN, ACTION_NONE};

static void jobs_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct list *list = state;
    surface_rule(s, body, "Jobs, running ones first");
    surface_focus(s, body.y + 1, 1, false);
    if (!view->snap.n_jobs)
        surface_light(s, body.y + 2, 3, -1, LIGHT_OFF, "Nothing is running and nothing ran yet.");
    list_resize(list, view->snap.n_jobs);
    size_t rows = list_window(list, (size_t)body.h - 2);
    for (size_t i = 0; i < rows; i++) {
        const struct job_status *job = &view->snap.jobs[list->top + i];
        int y = body.y + 2 + (int)i;
        char at[8], took[24];
        format_clock(at, sizeof(at), job->started_ms);
        format_job_time(took, sizeof(took), view->now_ms, job);
        surface_light(s, y, 3, 16, words_job_light(job->state), words_job(job->state));
        surface_text(s, y, 20, body.w - 20 - 36, STYLE_TEXT, job->title);
        surface_printf(s, y, body.w - 34, STYLE_TEXT, "%s  %8s  %s", at, took, job->by);
        if (list->top + i == list->sel)
            list_mark(s, body, y);
    }
}

static bool jobs_action(struct ui *ui, void *state, enum action_id id)
{
    struct list *list = state;
    struct view *view = ui_view(ui);
    if (list_action(list, id))
        return true;
    if (id != ACTION_OPEN || list->sel >= view->snap.n_jobs)
        return false;
    ui_push(ui, &screen_job, view->snap.jobs[list->sel].id);
    return true;
}

const struct screen screen_jobs = {
    .title = "Jobs",
    .tab = TAB_NONE,
    .state_size = sizeof(struct list),
    .actions = jobs_actions,
    .draw = jobs_draw,
    .on_action = jobs_action,
};

/* ---- a job is running that this window did not start */

struct reattach {
    char id[16];
    struct list list;
};

static const enum action_id reattach_actions[] = {LIST_ACTIONS, ACTION_CHOOSE, ACTION_NONE};

static const char *const ways[] = {"Watch it", "Open the dashboard"};

static void reattach_enter(struct ui *ui, void *state, const void *arg)
{
    struct reattach *r = state;
    (void)ui;
    STR_SET(r->id, arg);
}

static void draw_job(const struct view *view, const struct job_status *job, struct surface *s,
                     int y)
{
    char at[8], took[24];
    format_clock(at, sizeof(at), job->started_ms);
    format_job_time(took, sizeof(took), view->now_ms, job);
    surface_printf(s, y, 5, STYLE_TEXT, "Job        %s  %s", job->id, job->title);
    surface_printf(s, y + 1, 5, STYLE_TEXT, "Started    %s%s%s", at, job->by[0] ? " by " : "",
                   job->by);
    surface_printf(s, y + 2, 5, STYLE_TEXT, "Now        step %zu of %zu, %s   elapsed %s",
                   job->step + 1, job->n_steps,
                   job->step < job->n_steps ? job->steps[job->step].name : "", took);
    surface_text(s, y + 3, 5, -1, STYLE_TEXT, "State");
    surface_light(s, y + 3, 16, -1, words_job_light(job->state), words_job(job->state));
}

static void reattach_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct reattach *r = state;
    const struct job_status *job = view_job(view, r->id);
    surface_rule(s, body, NULL);
    surface_text(s, body.y + 2, 3, -1, STYLE_STRONG,
                 job && job_state_ended(job->state)
                     ? "The job that was started in another session has ended."
                     : "A job is running that was started in another session.");
    if (job)
        draw_job(view, job, s, body.y + 4);
    list_resize(&r->list, ARRAY_LEN(ways));
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        surface_text(s, body.y + 9 + (int)i, 3, -1, STYLE_TEXT, ways[i]);
        if (i == r->list.sel)
            list_mark(s, body, body.y + 9 + (int)i);
    }
}

static bool reattach_action(struct ui *ui, void *state, enum action_id id)
{
    struct reattach *r = state;
    char job[16];
    bool watch = r->list.sel == 0;
    if (list_action(&r->list, id))
        return true;
    if (id != ACTION_CHOOSE)
        return false;
    STR_SET(job, r->id);
    ui_pop(ui);
    if (watch)
        ui_push(ui, &screen_job, job);
    return true;
}

const struct screen screen_reattach = {
    .title = "Back again",
    .tab = TAB_NONE,
    .state_size = sizeof(struct reattach),
    .actions = reattach_actions,
    .enter = reattach_enter,
    .draw = reattach_draw,
    .on_action = reattach_action,
};
