/* The endpoints that the edge hub's outbox has queues for: found by name and by number, marked when
 * they get something. They stay until the end; the next start finds those again for which something
 * waits. Nobody but edge_router.c includes this. */
#ifndef BERTH_HUB_EDGE_ENDPOINT_H
#define BERTH_HUB_EDGE_ENDPOINT_H

#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/outbox.h"

#define EDGE_ENDPOINTS_MAX 20000 /* of one run, identities that came and went among them */
#define EDGE_SINK_BUCKETS  4096

struct edge_sink {
    struct edge_endpoint endpoint;
    struct edge_sink *chain;   /* in its bucket */
    struct edge_sink *touched; /* the next one that got something; the last one points to itself */
    bool routed;               /* an input that a route leads to */
    unsigned measured;         /* a bit for each priority whose length was shown */
    char names[];
};

struct edge_sinks {
    struct outbox *outbox;
    struct edge_sink **numbers; /* by the outbox's number; NULL: none of ours */
    size_t n_numbers, n;
    struct edge_sink *buckets[EDGE_SINK_BUCKETS];
    struct edge_sink *touched;
};

/* Finds again what OUTBOX has. OWN is this device's id, which inputs have. */
void edge_sinks_init(struct edge_sinks *s, struct outbox *outbox, const char *own);
void edge_sinks_done(struct edge_sinks *s);

struct edge_sink *edge_sinks_find(const struct edge_sinks *s, enum edge_endpoint_kind kind,
                                  const char *device, const char *module, const char *input);
/* Made where there is none; NULL where there are too many, but never for an input: of these there
 * are as many as routes. */
struct edge_sink *edge_sinks_need(struct edge_sinks *s, enum edge_endpoint_kind kind,
                                  const char *device, const char *module, const char *input);

/* It gets something with the next commit. */
void edge_sinks_touch(struct edge_sinks *s, struct edge_sink *sink);
/* The next one of those that were touched, which is not any more then; NULL: that was all. */
struct edge_sink *edge_sinks_touched(struct edge_sinks *s);

uint64_t edge_sinks_count(const struct edge_sinks *s, const struct edge_sink *sink);

#endif
