/* The agent: makes the containers what the deployment says, and keeps them so. It works from what
 * it last knew when the cloud is away, and remembers that across restarts. Loop thread only. */
#ifndef BERTH_EDGED_AGENT_H
#define BERTH_EDGED_AGENT_H

#include "vm/guest/edged/config.h"
#include "vm/guest/edged/containers.h"
#include "vm/guest/edged/device.h"
#include "vm/guest/edged/docker.h"
#include "vm/guest/edged/plan.h"

struct agent;
struct meters;
struct workload;

/* STATE_DIR exists. CHANGED is called whenever the report or the list of modules may have changed.
 * CONFIG and DOCKER outlive the agent. It only looks until it is told whose modules these are. */
struct agent *agent_new(uv_loop_t *loop, struct docker *docker, const struct config *config,
                        const char *state_dir, void (*changed)(void *arg), void *arg);
void agent_free(struct agent *a); /* leaves the containers as they are */

/* Before agent_begin(); both outlive the agent. */
void agent_use_workload(struct agent *a, struct workload *workload);
void agent_use_meters(struct agent *a, struct meters *meters);

/* Once, as soon as the device is known; DEVICE outlives the agent. Goes on with what the device did
 * before. Containers that were made for another device are removed first. A state file that cannot
 * be read is logged and done without: the cloud gives the deployment again. */
void agent_begin(struct agent *a, const struct device *device);

/* The desired properties, whole. Only after agent_begin(). */
void agent_desire(struct agent *a, const cJSON *desired);

/* How a module is doing; pointers are borrowed until the loop's next turn. */
struct module_view {
    const char *name;
    const struct module_spec *spec;    /* NULL: not deployed (any more) */
    const struct container *container; /* NULL: none yet */
    enum module_status raw;            /* as its container is: what the management API tells */
    enum module_status status;         /* with back-off: what the twin tells */
    const char *activity;              /* "pulling IMAGE" while something is done to it; "" else */
    const char *problem;               /* why the last attempt failed; "" else */
    uint32_t restarts;
    uint64_t restarted_ms;
    uint64_t next_ms; /* of the next attempt; 0: none is planned */
};
/* The rest of VIEW, which has spec and container, from what is remembered of the module (NULL:
 * nothing). */
void module_view_fill(struct module_view *view, const struct module_track *track);
size_t agent_modules(const struct agent *a, struct module_view *views, size_t max);
bool agent_module(const struct agent *a, const char *name, struct module_view *ret_view);

/* While somebody else stops, starts or restarts a module's container, the agent leaves it alone: a
 * container that is stopped on the way to a restart must not be started from two sides. Holds
 * count; each needs its release, which may come after the module has gone. */
void agent_hold(struct agent *a, const char *name);
void agent_release(struct agent *a, const char *name);

const struct deployment *agent_deployment(
    const struct agent *a); /* NULL where none was ever accepted */
/* lastDesiredStatus. VERSION is that of the last desired properties seen, accepted or not. */
enum deployment_code agent_status(const struct agent *a, uint64_t *ret_version,
                                  const char **ret_text);
const struct containers *agent_containers(const struct agent *a);

#endif
