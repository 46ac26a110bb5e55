/* The texts of the edge hub's scope: what it asks the cloud, what the cloud answers, and the file
 * in which the answers are kept. Pure; any thread. */
#ifndef BERTH_HUB_EDGE_SCOPE_JSON_H
#define BERTH_HUB_EDGE_SCOPE_JSON_H

#include "core/base/buf.h"
#include "vm/guest/hub/edge_scope_table.h"

#define EDGE_SCOPE_PAGE     50 /* devices to a page, each with up to 50 modules */
#define EDGE_SCOPE_FILE_MAX (16U << 20)

/* Requests, appended: one page of the scope of DEVICE, from LINK ("" the first); one identity in
 * it. */
void edge_scope_json_ask_page(const char *device, const char *link, struct buf *out);
void edge_scope_json_ask_one(const char *edge, const char *device, const char *module,
                             struct buf *out);

/* An answer: calls FN for each of its identities, devices first. One that no client could have is
 * passed over. LINK becomes that of the next page, or empty. ERR_PROTOCOL. */
int edge_scope_json_answer(const char *text, size_t len,
                           void (*fn)(void *arg, const struct edge_identity *id), void *arg,
                           struct buf *link, struct err *err);

/* The file: a line that says whose scope it is, and one for each identity. */
void edge_scope_json_save(const char *hub, const char *device, const struct edge_scope_table *from,
                          struct buf *out);
/* -1: it is damaged, or of another device; what is in TO then is of no use. */
int edge_scope_json_load(const char *text, size_t len, const char *hub, const char *device,
                         struct edge_scope_table *to, struct err *err);

#endif
