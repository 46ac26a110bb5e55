/* Store and forward: messages on their way to endpoints, on disk until each endpoint has them or
 * their time is up. In one database of its own; a message is stored once, however many endpoints
 * get it. Each endpoint has a queue for each priority (route_table.h); the lowest number goes
 * first, and within a priority the order of arrival is kept.
 *
 * outbox_add() gathers; what it took may be acknowledged to its sender once outbox_commit()
 * succeeded, and is handed out only then. What was handed out and not yet reported done comes again
 * after outbox_rewind() or a restart: at least once, never lost. Memory does not grow with what is
 * queued. Loop thread only; a call takes microseconds, a commit one fdatasync. */
#ifndef BERTH_HUB_OUTBOX_H
#define BERTH_HUB_OUTBOX_H

#include "core/base/err.h"
#include "vm/guest/hub/edge_message.h"
#include "vm/guest/hub/route_table.h"

#define OUTBOX_MAX_BYTES (1ULL << 30)
#define OUTBOX_NEVER     (-1) /* as a time to live */

struct outbox;

struct outbox_options {
    uint64_t max_bytes; /* of messages on disk; 0: OUTBOX_MAX_BYTES */
    /* NULL: the machine's clocks. */
    uint64_t (*wall_ms)(void);
    uint64_t (*mono_ms)(void);
};

/* PATH is made 0600 where it does not exist. A database that is damaged is set aside under another
 * name, and a new one begun: outbox_set_aside() tells. ERR_BUSY: another process has it. OPTIONS
 * may be NULL. */
int outbox_open(const char *path, const struct outbox_options *options, struct outbox **ret,
                struct err *err);
void outbox_close(struct outbox *o); /* commits; NULL is fine */
/* Where the damaged database is that was found on opening, for the log and the user; "" where none
 * was. */
const char *outbox_set_aside(const struct outbox *o);
void outbox_set_max_bytes(struct outbox *o, uint64_t max_bytes); /* 0: OUTBOX_MAX_BYTES */

/* The number of an endpoint; made where there is none of this name. It holds until the outbox is
 * closed; one that has nothing queued then is forgotten. */
unsigned outbox_endpoint(struct outbox *o, const char *name);
/* Calls FN for each endpoint. */
void outbox_each_endpoint(const struct outbox *o,
                          void (*fn)(void *arg, unsigned endpoint, const char *name), void *arg);

struct outbox_target {
    unsigned endpoint;
    unsigned priority; /* 0 to ROUTE_PRIORITY_LAST */
    int64_t ttl_s;     /* OUTBOX_NEVER */
};

/* Queues M for TARGETS (at least one, each endpoint once), from the next commit on. ERR_NO_SPACE:
 * it would grow beyond its bound, or the disk was full and the sweep has not found room again; M
 * alone is refused, and what is queued is delivered all the same. Any other failure is of the whole
 * turn: the next commit fails too, and none of what was added since the last one is kept. */
int outbox_add(struct outbox *o, const struct edge_message *m, const struct outbox_target *targets,
               size_t n, struct err *err);
/* Makes all since the last call durable. -1: nothing of it was added, no sender gets an
 * acknowledgement. Nothing to do is fine. */
int outbox_commit(struct outbox *o, struct err *err);

/* A message in an endpoint's queue. */
struct outbox_ref {
    uint64_t id;
    unsigned endpoint;
    unsigned priority;
    bool shared; /* with other endpoints */
};

struct outbox_item {
    struct outbox_ref ref;
    struct edge_message message; /* borrowed until the next call */
};

/* Hands out the next message of an endpoint, each once. 1, 0 where there is none, -1. */
int outbox_next(struct outbox *o, unsigned endpoint, struct outbox_item *ret, struct err *err);
/* Reads anew what was handed out. 1, 0 where it is not there any more, -1. */
int outbox_get(struct outbox *o, const struct outbox_ref *ref, struct edge_message *ret,
               struct err *err);
/* It was delivered: it goes for good with one of the next commits. In any order. */
void outbox_done(struct outbox *o, const struct outbox_ref *ref);
/* The endpoint is gone and came back: what was handed out and is not done comes again, in order. */
int outbox_rewind(struct outbox *o, unsigned endpoint, struct err *err);

/* What a message was dropped for: its time was up. MESSAGE has no body. */
typedef void (*outbox_expired_fn)(void *arg, const struct outbox_ref *ref,
                                  const struct edge_message *message);

/* Housekeeping, every few seconds and once after opening: looks through a part of the queues for
 * what has expired (and is not with its receiver just now), commits, gives space back to the file
 * system. Time runs with the monotonic clock: setting the wall clock ages nothing. FN may be NULL.
 */
int outbox_sweep(struct outbox *o, outbox_expired_fn fn, void *arg, struct err *err);

/* Deletes all that is queued for an endpoint; what was handed out of it is not to be reported done
 * any more. */
int outbox_drop(struct outbox *o, unsigned endpoint, struct err *err);

uint64_t outbox_count(const struct outbox *o, unsigned endpoint, unsigned priority);
/* Calls FN for each queue that is not empty. */
void outbox_each(const struct outbox *o,
                 void (*fn)(void *arg, const char *endpoint, unsigned priority, uint64_t count),
                 void *arg);
uint64_t outbox_bytes(const struct outbox *o); /* on disk, about */

#endif
