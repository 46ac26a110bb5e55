#include "core/base/quantile.h"
#include "logs/prometheus.h"
#include "vm/guest/hub/edge_metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const none[] = {NULL};

Test(edge_metrics, says_what_it_counted_under_the_known_names)
{
    struct meters *m = edge_metrics_new("hub.example", "dev", "guid");
    struct buf out = {0};
    const char *const sent[] = {"dev/a", "upstream", "out", "", edge_metrics_priority(10)};

    meter_add(edge_metrics_series(m, EDGE_MESSAGES_SENT, sent), 2);
    meter_add(edge_metrics_series(m, EDGE_MESSAGES_SENT, sent), 1);
    meter_set(edge_metrics_series(m, EDGE_CONNECTED_CLIENTS, none), 4);
    meters_render(m, 1000, &out);
    cr_expect_str_eq(
        buf_str(&out),
        "# HELP edgehub_messages_sent_total Messages to clients and upstream\n"
        "# TYPE edgehub_messages_sent_total counter\n"
        "edgehub_messages_sent_total{iothub=\"hub.example\",edge_device=\"dev\","
        "instance_number=\"guid\",from=\"dev/a\",to=\"upstream\",from_route_output=\"out\","
        "to_route_input=\"\",priority=\"2000000000\",ms_telemetry=\"True\"} 3\n"
        "# HELP edgehub_connected_clients Clients now connected\n"
        "# TYPE edgehub_connected_clients gauge\n"
        "edgehub_connected_clients{iothub=\"hub.example\",edge_device=\"dev\","
        "instance_number=\"guid\",ms_telemetry=\"True\"} 4\n");
    buf_done(&out);
    meters_free(m);
}

static void keep(void *arg, const struct prometheus_sample *sample)
{
    char *to = arg;
    const char *q = prometheus_label(sample, "quantile");

    (void)sprintf(to + strlen(to), "%s%s%s=%.2g ", strrchr(sample->name, '_'), q ? "@" : "",
                  q ? q : "", sample->value);
}

Test(edge_metrics, gives_summaries_that_our_own_reader_reads)
{
    struct meters *m = edge_metrics_new("h", "d", "i");
    struct buf out = {0};
    char seen[400] = "";
    const char *const id[] = {"dev/a"};
    struct meter *s = edge_metrics_series(m, EDGE_OFFLINE_DURATION, id);

    meter_observe(s, 2, 1000);
    meter_observe(s, 2, 1000);
    meters_render(m, 1000, &out);

    struct prometheus_report report = prometheus_parse(out.data, out.len, keep, seen);

    cr_expect_eq(report.wrong, 0, "%s", report.first.msg);
    cr_expect_str_eq(seen, "_seconds@0.1=2.1 _seconds@0.5=2.1 _seconds@0.9=2.1"
                           " _seconds@0.99=2.1 _sum=4 _count=2 ");
    buf_clear(&out);
    seen[0] = '\0';
    meters_render(m, 1000 + 3 * QUANTILE_WINDOW_MS, &out);
    (void)prometheus_parse(out.data, out.len, keep, seen);
    cr_expect(strstr(seen, "_seconds@0.5=nan") && strstr(seen, "_count=2"), "%s", seen);
    buf_done(&out);
    meters_free(m);
}

Test(edge_metrics, renders_every_metric_readably)
{
    struct meters *m = edge_metrics_new("h", "d", "i");
    struct buf out = {0};
    char seen[8000] = "";
    const char *const labels[] = {"a\"b\\", "\n\x1b[2J", "c", "d", "e"};

    for (int i = 0; i < EDGE_METRIC_COUNT; i++)
        (void)edge_metrics_series(m, (enum edge_metric)i, labels);
    meters_render(m, 0, &out);

    struct prometheus_report report = prometheus_parse(out.data, out.len, keep, seen);

    cr_expect_eq(report.wrong, 0, "%s", report.first.msg);
    cr_expect_eq(report.samples, 14 + 7 * 6);
    cr_expect_null(strchr(buf_str(&out), '\x1b'));
    buf_done(&out);
    meters_free(m);
}

Test(edge_metrics, bounds_the_number_of_series)
{
    struct meters *m = edge_metrics_new("h", "d", "i");
    struct buf out = {0};
    struct meter *last = NULL;
    char name[20];
    const char *const labels[] = {name, "not_authenticated"};

    for (int i = 0; i < METERS_MAX + 100; i++) {
        (void)snprintf(name, sizeof(name), "dev%d", i);
        last = edge_metrics_series(m, EDGE_CONNECT_FAILED, labels);
        meter_add(last, 1);
    }
    (void)snprintf(name, sizeof(name), "one more");
    cr_expect_eq(edge_metrics_series(m, EDGE_CONNECT_FAILED, labels), last);
    meters_render(m, 0, &out);
    cr_expect(strstr(buf_str(&out), "id=\"other\",reason=\"other\",ms_telemetry=\"True\"} 100\n"));
    buf_done(&out);
    meters_free(m);
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
