/* Where Prometheus finds the runtime's metrics: port 9600, in the clear as Microsoft's containers
 * have it, on this machine's own address and on the one that modules reach it under. There the
 * request's host says whose: "edgeAgent" is this process, "edgeHub" the edge hub, which is asked on
 * its socket; any other host gives both. Loop thread only. */
#ifndef BERTH_EDGED_EXPORTER_H
#define BERTH_EDGED_EXPORTER_H

#include "core/base/buf.h"
#include "vm/guest/edged/docker.h"

#define EXPORTER_PORT 9600

struct exporter;

struct exporter_context {
    uv_loop_t *loop;
    struct docker *docker;
    const char *network;    /* of the modules */
    const char *hub_socket; /* of the edge hub, which need not run */
    /* Appends the agent's; false where they are turned off. */
    bool (*render)(void *arg, struct buf *out);
    void *arg;
};

/* What CONTEXT points to outlives it. A port that is taken is logged and tried again. */
struct exporter *exporter_new(const struct exporter_context *context);
void exporter_free(struct exporter *e); /* NULL is fine */

/* The modules' network may be there by now. */
void exporter_look(struct exporter *e);

#endif
