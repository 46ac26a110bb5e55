/* See plot.h. */
#include "tui/plot.h"

#include <math.h>

/* U+2581 (one eighth) to U+2588 (full). */
static void put_eighths(struct surface *s, int y, int x, int eighths)
{
    char text[4] = {(char)0xE2, (char)0x96, (char)(0x80 + eighths), '\0'};
    surface_raw(s, y, x, 1, STYLE_BUSY, text, 3);
}

static int level(double value, double max, int steps)
{
    if (isnan(value))
        return 0;
    if (!(max > 0) || !(value > 0))
        return 1;
    int n = (int)lround(value / max * steps);
    return n < 1 ? 1 : n > steps ? steps : n;
}

void plot_line(struct surface *s, int y, int x, const double *values, size_t n, double max)
{
    for (size_t i = 0; i < n; i++) {
        int eighths = level(values[i], max, 8);
        if (eighths)
            put_eighths(s, y, x + (int)i, eighths);
    }
}

void plot_chart(struct surface *s, struct area a, const double *values, size_t n, double max)
{
    for (size_t i = 0; i < n && (int)i < a.w; i++) {
        int left = level(values[i], max, a.h * 8);
        for (int row = a.h - 1; row >= 0 && left > 0; row--, left -= 8)
            put_eighths(s, a.y + row, a.x + (int)i, left > 8 ? 8 : left);
    }
}

void plot_fill_gaps(double *values, size_t n)
{
    size_t last = n;    /* the latest point; n: none yet */
    size_t nearest = n; /* columns between the two points that are closest */
    for (size_t i = 0; i < n; i++) {
        if (isnan(values[i]))
            continue;
        if (last < n && i - last < nearest)
            nearest = i - last;
        last = i;
    }
    size_t since = 0;
    for (size_t i = 1; i < n && i <= last && nearest < n; i++) {
        since = isnan(values[i]) ? since + 1 : 0;
        if (since && since <= 3 * nearest)
            values[i] = values[i - 1]; /* before the first point this is no value either */
    }
}

double plot_scale(double value)
{
    if (!(value > 0))
        return 1;
    double unit = pow(10, floor(log10(value)));
    static const double steps[] = {1, 1.5, 2, 3, 4, 5, 6, 8, 10};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (value <= steps[i] * unit * (1 + 1e-9))
            return steps[i] * unit;
    return 10 * unit;
}
