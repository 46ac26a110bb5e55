/* See edge_metrics.h. */
#include "vm/guest/hub/edge_metrics.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_quantile.h"
#include "vm/guest/hub/route_table.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define LABELS_MAX 5
#define BUCKETS    1024
#define VALUE_MAX  256 /* of a label; the rest is cut off */

enum type { COUNTER, GAUGE, SUMMARY };

static const char *const type_names[] = {
    [COUNTER] = "counter",
    [GAUGE] = "gauge",
    [SUMMARY] = "summary",
};

static const struct metric {
    const char *name;
    enum type type;
    bool telemetry;     /* carries ms_telemetry="True" */
    const char *labels; /* names, with a space behind each */
    const char *help;
} metrics[] = {
    [EDGE_GETTWIN] = {"gettwin_total", COUNTER, true, "source id ", "Twins that were asked for"},
    [EDGE_MESSAGES_RECEIVED] = {"messages_received_total", COUNTER, true, "id route_output ",
                                "Messages from clients"},
    [EDGE_MESSAGES_SENT] = {"messages_sent_total", COUNTER, true,
                            "from to from_route_output to_route_input priority ",
                            "Messages to clients and upstream"},
    [EDGE_REPORTED_PROPERTIES] = {"reported_properties_total", COUNTER, true, "target id ",
                                  "Reports of properties"},
    [EDGE_DIRECT_METHODS] = {"direct_methods_total", COUNTER, true, "from to ",
                             "Direct methods that were called"},
    [EDGE_MESSAGES_DROPPED] = {"messages_dropped_total", COUNTER, true,
                               "reason from from_route_output ", "Messages that go nowhere"},
    [EDGE_MESSAGES_UNACK] = {"messages_unack_total", COUNTER, true,
                             "reason from from_route_output ",
                             "Messages that could not be acknowledged"},
    [EDGE_OFFLINE_COUNT] = {"offline_count_total", COUNTER, true, "id ",
                            "Times that the connection upstream was lost"},
    [EDGE_OPERATION_RETRY] = {"operation_retry_total", COUNTER, true, "id operation ",
                              "Operations that were tried again"},
    [EDGE_CONNECT_FAILED] = {"client_connect_failed_total", COUNTER, true, "id reason ",
                             "Clients that were refused"},
    [EDGE_CONNECT_SUCCESS] = {"client_connect_success_total", COUNTER, true, "id ",
                              "Clients that connected"},
    [EDGE_DISCONNECT] = {"client_disconnect_total", COUNTER, true, "id ",
                         "Clients that disconnected"},
    [EDGE_QUEUE_LENGTH] = {"queue_length", GAUGE, true, "endpoint priority ",
                           "Messages that wait for an endpoint"},
    [EDGE_CONNECTED_CLIENTS] = {"connected_clients", GAUGE, true, "", "Clients now connected"},
    [EDGE_MESSAGE_SIZE] = {"message_size_bytes", SUMMARY, false, "id ",
                           "Size of messages from clients"},
    [EDGE_GETTWIN_DURATION] = {"gettwin_duration_seconds", SUMMARY, false, "source id ",
                               "Time to get a twin"},
    [EDGE_SEND_DURATION] = {"message_send_duration_seconds", SUMMARY, false,
                            "from to from_route_output to_route_input ", "Time to send a message"},
    [EDGE_PROCESS_DURATION] = {"message_process_duration_seconds", SUMMARY, true,
                               "from to priority ",
                               "Time from a message's arrival to its delivery"},
    [EDGE_REPORTED_DURATION] = {"reported_properties_update_duration_seconds", SUMMARY, false,
                                "target id ", "Time to take a report of properties"},
    [EDGE_DIRECT_METHOD_DURATION] = {"direct_method_duration_seconds", SUMMARY, false, "from to ",
                                     "Time of a direct method"},
    [EDGE_OFFLINE_DURATION] = {"offline_duration_seconds", SUMMARY, false, "id ",
                               "Time without a connection upstream"},
};
_Static_assert(ARRAY_LEN(metrics) == EDGE_METRIC_COUNT, "a row for each metric");

struct edge_series {
    enum edge_metric metric;
    char *labels;              /* as they are rendered: k="v",k="v" */
    struct edge_series *chain; /* in its bucket */
    uint64_t count;            /* a counter's or a gauge's value; how many a summary has of */
    double sum;
    struct edge_quantile *quantile; /* of a summary */
};

struct edge_metrics {
    char *common; /* the labels of all */
    struct edge_series **series;
    size_t n;
    struct edge_series *buckets[BUCKETS];
};

const char *edge_metrics_priority(unsigned priority)
{
    static const char *const names[] = {"0", "1", "2", "3", "4",         "5",
                                        "6", "7", "8", "9", "2000000000"};

    _Static_assert(ARRAY_LEN(names) == ROUTE_PRIORITIES, "a name for each priority");
    return names[priority < ROUTE_PRIORITIES ? priority : ROUTE_PRIORITY_LAST];
}

/* k="v", with what a client may have put into v made harmless. */
static void put_label(struct buf *out, const char *name, size_t len, const char *value)
{
    auto_buf struct buf clean = {0};

    str_sanitise(&clean, value, strnlen(value, VALUE_MAX));
    buf_printf(out, "%s%.*s=\"", out->len > 0 ? "," : "", (int)len, name);
    for (const char *c = buf_str(&clean); *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

struct edge_metrics *edge_metrics_new(const char *iothub, const char *device, const char *instance)
{
    struct edge_metrics *m = xcalloc(1, sizeof(*m));
    struct buf common = {0};

    put_label(&common, "iothub", strlen("iothub"), iothub);
    put_label(&common, "edge_device", strlen("edge_device"), device);
    put_label(&common, "instance_number", strlen("instance_number"), instance);
    m->common = buf_steal(&common);
    return m;
}

void edge_metrics_free(struct edge_metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        free(m->series[i]->labels);
        free(m->series[i]->quantile);
        free(m->series[i]);
    }
    free(m->series);
    free(m->common);
    free(m);
}

static void put_labels(struct buf *out, enum edge_metric metric, const char *const *labels)
{
    for (const char *name = metrics[metric].labels; *name; name += strcspn(name, " ") + 1)
        put_label(out, name, strcspn(name, " "), *labels++);
    if (metrics[metric].telemetry)
        put_label(out, "ms_telemetry", strlen("ms_telemetry"), "True");
}

static size_t bucket_of(enum edge_metric metric, const char *labels)
{
    uint32_t hash = 2166136261U ^ (uint32_t)metric; /* FNV-1a */

    for (; *labels; labels++)
        hash = (hash ^ (unsigned char)*labels) * 16777619U;
    return hash % BUCKETS;
}

static struct edge_series *find(struct edge_metrics *m, enum edge_metric metric, const char *labels)
{
    struct edge_series *s = m->buckets[bucket_of(metric, labels)];

    while (s && !(s->metric == metric && str_eq(s->labels, labels)))
        s = s->chain;
    return s;
}

static struct edge_series *create(struct edge_metrics *m, enum edge_metric metric,
                                  const char *labels)
{
    struct edge_series *s = xcalloc(1, sizeof(*s));
    struct edge_series **bucket = &m->buckets[bucket_of(metric, labels)];

    s->metric = metric;
    s->labels = xstrdup(labels);
    if (metrics[metric].type == SUMMARY)
        s->quantile = xcalloc(1, sizeof(*s->quantile));
    s->chain = *bucket;
    *bucket = s;
    m->series = xreallocarray(m->series, m->n + 1, sizeof(struct edge_series *));
    m->series[m->n++] = s;
    return s;
}

struct edge_series *edge_metrics_series(struct edge_metrics *m, enum edge_metric metric,
                                        const char *const *labels)
{
    static const char *const other[LABELS_MAX] = {"other", "other", "other", "other", "other"};
    auto_buf struct buf text = {0};
    struct edge_series *s;

    put_labels(&text, metric, labels);
    s = find(m, metric, buf_str(&text));
    if (s || m->n < EDGE_SERIES_MAX)
        return s ? s : create(m, metric, buf_str(&text));
    buf_clear(&text);
    put_labels(&text, metric, other);
    s = find(m, metric, buf_str(&text));
    return s ? s : create(m, metric, buf_str(&text));
}

void edge_series_add(struct edge_series *s, uint64_t n)
{
    assert(metrics[s->metric].type == COUNTER);
    s->count += n;
}

void edge_series_set(struct edge_series *s, uint64_t value)
{
    assert(metrics[s->metric].type == GAUGE);
    s->count = value;
}

void edge_series_observe(struct edge_series *s, double value, uint64_t mono_ms)
{
    assert(metrics[s->metric].type == SUMMARY);
    s->count++;
    s->sum += value;
    edge_quantile_add(s->quantile, value, mono_ms);
}

/* ---- text ---- */

/* A line's beginning, up to its value. END: what the name ends in. */
static void put_name(const struct edge_metrics *m, const struct edge_series *s, const char *end,
                     struct buf *out)
{
    buf_printf(out, "edgehub_%s%s{%s%s%s", metrics[s->metric].name, end, m->common,
               s->labels[0] ? "," : "", s->labels);
}

static void put_summary(const struct edge_metrics *m, const struct edge_series *s, uint64_t mono_ms,
                        struct buf *out)
{
    static const double quantiles[] = {0.1, 0.5, 0.9, 0.99};

    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        double value = edge_quantile_value(s->quantile, quantiles[i], mono_ms);

        put_name(m, s, "", out);
        buf_printf(out, ",quantile=\"%g\"} ", quantiles[i]);
        if (isnan(value))
            buf_puts(out, "NaN\n");
        else
            buf_printf(out, "%.6g\n", value);
    }
    put_name(m, s, "_sum", out);
    buf_printf(out, "} %.10g\n", s->sum);
    put_name(m, s, "_count", out);
    buf_printf(out, "} %" PRIu64 "\n", s->count);
}

void edge_metrics_render(struct edge_metrics *m, uint64_t mono_ms, struct buf *out)
{
    for (size_t i = 0; i < EDGE_METRIC_COUNT; i++) {
        bool named = false;

        for (size_t j = 0; j < m->n; j++) {
            const struct edge_series *s = m->series[j];

            if (s->metric != (enum edge_metric)i)
                continue;
            if (!named)
                buf_printf(out, "# HELP edgehub_%s %s\n# TYPE edgehub_%s %s\n", metrics[i].name,
                           metrics[i].help, metrics[i].name, type_names[metrics[i].type]);
            named = true;
            if (metrics[i].type == SUMMARY) {
                put_summary(m, s, mono_ms, out);
            } else {
                put_name(m, s, "", out);
                buf_printf(out, "} %" PRIu64 "\n", s->count);
            }
        }
    }
}
