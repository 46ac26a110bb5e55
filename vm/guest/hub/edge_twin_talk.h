/* What is going on about the twin of one identity: who waits for it, and the one call to the cloud
 * that each identity has at a time, so that a question never overtakes a report. The edge_twins*.c
 * only. Loop thread only. */
#ifndef BERTH_HUB_EDGE_TWIN_TALK_H
#define BERTH_HUB_EDGE_TWIN_TALK_H

#include "core/base/log.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_twins.h"
#include "vm/guest/hub/topic.h"

#define TWIN_TALK_WAITING_MAX 64 /* questions of one client */
#define TWIN_TALK_BUCKETS     1024

struct edge_upstream_call;

/* Of an identity with something going on. */
struct twin_talk {
    struct edge_twins *owner;
    struct twin_talk *chain; /* in its bucket */
    size_t place;            /* in the list of all */
    char *device, *module;
    struct edge_upstream_call *call; /* NULL: none */
    bool asking;                     /* CALL, or the last one, asks for the twin; else it reports */
    bool anew;                       /* the cloud is to be asked, whoever waits for it */
    bool pending;                    /* there are reports that the cloud does not know */
    struct buf sent;                 /* the patch that the cloud was told last */
    uint64_t began_ms;               /* of CALL */
    uint64_t seen;                   /* version of a desired change that came while it asked */
    uint64_t retry_ms;               /* no sooner, but for who waits */
    uint64_t pause_ms;
    char (*waiting)[TOPIC_RID_MAX]; /* the clients' questions */
    size_t n_waiting;
};

struct edge_twins {
    struct edge *edge;
    struct twin_talk **twins;
    size_t n, cap;
    struct twin_talk *buckets[TWIN_TALK_BUCKETS]; /* by identity */
    uv_timer_t timer;
};

/* Made where there is none. It lasts until twin_talk_go_on() finds nothing more to do. */
struct twin_talk *twin_talk_need(struct edge_twins *all, const char *device, const char *module);
void twin_talk_free(struct twin_talk *t);

/* Asks the cloud, or tells it what it does not know, where that is due. T may be gone afterwards.
 */
void twin_talk_go_on(struct twin_talk *t);
/* Nothing holds its calls up any more. */
void twin_talk_resume(struct twin_talk *t);
/* Wakes all up that are due in PAUSE_MS. */
void twin_talk_wait(struct edge_twins *all, uint64_t pause_ms);

/* ROW stays empty where nothing is known of the twin. */
int twin_talk_load(const struct twin_talk *t, struct edge_twin_row *row, struct err *err);
int twin_talk_keep(const struct twin_talk *t, const struct edge_twin_row *row, struct err *err);

void twin_talk_reply(const struct twin_talk *t, const char *rid, int status,
                     const uint64_t *version, const struct buf *body);
void twin_talk_refuse(const struct twin_talk *t, const char *rid, bool too_many,
                      const struct err *err);
void twin_talk_say(const struct twin_talk *t, enum log_level level, const char *what,
                   const char *why);
void twin_talk_count(const struct twin_talk *t, enum edge_metric number, enum edge_metric duration,
                     const char *place, uint64_t began_ms);

#endif
