/* The identities in the scope of this device: itself, its modules, the leaf devices that are its
 * children, and their modules, as the cloud knows them (its device-scope REST, as $edgeHub). Kept
 * in a file (0600), so that leaf devices can connect without the cloud. Refreshed every hour, and
 * when somebody unknown or with a wrong key asks to connect, at most once a minute for each
 * identity. Loop thread only. */
#ifndef BERTH_HUB_EDGE_SCOPE_H
#define BERTH_HUB_EDGE_SCOPE_H

#include "core/base/err.h"
#include "core/base/secret.h"
#include "vm/guest/hub/edge.h"

#include <stdbool.h>

enum edge_scope_auth { SCOPE_AUTH_SAS, SCOPE_AUTH_SELF_SIGNED, SCOPE_AUTH_CA, SCOPE_AUTH_NONE };

/* All texts lie in the identity's own block; none is NULL. */
struct edge_identity {
    const char *device, *module; /* "" a device */
    const char *generation;
    enum edge_scope_auth auth;
    bool enabled;
    bool edge;                        /* an IoT Edge device */
    struct secret primary, secondary; /* SAS; base64, "" none; borrowed */
    const char *thumbprints[2];       /* self-signed; hex as they came, "" none */
};

/* Reads the file where there is one; a damaged one counts as none. */
struct edge_scope *edge_scope_new(struct edge *edge, struct err *err);
void edge_scope_free(struct edge_scope *s); /* NULL is fine */

/* NULL where it is not known. Borrowed until the loop turns. */
const struct edge_identity *edge_scope_find(const struct edge_scope *s, const char *device,
                                            const char *module);

/* Asks the cloud for this one anew. FN comes once, never from inside, and must not free S.
 * ERR_NOT_FOUND: it is not in the scope; ERR_BUSY: it was asked less than a minute ago, or too many
 * others were; else as of the cloud. */
struct edge_scope_wait;
typedef void (*edge_scope_fn)(void *arg, const struct err *err);
struct edge_scope_wait *edge_scope_refresh(struct edge_scope *s, const char *device,
                                           const char *module, edge_scope_fn fn, void *arg);
void edge_scope_cancel(struct edge_scope_wait *wait); /* FN does not come; NULL is fine */

/* The cloud may be there again: all of them anew, unless that was done a moment ago; the hour is
 * not waited for. Whenever an identity is gone, disabled or has another key, edge_clients_drop()
 * ends its session. */
void edge_scope_refresh_all(struct edge_scope *s);

#endif
