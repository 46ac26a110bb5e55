/* What edge_inputs.c (which flows there are, and time) and edge_flow.c (what goes through one)
 * share. Nobody else includes this. */
#ifndef BERTH_HUB_EDGE_INPUTS_PRIVATE_H
#define BERTH_HUB_EDGE_INPUTS_PRIVATE_H

#include "vm/guest/hub/edge_inputs.h"
#include "vm/guest/hub/outbox.h"

struct source {
    const struct edge_endpoint *endpoint;
    bool ready; /* the outbox may have something */
};

/* What will be counted when it is there. */
struct tally {
    struct meter *sent, *send_duration, *process_duration;
    uint64_t created_ms; /* wall clock */
    uint64_t sent_ns;
};

struct flight {
    struct flight *next, *prev; /* of all, oldest first */
    struct edge_flow *flow;
    const struct edge_endpoint *endpoint; /* NULL: it was dropped meanwhile */
    struct outbox_ref ref;
    struct tally tally;
    uint64_t until_ms; /* loop time */
    unsigned again;
    uint16_t packet; /* 0: this one is free */
};

struct edge_flow {
    struct edge_flow *chain; /* in its bucket */
    struct edge_inputs *inputs;
    struct mqtt_conn *conn;
    unsigned subs;
    struct source *sources;
    size_t n_sources, turn; /* whose turn it is */
    struct flight flights[MQTT_IN_FLIGHT_MAX];
    unsigned n_flights;
    const char *device, *module; /* in names */
    char names[];
};

struct edge_inputs {
    struct edge *edge;
    struct edge_flow *buckets[1024]; /* by identity */
    size_t n;
    struct flight *first, *last;
    uint64_t wait_ms;
    struct buf topic; /* the one that is being made */
    uv_timer_t timer;
};

/* The outbox has something, perhaps, for this endpoint of the flow's client. */
void flow_feed(struct edge_flow *flow, const struct edge_endpoint *e);
/* What is under way is not known to have arrived: it comes again at the next connection. */
void flow_take_back(struct edge_flow *flow);
/* F was not acknowledged in time. */
void flight_again(struct flight *f);
/* Something is in flight: sets the timer where it is not. */
void inputs_schedule(struct edge_inputs *i);

#endif
