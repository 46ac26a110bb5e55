/* From the outbox to local clients: messages to module inputs and messages from the cloud, QoS 1,
 * in order, a window of them under way for each client. Loop thread only. */
#ifndef BERTH_HUB_EDGE_INPUTS_H
#define BERTH_HUB_EDGE_INPUTS_H

#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/mqtt_conn.h"

struct edge_inputs *edge_inputs_new(struct edge *edge);
void edge_inputs_free(struct edge_inputs *i); /* after all flows; NULL is fine */
/* A message without a PUBACK is sent again after so long, twice; then the connection ends. 30
 * seconds where nobody says otherwise. */
void edge_inputs_set_wait(struct edge_inputs *i, uint64_t ms);

struct edge_flow; /* to one client; it lives from open to close */
/* One for each identity at a time. Nothing comes until it subscribes. */
struct edge_flow *edge_inputs_open(struct edge_inputs *i, struct mqtt_conn *conn,
                                   const char *device, const char *module);
/* SUBS are all that it has now: SUB_INPUTS and SUB_DEVICEBOUND say what comes,
 * SUB_DEVICEBOUND_QOS1 and SUB_INPUTS_QOS0 how. It may begin at once. */
void edge_flow_subscribe(struct edge_flow *f, unsigned subs);
void edge_flow_puback(struct edge_flow *f, uint16_t id); /* one of ours, or not */
void edge_flow_drained(struct edge_flow *f);
/* The connection is gone: what was under way comes again at the next. */
void edge_flow_close(struct edge_flow *f);

/* By the router: E got something; what E had is dropped. */
void edge_inputs_queued(struct edge_inputs *i, const struct edge_endpoint *e);
void edge_inputs_dropped(struct edge_inputs *i, const struct edge_endpoint *e);

#endif
