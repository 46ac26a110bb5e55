/* See series.h. */
#include "logs/series.h"

#include "core/base/mem.h"

#include <assert.h>
#include <math.h>

#define SET_BACK_MS 60000

struct series {
    struct series_point *points;
    size_t capacity;
    size_t oldest;
    size_t count;
};

struct series *series_new(size_t capacity)
{
    assert(capacity > 0);
    struct series *s = xcalloc(1, sizeof(*s));
    s->points = xcalloc(capacity, sizeof(*s->points));
    s->capacity = capacity;
    return s;
}

void series_free(struct series *s)
{
    if (!s)
        return;
    free(s->points);
    free(s);
}

void series_clear(struct series *s)
{
    s->oldest = s->count = 0;
}

static const struct series_point *point_at(const struct series *s, size_t index)
{
    return &s->points[(s->oldest + index) % s->capacity];
}

bool series_push(struct series *s, uint64_t at_ms, double value)
{
    if (!isfinite(value))
        return false;
    if (s->count) {
        uint64_t last = point_at(s, s->count - 1)->at_ms;
        if (at_ms + SET_BACK_MS < last)
            series_clear(s);
        else if (at_ms <= last)
            return false;
    }
    assert(s->capacity > 0);
    if (s->count == s->capacity) {
        s->oldest = (s->oldest + 1) % s->capacity;
        s->count--;
    }
    s->points[(s->oldest + s->count) % s->capacity] = (struct series_point){at_ms, value};
    s->count++;
    return true;
}

size_t series_count(const struct series *s)
{
    return s->count;
}

bool series_at(const struct series *s, size_t index, struct series_point *ret_point)
{
    if (index >= s->count)
        return false;
    *ret_point = *point_at(s, index);
    return true;
}

size_t series_find(const struct series *s, uint64_t at_ms)
{
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (point_at(s, middle)->at_ms < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct series_stats series_stats(const struct series *s, uint64_t from_ms, uint64_t to_ms)
{
    struct series_stats stats = {0};
    for (size_t i = series_find(s, from_ms); i < s->count && point_at(s, i)->at_ms <= to_ms; i++) {
        const struct series_point *p = point_at(s, i);
        stats.min = stats.n ? fmin(stats.min, p->value) : p->value;
        stats.max = stats.n ? fmax(stats.max, p->value) : p->value;
        stats.n++;
        stats.mean += (p->value - stats.mean) / (double)stats.n;
        stats.now = p->value;
        stats.now_ms = p->at_ms;
    }
    return stats;
}

void series_columns(const struct series *s, uint64_t from_ms, uint64_t to_ms, double *ret_columns,
                    size_t n)
{
    double span = to_ms > from_ms ? (double)(to_ms - from_ms) : 0;
    size_t i = series_find(s, from_ms);
    for (size_t column = 0; column < n; column++) {
        double end = (double)from_ms + span * (double)(column + 1) / (double)n;
        double sum = 0;
        size_t found = 0;
        for (; i < s->count && (double)point_at(s, i)->at_ms < end; i++, found++)
            sum += point_at(s, i)->value;
        ret_columns[column] = found ? sum / (double)found : (double)NAN;
    }
}
