/* The management API (mgmt.sock), as aziot-edged serves it. Endpoints that only the agent may call
 * answer 403 to everybody: the agent is this process. Beyond Microsoft's: edgeAgent is listed as a
 * module; modules that have no container yet are listed, too, with status.runtimeStatus.description
 * saying why; each module has a member "berth" with state (also "pulling", "backoff"), restartCount
 * and nextAttempt; systeminfo tells of the tie to the cloud, and in its member "berth" when which
 * certificate ends. Loop thread only. */
#ifndef BERTH_EDGED_MGMT_H
#define BERTH_EDGED_MGMT_H

#include "core/io/http_server.h"
#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/certs.h"
#include "vm/guest/edged/cloud.h"
#include "vm/guest/edged/edge_hub.h"

struct mgmt;

struct mgmt_context {
    uv_loop_t *loop;
    struct docker *docker;
    const struct config *config;
    const struct device *device; /* empty as long as it is not known */
    struct agent *agent;
    struct edge_hub *hub;
    const struct certs *certs;
    const struct cloud *cloud;  /* NULL: there is none */
    uint64_t started_ms;        /* of this process, wall clock */
    void (*restart)(void *arg); /* somebody asked to restart edgeAgent, which is this process */
    void *arg;
};

/* Takes over SOCKET_PATH; owner edgeagentuser:iotedge where they exist, mode 0660. */
struct mgmt *mgmt_new(const struct mgmt_context *context, const char *socket_path, struct err *err);
void mgmt_free(struct mgmt *m);

/* Restarts every module that runs, the edge hub first. */
void mgmt_restart_modules(struct mgmt *m);
/* Answers X with the list of modules: the workload API has it, too. */
void mgmt_reply_list(struct mgmt *m, struct http_exchange *x);

#endif
