/* What the engine is made of. One loop, one thread owns all of it; what blocks runs in the thread
 * pool and takes plain values.
 *
 *   server --lines--> dispatch --> methods_AREA.c --> jobs, vms, sandbox, logs, metrics
 *                                                        |  something changed
 *   server <--event.snapshot-- state <-------------------+
 */
#ifndef BERTH_ENGINE_ENGINE_H
#define BERTH_ENGINE_ENGINE_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct engine {
    uv_loop_t *loop;
    struct server *server;
    struct jobs *jobs;
    struct state *state;
    struct host *host;                     /* libvirt */
    struct vms *vms;                       /* what runs, and the sessions to the guests */
    struct sandbox_state *sandbox;         /* berth-hub on this host */
    struct sandbox_events *sandbox_events; /* what its devices send, as streams */
    struct logs *logs;                     /* streams that clients follow */
    uint64_t idle_exit_ms;                 /* 0: never */
    uint64_t idle_since_ms;                /* monotonic; 0: not idle */
    uv_timer_t idle_timer;
    uv_timer_t end_timer;
    uv_signal_t signals[3];
    bool ending;
    bool jobs_cut; /* jobs were at work when the end came */
    bool ready;    /* what the last engine left has been looked at: jobs may touch VMs */
};

/* Makes everything and listens. On failure nothing is left. */
int engine_open(struct engine *e, uv_loop_t *loop, uint64_t idle_exit_ms, struct err *err);

/* Ends it: jobs stop where they are (the next engine goes on), clients are let go. uv_run() returns
 * soon after. Safe to call twice. */
void engine_end(struct engine *e, const char *why);

/* After uv_run() returned: the last handle goes. */
void engine_close(struct engine *e);

/* Something that the snapshot shows has changed. */
void engine_touch(struct engine *e);

#endif
