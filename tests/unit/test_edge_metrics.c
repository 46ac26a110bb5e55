#include "core/base/quantile.h"
#include "logs/prometheus.h"
#include "vm/guest/hub/edge_metrics.h"

#include <criterion/criterion.h>
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
