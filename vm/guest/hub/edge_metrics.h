/* The edge hub's metrics, under the names that Microsoft's hub has for them: the table behind
 * core/base/meters.h, which counts and renders. Loop thread only. */
#ifndef BERTH_HUB_EDGE_METRICS_H
#define BERTH_HUB_EDGE_METRICS_H

#include "core/base/meters.h"

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

/* An id as labels have it, cut where it does not fit. */
#define EDGE_METRICS_ID_MAX 264
void edge_metrics_id(char to[EDGE_METRICS_ID_MAX], const char *device, const char *module);

/* The three labels that all metrics have; INSTANCE is new with each start of the process. */
struct meters *edge_metrics_new(const char *iothub, const char *device, const char *instance);

/* The series of these label values, in the order above: see meters_get(). */
struct meter *edge_metrics_series(struct meters *m, enum edge_metric metric,
                                  const char *const *labels);

#endif
