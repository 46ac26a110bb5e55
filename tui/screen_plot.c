/* One series, large, with its scale, its times and a sentence that says the same. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "tui/format.h"
#include "tui/plot.h"
#include "tui/plot_arg.h"
#include "tui/request.h"

#include <math.h>

#define SCALE_WIDTH 10

struct plot {
    char name[96], module[MODEL_NAME_MAX];
    uint64_t span_ms;
    struct metric metric;
};

static const enum action_id plot_actions[] = {ACTION_WIDER, ACTION_NARROWER, ACTION_NONE};

#define MINUTE_MS 60000ULL

static const struct {
    uint64_t ms;
    const char *text;
} spans[] = {
    {5 * MINUTE_MS, "last 5 min"},     {15 * MINUTE_MS, "last 15 min"},
    {60 * MINUTE_MS, "last hour"},     {MINUTE_MS * 60 * 6, "last 6 h"},
    {MINUTE_MS * 60 * 24, "last day"},
};

uint64_t plot_span_wider(uint64_t span_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        if (spans[i].ms > span_ms)
            return spans[i].ms;
    return spans[ARRAY_LEN(spans) - 1].ms;
}

uint64_t plot_span_narrower(uint64_t span_ms)
{
    for (size_t i = ARRAY_LEN(spans); i > 0; i--)
        if (spans[i - 1].ms < span_ms)
            return spans[i - 1].ms;
    return spans[0].ms;
}

const char *plot_span_text(uint64_t span_ms)
{
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        if (spans[i].ms == span_ms)
            return spans[i].text;
    return "";
}

static void plot_tick(struct ui *ui, void *state)
{
    const struct plot *p = state;
    const struct view *view = ui_view(ui);
    const struct vm_status *vm = view_vm(view);
    if (vm)
        request_metrics(ui, vm->name, view->now_ms > p->span_ms ? view->now_ms - p->span_ms : 0);
}

static void plot_enter(struct ui *ui, void *state, const void *arg)
{
    struct plot *p = state;
    const struct plot_arg *a = arg;
    STR_SET(p->name, a->name);
    STR_SET(p->module, a->module);
    p->span_ms = a->span_ms;
    plot_tick(ui, state);
}

static void plot_leave(struct ui *ui, void *state)
{
    struct plot *p = state;
    (void)ui;
    series_free(p->metric.series);
}

static bool plot_reply(struct ui *ui, void *state, const struct reply *reply)
{
    struct plot *p = state;
    (void)ui;
    if (reply->kind != REPLY_METRICS)
        return false;
    for (size_t i = 0; !reply->err && i < reply->metrics->n; i++) {
        struct metric *m = &reply->metrics->of[i];
        if (!str_eq(m->name, p->name) || !str_eq(m->module, p->module))
            continue;
        series_free(p->metric.series);
        p->metric = *m;
        m->series = NULL;
    }
    return true;
}

static void plot_crumb(const struct view *view, const void *state, char *to, size_t size)
{
    const struct plot *p = state;
    char title[96];
    struct metric m = {0};
    (void)view;
    STR_SET(m.name, p->name);
    STR_SET(m.unit, p->metric.unit);
    metric_title(&m, title, sizeof(title));
    (void)str_format(to, size, "Metrics > %s%s%s", p->module, p->module[0] ? " " : "", title);
}

static void draw_scale(const struct plot *p, struct surface *s, struct area a, double max)
{
    char text[32];
    for (int i = 0; i <= 4; i++) {
        int y = a.y + (a.h - 1) * i / 4;
        format_value(text, sizeof(text), max * (4 - i) / 4, p->metric.unit);
        surface_right(s, y, 0, SCALE_WIDTH - 2, STYLE_TEXT, text);
    }
    for (int y = a.y; y < a.y + a.h; y++)
        surface_text(s, y, SCALE_WIDTH - 1, 1, STYLE_RULE, "|");
}

static void draw_times(const struct view *view, const struct plot *p, struct surface *s, int y,
                       int w)
{
    char text[8];
    for (int i = 0; i <= 4; i++) {
        uint64_t back = p->span_ms * (uint64_t)(4 - i) / 4;
        int x = SCALE_WIDTH + (w - 5) * i / 4;
        format_clock(text, sizeof(text), view->now_ms > back ? view->now_ms - back : 0);
        surface_text(s, y, x, 5, STYLE_TEXT, text);
    }
}

/* The same in words, for those who do not see the plot. */
static void draw_sentence(const struct plot *p, const struct series_stats *all,
                          const struct series_stats *last, struct surface *s, int y)
{
    char now[32], min[32], max[32];
    double range = all->max - all->min;
    const char *trend = last->n < 2 || !(range > 0)          ? "steady"
                        : last->now - last->mean > range / 8 ? "rising"
                        : last->mean - last->now > range / 8 ? "falling"
                                                             : "steady";
    format_value(now, sizeof(now), all->now, p->metric.unit);
    format_value(min, sizeof(min), all->min, p->metric.unit);
    format_value(max, sizeof(max), all->max, p->metric.unit);
    surface_printf(s, y, 1, STYLE_TEXT, "Now %s and %s; between %s and %s in the %s.", now, trend,
                   min, max, plot_span_text(p->span_ms));
}

static void plot_draw(const struct view *view, void *state, struct surface *s, struct area body)
{
    const struct plot *p = state;
    double columns[SURFACE_WIDTH_MAX];
    struct area a = {body.y + 1, SCALE_WIDTH, body.h - 4, body.w - SCALE_WIDTH};
    uint64_t from = view->now_ms > p->span_ms ? view->now_ms - p->span_ms : 0;
    surface_rule(s, body, plot_span_text(p->span_ms));
    surface_focus(s, body.y + 1, 1, false);
    if (!p->metric.series) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_BUSY, "Reading ...");
        return;
    }
    struct series_stats all = series_stats(p->metric.series, from, view->now_ms);
    struct series_stats last =
        series_stats(p->metric.series, from + p->span_ms / 4 * 3, view->now_ms);
    if (!all.n) {
        surface_light(s, body.y + 2, 3, -1, LIGHT_OFF, "There is no figure in this time.");
        return;
    }
    double max = metric_scale(&p->metric, all.max);
    series_columns(p->metric.series, from, view->now_ms + 1, columns, (size_t)a.w);
    plot_fill_gaps(columns, (size_t)a.w);
    draw_scale(p, s, a, max);
    plot_chart(s, a, columns, (size_t)a.w, max);
    draw_times(view, p, s, a.y + a.h, a.w);
    draw_sentence(p, &all, &last, s, body.y + body.h - 1);
}

static bool plot_action(struct ui *ui, void *state, enum action_id id)
{
    struct plot *p = state;
    if (id != ACTION_WIDER && id != ACTION_NARROWER)
        return false;
    p->span_ms = id == ACTION_WIDER ? plot_span_wider(p->span_ms) : plot_span_narrower(p->span_ms);
    plot_tick(ui, state);
    return true;
}

const struct screen screen_plot = {
    .title = "Metrics",
    .tab = TAB_NONE,
    .state_size = sizeof(struct plot),
    .actions = plot_actions,
    .enter = plot_enter,
    .leave = plot_leave,
    .draw = plot_draw,
    .crumb = plot_crumb,
    .on_action = plot_action,
    .on_reply = plot_reply,
    .on_tick = plot_tick,
    .on_ready = plot_tick,
};
