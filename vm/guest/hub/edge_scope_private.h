/* What the two halves of the scope share: edge_scope.c asks for all of it and keeps it,
 * edge_scope_ask.c asks for one identity, for those who wait. */
#ifndef BERTH_HUB_EDGE_SCOPE_PRIVATE_H
#define BERTH_HUB_EDGE_SCOPE_PRIVATE_H

#include "core/base/queue.h"
#include "vm/guest/hub/edge_scope_link.h"
#include "vm/guest/hub/edge_scope_table.h"

#define EDGE_SCOPE_ASKS_A_MINUTE 30

struct edge_scope {
    struct edge *edge;
    char *path;
    struct edge_scope_table *table;
    struct edge_scope_link *link;
    uv_timer_t *next; /* time for all of it */
    uv_timer_t *turn;
    uv_timer_t *save;

    /* All of it. */
    struct edge_scope_call *page;
    struct buf page_link;
    unsigned pages, failures, round;
    bool first; /* nothing is known but from the round that is to end or begins at once */
    bool told_full;
    bool unsaved;      /* the disk is full, or worse */
    uint64_t well_ms;  /* when it last went well; 0: never */
    uint64_t quiet_ms; /* nothing is asked before */

    /* One of them. */
    struct queue asks;
    struct {
        char *device, *module;
        uint64_t at_ms;
    } asked[EDGE_SCOPE_ASKS_A_MINUTE]; /* the last ones, around in a circle */
    size_t asked_next;
    struct queue waits;   /* for all of it */
    struct queue settled; /* told on the loop's next turn */
};

/* An identity as the cloud has it now (ARG: the scope), and one that it has no more. */
void edge_scope_on_identity(void *arg, const struct edge_identity *id);
void edge_scope_on_gone(struct edge_scope *s, const char *device, const char *module);
/* Nothing is asked for the next MS. */
void edge_scope_pause(struct edge_scope *s, uint64_t ms);

/* Answers those who wait for the whole: whose identity has come; at the END of it, all of them. */
void edge_scope_settle_all(struct edge_scope *s, bool end, const struct err *err);
void edge_scope_asks_close(struct edge_scope *s); /* nobody is answered any more */

#endif
