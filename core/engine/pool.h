/* One blocking call in libuv's thread pool, outside of a job: reading statistics, checking the
 * host. */
#ifndef BERTH_ENGINE_POOL_H
#define BERTH_ENGINE_POOL_H

#include "core/base/err.h"

#include <stddef.h>
#include <uv.h>

typedef int (*pool_fn)(void *arg, struct err *err); /* in the thread; ARG is its own until DONE */
typedef void (*pool_done_fn)(
    void *arg, const struct err *err); /* on the loop, once; ERR NULL: FN returned 0 */

/* Calls that have not come back yet. */
size_t pool_busy(void);

void pool_run(uv_loop_t *loop, pool_fn fn, pool_done_fn done, void *arg);

#endif
