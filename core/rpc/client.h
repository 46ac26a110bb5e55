/* The console's end of the wire to the engine: JSON-RPC 2.0, one object a line, over the engine's
 * unix socket. It starts the engine when none answers (connect, lock, connect again, spawn with a
 * ready pipe). Loop thread only. */
#ifndef BERTH_RPC_CLIENT_H
#define BERTH_RPC_CLIENT_H

#include "core/base/err.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <uv.h>

struct rpc_client;

struct rpc_client_events {
    void (*on_ready)(void *arg); /* hello done */
    void (*on_event)(void *arg, const char *method,
                     const cJSON *params); /* a notification, "event.snapshot" */
    void (*on_lost)(
        void *arg,
        const struct err *why); /* could not connect, or the engine is gone; every pending call got
                                   its reply before. The client tries again by itself every second
                                   while `reconnect` is set, then on_ready comes again */
};

struct rpc_client_options {
    bool start_engine; /* spawn `berthd` (beside our own executable, else from PATH) when none runs
                        */
    bool reconnect;
};

struct rpc_client *rpc_client_new(uv_loop_t *loop, const struct rpc_client_options *options,
                                  const struct rpc_client_events *events, void *arg);
void rpc_client_free(
    struct rpc_client *c); /* pending calls are dropped without a reply; closes on the loop */

/* RESULT is borrowed; NULL when ERR is set. Never from inside rpc_call. */
typedef void (*rpc_reply_fn)(void *arg, const cJSON *result, const struct err *err);

/* Takes PARAMS (NULL: none). FN may be NULL. TIMEOUT_MS 0: 10 s. */
void rpc_call(struct rpc_client *c, const char *method, cJSON *take_params, uint64_t timeout_ms,
              rpc_reply_fn fn, void *arg);

#endif
