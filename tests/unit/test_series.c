/* Measured values over time. */
#include "logs/series.h"

#include <criterion/criterion.h>
#include <math.h>

Test(series, keeps_the_last_points)
{
    auto_series struct series *s = series_new(3);
    for (uint64_t i = 1; i <= 5; i++)
        cr_assert(series_push(s, i * 1000, (double)i));
    struct series_point p;
    cr_assert_eq(series_count(s), 3);
    cr_assert(series_at(s, 0, &p));
    cr_assert_eq(p.at_ms, 3000);
    cr_assert_not(series_at(s, 3, &p));
    cr_assert_eq(series_find(s, 3500), 1);
    cr_assert_eq(series_find(s, 9000), 3);
}

Test(series, tells_least_most_and_latest)
{
    auto_series struct series *s = series_new(10);
    cr_assert(series_push(s, 1000, 7));
    cr_assert(series_push(s, 2000, -2));
    cr_assert(series_push(s, 3000, 4));
    struct series_stats all = series_stats(s, 0, UINT64_MAX);
    cr_assert_eq(all.n, 3);
    cr_assert_float_eq(all.min, -2, 1e-9);
    cr_assert_float_eq(all.max, 7, 1e-9);
    cr_assert_float_eq(all.mean, 3, 1e-9);
    cr_assert_float_eq(all.now, 4, 1e-9);
    cr_assert_eq(all.now_ms, 3000);
    cr_assert_eq(series_stats(s, 1500, 2500).n, 1);
    cr_assert_eq(series_stats(s, 5000, 6000).n, 0);
}

Test(series, ignores_what_cannot_be_drawn)
{
    auto_series struct series *s = series_new(10);
    cr_assert(series_push(s, 100000, 1));
    cr_assert_not(series_push(s, 100000, 2), "the same moment");
    cr_assert_not(series_push(s, 99000, 2), "a little earlier");
    cr_assert_not(series_push(s, 101000, (double)NAN));
    cr_assert_not(series_push(s, 101000, (double)INFINITY));
    cr_assert_eq(series_count(s), 1);
}

Test(series, starts_over_when_the_clock_was_set_back)
{
    auto_series struct series *s = series_new(10);
    cr_assert(series_push(s, 1000000, 1));
    cr_assert(series_push(s, 5000, 2));
    cr_assert_eq(series_count(s), 1);
}

Test(series, draws_into_columns)
{
    auto_series struct series *s = series_new(100);
    for (uint64_t i = 0; i < 10; i++)
        cr_assert(series_push(s, 1000 + i * 100, (double)i)); /* 1000 .. 1900 */
    double columns[4];
    series_columns(s, 1000, 2000, columns, 4);
    cr_assert_float_eq(columns[0], 1, 1e-9);   /* 0 1 2 */
    cr_assert_float_eq(columns[1], 3.5, 1e-9); /* 3 4 */
    cr_assert_float_eq(columns[2], 6, 1e-9);   /* 5 6 7 */
    cr_assert_float_eq(columns[3], 8.5, 1e-9); /* 8 9 */
    series_columns(s, 0, 2000, columns, 4);
    cr_assert(isnan(columns[0]) && isnan(columns[1]));
    series_columns(s, 2000, 1000, columns, 2);
    cr_assert(isnan(columns[0]));
}
