/* From a line of a client to a method and back. Methods are const tables in methods_AREA.c; this
 * knows nothing of what they do, so that the fuzzers run it with harmless ones. Loop thread only.
 */
#ifndef BERTH_ENGINE_DISPATCH_H
#define BERTH_ENGINE_DISPATCH_H

#include "core/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A call that waits for its answer: exactly one request_reply() or request_fail(), now or later. It
 * may outlive its client. */
struct request {
    void *owner; /* of the dispatch */
    uint64_t client;
    uint64_t id;
    const struct dispatch *dispatch;
};

struct rpc_method {
    const char *name;
    void (*call)(struct request *req,
                 const cJSON *params); /* PARAMS is an object or NULL, borrowed */
};

/* Requests that wait for their answer. */
size_t dispatch_open(void);

struct dispatch {
    const struct rpc_method *const
        *tables; /* NULL-terminated; each ends with a row without a name */
    void *owner; /* for the methods */
    void *sink;
    void (*send)(void *sink, uint64_t client, const cJSON *message);
};

/* A client as the dispatch sees it. */
struct dispatch_peer {
    uint64_t client;
    bool greeted; /* hello was answered; before that no other method is */
};

/* Never fails: what is no call is answered with an error. */
void dispatch_line(const struct dispatch *d, struct dispatch_peer *peer, const char *line,
                   size_t len);

void request_reply(struct request *take_req, cJSON *take_result);
void request_reply_empty(struct request *take_req);
void request_fail(struct request *take_req, const struct err *err);

/* {protocol, client} against ours. ERR_UNSUPPORTED says which side is older. */
int dispatch_check_hello(const cJSON *params, struct err *err);

#endif
