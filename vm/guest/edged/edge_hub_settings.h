/* What the edge hub is told at its start: see vm/guest/hub/edge_settings.h, which reads it. Pure.
 */
#ifndef BERTH_EDGED_EDGE_HUB_SETTINGS_H
#define BERTH_EDGED_EDGE_HUB_SETTINGS_H

#include "core/base/buf.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/deployment.h"
#include "vm/guest/edged/device.h"

struct edge_hub_facts {
    const struct config *config;
    const struct device *device;
    const struct module_spec *spec; /* systemModules.edgeHub: its env counts */
    uint16_t https_port;            /* of the cloud */
    const char *dir;                /* of its sockets */
};

#define EDGE_HUB_RUNTIME_SOCKET "hub.sock"   /* the runtime's, in DIR */
#define EDGE_HUB_STATE_SOCKET   "state.sock" /* the hub's, in DIR: metrics and state */

/* A proxy's password may be in it: wipe OUT. */
void edge_hub_settings(const struct edge_hub_facts *facts, struct buf *out);

#endif
