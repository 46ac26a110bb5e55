/* What is remembered of the edge hub in its folder, so that a process that was started anew knows
 * whose folder it is, how the hub was doing, and which child may have been left. Blocking (a small
 * file); loop thread. */
#ifndef BERTH_EDGED_EDGE_HUB_STATE_H
#define BERTH_EDGED_EDGE_HUB_STATE_H

#include "vm/guest/edged/container.h"
#include "vm/guest/edged/device.h"
#include "vm/guest/edged/restart.h"

struct edge_hub_state {
    struct device device;
    struct container container; /* state, pid, times, exit code; the rest stays empty */
    uint64_t pid_ticks;         /* when that process started: child_start_time() */
    char boot[40];              /* of the machine, when the file was written */
    struct restart_track restart;
};

int edge_hub_state_write(const char *path, const struct edge_hub_state *state, struct err *err);
/* All zero where there is no file. ERR_PROTOCOL: it is damaged, and nobody will ever know; else it
 * could not be read, and may be another time. ERR is not NULL. */
int edge_hub_state_read(const char *path, struct edge_hub_state *ret, struct err *err);

/* Kills what is left of the child in STATE: its ports are needed. */
void edge_hub_state_kill(const struct edge_hub_state *state);

#endif
