/* The metric series that screens plot: names and units of the engine beside their points. */
#ifndef BERTH_TUI_METRIC_H
#define BERTH_TUI_METRIC_H

#include "core/base/model.h"
#include "logs/series.h"

#define METRIC_MAX        64
#define METRIC_POINTS_MAX 720

struct metric {
    char name[96]; /* "vm.cpu", "prom.queue_length" */
    char unit[16];
    char module[MODEL_NAME_MAX]; /* empty: the VM's */
    struct series *series;
};

struct metric_set {
    size_t n;
    struct metric of[METRIC_MAX];
};

void metric_set_done(struct metric_set *set); /* frees the series; empty and usable again */

/* "CPU %", "Memory", or the name itself; the row's title without the module. */
void metric_title(const struct metric *m, char *to, size_t size);
/* The end of its scale: 100 for shares, else a round figure over MAX. */
double metric_scale(const struct metric *m, double max);

#endif
