/* The edge hub's own database, edge.db: the subscriptions of clients that asked to be remembered,
 * the twins as known here, the last good configuration. Writes gather until edge_store_commit().
 * What is damaged is set aside and begun anew: all of it can be asked for again, but for reports
 * that the cloud has not seen. Loop thread only. */
#ifndef BERTH_HUB_EDGE_STORE_H
#define BERTH_HUB_EDGE_STORE_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_store;

int edge_store_open(const char *path, struct edge_store **ret, struct err *err);
void edge_store_close(struct edge_store *s); /* commits; NULL is fine */
/* The name that a damaged one was given at the opening; "" where it was fine. */
const char *edge_store_set_aside(const struct edge_store *s);
int edge_store_commit(struct edge_store *s, struct err *err); /* nothing to do is fine */

/* SUBS: enum topic_sub. KEEP false: it is forgotten. */
int edge_store_session_put(struct edge_store *s, const char *device, const char *module, bool keep,
                           unsigned subs, struct err *err);
bool edge_store_session_get(struct edge_store *s, const char *device, const char *module,
                            unsigned *ret_subs);

/* JSON texts; "" where nothing is known. PENDING: an array of patches of reported properties that
 * the cloud has not acknowledged yet, in their order; already part of REPORTED. */
struct edge_twin_row {
    struct buf desired, reported, pending;
    uint64_t desired_version, reported_version;
};
int edge_store_twin_get(struct edge_store *s, const char *device, const char *module,
                        struct edge_twin_row *ret, struct err *err); /* ERR_NOT_FOUND */
int edge_store_twin_put(struct edge_store *s, const char *device, const char *module,
                        const struct edge_twin_row *row, struct err *err);
int edge_store_twin_delete(struct edge_store *s, const char *device, const char *module,
                           struct err *err);
void edge_twin_row_done(struct edge_twin_row *row);
/* Calls FN for each identity whose PENDING is not empty. */
int edge_store_twin_pending(struct edge_store *s,
                            void (*fn)(void *arg, const char *device, const char *module),
                            void *arg, struct err *err);

/* Named texts: "config". */
int edge_store_text_put(struct edge_store *s, const char *name, const char *text, size_t len,
                        struct err *err);
/* Appended. ERR_NOT_FOUND. */
int edge_store_text_get(struct edge_store *s, const char *name, struct buf *ret, struct err *err);

#endif
