/* A measured value over time: the last N points of it, with what a plot and a label need. One
 * thread. */
#ifndef BERTH_LOGS_SERIES_H
#define BERTH_LOGS_SERIES_H

#include "core/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct series;

struct series_point {
    uint64_t at_ms;
    double value;
};

struct series_stats {
    double min, max, mean;
    double now; /* the latest point */
    uint64_t now_ms;
    size_t n; /* points that went in; 0: the rest means nothing */
};

/* Keeps the last CAPACITY (> 0) points. Free with series_free. */
struct series *series_new(size_t capacity) ATTR_USE_RESULT;
void series_free(struct series *s);
DEFINE_AUTO(series, struct series, series_free)
#define auto_series ATTR_CLEANUP(series_freep)

/* Points come in time order. One that is not later than the last, or not a finite number, is
 * ignored: false. A clock that was set back by more than a minute starts the series over. */
bool series_push(struct series *s, uint64_t at_ms, double value);
void series_clear(struct series *s);

size_t series_count(const struct series *s);
bool series_at(const struct series *s, size_t index, struct series_point *ret_point); /* 0 oldest */
size_t series_find(
    const struct series *s,
    uint64_t at_ms); /* first point at or behind AT_MS; the count where there is none */

/* Over the points in [FROM_MS, TO_MS]. */
struct series_stats series_stats(const struct series *s, uint64_t from_ms, uint64_t to_ms);

/* Draws [FROM_MS, TO_MS) into N columns of equal width: the mean of the points of each, NAN where a
 * column has none. */
void series_columns(const struct series *s, uint64_t from_ms, uint64_t to_ms, double *ret_columns,
                    size_t n);

#endif
