/* What edge.c (opening and closing) and edge_turn.c (the end of each turn) share. Nobody else
 * includes this. */
#ifndef BERTH_HUB_EDGE_PRIVATE_H
#define BERTH_HUB_EDGE_PRIVATE_H

#include "vm/guest/hub/edge.h"

struct edge_tls;

struct edge_whole {
    struct edge edge; /* first: what all parts see */
    edge_ready_fn ready;
    void *arg;
    struct edge_tls *tls;
    bool listens;
    bool turning;         /* the handles below are open */
    bool failed;          /* this turn's writes could not be committed */
    uv_prepare_t prepare; /* a turn that has no output is committed, too */
    uv_check_t check;     /* the next turn begins */
    uv_idle_t idle;       /* what came when that was over is not left for the next event */
    unsigned handles;     /* that are being closed */
};

/* edge_turn.c. Once all parts are there. */
void edge_turn_begin(struct edge_whole *w);
/* No more commits; W is freed when its handles are closed, or at once. */
void edge_turn_end(struct edge_whole *w);

#endif
