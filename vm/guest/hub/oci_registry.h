/* The sandbox's container registry: Debian's docker-registry as a supervised child per address,
 * with TLS from the sandbox's authority. It ends with this process, however that ends. Loop thread
 * only. */
#ifndef BERTH_HUB_OCI_REGISTRY_H
#define BERTH_HUB_OCI_REGISTRY_H

#include "core/base/err.h"

#include <stdint.h>
#include <uv.h>

struct oci_registry;

struct oci_registry_options {
    const char *dir;              /* certificates; the configuration and the images go here, too */
    const char *const *addresses; /* numeric, NULL-terminated */
    uint16_t port;
    const char
        *secret; /* shared by the children, for uploads that begin at one and end at another */
};

/* Once: ERR NULL when all of them answer. Later ends are restarted with back-off and only logged.
 */
typedef void (*oci_registry_ready_fn)(void *arg, const struct err *err);

/* Fails at once where the port is taken or the configuration cannot be written; options are copied.
 */
int oci_registry_start(uv_loop_t *loop, const struct oci_registry_options *options,
                       oci_registry_ready_fn ready, void *arg, struct oci_registry **ret,
                       struct err *err);
/* They read the certificate only when they start. */
void oci_registry_restart(struct oci_registry *r);
void oci_registry_stop(struct oci_registry *r); /* the loop must turn once more; NULL is fine */

#endif
