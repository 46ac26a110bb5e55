/* Whether a client of the edge hub is who it says: a module of this device by a token that the
 * runtime would have signed, a leaf device or its module by its keys, thumbprints or certificate
 * authority (edge_scope.h). Where that fails, the scope is asked anew once. Loop thread only. */
#ifndef BERTH_HUB_EDGE_AUTH_H
#define BERTH_HUB_EDGE_AUTH_H

#include "core/io/tls.h"
#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/topic.h"

#include <stdint.h>

struct edge_auth *edge_auth_new(struct edge *edge);
void edge_auth_free(struct edge_auth *a); /* open questions end unanswered; NULL is fine */

struct edge_claim {
    const char *hub; /* from the user name, or from the token's audience for REST */
    const char *device, *module;
    const char *token; /* NULL: none. Copied */
    size_t len;
    const struct tls *tls; /* read before edge_auth_check() returns; NULL: none */
};

/* EXPIRY_S: the token's end, and what is allowed for clocks that differ; or the certificate's.
 * ERR_AUTH: why not, for the log; ERR_UNREACHABLE: the runtime does not answer. Once, never from
 * inside; it must not free A. */
typedef void (*edge_auth_fn)(void *arg, uint64_t expiry_s, const struct err *err);
struct edge_auth_wait *edge_auth_check(struct edge_auth *a, const struct edge_claim *claim,
                                       edge_auth_fn fn, void *arg);
void edge_auth_cancel(struct edge_auth_wait *wait); /* FN does not come; NULL is fine */

#endif
