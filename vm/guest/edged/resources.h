/* What the machine, the runtime and each module's container use, measured every few minutes: the
 * containers one after the other through the engine, the others from /proc. Loop thread only. */
#ifndef BERTH_EDGED_RESOURCES_H
#define BERTH_EDGED_RESOURCES_H

#include "vm/guest/edged/containers.h"
#include "vm/guest/edged/docker.h"
#include "vm/guest/edged/edge_hub.h"

struct meters;
struct resources;

struct resources_context {
    uv_loop_t *loop;
    struct docker *docker;
    const struct containers *containers;
    const struct edge_hub *hub;
    struct meters *meters;
    uint64_t started_ms; /* wall clock; of this process */
    uint64_t every_s;
};

/* What CONTEXT points to outlives it. */
struct resources *resources_new(const struct resources_context *context);
void resources_free(struct resources *r); /* NULL is fine */

#endif
