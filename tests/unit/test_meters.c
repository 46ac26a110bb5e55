#include "core/base/meters.h"
#include "core/base/quantile.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PLAIN, BARE, LABELLED, TIMED };

static const struct meter_kind kinds[] = {
    [PLAIN] = {"t_plain", METER_GAUGE, METER_COMMON, "", "Nothing but a name"},
    [BARE] = {"t_bare_total", METER_COUNTER, METER_BARE, "id ", "Without the labels of all"},
    [LABELLED] = {"t_labelled_total", METER_COUNTER, METER_TELEMETRY, "id reason ", "With labels"},
    [TIMED] = {"t_timed_seconds", METER_SUMMARY, METER_COMMON, "", "A summary"},
};
static const char *const none[] = {NULL};

static struct meters *make(void)
{
    return meters_new(kinds, sizeof(kinds) / sizeof(kinds[0]));
}

/* M's text has TEXT in it. Frees M. */
static void expect_end(struct meters *m, const char *text)
{
    struct buf out = {0};

    meters_render(m, 0, &out);
    cr_expect(strstr(buf_str(&out), text), "%s", buf_str(&out));
    buf_done(&out);
    meters_free(m);
}

Test(meters, say_nothing_of_what_was_never_counted)
{
    struct meters *m = make();
    struct buf out = {0};

    meters_render(m, 0, &out);
    cr_expect_eq(out.len, 0);
    buf_done(&out);
    meters_free(m);
}

Test(meters, put_braces_only_around_labels)
{
    struct meters *m = make();

    meter_set(meters_get(m, PLAIN, none), 7);
    meter_observe(meters_get(m, TIMED, none), 0, 0);
    expect_end(m, "\nt_plain 7\n# HELP t_timed_seconds A summary\n# TYPE t_timed_seconds summary\n"
                  "t_timed_seconds{quantile=\"0.1\"} ");
}

Test(meters, give_all_but_the_bare_ones_the_common_labels)
{
    struct meters *m = make();
    const char *const common[] = {"hub", "a\"b", NULL};
    const char *const id[] = {"x", "y"};

    meter_add(meters_get(m, BARE, id), 1);
    meter_add(meters_get(m, LABELLED, id), 2);
    meters_set_common(m, common); /* known later than the first count */
    expect_end(m, "\nt_bare_total{id=\"x\"} 1\n# HELP t_labelled_total With labels\n"
                  "# TYPE t_labelled_total counter\nt_labelled_total{hub=\"a\\\"b\",id=\"x\","
                  "reason=\"y\",ms_telemetry=\"True\"} 2\n");
}

Test(meters, cut_and_clean_what_peers_call_themselves)
{
    struct meters *m = make();
    struct buf out = {0};
    static char longest[METERS_VALUE_MAX * 4];
    const char *const wild[] = {"\n} 1\nt_plain 9\x1b[2J", longest};

    memset(longest, 'n', sizeof(longest) - 1);
    meter_add(meters_get(m, LABELLED, wild), 1);
    meters_render(m, 0, &out);
    cr_expect_null(strchr(buf_str(&out), '\x1b'));
    cr_expect_null(strstr(buf_str(&out), "\nt_plain"));
    cr_expect_lt(out.len, METERS_VALUE_MAX * 2);
    buf_done(&out);
    meters_free(m);
}

Test(meters, tell_series_apart_whose_values_are_alike)
{
    struct meters *m = make();
    const char *const one[] = {"a", "bc"};
    const char *const two[] = {"ab", "c"};
    char big[3000] = "";
    const char *const large[] = {big, "bc"};

    memset(big, 'a', sizeof(big) - 1);
    for (int i = 0; i < 2; i++) { /* made, then asked for again */
        cr_expect_neq(meters_get(m, LABELLED, one), meters_get(m, LABELLED, two));
        cr_expect_neq(meters_get(m, LABELLED, one), meters_get(m, BARE, one));
        cr_expect_eq(meters_get(m, LABELLED, one), meters_get(m, LABELLED, one));
        cr_expect_eq(meters_get(m, LABELLED, large), meters_get(m, LABELLED, large));
    }
    meters_free(m);
}

Test(meters, are_bounded_in_number)
{
    struct meters *m = make();
    struct meter *last = NULL;
    char name[20];
    const char *const labels[] = {name, "not_authenticated"};

    for (int i = 0; i < METERS_MAX + 100; i++) {
        (void)snprintf(name, sizeof(name), "dev%d", i);
        last = meters_get(m, LABELLED, labels);
        meter_add(last, 1);
    }
    (void)snprintf(name, sizeof(name), "one more");
    cr_expect_eq(meters_get(m, LABELLED, labels), last);
    expect_end(m, "id=\"other\",reason=\"other\",ms_telemetry=\"True\"} 100\n");
}

Test(quantile, is_within_a_sixteenth)
{
    static struct quantile q;

    for (int i = 1; i <= 100000; i++)
        quantile_add(&q, i / 1000.0, 0);
    for (int i = 1; i < 100; i++) {
        double value = quantile_value(&q, i / 100.0, 0);

        cr_expect(fabs(value - i) <= i / 16.0, "%d: %f", i, value);
    }
}

Test(quantile, takes_any_value)
{
    static const double odd[] = {0, -1, 1e-300, 1e300, (double)INFINITY, (double)NAN};

    for (size_t i = 0; i < 6; i++) {
        struct quantile q = {0};

        quantile_add(&q, odd[i], 0);
        cr_expect(!isnan(quantile_value(&q, 0.5, 0)));
    }
}

Test(quantile, forgets_after_some_minutes_and_survives_many)
{
    static struct quantile q;

    cr_expect(isnan(quantile_value(&q, 0.5, 0)));
    for (int i = 0; i < 200000; i++)
        quantile_add(&q, i % 4 ? 1 : 8, 0);
    cr_expect_lt(quantile_value(&q, 0.7, 0), 2);
    cr_expect_gt(quantile_value(&q, 0.8, 0), 7);
    quantile_add(&q, 64, QUANTILE_WINDOW_MS);
    cr_expect_lt(quantile_value(&q, 0.7, QUANTILE_WINDOW_MS), 2);
    cr_expect_gt(quantile_value(&q, 0.7, 2 * QUANTILE_WINDOW_MS), 60);
    cr_expect(isnan(quantile_value(&q, 0.7, 4 * QUANTILE_WINDOW_MS)));
}
