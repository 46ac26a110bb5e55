/* The twins of the edge hub's clients, between them and the cloud: read through where it can be
 * reached, from the store where not; what a client reports is acknowledged once it is stored, and
 * sent to the cloud, merged, when that can be. Loop thread only. */
#ifndef BERTH_HUB_EDGE_TWINS_H
#define BERTH_HUB_EDGE_TWINS_H

#include "vm/guest/hub/edge.h"

/* The store must be there. */
struct edge_twins *edge_twins_new(struct edge *edge);
void edge_twins_free(struct edge_twins *all); /* before edge_upstream_free(); NULL is fine */

/* From a client (edge_clients.c). The answer goes out by edge_clients_twin_reply(), perhaps before
 * this returns. */
void edge_twins_get(struct edge_twins *all, const char *device, const char *module,
                    const char *rid);
/* BASE: the version it must be based on, or NULL. Also makes a message for routes FROM
 * /twinChangeNotifications. */
void edge_twins_report(struct edge_twins *all, const char *device, const char *module,
                       const char *rid, const char *patch, size_t len, const uint64_t *base);

/* From the cloud (edge_upstream.c). */
void edge_twins_online(struct edge_twins *all, const char *device, const char *module);
void edge_twins_desired(struct edge_twins *all, const char *device, const char *module,
                        uint64_t version, const char *patch, size_t len);

#endif
