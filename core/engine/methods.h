/* The RPC methods, a const table an area. The owner of their requests is the struct engine. */
#ifndef BERTH_ENGINE_METHODS_H
#define BERTH_ENGINE_METHODS_H

#include "core/engine/dispatch.h"

extern const struct rpc_method methods_core[];
extern const struct rpc_method methods_vm[];
extern const struct rpc_method methods_sandbox[];
extern const struct rpc_method methods_provision[];
extern const struct rpc_method methods_module[];
extern const struct rpc_method methods_logs[];
extern const struct rpc_method methods_metrics[];

struct engine;
struct job;

/* Ends REQ with {"job": id}, or with ERR where JOB is NULL. */
void method_reply_job(struct request *take_req, const struct job *job, const struct err *err);

#endif
