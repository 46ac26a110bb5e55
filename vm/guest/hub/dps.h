/* The Device Provisioning Service: from a registration id and a proof to a device on one of the
 * sandbox's hubs. Individual enrolments (symmetric key, X.509, TPM) and groups (symmetric key,
 * X.509 by an authority). Its device API has two heads, HTTPS (dps_routes) and MQTT
 * (dps_mqtt_head); its service API is HTTPS (dps_routes). Loop thread only. */
#ifndef BERTH_HUB_DPS_H
#define BERTH_HUB_DPS_H

#include "vm/guest/hub/hub.h"
#include "vm/guest/hub/mqtt_conn.h"

struct rest_table;

struct dps;

/* Makes the id scope and the policies' keys where the sandbox is new. */
struct dps *dps_new(struct hub *hub, struct err *err);
void dps_free(struct dps *d); /* NULL is fine */
const char *dps_id_scope(const struct dps *d);

extern const struct mqtt_head dps_mqtt_head; /* its owner is a struct dps */
extern const struct rest_table dps_routes;

#endif
