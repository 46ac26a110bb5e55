/* The cloud role as a whole: what its parts share. Everything runs on one loop in one thread. */
#ifndef BERTH_HUB_HUB_H
#define BERTH_HUB_HUB_H

#include "core/io/http_server.h"
#include "core/io/net_server.h"
#include "vm/guest/hub/auth.h"
#include "vm/guest/hub/store.h"

#include <uv.h>

#define HUB_DEVICES_MAX 10000
#define HUB_MODULES_MAX 50 /* of one device, as on IoT Hub */

struct c2d;
struct clients;
struct dps;
struct events;
struct followers;
struct methods;
struct mqtt_server;

struct hub {
    uv_loop_t *loop;
    const char *host;        /* the name that connection strings carry: the first of HUBS */
    const char *const *hubs; /* the names of all its hubs, NULL-terminated; a device is on one */
    struct store *store;
    struct auth auth;
    struct clients *clients;
    struct c2d *c2d;
    struct dps *dps;
    struct events *events;
    struct followers *followers;
    struct methods *methods;
    struct mqtt_server *mqtt;
    struct http_server *http;
    uint64_t c2d_lock_ms;    /* how long a device may take to acknowledge a message */
    uint64_t failed_turn_ms; /* loop time of a turn whose writes could not be committed */
};

/* Makes this turn's writes durable; false where that failed: what was answered in this turn must
 * not be sent. */
bool hub_commit(void *hub);

#endif
