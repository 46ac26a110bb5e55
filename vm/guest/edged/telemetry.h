/* The runtime's metrics as a whole: the agent's meters, what is measured now and then, and the port
 * where it is all read. Loop thread only. */
#ifndef BERTH_EDGED_TELEMETRY_H
#define BERTH_EDGED_TELEMETRY_H

#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/edge_hub.h"

struct telemetry;

struct telemetry_context {
    uv_loop_t *loop;
    struct docker *docker;
    const struct config *config;
    const char *state_dir;
    uint64_t started_ms; /* wall clock; of this process */
};

/* What CONTEXT points to outlives it. */
struct telemetry *telemetry_new(const struct telemetry_context *context);
void telemetry_free(struct telemetry *t); /* NULL is fine */

/* For those who count; never NULL, whether metrics are turned on or not. */
struct meters *telemetry_meters(const struct telemetry *t);

/* Once: begins to measure and to serve. AGENT and HUB are asked only while the loop turns. */
void telemetry_begin(struct telemetry *t, const struct agent *agent, const struct edge_hub *hub);
/* Whose metrics these are. */
void telemetry_set_device(struct telemetry *t, const struct device *device);
/* The modules, or how they are doing, may have changed. */
void telemetry_look(struct telemetry *t);

#endif
