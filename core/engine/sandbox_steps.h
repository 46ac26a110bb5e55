/* Starting the sandbox, as a step of two kinds of jobs. */
#ifndef BERTH_ENGINE_SANDBOX_STEPS_H
#define BERTH_ENGINE_SANDBOX_STEPS_H

#include "core/engine/job.h"
#include "provision/sandbox.h"
#include "vm/network.h"

struct engine;
struct host;

/* First member of the contexts of both kinds. Of the thread while a step is in one; else of the
 * loop. */
struct sandbox_ctx {
    struct engine *engine;
    struct host *host;
    uint16_t mqtt_port, https_port, registry_port; /* 0: the usual ones */
    char hubs[SANDBOX_HUBS_MAX][130];              /* further ones; none: as last time */
    size_t n_hubs;
    bool nat;                          /* some VM is on the NAT network */
    char gateway[NETWORK_ADDRESS_MAX]; /* this host there; "" none */
};

/* Fills it from {mqttPort?, httpsPort?, registryPort?, hubs?: [names]}. */
int sandbox_ctx_init(struct sandbox_ctx *c, struct engine *e, const cJSON *params, struct err *err);

void step_sandbox_start(struct job *job, void *ctx);

#endif
