/* Quantiles of what was measured in the last minutes, in fixed memory: a histogram whose buckets
 * grow with the value, so that each answer is within a sixteenth of the truth. Pure; any thread. */
#ifndef BERTH_BASE_QUANTILE_H
#define BERTH_BASE_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

/* Seconds from a microsecond up, and bytes: from 2^-20 to 2^20, each octave in 8 buckets. */
#define QUANTILE_BUCKETS   320U
#define QUANTILE_WINDOW_MS 300000U /* an answer has one to two of these in it */

struct quantile {
    uint16_t now[QUANTILE_BUCKETS], before[QUANTILE_BUCKETS];
    uint64_t window; /* number of the one that NOW is of */
};

void quantile_add(struct quantile *q, double value, uint64_t mono_ms);
/* Of the values of the last minutes, the one that a share of AT (0 to 1) does not exceed. NaN where
 * there are none. */
double quantile_value(struct quantile *q, double at, uint64_t mono_ms);

#endif
