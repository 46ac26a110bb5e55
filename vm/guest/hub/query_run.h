/* Queries over the twins of a hub. Loop thread only. */
#ifndef BERTH_HUB_QUERY_RUN_H
#define BERTH_HUB_QUERY_RUN_H

#include "vm/guest/hub/hub.h"
#include "vm/guest/hub/query.h"

/* Where a page of results begins and, after a call, where the next one does. */
struct query_cursor {
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX]; /* of the last twin that was given */
    uint64_t given;                                        /* rows up to here */
};

/* At most MAX rows, fewer where they are large, as an array for the caller. RET_MORE: there are
 * further ones. HUB_KEY as in
 * struct identity. */
int query_page(struct hub *hub, const char *hub_key, const struct query *q,
               struct query_cursor *cursor, size_t max, cJSON **ret, bool *ret_more,
               struct err *err);
/* The number of rows. */
int query_count(struct hub *hub, const char *hub_key, const struct query *q, uint64_t *ret,
                struct err *err);
/* The twins that match, one after the other; FN may not write. */
int query_each(struct hub *hub, const char *hub_key, const struct query *q,
               void (*fn)(void *arg, const struct identity *id), void *arg, struct err *err);

/* A cursor as an opaque text that is good for the query TEXT alone, and back. ERR_INVALID. */
void query_cursor_write(const struct query_cursor *cursor, const char *text, struct buf *out);
int query_cursor_read(const char *token, const char *text, struct query_cursor *ret,
                      struct err *err);

#endif
