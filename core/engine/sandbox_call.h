/* A client's call that is answered by asking the sandbox's REST, once or several times in a row.
 * Loop thread only. */
#ifndef BERTH_ENGINE_SANDBOX_CALL_H
#define BERTH_ENGINE_SANDBOX_CALL_H

#include "core/base/model_sandbox.h"
#include "core/engine/dispatch.h"
#include "provision/hub_rest.h"

struct sandbox_call {
    struct request *req;
    struct sandbox_record record;
    struct hub_rest *rest;
    char device[SANDBOX_ID_MAX];
    char module[SANDBOX_ID_MAX]; /* "": the device itself */
    const char *lister;          /* the command that shows the names; "" where there are none */
    cJSON *result;               /* grows from answer to answer */
    void *data;                  /* what the method keeps between its answers */
    void (*data_free)(void *data);
};

/* Takes the call over; {hub?} of PARAMS chooses among the sandbox's hubs. LISTER ("device list")
 * is what a hint names where something is not found. NULL: the sandbox does not run, and the client
 * was told so. */
struct sandbox_call *sandbox_call_new(struct request *take_req, const cJSON *params,
                                      const char *lister);

/* The same for a device or module: {deviceId, moduleId?}. NULL also where those make no sense. */
struct sandbox_call *sandbox_call_new_on_device(struct request *take_req, const cJSON *params);

/* BASE/DEVICE[/modules/MODULE][/LEAF]; LEAF NULL: none. Heap string. */
char *sandbox_call_path(const struct sandbox_call *c, const char *base, const char *leaf);

/* Asks; DONE gets C and ends it, or asks on. */
void sandbox_call_send(struct sandbox_call *c, const struct hub_rest_request *request,
                       hub_rest_fn done);
/* GET PATH. */
void sandbox_call_get(struct sandbox_call *c, const char *path, hub_rest_fn done);

/* The ends: exactly one of them. */
void sandbox_call_reply(struct sandbox_call *take_c, cJSON *take_result);
void sandbox_call_fail(struct sandbox_call *take_c, const struct err *err);

/* A DONE for what answers nothing of interest. */
void sandbox_call_done(void *arg, const char *text, size_t len, const struct err *err);

#endif
