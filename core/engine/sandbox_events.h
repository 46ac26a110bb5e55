/* The sandbox's events (what its devices send) as streams that clients follow. The sandbox keeps
 * the last ones and is asked for more with long polls; a client that reads slowly slows its own
 * stream down, and what the sandbox could not keep for it that long is counted. A stream outlives
 * the sandbox: it says that it is gone, and goes on with the next one. Loop thread only. */
#ifndef BERTH_ENGINE_SANDBOX_EVENTS_H
#define BERTH_ENGINE_SANDBOX_EVENTS_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SANDBOX_STREAM_MAX 24 /* of a stream's id */

struct engine;
struct sandbox_events;

struct sandbox_events *sandbox_events_new(struct engine *e);
void sandbox_events_free(struct sandbox_events *s); /* NULL is fine */

struct sandbox_events_request {
    uint64_t client;
    const char *device; /* only what this one and its modules send; "": all */
    uint64_t tail;      /* begin with so many of those that were kept; UINT64_MAX: all of them */
    bool follow;
};

/* Entries come as event.sandbox {stream, entries, end?, error?}; the first not before this
 * returned. RET_ID has SANDBOX_STREAM_MAX bytes. ERR_UNREACHABLE where no sandbox runs. */
int sandbox_events_open(struct sandbox_events *all, const struct sandbox_events_request *request,
                        char *ret_id, struct err *err);
/* Fine where it is over already. */
void sandbox_events_close(struct sandbox_events *all, uint64_t client, const char *id);

void sandbox_events_client_gone(struct sandbox_events *all, uint64_t client);
void sandbox_events_client_drained(struct sandbox_events *all, uint64_t client);

#endif
