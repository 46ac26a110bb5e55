/* Tells when the system's clock was set: by the network's time after a start without a battery, or
 * by hand. What was refused for the time that was wrong, such as a token, is worth another attempt
 * then. Slow corrections are none. Loop thread only. */
#ifndef BERTH_IO_CLOCK_WATCH_H
#define BERTH_IO_CLOCK_WATCH_H

#include <uv.h>

struct clock_watch;

/* FN is called from the loop, which the watch alone does not keep running. Never NULL; where the
 * kernel has no such timer, FN is never called. */
struct clock_watch *clock_watch_new(uv_loop_t *loop, void (*fn)(void *arg), void *arg);
void clock_watch_free(struct clock_watch *w); /* NULL is fine */

#endif
