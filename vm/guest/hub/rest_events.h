/* Reading telemetry over HTTPS: not of Azure, where an Event Hub serves it over AMQP. Who asks with
 * wait=SECONDS gets the next message the moment it comes. Loop thread only. */
#ifndef BERTH_HUB_REST_EVENTS_H
#define BERTH_HUB_REST_EVENTS_H

#include "vm/guest/hub/hub.h"

struct followers; /* those who wait */

struct followers *followers_new(struct hub *hub);
void followers_free(struct followers *f); /* after the HTTP server; NULL is fine */

#endif
