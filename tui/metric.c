/* See metric.h. */
#include "tui/metric.h"

#include "core/base/str.h"
#include "tui/plot.h"

static const struct {
    const char *name, *title;
} titles[] = {
    {"vm.cpu", "CPU"},           {"vm.memory", "Memory used"}, {"vm.disk", "Disk used"},
    {"vm.net_rx", "Net in /s"},  {"vm.net_tx", "Net out /s"},  {"module.cpu", "CPU"},
    {"module.memory", "Memory"},
};

void metric_set_done(struct metric_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        series_free(set->of[i].series);
    set->n = 0;
}

void metric_title(const struct metric *m, char *to, size_t size)
{
    const char *title = str_starts(m->name, "prom.") ? m->name + 5 : m->name;
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (str_eq(titles[i].name, m->name))
            title = titles[i].title;
    if (str_eq(m->unit, "%"))
        (void)str_format(to, size, "%s %%", title);
    else
        (void)str_copy(to, size, title);
}

double metric_scale(const struct metric *m, double max)
{
    if (str_eq(m->unit, "%") && max <= 100)
        return 100;
    return plot_scale(max);
}
