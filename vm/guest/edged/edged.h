/* The daemon: agent, tie to the cloud, management API and reports, wired together on one loop. */
#ifndef BERTH_EDGED_EDGED_H
#define BERTH_EDGED_EDGED_H

#include "vm/guest/edged/config.h"

#include <stdbool.h>
#include <stdint.h>

struct edged_options {
    const char *config_file;
    const char *state_dir;
    const char *mgmt_socket;
    const char *engine_socket;
    uint16_t https_port;     /* of the hub's REST */
    const char *hub_program; /* berth-hub; absolute */
};

struct edged_end {
    bool moved; /* the device belongs to another hub now, or is another one: start anew */
    bool busy;  /* a worker is still at it: only _exit() does not wait for that, and nothing may be
                   freed */
};

/* Runs until SIGTERM or SIGINT, or until a restart is asked for. CONFIG is borrowed; an inline key
 * in it goes to the key store. -1: it could not begin. */
int edged_run(struct config *config, const struct edged_options *options, struct edged_end *ret_end,
              struct err *err);

#endif
