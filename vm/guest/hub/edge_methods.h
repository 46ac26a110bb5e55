/* Direct methods of the edge hub that begin in the cloud, and what is counted of all. Loop thread
 * only. */
#ifndef BERTH_HUB_EDGE_METHODS_H
#define BERTH_HUB_EDGE_METHODS_H

#include "vm/guest/hub/edge.h"

/* From the cloud to a client, by edge_upstream.h; the answer goes back there. */
void edge_methods_call(struct edge *edge, const char *device, const char *module, const char *name,
                       const char *rid, const char *payload, size_t len);

/* Counts one that is over: FROM "upstream" or a client's name, to a client. */
void edge_methods_count(struct edge *edge, const char *from, const char *device, const char *module,
                        uint64_t began_ms);

#endif
