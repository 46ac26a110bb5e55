/* Removes images that nothing has used for a while, as image_garbage_collection of the
 * configuration says: an update leaves the old image behind, and the disk is small. Never one that
 * a container has, or that the deployment names. Loop thread only. */
#ifndef BERTH_EDGED_GC_H
#define BERTH_EDGED_GC_H

#include "vm/guest/edged/agent.h"

struct gc;

/* What is borrowed outlives it. When an image was last in use is kept in STATE_DIR. */
struct gc *gc_new(uv_loop_t *loop, struct docker *docker, const struct config *config,
                  const struct agent *agent, const char *state_dir);
void gc_free(struct gc *g); /* NULL is fine */

#endif
