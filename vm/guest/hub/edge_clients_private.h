/* What edge_clients.c (who is there), edge_connect.c (how they come) and edge_head.c (what they
 * say) share. Nobody else includes this. */
#ifndef BERTH_HUB_EDGE_CLIENTS_PRIVATE_H
#define BERTH_HUB_EDGE_CLIENTS_PRIVATE_H

#include "vm/guest/hub/connect.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/twin_rate.h"

struct edge_flow;

#define HELD_MS 2000 /* the longest that subscriptions of a kept session are held */

/* An identity that connected at least once: it stays when the connection ends, for the report of
 * when that was. */
struct edge_client {
    struct edge_clients *clients;
    struct mqtt_conn *conn;      /* NULL: away */
    struct edge_flow *flow;      /* NULL before its CONNACK */
    const char *device, *module; /* in names */
    char *model_id;              /* NULL: named none */
    struct will *will;           /* NULL: none */
    unsigned subs;               /* enum topic_sub */
    unsigned held;               /* those of its kept session that it has not repeated yet */
    unsigned served;             /* those of SUBS that took effect */
    unsigned stored;             /* SUBS as they were when its session was written */
    bool keep;                   /* its subscriptions are kept: clean session was not asked for */
    bool refused;                /* its last message, which was logged */
    uint64_t held_until_ms;      /* loop time */
    uint64_t connected_ms, disconnected_ms;
    struct twin_rate twin_rate;
    char names[];
};

struct edge_pending;

struct edge_clients {
    struct edge *edge;
    struct edge_client **all; /* by device, then module */
    size_t n, cap;
    unsigned connected;
    struct edge_pending *pending; /* whose CONNECT is being checked */
    unsigned n_pending;
    uv_timer_t held; /* somebody has held subscriptions */
};

/* The one for an identity that exists; made where it connects for the first time. */
struct edge_client *edge_clients_need(struct edge_clients *c, const char *device,
                                      const char *module);

void edge_client_say(const struct edge_client *c, const char *what, const char *why); /* the log */
/* REASON: where the metric has it, else NULL. */
void edge_clients_count(struct edge_clients *c, enum edge_metric metric, const char *device,
                        const char *module, const char *reason);
void edge_clients_changed(struct edge_clients *c); /* somebody came or went */
void edge_client_tell_upstream(const struct edge_client *c);

/* edge_connect.c: connect_later() and abandon(). */
bool edge_connect_begin(void *owner, struct mqtt_conn *conn, const struct mqtt_packet *packet,
                        struct err *err);
void edge_connect_abandon(void *owner, struct mqtt_conn *conn);

#endif
