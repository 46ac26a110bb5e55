/* What is shown of a module, see agent.h: its container's state, and what the agent makes of it. */
#include "vm/guest/edged/agent.h"

#include "core/base/clock.h"
#include "vm/guest/edged/restart.h"

void module_view_fill(struct module_view *v, const struct module_track *track)
{
    static const struct restart_track none = {0};
    v->activity = v->problem = "";
    v->raw = v->status = v->container ? container_status(v->container) : STATUS_UNKNOWN;
    if (track) {
        v->activity = track->activity;
        v->problem = track->problem;
        v->restarts = track->restart.count;
        v->restarted_ms = track->restart.last_ms;
        v->next_ms = track->retry_ms;
    }
    if (!v->container && *v->problem)
        v->raw = v->status = STATUS_FAILED;
    if (!v->container || !v->spec)
        return;
    struct restart_verdict verdict =
        restart_decide(v->spec, v->container, track ? &track->restart : &none, clock_wall_ms());
    v->status = verdict.status;
    if (verdict.step == RESTART_STEP_AGAIN && !v->next_ms)
        v->next_ms = verdict.at_ms;
    if (v->status == STATUS_FAILED && v->restarts >= RESTART_MAX)
        v->next_ms = 0; /* given up */
}
