/* The metrics text of modules. */
#include "core/base/buf.h"
#include "core/base/str.h"
#include "logs/prometheus.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

static void record(void *arg, const struct prometheus_sample *s)
{
    buf_printf(arg, "%s", s->name);
    for (size_t i = 0; i < s->n_labels; i++)
        buf_printf(arg, " %s=<%s>", s->labels[i].name, s->labels[i].value);
    buf_printf(arg, " t%d %g", (int)s->type, s->value);
    if (s->at_ms)
        buf_printf(arg, " @%" PRId64, s->at_ms);
    buf_putc(arg, '\n');
}

static struct prometheus_report parse(const char *text, struct buf *out)
{
    return prometheus_parse(text, strlen(text), record, out);
}

Test(prometheus, reads_the_example_of_the_format)
{
    static const char text[] =
        "# HELP http_requests_total The total number of HTTP requests.\n"
        "# TYPE http_requests_total counter\n"
        "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
        "http_requests_total{ method = \"post\" , code=\"400\", }    3 -5\n"
        "\n# Escaping in label values:\n"
        "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\F.TXT\",error=\"No:\\n\\\"X\\\"\"} "
        "1.458255915e9\n"
        "metric_without_timestamp_and_labels 12.47\n"
        "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
        "# TYPE h histogram\n"
        "h_bucket{le=\"0.05\"} 24054\r\n"
        "h_sum NaN\n"
        "h_total 1";
    auto_buf struct buf out = {0};
    struct prometheus_report report = parse(text, &out);
    cr_assert_eq(report.samples, 8);
    cr_assert_eq(report.wrong, 0, "%s", report.first.msg);
    cr_assert_str_eq(
        buf_str(&out),
        "http_requests_total method=<post> code=<200> t1 1027 @1395066363000\n"
        "http_requests_total method=<post> code=<400> t1 3 @-5\n"
        "msdos_file_access_time_seconds path=<C:\\DIR\\F.TXT> error=<No:^J\"X\"> t0 1.45826e+09\n"
        "metric_without_timestamp_and_labels t0 12.47\n"
        "something_weird problem=<division by zero> t0 inf @-3982045\n"
        "h_bucket le=<0.05> t3 24054\n"
        "h_sum t3 nan\n"
        "h_total t0 1\n");
}

Test(prometheus, leaves_wrong_lines_out_and_names_the_first)
{
    auto_buf struct buf out = {0};
    struct prometheus_report report = parse(
        "a 1\nb{x=\"1\" 2\nc\nd one\ne{=\"x\"} 1\n1f 2\ng 2 3 4\nh{a=\"\\q\"} 1\ni 2\n", &out);
    cr_assert_str_eq(buf_str(&out), "a t0 1\ni t0 2\n");
    cr_assert_eq(report.wrong, 7);
    cr_assert_eq(report.first.kind, ERR_PROTOCOL);
    cr_assert(str_starts(report.first.msg, "line 2: "), "%s", report.first.msg);
}

Test(prometheus, bounds_names_labels_and_values)
{
    auto_buf struct buf text = {0};
    auto_buf struct buf out = {0};
    for (int i = 0; i < PROMETHEUS_NAME_MAX; i++)
        buf_putc(&text, 'n');
    buf_puts(&text, " 1\nmany{");
    for (int i = 0; i <= PROMETHEUS_LABELS_MAX; i++)
        buf_printf(&text, "l%d=\"v\",", i);
    buf_puts(&text, "} 1\nlong{l=\"");
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "\x1b");
    buf_puts(&text, "\"} 1\n");
    struct prometheus_report report = prometheus_parse(text.data, text.len, record, &out);
    cr_assert_eq(report.samples, 1);
    cr_assert_eq(report.wrong, 2);
    cr_assert(str_starts(buf_str(&out), "long l=<^[^["));
    cr_assert_lt(out.len, (size_t)PROMETHEUS_VALUE_MAX + 32);
}

Test(prometheus, stops_at_its_limit)
{
    auto_buf struct buf text = {0};
    auto_buf struct buf out = {0};
    for (int i = 0; i < PROMETHEUS_SAMPLES_MAX + 1; i++)
        buf_puts(&text, "a 1\n");
    struct prometheus_report report = prometheus_parse(text.data, text.len, record, &out);
    cr_assert_eq(report.samples, PROMETHEUS_SAMPLES_MAX);
    cr_assert(report.cut);
}

static void keep(void *arg, const struct prometheus_sample *s)
{
    *(struct prometheus_sample *)arg = *s;
}

Test(prometheus, gives_a_label_by_name)
{
    struct prometheus_sample s;
    cr_assert_eq(prometheus_parse("a{module=\"temp\"} 1", 18, keep, &s).samples, 1);
    cr_assert_str_eq(prometheus_label(&s, "module"), "temp");
    cr_assert_null(prometheus_label(&s, "other"));
}
