/* Tells the hub how this device is doing: reports are made whole, and what differs from what the
 * hub knows is sent, one patch at a time. Loop thread only. */
#ifndef BERTH_EDGED_REPORTER_H
#define BERTH_EDGED_REPORTER_H

#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/cloud.h"
#include "vm/guest/edged/edge_hub.h"
#include "vm/guest/edged/twin.h"

struct reporter;

/* All borrowed, and outlive it. */
struct reporter_context {
    uv_loop_t *loop;
    const struct agent *agent;
    const struct edge_hub *hub;
    struct twin *twin;   /* its reported part is kept as the hub has it */
    uint64_t started_ms; /* of this process, wall clock */
};

struct reporter *reporter_new(const struct reporter_context *context);
void reporter_use_cloud(struct reporter *r, struct cloud *cloud); /* before the loop runs */
void reporter_free(struct reporter *r);                           /* NULL is fine */

/* Something may have changed: it is told soon, together with what else changes. */
void reporter_soon(struct reporter *r);
/* The hub gave the twin anew: whether the last report arrived shows in it. */
void reporter_renewed(struct reporter *r);
void reporter_answered(struct reporter *r, bool ok); /* to what was sent */
void reporter_disconnected(struct reporter *r);

/* The end: every module's state is unknown from now on. True where that is on its way and will be
 * answered; nothing else is sent. */
bool reporter_last(struct reporter *r);

#endif
