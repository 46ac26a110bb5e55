/* The containers that carry our owner label, kept current: read once, then followed by the engine's
 * event stream, read again as a whole now and then and whenever the stream broke. Loop thread only.
 */
#ifndef BERTH_EDGED_CONTAINERS_H
#define BERTH_EDGED_CONTAINERS_H

#include "vm/guest/edged/container.h"
#include "vm/guest/edged/docker.h"

struct containers;

/* CHANGED is called whenever something may have changed, also when the engine came or went. */
struct containers *containers_new(uv_loop_t *loop, struct docker *docker,
                                  void (*changed)(void *arg), void *arg);
void containers_free(struct containers *cs);

/* True once the list was read and the engine still answers. */
bool containers_ready(const struct containers *cs);
const struct container *containers_list(const struct containers *cs, size_t *ret_n);
const struct container *containers_find(const struct containers *cs, const char *name);

/* Looks at one container again; CHANGED follows. */
void containers_look(struct containers *cs, const char *name);
/* True while a look at NAME is under way: what the list says of it is old. */
bool containers_looking(const struct containers *cs, const char *name);

#endif
