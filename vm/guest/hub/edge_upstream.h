/* The connections to the cloud: each identity needs its own, with a token that the runtime signed
 * for a module of this device, or that is made of a leaf device's key. One is opened when its
 * identity connects here, has something queued for the cloud or a report that the cloud does not
 * know, and closed when none of that has been so for a while. Attempts that fail are repeated with
 * growing pauses; tokens are renewed in time. Loop thread only. */
#ifndef BERTH_HUB_EDGE_UPSTREAM_H
#define BERTH_HUB_EDGE_UPSTREAM_H

#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/edge_router.h"

/* Whoever listens for one identity. Any may be NULL. */
struct edge_upstream_events {
    void (*on_online)(void *arg, const char *device, const char *module);
    void (*on_offline)(void *arg, const char *device, const char *module);
    void (*on_desired)(void *arg, const char *device, const char *module, uint64_t version,
                       const char *patch, size_t len);
    void (*on_method)(void *arg, const char *device, const char *module, const char *name,
                      const char *rid, const char *payload, size_t len);
    /* A message from the cloud: it is acknowledged there once edge_commit() has been. False: not
     * taken; it comes again. */
    bool (*on_message)(void *arg, const char *device, const char *module, const char *bag,
                       size_t bag_len, const void *body, size_t len);
};

struct edge_upstream *edge_upstream_new(struct edge *edge,
                                        const struct edge_upstream_events *events, void *arg);
void edge_upstream_free(struct edge_upstream *u); /* says goodbye; NULL is fine */

/* A client is here (or not any more), and this is what it subscribed to (enum topic_sub): the same
 * is asked of the cloud. */
void edge_upstream_client(struct edge_upstream *u, const char *device, const char *module,
                          bool present, unsigned subs, const char *model_id);
/* Its endpoint has messages. */
void edge_upstream_queued(struct edge_upstream *u, const struct edge_endpoint *e);
/* From edge_commit(): what came from the cloud is durable, and acknowledged there. OK false: it is
 * not, and comes again. */
void edge_upstream_committed(struct edge_upstream *u, bool ok);
bool edge_upstream_online(const struct edge_upstream *u, const char *device, const char *module);

/* Opens the connection where there is none. FN comes once, never from inside, within 20 seconds:
 * ERR_UNREACHABLE: the cloud cannot be reached; ERR_REMOTE: STATUS is what it said. VERSION of a
 * report, BODY of a get. */
typedef void (*edge_upstream_fn)(void *arg, int status, uint64_t version, const char *body,
                                 size_t len, const struct err *err);
struct edge_upstream_call;
struct edge_upstream_call *edge_upstream_get_twin(struct edge_upstream *u, const char *device,
                                                  const char *module, edge_upstream_fn fn,
                                                  void *arg);
struct edge_upstream_call *edge_upstream_report(struct edge_upstream *u, const char *device,
                                                const char *module, const char *patch, size_t len,
                                                edge_upstream_fn fn, void *arg);
void edge_upstream_cancel(struct edge_upstream_call *call); /* FN does not come; NULL is fine */

/* The answer to on_method(). */
void edge_upstream_answer(struct edge_upstream *u, const char *device, const char *module,
                          const char *rid, unsigned status, const char *payload, size_t len);

#endif
