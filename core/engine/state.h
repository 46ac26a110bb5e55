/* The snapshot that consoles draw: composed from what the engine knows, sent to who watches when it
 * differs from what was sent last, at most every STATE_INTERVAL_MS. Loop thread only. */
#ifndef BERTH_ENGINE_STATE_H
#define BERTH_ENGINE_STATE_H

#include "core/base/model.h"

#define STATE_INTERVAL_MS 250

struct engine;
struct state;

struct state *state_new(struct engine *e);
void state_free(struct state *s); /* NULL is fine */

/* Something may have changed: compose and compare soon. */
void state_touch(struct state *s);

/* CLIENT has read everything: send it what it missed meanwhile. */
void state_catch_up(struct state *s, uint64_t client);

/* Composed now. Borrowed until the next call. */
const struct snapshot *state_now(struct state *s);

#endif
