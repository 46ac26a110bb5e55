/* What the engine knows of the sandbox: berth-hub in its cloud role, in a process of its own that
 * outlives the engine. It is known again by pid and start time, and its end is noticed at once.
 * Loop thread only. */
#ifndef BERTH_ENGINE_SANDBOX_STATE_H
#define BERTH_ENGINE_SANDBOX_STATE_H

#include "core/base/model.h"

#include <stdbool.h>

struct engine;
struct sandbox_state;

struct sandbox_state *sandbox_state_new(struct engine *e); /* finds one that runs already */
void sandbox_state_free(struct sandbox_state *s);          /* NULL is fine */

/* A job is starting or stopping it; false: it is done, look again. */
void sandbox_state_busy(struct sandbox_state *s, bool busy);

void sandbox_state_fill(const struct sandbox_state *s, struct sandbox_status *ret);

#endif
