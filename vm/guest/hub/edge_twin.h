/* The twin of one client as the edge hub keeps it (a row of edge_store.h), and what happens to it.
 * Pure; any thread. */
#ifndef BERTH_HUB_EDGE_TWIN_H
#define BERTH_HUB_EDGE_TWIN_H

#include "core/base/json.h"
#include "vm/guest/hub/edge_store.h"

/* Whether the cloud ever said what it is; before that only what the client reported is known. */
bool edge_twin_known(const struct edge_twin_row *row);

/* What a client gets: {"desired":{...,"$version":n},"reported":{...,"$version":n}}, appended. */
void edge_twin_show(const struct edge_twin_row *row, struct buf *out);
/* The desired section alone, with its "$version", for the caller. */
cJSON *edge_twin_show_desired(const struct edge_twin_row *row);

/* A report of the client: part of REPORTED and of what the cloud is to be told. UNDER_WAY: the
 * first patch of that is on its way there. ERR_INVALID: not acceptable; ERR_BUSY: BASE (may be
 * NULL) is another version; ERR_NO_SPACE: too much waits for the cloud. */
int edge_twin_report(struct edge_twin_row *row, const char *text, size_t len, const uint64_t *base,
                     bool under_way, struct err *err);
/* The patch that the cloud is to be told next, appended; false: none. */
bool edge_twin_pending(const struct edge_twin_row *row, struct buf *out);
/* The cloud took PATCH, or never will. Where the next is another one, nothing happens. */
void edge_twin_settle(struct edge_twin_row *row, const struct buf *patch);

enum edge_twin_news {
    EDGE_TWIN_MERGED,
    EDGE_TWIN_STALE, /* nothing new */
    EDGE_TWIN_GAP,   /* a change was missed, or this one makes no sense: the whole is needed */
};
/* A change of the desired properties, from the cloud. */
enum edge_twin_news edge_twin_desired(struct edge_twin_row *row, uint64_t version, const char *text,
                                      size_t len);

/* The twin as the cloud has it. CHANGE gets what a client that knew ROW has to be told of the
 * desired properties, with "$version"; nothing where they are the same. The number of REPORTED is
 * our own: it grows where its content changed. */
int edge_twin_set(struct edge_twin_row *row, const char *text, size_t len, struct buf *change,
                  struct err *err);

#endif
