/* The way to the cloud's device-scope REST: calls as $edgeHub, over HTTPS, with a token that the
 * runtime signed. Loop thread only. */
#ifndef BERTH_HUB_EDGE_SCOPE_LINK_H
#define BERTH_HUB_EDGE_SCOPE_LINK_H

#include "core/base/buf.h"
#include "vm/guest/hub/edge.h"

struct edge_scope_link;
struct edge_scope_call;

/* ERR: the settings' proxy or CA file cannot be used. */
struct edge_scope_link *edge_scope_link_new(struct edge *edge, struct err *err);
void edge_scope_link_free(struct edge_scope_link *l); /* no call may be open; NULL is fine */

/* The end, once, never from inside: BODY of an answer that is not an error. ERR_NOT_FOUND: the
 * cloud does not know what was asked for; ERR_AUTH: it refused the token; ERR_UNREACHABLE: another
 * attempt may do better, after PAUSE_MS where it said so; else ERR_REMOTE. */
typedef void (*edge_scope_call_fn)(void *arg, const struct buf *body, uint64_t pause_ms,
                                   const struct err *err);

/* POSTs BODY to WHAT ("getDeviceAndModuleOnBehalfOf") of this device's $edgeHub. */
struct edge_scope_call *edge_scope_link_call(struct edge_scope_link *l, const char *what,
                                             const struct buf *body, uint64_t timeout_ms,
                                             edge_scope_call_fn fn, void *arg);
void edge_scope_link_cancel(struct edge_scope_call *c); /* FN does not come; NULL is fine */

#endif
