/* One module: how it is, why, its last hour and the end of its log. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "logs/line_ring.h"
#include "tui/format.h"
#include "tui/module_act.h"
#include "tui/plot.h"
#include "tui/request.h"
#include "tui/words.h"

#include <inttypes.h>

#define TAIL_LINES 200
#define TAIL_BYTES (256UL * 1024)
#define HOUR_MS    3600000ULL

struct module_view {
    char name[MODEL_NAME_MAX];
    char stream[64];
    struct line_ring *tail;
    struct err tail_err;
    struct series *cpu, *memory;
};

static const enum action_id module_actions[] = {
    ACTION_LOG, ACTION_MODULE_RESTART, ACTION_MODULE_START, ACTION_MODULE_STOP, ACTION_NONE,
};

static void module_tick(struct ui *ui, void *state)
{
    struct view *view = ui_view(ui);
    (void)state;
    if (view_vm(view))
        request_metrics(ui, view_vm(view)->name,
                        view->now_ms > HOUR_MS ? view->now_ms - HOUR_MS : 0);
}

static void module_enter(struct ui *ui, void *state, const void *arg)
{
    struct module_view *mv = state;
    const struct vm_status *vm = view_vm(ui_view(ui));
    STR_SET(mv->name, arg);
    mv->tail = line_ring_new(TAIL_LINES, TAIL_BYTES);
    if (!vm)
        return;
    request_logs_follow(ui, vm->name, mv->name, 20);
    module_tick(ui, state);
}

static void module_leave(struct ui *ui, void *state)
{
    struct module_view *mv = state;
    if (mv->stream[0])
        request_logs_stop(ui, mv->stream);
    line_ring_free(mv->tail);
    series_free(mv->cpu);
    series_free(mv->memory);
}

static void module_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    (void)view;
    (void)str_format(to, size, "Modules > %s", ((const struct module_view *)state)->name);
}

static void draw_row(struct surface *s, int y, const char *label, const char *value)
{
    surface_text(s, y, 1, -1, STYLE_TEXT, label);
    surface_text(s, y, 14, s->w - 15, STYLE_TEXT, value[0] ? value : "-");
}

static void draw_facts(const struct view *view, const struct module_status *m, struct surface *s,
                       int y)
{
    char text[320], ago[32], mem[24], cpu[16];
    surface_text(s, y, 1, -1, STYLE_TEXT, "State");
    format_for(ago, sizeof(ago), view->now_ms, m->started_ms);
    (void)str_format(text, sizeof(text), "%s", words_module(m->state));
    if (m->state == MODULE_STATE_RUNNING)
        (void)str_format(text, sizeof(text), "running for %s", ago);
    surface_light(s, y, 14, s->w - 15, module_state_light(m->state), text);
    draw_row(s, y + 1, "Why", m->description);
    draw_row(s, y + 2, "Image", m->image);
    format_ago(ago, sizeof(ago), view->now_ms, m->exited_ms);
    (void)str_format(text, sizeof(text), "exit code %d, %s", m->exit_code, ago);
    draw_row(s, y + 3, "Last end", m->exited_ms ? text : "none seen");
    (void)str_format(text, sizeof(text), "%" PRIu32 " since the engine watches", m->restarts);
    draw_row(s, y + 4, "Restarts", text);
    str_bytes(mem, sizeof(mem), m->memory);
    format_percent(cpu, sizeof(cpu), m->cpu_percent);
    (void)str_format(text, sizeof(text), "CPU %s, memory %s", cpu, m->memory ? mem : "-");
    draw_row(s, y + 5, "Uses", text);
}

static void draw_plot(const struct view *view, const struct series *series, const char *label,
                      const char *unit, struct surface *s, int y)
{
    double columns[SURFACE_WIDTH_MAX];
    char now[24], max[24];
    int n = s->w - 14 - 28;
    surface_text(s, y, 1, -1, STYLE_TEXT, label);
    if (!series || n <= 0) {
        surface_text(s, y, 14, -1, STYLE_TEXT, "no figures yet");
        return;
    }
    uint64_t from = view->now_ms > HOUR_MS ? view->now_ms - HOUR_MS : 0;
    struct series_stats stats = series_stats(series, from, view->now_ms);
    series_columns(series, from, view->now_ms + 1, columns, (size_t)n);
    plot_fill_gaps(columns, (size_t)n);
    plot_line(s, y, 14, columns, (size_t)n, stats.n ? plot_scale(stats.max) : 1);
    if (!stats.n)
        return;
    format_value(now, sizeof(now), stats.now, unit);
    format_value(max, sizeof(max), stats.max, unit);
    surface_printf(s, y, 14 + n + 1, STYLE_TEXT, "now %s, most %s", now, max);
}

static void draw_tail(const struct module_view *mv, struct surface *s, struct area a)
{
    surface_rule(s, a, "End of its log");
    size_t n = line_ring_count(mv->tail);
    size_t rows = (size_t)(a.h - 1);
    size_t from = n > rows ? n - rows : 0;
    if (!n && mv->tail_err.kind != ERR_NONE)
        surface_light(s, a.y + 1, 1, a.w - 2, LIGHT_WARN, mv->tail_err.msg);
    else if (!n)
        surface_text(s, a.y + 1, 1, -1, STYLE_TEXT, "nothing yet");
    for (size_t i = from; i < n; i++) {
        struct log_entry e;
        if (line_ring_at(mv->tail, i, &e))
            surface_text(s, a.y + 1 + (int)(i - from), 1, a.w - 2, STYLE_TEXT, e.text);
    }
}

static void module_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct module_view *mv = state;
    const struct module_status *m = view_module(view, mv->name);
    surface_rule(s, body, NULL);
    surface_focus(s, body.y + 1, 1, false);
    if (!m) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_UNKNOWN,
                      "This module is no longer there: the deployment does not name it.");
        return;
    }
    int y = body.y + 1;
    draw_facts(view, m, s, y);
    surface_rule(s, (struct area){y + 6, 0, 1, body.w}, "Last hour");
    draw_plot(view, mv->cpu, "CPU %", "%", s, y + 7);
    draw_plot(view, mv->memory, "Memory", "B", s, y + 8);
    draw_tail(mv, s, (struct area){y + 9, 0, body.y + body.h - y - 9, body.w});
}

static void take_series(struct series **slot, struct metric *m)
{
    series_free(*slot);
    *slot = steal(m->series);
}

static bool module_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct module_view *mv = state;
    (void)ui;
    if (reply->kind == REPLY_STREAM) {
        if (reply->err)
            mv->tail_err = *reply->err;
        else
            STR_SET(mv->stream, reply->id);
        return true;
    }
    if (reply->kind != REPLY_METRICS)
        return false;
    for (size_t i = 0; !reply->err && i < reply->metrics->n; i++) {
        struct metric *metric = &reply->metrics->of[i];
        if (!str_eq(metric->module, mv->name))
            continue;
        if (str_eq(metric->name, "module.cpu"))
            take_series(&mv->cpu, metric);
        else if (str_eq(metric->name, "module.memory"))
            take_series(&mv->memory, metric);
    }
    return true;
}

static void module_log(struct ui *ui, void *state, const struct log_batch *batch)
{
    struct module_view *mv = state;
    (void)ui;
    if (!str_eq(batch->stream, mv->stream))
        return;
    for (size_t i = 0; i < batch->n; i++)
        (void)line_ring_push(mv->tail, &batch->entries[i]);
    if (batch->err)
        mv->tail_err = *batch->err;
}

static bool module_enabled(const struct view *view, const void *state, enum action_id id)
{
    const struct module_view *mv = state;
    return module_act_possible(view_module(view, mv->name), id);
}

static bool module_action(struct ui *ui, void *state, enum action_id id)
{
    struct module_view *mv = state;
    return module_act(ui, view_module(ui_view(ui), mv->name), id);
}

const struct screen screen_module = {
    .title = "Module",
    .tab = TAB_NONE,
    .state_size = sizeof(struct module_view),
    .actions = module_actions,
    .enter = module_enter,
    .leave = module_leave,
    .draw = module_draw,
    .crumb = module_crumb,
    .enabled = module_enabled,
    .on_action = module_action,
    .on_reply = module_reply,
    .on_log = module_log,
    .on_tick = module_tick,
};
