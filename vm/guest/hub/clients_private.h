/* What clients.c (who is there) and clients_head.c (what they say) share. Nobody else includes
 * this.
 */
#ifndef BERTH_HUB_CLIENTS_PRIVATE_H
#define BERTH_HUB_CLIENTS_PRIVATE_H

#include "vm/guest/hub/c2d.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/connect.h"
#include "vm/guest/hub/twin_rate.h"

/* An identity that connected at least once: it stays when the connection ends, so that the service
 * API can say when that was. */
struct client {
    struct client *next; /* in its bucket */
    struct clients *clients;
    struct mqtt_conn *conn;      /* NULL: away */
    const char *device, *module; /* in names */
    char *model_id;              /* NULL: named none */
    struct will *will;           /* NULL: none */
    const char *method;          /* how it proved who it is */
    char generation[24];
    char *via;       /* the IoT Edge device whose hub speaks for it; NULL: nobody */
    unsigned subs;   /* enum topic_sub */
    unsigned served; /* those of them that took effect */
    bool keep;       /* its subscriptions are kept: clean session was not asked for */
    uint64_t state_ms, activity_ms;
    struct twin_rate twin_rate;
    struct c2d_link c2d;
    char names[];
};

struct clients {
    struct hub *hub;
    struct client **buckets; /* by device: its modules are in the same one */
    size_t n_buckets;        /* a power of 2 */
    size_t n;                /* of all */
};

/* The one for an identity that exists; made where it connects for the first time. */
struct client *clients_need(struct clients *c, const char *device, const char *module);

#endif
