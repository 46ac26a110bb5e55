/* The edge role as a whole: what its parts share. It is what the modules and leaf devices of one
 * IoT Edge device take for their IoT Hub: it knows who they are, routes and keeps their messages,
 * and stands in for the cloud while that is away. Everything runs on one loop in one thread.
 *
 *   client --MQTT--> edge_clients --edge_router--> outbox --> edge_inputs   --> client
 *                          |                              `-> edge_upstream --> the cloud
 *                          `--edge_twins, methods, edge_upstream: twins, methods, messages to
 * devices
 */
#ifndef BERTH_HUB_EDGE_H
#define BERTH_HUB_EDGE_H

#include "core/base/err.h"
#include "vm/guest/hub/edge_metrics.h"
#include "vm/guest/hub/edge_settings.h"

#include <uv.h>

#define EDGE_HUB_ID "$edgeHub"

struct edge_auth;
struct edge_clients;
struct edge_inputs;
struct edge_router;
struct edge_scope;
struct edge_self;
struct edge_store;
struct edge_twins;
struct edge_upstream;
struct edge_workload;
struct http_server;
struct methods;
struct mqtt_server;
struct outbox;

struct edge {
    uv_loop_t *loop;
    const struct edge_settings *settings;
    struct meters *metrics;
    struct outbox *outbox;
    struct edge_store *store;       /* sessions, twins, the last good configuration */
    struct edge_workload *workload; /* what only the runtime can do: sign, certify */
    struct edge_scope *scope;       /* the identities that may connect here */
    struct edge_auth *auth;
    struct edge_router *router;
    struct edge_clients *clients;
    struct edge_inputs *inputs;
    struct edge_twins *twins;
    struct methods *methods;
    struct edge_upstream *upstream;
    struct edge_self *self; /* as $edgeHub */
    struct mqtt_server *mqtt;
    struct http_server *https, *local; /* 443; metrics and state for the runtime */
};

/* Makes this turn's writes durable (outbox, then store), then lets router, inputs and upstream go
 * on with what is durable now. False where that failed: what was answered in this turn must not be
 * sent. Before_flush of all servers. */
bool edge_commit(void *edge);

/* Sees to it that edge_commit() comes soon, where a turn may have no output that waits for it. */
void edge_wake(struct edge *e);

typedef void (*edge_ready_fn)(void *arg, const struct err *err);

/* READY comes once, ERR NULL when all listeners are up. That waits for the runtime (certificates),
 * never for the cloud. SETTINGS are borrowed for the edge's life. On failure nothing stays behind
 * and READY does not come. */
int edge_open(uv_loop_t *loop, const struct edge_settings *settings, edge_ready_fn ready, void *arg,
              struct edge **ret, struct err *err);
/* Tells the cloud who is gone, ends connections, writes what is open. The loop must run out
 * afterwards. NULL is fine. */
void edge_close(struct edge *e);

#endif
