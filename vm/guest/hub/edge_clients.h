/* The modules and leaf devices that are connected to the edge hub over MQTT: its head of the MQTT
 * server. Loop thread only. */
#ifndef BERTH_HUB_EDGE_CLIENTS_H
#define BERTH_HUB_EDGE_CLIENTS_H

#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/mqtt_conn.h"
#include "vm/guest/hub/topic.h"

struct edge_clients *edge_clients_new(struct edge *edge);
void edge_clients_free(struct edge_clients *c); /* after the MQTT server; NULL is fine */

extern const struct mqtt_head edge_clients_head; /* its owner is a struct edge_clients */

bool edge_clients_connected(const struct edge_clients *c, const char *device, const char *module);
/* Calls FN for each identity that was here since the start. Times are wall clock, 0: never. */
void edge_clients_each(const struct edge_clients *c,
                       void (*fn)(void *arg, const char *device, const char *module, bool connected,
                                  uint64_t connected_ms, uint64_t disconnected_ms),
                       void *arg);

/* Answers to the twin calls of a client, as edge_twins makes them: lost where it has gone. VERSION
 * may be NULL. */
void edge_clients_twin_reply(struct edge_clients *c, const char *device, const char *module,
                             const char *rid, int status, const uint64_t *version, const char *body,
                             size_t len);
/* "{...,"$version":n}" to a client that subscribed to desired changes. */
void edge_clients_push_desired(struct edge_clients *c, const char *device, const char *module,
                               uint64_t version, const char *patch, size_t len);
/* How long a client that is there may need until it takes the methods for which its kept session
 * has it subscribed; 0 where it takes them, or is not there. */
uint64_t edge_clients_hold_ms(const struct edge_clients *c, const char *device, const char *module);
/* A direct method; false where the client is not there or takes none yet. */
bool edge_clients_call(struct edge_clients *c, const char *device, const char *module,
                       const char *method, const char *rid, const char *payload, size_t len);
/* Ends the session of an identity that lost its right to one. MODULE NULL: the device and all of
 * its modules. */
void edge_clients_drop(struct edge_clients *c, const char *device, const char *module,
                       const char *why);

#endif
