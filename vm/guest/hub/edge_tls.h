/* The edge hub's certificate: the runtime makes it, the hub keeps it in its folder (server.pem,
 * server.key) and asks for a new one in time. Loop thread only. */
#ifndef BERTH_HUB_EDGE_TLS_H
#define BERTH_HUB_EDGE_TLS_H

#include "core/io/tls.h"
#include "vm/guest/hub/edge.h"

struct edge_tls;

/* A certificate is there: the first, or one that takes the place of the one before, which is gone
 * after this. ERR: there is none, and no more is tried; not where the runtime does not answer yet.
 * Never from inside. */
typedef void (*edge_tls_fn)(void *arg, struct tls_server *tls, const struct err *err);
struct edge_tls *edge_tls_new(struct edge *edge, edge_tls_fn fn, void *arg);
void edge_tls_free(struct edge_tls *t); /* after all listeners; NULL is fine */

#endif
