/* From the outbox to local clients: messages to module inputs and messages from the cloud, QoS 1,
 * in order, a window of them under way for each client. Loop thread only. */
#ifndef BERTH_HUB_EDGE_INPUTS_H
#define BERTH_HUB_EDGE_INPUTS_H

#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/mqtt_conn.h"

struct edge_inputs *edge_inputs_new(struct edge *edge);
void edge_inputs_free(struct edge_inputs *i); /* NULL is fine */

struct edge_flow; /* to one client; it lives from open to close */
/* The client takes messages to its inputs and to itself (SUBS: SUB_INPUTS, SUB_DEVICEBOUND...) from
 * now on; more subs may follow. */
struct edge_flow *edge_inputs_open(struct edge_inputs *i, struct mqtt_conn *conn,
                                   const char *device, const char *module);
void edge_flow_subscribe(struct edge_flow *f, unsigned subs);
void edge_flow_puback(struct edge_flow *f, uint16_t id); /* one of ours, or not */
void edge_flow_drained(struct edge_flow *f);
/* The connection is gone: what was under way comes again at the next. */
void edge_flow_close(struct edge_flow *f);

void edge_inputs_queued(struct edge_inputs *i, const struct edge_endpoint *e); /* by the router */

#endif
