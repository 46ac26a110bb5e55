/* The devices and modules that are, or were, connected over MQTT: IoT Hub's head of the MQTT
 * server, with its topics and rules, and what it knows of each identity. Loop thread only. */
#ifndef BERTH_HUB_CLIENTS_H
#define BERTH_HUB_CLIENTS_H

#include "vm/guest/hub/hub.h"
#include "vm/guest/hub/mqtt_conn.h"

struct c2d_link;

struct clients *clients_new(struct hub *hub);
void clients_free(struct clients *c); /* after the MQTT server; NULL is fine */

extern const struct mqtt_head clients_mqtt_head; /* its owner is a struct clients */

/* What the service API shows of an identity. Kept in memory, from the start of the process on. */
struct client_state {
    bool connected;
    uint64_t state_ms;    /* when CONNECTED changed last; 0: never */
    uint64_t activity_ms; /* when it connected or was heard last; 0: never */
    uint64_t c2d_count;   /* messages that wait for it */
    const char *model_id; /* that it named last, or ""; borrowed until the loop turns */
};
void clients_state(const struct clients *c, const char *device, const char *module,
                   struct client_state *ret);
bool clients_connected(const struct clients *c, const char *device, const char *module);

/* "{...,"$version":n}" to who subscribed to desired changes; nothing where nobody did. */
void clients_push_desired(struct clients *c, const char *device, const char *module,
                          uint64_t version, const char *patch, size_t len);
/* A direct method; false where the client is not there or takes none. */
bool clients_call(struct clients *c, const char *device, const char *module, const char *method,
                  const char *rid, const char *payload, size_t len);
/* Ends the session of an identity that lost its right to one: it was disabled, removed, or proves
 * itself in another way from now on. MODULE NULL: the device and all of its modules. */
void clients_drop(struct clients *c, const char *device, const char *module);
/* Ends the sessions that the hub of the IoT Edge device EDGE has for others, when it lost its right
 * to them. */
void clients_drop_behalf(struct clients *c, const char *edge);
/* Where messages to DEVICE go; NULL where it was never seen. */
struct c2d_link *clients_link(const struct clients *c, const char *device);

#endif
