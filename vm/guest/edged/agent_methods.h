/* The direct methods of $edgeAgent: ping, RestartModule, GetModuleLogs, UploadModuleLogs,
 * GetTaskStatus and UploadSupportBundle, as Microsoft's agent answers them. Loop thread only. */
#ifndef BERTH_EDGED_AGENT_METHODS_H
#define BERTH_EDGED_AGENT_METHODS_H

#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/edge_hub.h"
#include "vm/guest/edged/edged.h"

struct agent_methods;

struct agent_methods_context {
    uv_loop_t *loop;
    struct docker *docker;
    const struct config *config;
    const struct edged_options *options; /* where things are, for the support bundle */
    const struct device *device;
    struct agent *agent;
    struct meters *meters;
    struct edge_hub *hub;
    /* Once for each call; an empty BODY is an answer without payload. */
    void (*answer)(void *arg, const char *rid, int status, const char *body, size_t len);
    void (*restart)(void *arg); /* this process */
    void *arg;
};

/* What CONTEXT points to outlives it. */
struct agent_methods *agent_methods_new(const struct agent_methods_context *context);
void agent_methods_free(struct agent_methods *m); /* what is under way stays unanswered */

void agent_methods_call(struct agent_methods *m, const char *name, const char *rid,
                        const char *payload, size_t len);

#endif
