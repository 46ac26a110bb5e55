/* How long each module was to run, and how long it did, since this process started. Pure but for
 * the meters. Loop thread only. */
#ifndef BERTH_EDGED_AVAILABILITY_H
#define BERTH_EDGED_AVAILABILITY_H

#include "vm/guest/edged/agent.h"

struct meters;

struct availability {
    struct availability_module {
        char name[DEPLOYMENT_NAME_MAX];
        bool expected, running; /* since the last look */
        uint64_t expected_ms, running_ms;
    } at[PLAN_TRACKS_MAX + 2]; /* and the two of the runtime */
    size_t n;
    uint64_t looked_ms; /* monotonic */
};

/* The time since the last look is what was so then. */
void availability_look(struct availability *a, const struct module_view *views, size_t n,
                       uint64_t mono_ms, struct meters *meters);

#endif
