/* Direct methods on their way: from a REST call, or from the cloud to an edge hub, to a client and
 * back. Loop thread only. */
#ifndef BERTH_HUB_METHODS_H
#define BERTH_HUB_METHODS_H

#include "vm/guest/hub/topic.h"

#include <uv.h>

#define METHOD_PAYLOAD_MAX (128U << 10)

struct method_call {
    const char *device, *module;
    const char *name;
    const char *payload; /* JSON text */
    size_t len;
    uint64_t connect_ms;  /* how long to wait for a client that is not there */
    uint64_t response_ms; /* how long it may take */
};

/* The outcome, once: ERR NULL and the client's answer; ERR_NOT_FOUND: nobody there, ERR_TIMEOUT: no
 * answer, ERR_PROTOCOL: an answer that is too large, ERR_CANCELLED: the hub ends. PAYLOAD is JSON
 * text or empty. */
typedef void (*method_done_fn)(void *arg, unsigned status, const char *payload, size_t len,
                               const struct err *err);

/* To the client; false where it is not there or takes none. */
typedef bool (*method_send_fn)(void *arg, const char *device, const char *module,
                               const char *method, const char *rid, const char *payload,
                               size_t len);

struct methods *methods_new(uv_loop_t *loop, method_send_fn send, void *arg);
void methods_free(struct methods *m); /* pending calls end; NULL is fine */

/* May call DONE before it returns. Returns an id for methods_cancel(); 0 where it is over. ERR_BUSY
 * comes where too many are pending. */
uint64_t methods_start(struct methods *m, const struct method_call *call, method_done_fn done,
                       void *arg);
void methods_cancel(struct methods *m, uint64_t id);

/* From the clients: an answer (also on another connection than the one that was asked), and one
 * that takes methods now. */
void methods_reply(struct methods *m, const char *device, const char *module, struct topic_span rid,
                   unsigned status, const char *payload, size_t len);
void methods_ready(struct methods *m, const char *device, const char *module);

/* It becomes a level of a topic. */
bool method_name_valid(const char *name);

#endif
