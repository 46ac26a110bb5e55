/* When a module that is not running gets started again: Microsoft's restart policy and back-off.
 * Pure. */
#ifndef BERTH_EDGED_RESTART_H
#define BERTH_EDGED_RESTART_H

#include "vm/guest/edged/container.h"
#include "vm/guest/edged/deployment.h"

#include <stdbool.h>
#include <stdint.h>

#define RESTART_MAX      20
#define RESTART_UNIT_MS  10000  /* first delay; doubles with each restart */
#define RESTART_LIMIT_MS 300000 /* longest delay */
#define RESTART_PAUSE_MS \
    5000 /* before a start without back-off: Microsoft's agent looks every 5 s */
#define RESTART_STEADY_MS 600000 /* up for so long: counters are forgotten */

/* What is remembered of a module besides its container. Kept across restarts of the daemon. */
struct restart_track {
    uint32_t count;
    uint64_t last_ms; /* of the last restart; 0 never */
};

enum restart_step {
    RESTART_STEP_NONE,  /* leave it */
    RESTART_STEP_START, /* start at once; the count stays */
    RESTART_STEP_AGAIN, /* start and count */
    RESTART_STEP_STOP,  /* it runs and must not */
};

struct restart_verdict {
    enum module_status status; /* what to report */
    enum restart_step step;
    uint64_t
        at_ms; /* when STEP may be taken, or a counter is to be looked at again; 0: now or never */
    bool steady; /* it ran long enough: forget the track */
};

uint64_t restart_delay_ms(uint32_t count);
/* Whether what is to be tried again at RETRY_MS is still to wait: never for longer than the longest
 * delay, for then the clock was set back. */
bool restart_waits(uint64_t retry_ms, uint64_t now_ms);
/* NOW_MS and all times: wall clock. */
struct restart_verdict restart_decide(const struct module_spec *spec, const struct container *c,
                                      const struct restart_track *track, uint64_t now_ms);

#endif
