/* Where messages go: the routes that are in force, and the outbox's endpoints that they lead to.
 * Upstream each sender has an endpoint of its own, since each has a connection of its own: one that
 * the cloud refuses holds nobody else up. Loop thread only. */
#ifndef BERTH_HUB_EDGE_ROUTER_H
#define BERTH_HUB_EDGE_ROUTER_H

#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/edge_config.h"
#include "vm/guest/hub/edge_message.h"

/* Names in the outbox: "upstream/DEVICE[/MODULE]", "input/MODULE/INPUT" (of this device's modules),
 * "device/DEVICE[/MODULE]" (messages from the cloud to a client). */
enum edge_endpoint_kind { EDGE_TO_UPSTREAM, EDGE_TO_INPUT, EDGE_TO_DEVICE };

struct edge_endpoint {
    unsigned number; /* the outbox's */
    enum edge_endpoint_kind kind;
    const char *device, *module, *input; /* "" where it has none; borrowed, for the router's life */
};

/* With the last good configuration of the store, or the default one. Keeps house in the outbox from
 * now on (outbox_sweep()); what waits there since the last run is told by the first
 * edge_router_committed(), as soon as upstream and inputs are there. */
struct edge_router *edge_router_new(struct edge *edge);
void edge_router_free(struct edge_router *r); /* NULL is fine */

/* Puts CONFIG (taken over) in force: keeps it (TEXT) for the next start, logs what changed, drops
 * what is queued for inputs that no route leads to any more. */
void edge_router_configure(struct edge_router *r, struct edge_config *config, const char *text,
                           size_t len);

/* Queues M by the routes. It may be acknowledged after edge_commit(). -1: not taken (no space): the
 * sender must not be acknowledged. What no route takes is counted as dropped and is fine. */
int edge_router_take(struct edge_router *r, const struct edge_message *m, struct err *err);
/* Queues M, from the cloud, for client DEVICE[/MODULE]. M's sender does not count: that is the
 * cloud. */
int edge_router_to_client(struct edge_router *r, const char *device, const char *module,
                          const struct edge_message *m, struct err *err);

/* After a commit: tells edge_upstream and edge_inputs of the endpoints that got something. */
void edge_router_committed(struct edge_router *r);

/* The endpoint of this kind; NULL: nothing was ever queued for it. */
const struct edge_endpoint *edge_router_find(const struct edge_router *r,
                                             enum edge_endpoint_kind kind, const char *device,
                                             const char *module, const char *input);
void edge_router_each(const struct edge_router *r,
                      void (*fn)(void *arg, const struct edge_endpoint *e), void *arg);

/* Queue lengths into the metrics; before they are shown. */
void edge_router_measure(struct edge_router *r);

#endif
