/* The daemon: agent, tie to the cloud, management API and reports, wired together on one loop. */
#ifndef BERTH_EDGED_EDGED_H
#define BERTH_EDGED_EDGED_H

#include "vm/guest/edged/config.h"

#include <stdint.h>

struct edged_options {
    const char *state_dir;
    const char *mgmt_socket;
    const char *engine_socket;
    uint16_t https_port; /* of the hub's REST */
};

/* Runs until SIGTERM or SIGINT, or until a restart is asked for. CONFIG is borrowed. -1: it could
 * not begin. 1: it ended, but a name is still being looked up: only _exit() does not wait for that.
 */
int edged_run(const struct config *config, const struct edged_options *options, struct err *err);

#endif
