/* What the files of the Device Provisioning Service share. Nobody but dps*.c includes this. */
#ifndef BERTH_HUB_DPS_PRIVATE_H
#define BERTH_HUB_DPS_PRIVATE_H

#include "vm/guest/hub/dps.h"
#include "vm/guest/hub/dps_enrolment.h"
#include "vm/guest/hub/rest.h"

#define DPS_SCOPE_MAX 16

struct dps_link;

struct dps {
    struct hub *hub;
    char scope[DPS_SCOPE_MAX];
    struct dps_link *links; /* MQTT connections; dps_mqtt.c */
};

/* A new etag: nobody can tell anything from it but that it is another one. */
void dps_etag(char to[DPS_ETAG_MAX]);

/* ------------------------------------------------------------------------------------------
 * errors: a number of six digits, of which the first three are the HTTP status */

#define DPS_ERR_INVALID       400004
#define DPS_ERR_UNAUTHORIZED  401002
#define DPS_ERR_HUB_NOT_FOUND 401001 /* in a failed registration */
#define DPS_ERR_DISABLED      403001
#define DPS_ERR_QUOTA         403002
#define DPS_ERR_NOT_FOUND     404201
#define DPS_ERR_NO_SCOPE      404202
#define DPS_ERR_NO_OPERATION  404204
#define DPS_ERR_METHOD        405001
#define DPS_ERR_EXISTS        409201
#define DPS_ERR_PRECONDITION  412201
#define DPS_ERR_SERVER        500001

/* The number that fits the kind. */
unsigned dps_error_code(const struct err *err);
/* {"errorCode","trackingId","message","timestampUtc"}, for the caller. */
cJSON *dps_error_body(unsigned code, const char *message);
void dps_fail(struct rest *r, const struct err *err);

/* ------------------------------------------------------------------------------------------
 * handlers of the routes: dps_device.c, dps_service.c */

void dps_device_register(struct rest *r);
void dps_device_poll(struct rest *r);
void dps_device_lookup(struct rest *r);

void dps_service_get(struct rest *r);
void dps_service_put(struct rest *r);
void dps_service_delete(struct rest *r);
void dps_service_attestation(struct rest *r);
void dps_service_bulk(struct rest *r);
void dps_service_query(struct rest *r);
void dps_service_state_get(struct rest *r);
void dps_service_state_delete(struct rest *r);
void dps_service_state_query(struct rest *r);

#endif
