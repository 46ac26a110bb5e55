/* The edge hub as the module $edgeHub: its desired properties become the configuration, its
 * reported ones tell of it and of the clients. Connected as any client would be, but from inside.
 * Loop thread only. */
#ifndef BERTH_HUB_EDGE_SELF_H
#define BERTH_HUB_EDGE_SELF_H

#include "vm/guest/hub/edge.h"

/* Connects: upstream must be there. */
struct edge_self *edge_self_new(struct edge *edge);
/* Reports all clients as gone, unwaited: before edge_clients_free() and edge_upstream_free(). NULL
 * is fine. */
void edge_self_free(struct edge_self *s);

void edge_self_online(struct edge_self *s); /* the cloud: twin anew */
void edge_self_desired(struct edge_self *s, uint64_t version, const char *patch, size_t len);
void edge_self_clients_changed(struct edge_self *s); /* somebody came or went: reported soon */

#endif
