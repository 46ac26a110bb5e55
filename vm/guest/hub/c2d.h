/* Messages from the cloud to devices: a durable queue for each device, sent with QoS 1 to the one
 * that is there and subscribed, completed by its PUBACK, sent again where that does not come. Loop
 * thread only. */
#ifndef BERTH_HUB_C2D_H
#define BERTH_HUB_C2D_H

#include "vm/guest/hub/hub.h"
#include "vm/guest/hub/mqtt_conn.h"
#include "vm/guest/hub/store_c2d.h"

#define C2D_QUEUE_MAX      50
#define C2D_DELIVERIES_MAX 10
#define C2D_LOCK_MS        60000 /* a device has so long to acknowledge, where nothing else is set */
#define C2D_FEEDBACK_KEPT  1000

struct c2d_flight;

/* What is under way to one device; a part of its client, all zero before. */
struct c2d_link {
    const char *device;     /* borrowed */
    struct mqtt_conn *conn; /* NULL: it is not there, or not subscribed */
    bool acknowledges;      /* subscribed with QoS 1; else what is sent is done with */
    uint64_t last;          /* id of the newest that was sent on this connection */
    struct c2d_flight *flights;
    unsigned n;
};

struct c2d *c2d_new(struct hub *hub);
void c2d_free(struct c2d *c); /* after all links are closed; NULL is fine */

/* The device is there: sends what waits for it, now and from now on. Again: with another QOS. */
void c2d_open(struct c2d *c, struct c2d_link *link, const char *device, struct mqtt_conn *conn,
              unsigned qos);
/* It is not, any more. What it did not acknowledge waits for its return. */
void c2d_close(struct c2d *c, struct c2d_link *link);
void c2d_acknowledged(struct c2d *c, struct c2d_link *link, uint16_t packet);
void c2d_continue(struct c2d *c, struct c2d_link *link); /* its connection has room again */

/* Queues it for its device, and sends it where that is there. ERR_NO_SPACE: the queue is full. */
int c2d_send(struct c2d *c, const struct c2d_row *message, struct err *err);
/* Empties a device's queue. */
int c2d_purge(struct c2d *c, const char *device, uint64_t *ret_purged, struct err *err);

#endif
