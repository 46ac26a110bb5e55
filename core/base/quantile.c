/* See quantile.h. */
#include "core/base/quantile.h"

#include <math.h>
#include <string.h>

#define LOWEST_EXPONENT (-20)
#define PER_OCTAVE      8

static size_t bucket_of(double value)
{
    int exponent;
    double fraction = frexp(value, &exponent); /* 0.5 <= fraction < 1 */

    if (!(value > 0) || exponent <= LOWEST_EXPONENT)
        return 0;

    size_t octave = (size_t)(exponent - LOWEST_EXPONENT - 1);
    size_t bucket = octave * PER_OCTAVE + (size_t)((fraction - 0.5) * 2 * PER_OCTAVE);

    return bucket < QUANTILE_BUCKETS ? bucket : QUANTILE_BUCKETS - 1;
}

static double middle_of(size_t bucket)
{
    double fraction = 0.5 + ((double)(bucket % PER_OCTAVE) + 0.5) / (2 * PER_OCTAVE);

    return ldexp(fraction, (int)(bucket / PER_OCTAVE) + LOWEST_EXPONENT + 1);
}

/* Values of windows that are over make room. */
static void age(struct quantile *q, uint64_t mono_ms)
{
    uint64_t window = mono_ms / QUANTILE_WINDOW_MS;

    if (window == q->window)
        return;
    if (window == q->window + 1)
        memcpy(q->before, q->now, sizeof(q->before));
    else
        memset(q->before, 0, sizeof(q->before));
    memset(q->now, 0, sizeof(q->now));
    q->window = window;
}

void quantile_add(struct quantile *q, double value, uint64_t mono_ms)
{
    size_t bucket = bucket_of(value);

    age(q, mono_ms);
    if (q->now[bucket] == UINT16_MAX) /* the shares stay as they are */
        for (size_t i = 0; i < QUANTILE_BUCKETS; i++)
            q->now[i] = (uint16_t)(q->now[i] - q->now[i] / 2);
    q->now[bucket]++;
}

double quantile_value(struct quantile *q, double at, uint64_t mono_ms)
{
    uint64_t total = 0, seen = 0;

    age(q, mono_ms);
    for (size_t i = 0; i < QUANTILE_BUCKETS; i++)
        total += (uint64_t)q->now[i] + q->before[i];
    if (total == 0)
        return (double)NAN;
    for (size_t i = 0; i < QUANTILE_BUCKETS; i++) {
        seen += (uint64_t)q->now[i] + q->before[i];
        if (seen > 0 && (double)seen >= at * (double)total)
            return middle_of(i);
    }
    return middle_of(QUANTILE_BUCKETS - 1);
}
