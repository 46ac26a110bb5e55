/* One job, live and afterwards: its steps, how long it takes, and what came of it. The work is the
 * engine's: leaving changes nothing. */
#include "core/base/str.h"
#include "tui/dialog.h"
#include "tui/format.h"
#include "tui/log_arg.h"
#include "tui/module_table.h"
#include "tui/progress.h"
#include "tui/request.h"
#include "tui/words.h"

#include <inttypes.h>

struct job_view {
    char id[16];
};

static const enum action_id job_actions[] = {
    ACTION_GO_ON, ACTION_JOB_LEAVE, ACTION_ENGINE_LOG, ACTION_JOB_CANCEL, ACTION_NONE,
};

static void job_enter(struct ui *ui, void *state, const void *arg)
{
    struct job_view *j = state;
    (void)ui;
    STR_SET(j->id, arg);
}

static bool is_provision(const struct job_status *job)
{
    return str_starts(job->kind, "provision");
}

static void draw_head(const struct view *view, const struct job_status *job, struct surface *s,
                      int y)
{
    char took[24], left[24], text[120];
    format_job_time(took, sizeof(took), view->now_ms, job);
    surface_light(s, y, 1, -1, words_job_light(job->state), words_job(job->state));
    if (job_state_ended(job->state)) {
        (void)str_format(text, sizeof(text), "took %s", took);
    } else if (job->left_ms) {
        format_elapsed(left, sizeof(left),
                       (job->left_ms + FORMAT_TICK_MS - 1) / FORMAT_TICK_MS * FORMAT_TICK_MS);
        (void)str_format(text, sizeof(text), "step %zu of %zu   elapsed %s   about %s left",
                         job->step + 1, job->n_steps, took, left);
    } else {
        (void)str_format(text, sizeof(text), "step %zu of %zu   elapsed %s", job->step + 1,
                         job->n_steps, took);
    }
    surface_text(s, y, 19, -1, STYLE_TEXT, text);
}

#define TABLE_WIDTH 100 /* on a wide screen times do not stand far from their steps */
#define BAR_WIDTH   22

static void draw_step(const struct job_status *job, size_t i, struct surface *s, int y)
{
    const struct job_step *step = &job->steps[i];
    char text[24] = "";
    bool current = i == job->step && !job_state_ended(job->state);
    bool bar = current && job->percent >= 0;
    int right = (s->w < TABLE_WIDTH ? s->w : TABLE_WIDTH) - 2;
    if (bar)
        (void)str_format(text, sizeof(text), "%d %%", job->percent);
    else if (step->took_ms || step->light == LIGHT_OK)
        str_duration(text, sizeof(text), step->took_ms / 1000);
    if (bar) {
        right -= BAR_WIDTH;
        progress_step(s, y, right, BAR_WIDTH, job->percent);
    }
    surface_right(s, y, right - 10, 9, STYLE_TEXT, text);
    surface_text(s, y, 3, -1, light_style(step->light), light_symbol(step->light));
    surface_printf(s, y, 9, STYLE_TEXT, "%2zu", i + 1);
    surface_text(s, y, 13, right - 23, current ? STYLE_STRONG : STYLE_TEXT, step->name);
    if (current) {
        surface_text(s, y, 1, 1, STYLE_STRONG, ">");
        surface_focus(s, y, 1, false);
    }
}

/* The steps, those around the current one where they are too many. Returns the rows used. */
static int draw_steps(const struct job_status *job, struct surface *s, int y, int rows)
{
    size_t room = rows > 2 ? (size_t)rows - 1 : 1; /* one row is the message's */
    size_t from = 0;
    int top = y;
    if (job->n_steps > room)
        from = job->step > room / 2 ? job->step - room / 2 : 0;
    if (from + room > job->n_steps)
        from = job->n_steps > room ? job->n_steps - room : 0;
    for (size_t i = from; i < job->n_steps && i < from + room; i++) {
        draw_step(job, i, s, y++);
        if (i == job->step && !job_state_ended(job->state) && job->message[0])
            surface_text(s, y++, 13, s->w - 14, STYLE_TEXT, job->message);
    }
    return y - top;
}

static void draw_running(const struct job_status *job, struct surface *s, struct area a)
{
    char limit[24], text[48] = "";
    format_elapsed(limit, sizeof(limit), job->limit_ms);
    if (job->limit_ms)
        (void)str_format(text, sizeof(text), "This step may take up to %s", limit);
    surface_rule(s, a, text);
    surface_text(s, a.y + 1, 1, -1, STYLE_TEXT,
                 "You may close this window or lose the connection: the job goes on.");
    surface_text(s, a.y + 2, 1, -1, STYLE_TEXT,
                 "Come back with \"berth\" or \"berth job attach\".");
}

/* Rows that draw_failed needs. */
static int failed_rows(const struct job_status *job, int width)
{
    int rows = 2 + surface_wrap_rows(job->error.msg, width - 2);
    if (job->error.hint[0])
        rows += 1 + surface_wrap_rows(job->error.hint, width - 2);
    return rows + 1;
}

static void draw_failed(const struct job_status *job, struct surface *s, struct area a)
{
    surface_rule(s, a, job->state == JOB_STATE_CANCELLED ? "Cancelled" : "What happened");
    int y = a.y + 1;
    if (job->state == JOB_STATE_CANCELLED && !job->error.msg[0]) {
        surface_text(s, y, 1, -1, STYLE_TEXT, "It was cancelled; what it had made was removed.");
        return;
    }
    y += surface_wrap(s, (struct area){y, 1, 6, a.w - 2}, STYLE_BAD, job->error.msg);
    if (job->error.hint[0]) {
        surface_text(s, y++, 1, -1, STYLE_STRONG, "What to do");
        y += surface_wrap(s, (struct area){y, 1, 4, a.w - 2}, STYLE_TEXT, job->error.hint);
    }
    if (is_provision(job) && y + 1 < a.y + a.h)
        surface_text(s, y + 1, 1, -1, STYLE_TEXT, "Enter goes back to connect it again.");
}

static void draw_done(const struct view *view, const struct job_status *job, struct surface *s,
                      struct area a)
{
    char counts[80];
    const struct vm_status *vm = view_vm(view);
    surface_rule(s, a, "Result");
    if (is_provision(job) && vm) {
        module_counts(vm, counts, sizeof(counts));
        surface_printf(s, a.y + 1, 1, STYLE_TEXT, "Device    %s", vm->device_id);
        surface_printf(s, a.y + 2, 1, STYLE_TEXT, "Hub       %s", vm->hub);
        surface_printf(s, a.y + 3, 1, STYLE_TEXT, "Modules   %s", counts);
        surface_text(s, a.y + 4, 1, -1, STYLE_TEXT,
                     "\"Connected\" is read back from the device itself, not assumed.");
    } else if (str_eq(job->kind, "vm.create")) {
        surface_text(s, a.y + 1, 1, -1, STYLE_TEXT, "The VM is installed and answers.");
        surface_text(s, a.y + 2, 1, -1, STYLE_TEXT,
                     "Enter: connect it to Azure, or try it here without.");
    } else {
        surface_text(s, a.y + 1, 1, -1, STYLE_TEXT, "All steps are done.");
    }
}

static void job_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct job_view *j = state;
    const struct job_status *job = view_job(view, j->id);
    surface_rule(s, body, job ? job->title : NULL);
    surface_focus(s, body.y + 1, 1, false);
    if (!job) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_BUSY, "Waiting for news of the job ...");
        return;
    }
    draw_head(view, job, s, body.y + 1);
    bool ended = job_state_ended(job->state);
    bool done = job->state == JOB_STATE_DONE;
    int foot = !ended ? 3 : done ? 5 : failed_rows(job, body.w);
    int y = body.y + 3;
    int room = body.y + body.h - foot - y;
    int used = draw_steps(job, s, y, room);
    int foot_y = ended ? y + (used < room ? used + 1 : used) : body.y + body.h - foot;
    struct area a = {foot_y, 0, body.y + body.h - foot_y, body.w};
    if (!ended)
        draw_running(job, s, a);
    else if (done)
        draw_done(view, job, s, a);
    else
        draw_failed(job, s, a);
}

static void job_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    const struct job_view *j = state;
    const struct job_status *job = view_job(view, j->id);
    if (job && str_eq(job->kind, "vm.create"))
        (void)str_format(to, size, "Set-up  4/4 Install");
    else
        (void)str_format(to, size, "Job %s", j->id);
}

static bool job_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct job_view *j = state;
    const struct job_status *job = view_job(view, j->id);
    bool running = job && !job_state_ended(job->state);
    if (id == ACTION_JOB_CANCEL)
        return running && job->state == JOB_STATE_RUNNING;
    if (id == ACTION_JOB_LEAVE)
        return running;
    return id != ACTION_GO_ON || !running;
}

static void cancel_sure(struct ui *ui, const char *id, const char *object)
{
    (void)object;
    request_job_cancel(ui, id);
}

static void ask_cancel(struct ui *ui, const struct job_status *job)
{
    char title[120], cli[80];
    (void)str_format(title, sizeof(title), "Cancel \"%s\"?", job->title);
    (void)str_format(cli, sizeof(cli), "berth job cancel %s", job->id);
    const struct dialog_arg ask = {
        .title = title,
        .text = "What it has made so far is removed again.",
        .yes = "Cancel the job",
        .cli = cli,
        .subject = job->id,
        .on_yes = cancel_sure,
    };
    ui_push(ui, &screen_dialog, &ask);
}

static void go_on(struct ui *ui, const struct job_status *job)
{
    bool create = job && job->state == JOB_STATE_DONE && str_eq(job->kind, "vm.create");
    bool again = job && job->state == JOB_STATE_FAILED && is_provision(job);
    bool first = !ui_view(ui)->snap.n_vms;
    if (job && job->vm[0] && create)
        STR_SET(ui_view(ui)->vm, job->vm);
    ui_reset(ui, first ? &screen_check : &screen_dash, NULL);
    if (create || again)
        ui_push(ui, &screen_connect, NULL);
}

static bool job_action(struct ui *ui, void *state, enum action_id id)
{
    const struct job_view *j = state;
    const struct job_status *job = view_job(ui_view(ui), j->id);
    const struct log_arg log = {.module = "@engine"};
    if (id == ACTION_JOB_CANCEL && job)
        ask_cancel(ui, job);
    else if (id == ACTION_GO_ON)
        go_on(ui, job);
    else if (id == ACTION_JOB_LEAVE)
        ui_pop(ui);
    else if (id == ACTION_ENGINE_LOG)
        ui_push(ui, &screen_log, &log);
    else
        return false;
    return true;
}

const struct screen screen_job = {
    .title = "Job",
    .tab = TAB_NONE,
    .state_size = sizeof(struct job_view),
    .actions = job_actions,
    .enter = job_enter,
    .draw = job_draw,
    .crumb = job_crumb,
    .enabled = job_enabled,
    .on_action = job_action,
};
