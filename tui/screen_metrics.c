/* 4 Metrics: one row a series, the VM's first, then module by module. */
#include "core/base/str.h"
#include "tui/format.h"
#include "tui/list.h"
#include "tui/plot.h"
#include "tui/plot_arg.h"
#include "tui/request.h"

#include <string.h>

#define NAME_WIDTH   26
#define FIGURE_WIDTH 10
#define FIGURES      3

struct metrics {
    struct list list;
    struct metric_set set;
    size_t order[METRIC_MAX];
    bool have;
    struct err err;
    uint64_t span_ms;
};

static const enum action_id metrics_actions[] = {
    LIST_ACTIONS, ACTION_PLOT, ACTION_WIDER, ACTION_NARROWER, ACTION_NONE,
};

static void metrics_tick(struct ui *ui, void *state)
{
    struct metrics *m = state;
    const struct view *view = ui_view(ui);
    const struct vm_status *vm = view_vm(view);
    if (vm)
        request_metrics(ui, vm->name, view->now_ms > m->span_ms ? view->now_ms - m->span_ms : 0);
}

static void metrics_enter(struct ui *ui, void *state, const void *arg)
{
    struct metrics *m = state;
    (void)arg;
    m->span_ms = plot_span_wider(0);
    metrics_tick(ui, state);
}

static void metrics_leave(struct ui *ui, void *state)
{
    struct metrics *m = state;
    (void)ui;
    metric_set_done(&m->set);
}

static bool comes_before(const struct metric *a, const struct metric *b)
{
    return strcmp(a->module, b->module) <
           0; /* the VM's have none: first; else the engine's order */
}

static void sort(struct metrics *m)
{
    for (size_t i = 0; i < m->set.n; i++) {
        size_t at = i;
        for (; at && comes_before(&m->set.of[i], &m->set.of[m->order[at - 1]]); at--)
            m->order[at] = m->order[at - 1];
        m->order[at] = i;
    }
}

static bool metrics_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct metrics *m = state;
    (void)ui;
    if (reply->kind != REPLY_METRICS)
        return false;
    m->err.kind = ERR_NONE;
    if (reply->err) {
        m->err = *reply->err;
        return true;
    }
    metric_set_done(&m->set);
    m->set = *reply->metrics;
    reply->metrics->n = 0;
    m->have = true;
    sort(m);
    return true;
}

static void draw_figures(const struct metric *metric, const struct series_stats *stats,
                         struct surface *s, int y, int x)
{
    const double values[FIGURES] = {stats->now, stats->min, stats->max};
    for (int i = 0; i < FIGURES; i++) {
        char text[32] = "-";
        if (stats->n)
            format_value(text, sizeof(text), values[i], metric->unit);
        surface_right(s, y, x + i * FIGURE_WIDTH, FIGURE_WIDTH - 1, STYLE_TEXT, text);
    }
}

/* Names of one module begin alike: a long one keeps its end. */
static void draw_name(struct surface *s, int y, const char *title)
{
    size_t len = strlen(title);
    size_t room = NAME_WIDTH - 1;
    if (len <= room || surface_width(title) != (int)len)
        surface_text(s, y, 3, (int)room, STYLE_TEXT, title);
    else
        surface_printf(s, y, 3, STYLE_TEXT, "...%s", title + len - (room - 3));
}

static void draw_metric(const struct view *view, const struct metrics *m,
                        const struct metric *metric, struct surface *s, struct area a, int y)
{
    char title[96];
    double columns[SURFACE_WIDTH_MAX];
    int n = a.w - NAME_WIDTH - 4 - FIGURES * FIGURE_WIDTH;
    uint64_t from = view->now_ms > m->span_ms ? view->now_ms - m->span_ms : 0;
    struct series_stats stats = series_stats(metric->series, from, view->now_ms);
    metric_title(metric, title, sizeof(title));
    draw_name(s, y, title);
    if (n > 0 && stats.n) {
        series_columns(metric->series, from, view->now_ms + 1, columns, (size_t)n);
        plot_fill_gaps(columns, (size_t)n);
        plot_line(s, y, 3 + NAME_WIDTH, columns, (size_t)n, metric_scale(metric, stats.max));
    }
    draw_figures(metric, &stats, s, y, a.w - FIGURES * FIGURE_WIDTH);
}

static const struct metric *metric_at(const struct metrics *m, size_t at)
{
    return &m->set.of[m->order[at]];
}

/* A module's first row on the screen has its name above it. */
static bool has_head(const struct metrics *m, size_t at)
{
    const char *before = at > m->list.top ? metric_at(m, at - 1)->module : "";
    return !str_eq(metric_at(m, at)->module, before);
}

/* Heads take lines, too: the rows begin late enough for the chosen one to be seen. */
static void make_room(struct metrics *m, size_t lines)
{
    for (size_t need = lines + 1; need > lines && m->list.top < m->list.sel;) {
        need = 0;
        for (size_t at = m->list.top; at <= m->list.sel; at++)
            need += has_head(m, at) ? 2 : 1;
        m->list.top += need > lines;
    }
}

static void draw_rows(const struct view *view, struct metrics *m, struct surface *s, struct area a)
{
    int y = a.y, end = a.y + a.h;
    (void)list_window(&m->list, (size_t)a.h);
    make_room(m, (size_t)a.h);
    for (size_t at = m->list.top; at < m->set.n && y < end; at++) {
        if (has_head(m, at))
            surface_rule(s, (struct area){y++, 0, 1, a.w}, metric_at(m, at)->module);
        if (y >= end)
            break;
        draw_metric(view, m, metric_at(m, at), s, a, y);
        if (at == m->list.sel)
            list_mark(s, a, y);
        y++;
    }
}

static void metrics_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    struct metrics *m = state;
    static const char *const heads[FIGURES] = {" now ", " min ", " max "};
    surface_rule(s, body, plot_span_text(m->span_ms));
    surface_focus(s, body.y + 1, 1, false);
    if (!m->set.n) {
        const struct vm_status *vm = view_vm(view);
        bool failed = m->err.kind != ERR_NONE;
        surface_light(s, body.y + 2, 3, -1, failed ? LIGHT_BAD : LIGHT_OFF,
                      failed ? m->err.msg : "There are no figures yet.");
        surface_wrap(s, (struct area){body.y + 4, 8, 3, body.w - 9}, STYLE_TEXT,
                     failed ? m->err.hint
                     : vm && vm->state == VM_STATE_RUNNING
                         ? "They are taken every few seconds while the VM runs."
                         : "They are taken while the VM runs; 5 VM starts it.");
        return;
    }
    for (int i = 0; i < FIGURES; i++)
        surface_right(s, body.y, body.w - (FIGURES - i) * FIGURE_WIDTH, FIGURE_WIDTH, STYLE_STRONG,
                      heads[i]);
    list_resize(&m->list, m->set.n);
    draw_rows(view, m, s, (struct area){body.y + 1, 0, body.h - 1, body.w});
}

static bool metrics_action(struct ui *ui, void *state, enum action_id id)
{
    struct metrics *m = state;
    if (list_action(&m->list, id))
        return true;
    if (id == ACTION_PLOT && m->set.n) {
        const struct metric *metric = metric_at(m, m->list.sel);
        const struct plot_arg arg = {metric->name, metric->module, m->span_ms};
        ui_push(ui, &screen_plot, &arg);
    } else if (id == ACTION_WIDER || id == ACTION_NARROWER) {
        m->span_ms =
            id == ACTION_WIDER ? plot_span_wider(m->span_ms) : plot_span_narrower(m->span_ms);
        metrics_tick(ui, state);
    } else {
        return false;
    }
    return true;
}

const struct screen screen_metrics = {
    .title = "Metrics",
    .tab = TAB_METRICS,
    .state_size = sizeof(struct metrics),
    .actions = metrics_actions,
    .enter = metrics_enter,
    .leave = metrics_leave,
    .draw = metrics_draw,
    .on_action = metrics_action,
    .on_reply = metrics_reply,
    .on_tick = metrics_tick,
    .on_ready = metrics_tick,
};
