/* Log streams that clients follow: a module's log from its guest, the VM's serial console, the
 * engine's own log. Lines go out in batches (50 ms or 200 lines) with sequence numbers. A client
 * that reads slowly slows its source down: the source is a file, so nothing is lost and nothing
 * piles up here. Loop thread only. */
#ifndef BERTH_ENGINE_LOGS_H
#define BERTH_ENGINE_LOGS_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LOGS_STREAMS_MAX 64
#define LOGS_SERIAL      "@serial"
#define LOGS_ENGINE      "@engine"

struct engine;
struct logs;

struct logs *logs_new(struct engine *e);
void logs_free(struct logs *l); /* NULL is fine */

struct logs_request {
    uint64_t client;
    const char *vm;
    const char *module; /* or LOGS_SERIAL, LOGS_ENGINE */
    uint64_t tail;      /* lines; UINT64_MAX: all */
    bool follow;
};

/* Entries come as event.log with the stream's id; the first not before this returned. */
int logs_follow(struct logs *l, const struct logs_request *request, uint64_t *ret_stream,
                struct err *err);
/* Fine where it is over already. */
void logs_stop(struct logs *l, uint64_t client, uint64_t stream);

void logs_client_gone(struct logs *l, uint64_t client);
void logs_client_drained(struct logs *l, uint64_t client);

#endif
