/* The devices and modules that are connected over MQTT: one session per identity, IoT Hub's topics
 * and rules. Loop thread only. */
#ifndef BERTH_HUB_CLIENTS_H
#define BERTH_HUB_CLIENTS_H

#include "vm/guest/hub/hub.h"

struct clients *clients_new(struct hub *hub);
void clients_free(struct clients *c); /* ends all sessions; NULL is fine */
int clients_listen(struct clients *c, const char *address, uint16_t port, struct tls_server *tls,
                   struct err *err);
void clients_set_tls(struct clients *c, struct tls_server *tls);

bool clients_connected(const struct clients *c, const char *device, const char *module);
unsigned clients_count(const struct clients *c); /* sessions, not half-open connections */

/* "{...,"$version":n}" to who subscribed to desired changes; nothing where nobody did. */
void clients_push_desired(struct clients *c, const char *device, const char *module,
                          uint64_t version, const char *patch, size_t len);
/* A direct method; false where the client is not there or takes none. */
bool clients_call(struct clients *c, const char *device, const char *module, const char *method,
                  const char *rid, const char *payload, size_t len);
/* Ends the session of an identity that lost its right to one; MODULE NULL: the device and all of
 * its modules. */
void clients_drop(struct clients *c, const char *device, const char *module);

#endif
