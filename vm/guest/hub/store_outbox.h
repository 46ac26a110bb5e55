/* What the files of the outbox share: store_outbox.c opens and commits, store_outbox_queue.c holds
 * what goes in and out. Nobody else includes this. */
#ifndef BERTH_HUB_STORE_OUTBOX_H
#define BERTH_HUB_STORE_OUTBOX_H

#include "vm/guest/hub/outbox.h"
#include "vm/guest/hub/store_private.h"

/* Numbers of queues in the database: 16 for each endpoint. */
#define OUTBOX_QUEUE(endpoint, priority) ((uint64_t)(endpoint)*16 + (priority))

struct outbox_queue {
    uint64_t count;             /* in it and not done */
    uint64_t last;              /* highest id in it, of those that are committed */
    uint64_t cursor;            /* highest id that was handed out */
    uint64_t added, added_last; /* since the last commit */
};

struct outbox_endpoint {
    char *name;   /* NULL: the number is free */
    bool stored;  /* it has its row */
    bool touched; /* something was added since the last commit */
    struct outbox_queue queues[ROUTE_PRIORITIES];
};

struct outbox {
    struct store *store;
    char *set_aside;
    char *reserve;                     /* path of a file that is deleted when the disk is full */
    bool full;                         /* it was */
    struct outbox_endpoint *endpoints; /* the index is the number in the database */
    size_t n_endpoints, n_free;        /* numbers; those of them that are free */
    uint32_t *hashes;                  /* of the names: to look through these is quick */
    unsigned *touched;                 /* the numbers of those that are; room for all */
    size_t n_touched;
    uint64_t next_id;

    struct outbox_ref *dones; /* reported, and still in the database */
    size_t n_dones, cap_dones;
    size_t n_applied; /* of these: deleted, in the transaction that is open */

    bool adding; /* the transaction holds messages that wait for their commit */
    bool failed; /* a write of this transaction failed: all of it goes */
    struct err failure;
    bool stale; /* the counts could not be read anew after a failure */

    uint64_t max_bytes;
    uint64_t bytes;       /* in use when it was measured */
    uint64_t bytes_added; /* since then, about */
    uint64_t (*mono_ms)(void);
    uint64_t base_wall_ms, base_mono_ms;

    uint64_t sweep_queue, sweep_id; /* where the sweep stands */
    struct buf row;                 /* the message that was handed out last */
};

enum outbox_query {
    OUTBOX_Q_ENDPOINTS,
    OUTBOX_Q_ENDPOINT_PUT,
    OUTBOX_Q_QUEUES,
    OUTBOX_Q_LAST,
    OUTBOX_Q_PAGES,
    OUTBOX_Q_FREE_PAGES,
    OUTBOX_Q_MESSAGE_PUT,
    OUTBOX_Q_ENTRY_PUT,
    OUTBOX_Q_NEXT,
    OUTBOX_Q_GET,
    OUTBOX_Q_ENTRY_DELETE,
    OUTBOX_Q_MESSAGE_DELETE,
    OUTBOX_Q_SHARED_DELETE,
    OUTBOX_Q_SWEEP,
    OUTBOX_Q_HEADER,
    OUTBOX_Q_DROP_OWN,
    OUTBOX_Q_DROP_SHARED,
    OUTBOX_Q_DROP_ENTRIES,
    OUTBOX_Q_COUNT
};

sqlite3_stmt *outbox_query(struct outbox *o, enum outbox_query q);
/* Runs a statement that changes something; a failure marks the whole transaction. */
int outbox_change(struct outbox *o, sqlite3_stmt *stmt, struct err *err);
/* Reads anew what a failed transaction left unknown. Nothing to do, most of the time. */
int outbox_refresh(struct outbox *o, struct err *err);
/* Deletes what was reported done, in the open transaction. */
int outbox_apply(struct outbox *o, struct err *err);
/* Commits whatever there is, also where outbox_commit() would wait for more. */
int outbox_flush(struct outbox *o, struct err *err);
/* The same aside from the turn's own commit: where it takes along what was added, that one must
 * fail, too. */
int outbox_flush_aside(struct outbox *o, struct err *err);
/* Asks how much is in use. */
int outbox_measure(struct outbox *o, struct err *err);
void outbox_make_reserve(struct outbox *o);
/* Makes an endpoint of this number, which is free. */
struct outbox_endpoint *outbox_endpoint_put(struct outbox *o, unsigned endpoint, const char *name);
uint64_t outbox_now(const struct outbox *o);

#endif
