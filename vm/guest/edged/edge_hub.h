/* The edge hub as a module of this runtime: not a container but a child of this process, berth-hub
 * in its edge role, which is started, restarted and stopped as a container of the deployment's
 * systemModules.edgeHub would be, and is seen from outside like one. It ends with this process.
 * Loop thread only. */
#ifndef BERTH_EDGED_EDGE_HUB_H
#define BERTH_EDGED_EDGE_HUB_H

#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/workload.h"

#define EDGE_HUB_NAME "edgeHub"

struct edge_hub;

/* All borrowed, and outlive it. */
struct edge_hub_context {
    uv_loop_t *loop;
    const struct config *config;
    const struct agent *agent; /* has the deployment */
    struct workload *workload;
    const char *program;
    const char *state_dir;
    uint16_t https_port;        /* of the cloud */
    void (*changed)(void *arg); /* what edge_hub_view() tells */
    void *arg;
};

struct edge_hub *edge_hub_new(const struct edge_hub_context *context);
void edge_hub_free(struct edge_hub *h); /* a child that still runs is killed; NULL is fine */

/* Once, as soon as the device is known; DEVICE outlives it. A hub that a former process left behind
 * is ended, and what there is of another device's goes. */
void edge_hub_begin(struct edge_hub *h, const struct device *device);
/* The deployment may have changed. */
void edge_hub_look(struct edge_hub *h);
/* For good: the child is told to end, and no other one starts. CHANGED comes when it has. */
void edge_hub_close(struct edge_hub *h);
bool edge_hub_running(const struct edge_hub *h);

/* False where it is not deployed. Borrowed until the loop's next turn. */
bool edge_hub_view(const struct edge_hub *h, struct module_view *ret_view);

enum edge_hub_act { EDGE_HUB_START, EDGE_HUB_STOP, EDGE_HUB_RESTART };
/* What the engine does with a container: FN comes once it is done, never from inside; ERR NULL: it
 * is. False where there is nothing to do: FN does not come. */
typedef void (*edge_hub_fn)(void *arg, const struct err *err);
bool edge_hub_act(struct edge_hub *h, enum edge_hub_act act, edge_hub_fn fn, void *arg);

#endif
