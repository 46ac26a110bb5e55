/* Quantiles of what was measured in the last minutes, in fixed memory: a histogram whose buckets
 * grow with the value, so that each answer is within a sixteenth of the truth. Pure; any thread. */
#ifndef BERTH_HUB_EDGE_QUANTILE_H
#define BERTH_HUB_EDGE_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

/* Seconds from a microsecond up, and bytes: from 2^-20 to 2^20, each octave in 8 buckets. */
#define EDGE_QUANTILE_BUCKETS   320U
#define EDGE_QUANTILE_WINDOW_MS 300000U /* an answer has one to two of these in it */

struct edge_quantile {
    uint16_t now[EDGE_QUANTILE_BUCKETS], before[EDGE_QUANTILE_BUCKETS];
    uint64_t window; /* number of the one that NOW is of */
};

void edge_quantile_add(struct edge_quantile *q, double value, uint64_t mono_ms);
/* Of the values of the last minutes, the one that a share of AT (0 to 1) does not exceed. NaN where
 * there are none. */
double edge_quantile_value(struct edge_quantile *q, double at, uint64_t mono_ms);

#endif
