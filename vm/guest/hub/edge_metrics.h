/* The edge hub's metrics as Prometheus reads them, under the names that Microsoft's hub has for
 * them. A series is a metric with the values of its labels; who counts often keeps its pointer. The
 * number of series is bounded, whatever clients call themselves. Loop thread only. */
#ifndef BERTH_HUB_EDGE_METRICS_H
#define BERTH_HUB_EDGE_METRICS_H

#include "core/base/buf.h"

#include <stdint.h>

#define EDGE_SERIES_MAX 2048

enum edge_metric {
    /* Counters. The labels that edge_metrics_series() takes; an id is DEVICE or DEVICE/MODULE, the
     * cloud is "upstream" in to, source and target, and the hub itself "edge_hub". */
    EDGE_GETTWIN,             /* source, id */
    EDGE_MESSAGES_RECEIVED,   /* id, route_output */
    EDGE_MESSAGES_SENT,       /* from, to, from_route_output, to_route_input, priority */
    EDGE_REPORTED_PROPERTIES, /* target, id */
    EDGE_DIRECT_METHODS,      /* from, to */
    EDGE_MESSAGES_DROPPED,    /* reason (no_route, ttl_expiry), from, from_route_output */
    EDGE_MESSAGES_UNACK,      /* reason (storage_failure), from, from_route_output */
    EDGE_OFFLINE_COUNT,       /* id */
    EDGE_OPERATION_RETRY,     /* id, operation */
    EDGE_CONNECT_FAILED,      /* id, reason (not_authenticated) */
    EDGE_CONNECT_SUCCESS,     /* id */
    EDGE_DISCONNECT,          /* id */
    /* Gauges. */
    EDGE_QUEUE_LENGTH,      /* endpoint ("iothub" or DEVICE/MODULE/INPUT), priority */
    EDGE_CONNECTED_CLIENTS, /* none */
    /* Summaries. */
    EDGE_MESSAGE_SIZE,           /* id */
    EDGE_GETTWIN_DURATION,       /* source, id */
    EDGE_SEND_DURATION,          /* from, to, from_route_output, to_route_input */
    EDGE_PROCESS_DURATION,       /* from, to, priority */
    EDGE_REPORTED_DURATION,      /* target, id */
    EDGE_DIRECT_METHOD_DURATION, /* from, to */
    EDGE_OFFLINE_DURATION,       /* id */
    EDGE_METRIC_COUNT
};

/* The value of the label "priority" for one that a route has (route_table.h): the last one has the
 * number that Microsoft's hub gives a route without any. Static text. */
const char *edge_metrics_priority(unsigned priority);

struct edge_metrics;
struct edge_series;

/* The three labels that all metrics have; INSTANCE is new with each start of the process. */
struct edge_metrics *edge_metrics_new(const char *iothub, const char *device, const char *instance);
void edge_metrics_free(struct edge_metrics *m); /* NULL is fine */

/* The series of these label values, in the order above; made where there is none. Never NULL: past
 * EDGE_SERIES_MAX, one for all the rest of a metric, with "other" as each value. It holds as long
 * as M does. */
struct edge_series *edge_metrics_series(struct edge_metrics *m, enum edge_metric metric,
                                        const char *const *labels);

void edge_series_add(struct edge_series *s, uint64_t n);                         /* a counter */
void edge_series_set(struct edge_series *s, uint64_t value);                     /* a gauge */
void edge_series_observe(struct edge_series *s, double value, uint64_t mono_ms); /* a summary */

/* The exposition text, appended. */
void edge_metrics_render(struct edge_metrics *m, uint64_t mono_ms, struct buf *out);

#endif
