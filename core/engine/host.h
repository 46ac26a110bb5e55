/* The engine's link to libvirt: one connection that is opened when first needed and again when it
 * broke, and the life-cycle events of it on the loop. */
#ifndef BERTH_ENGINE_HOST_H
#define BERTH_ENGINE_HOST_H

#include "core/base/err.h"
#include "vm/watch.h"

#include <uv.h>

struct host;

/* ON_EVENT runs on the loop; an event without a name says that the connection broke. */
struct host *host_new(uv_loop_t *loop, void (*on_event)(void *arg, const struct vm_event *event),
                      void *arg);
/* No thread may be in host_conn() or use what it gave. NULL is fine. */
void host_free(struct host *h);

/* A live connection, borrowed until host_free(). Blocking, any thread of the pool. As root it
 * starts libvirt where it does not run. */
struct vm_conn *host_conn(struct host *h, struct err *err);

#endif
