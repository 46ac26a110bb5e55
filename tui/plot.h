/* Plots of a metric series. Drawn with eighth blocks; the terminal turns them into an ASCII ramp
 * where it has none. Pure. */
#ifndef BERTH_TUI_PLOT_H
#define BERTH_TUI_PLOT_H

#include "tui/surface.h"

#include <stddef.h>

/* One row of N columns; values scaled from 0 to MAX; NAN leaves a gap. */
void plot_line(struct surface *s, int y, int x, const double *values, size_t n, double max);
/* A chart that fills AREA: one column a value, scaled from 0 to MAX. */
void plot_chart(struct surface *s, struct area a, const double *values, size_t n, double max);
/* Where there are more columns than points, holds each value until the next; a longer silence stays
 * a gap. */
void plot_fill_gaps(double *values, size_t n);
/* A round figure at least as large as VALUE, for a scale's end. */
double plot_scale(double value);

#endif
