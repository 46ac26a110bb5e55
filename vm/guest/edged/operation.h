/* One operation on one module: the calls to the engine that carry out an item of the plan, one
 * after another. Loop thread only. */
#ifndef BERTH_EDGED_OPERATION_H
#define BERTH_EDGED_OPERATION_H

#include "core/base/err.h"
#include "vm/guest/edged/create_options.h"
#include "vm/guest/edged/docker.h"
#include "vm/guest/edged/plan.h"
#include "vm/guest/edged/workload.h"

struct operation;

struct operation_events {
    void (*on_step)(void *arg, const char *name,
                    const char *activity); /* "pulling IMAGE", "starting" */
    /* Something was carried out, in MS milliseconds; a command of agent_metrics.h. */
    void (*on_command)(void *arg, const char *name, const char *command, uint64_t ms);
    void (*on_end)(void *arg, struct operation *op,
                   const struct err *err); /* ERR NULL: done. The owner then frees it */
};

/* What carries it out; outlives it. */
struct operation_tools {
    uv_loop_t *loop;
    struct docker *docker;
    struct workload *workload;
};

/* SPEC may be NULL where KIND is PLAN_REMOVE or PLAN_STOP. What is needed of it, of DEPLOYMENT
 * (credentials) and of CONTEXT is copied. Ends after the start returned, never from inside. */
struct operation *operation_start(const struct operation_tools *tools, const struct plan_item *item,
                                  const struct module_spec *spec,
                                  const struct deployment *deployment,
                                  const struct create_context *context,
                                  const struct operation_events *events, void *arg);
void operation_free(struct operation *op); /* cancels it where it has not ended: no event comes */

const char *operation_name(const struct operation *op);
enum plan_kind operation_kind(const struct operation *op);
const char *operation_hash(
    const struct operation *op); /* of the spec it works towards; "" where none */
/* The image while it waits for a registry, else NULL: such an operation may be cancelled without
 * leaving anything half-done. */
const char *operation_pulling(const struct operation *op);
/* Whether there is room beside the N operations OPS for one of KIND, SPEC as above. What waits for
 * a registry takes no room from what does not, or waits for another: it may wait long. */
bool operation_room(struct operation *const *ops, size_t n, enum plan_kind kind,
                    const struct module_spec *spec);

#endif
