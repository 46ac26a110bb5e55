/* The edge hub over HTTP. For clients, over TLS: MQTT as a WebSocket, and direct methods from one
 * module to another. For the runtime, on a unix socket of its own:
 *
 *   GET /metrics -> Prometheus text      GET /state -> {"connected":bool,"clients":n,"queued":n}
 *
 * Loop thread only. */
#ifndef BERTH_HUB_EDGE_REST_H
#define BERTH_HUB_EDGE_REST_H

#include "core/io/http_server.h"
#include "vm/guest/hub/edge.h"

/* Both are http_handler_fn; ARG is the edge. */
void edge_rest_handle(struct http_exchange *x, void *arg);
void edge_local_handle(struct http_exchange *x, void *arg);

#endif
