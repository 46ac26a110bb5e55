/* What a device asks of the Device Provisioning Service, whichever head it came through: to be
 * registered, how that went, and what is known of it. Loop thread only. */
#ifndef BERTH_HUB_DPS_REGISTER_H
#define BERTH_HUB_DPS_REGISTER_H

#include "vm/guest/hub/dps_private.h"

#define DPS_RETRY_AFTER_S 1 /* what a client waits until it asks again; by then it is done */

struct dps_request {
    const char *id; /* of the registration */
    struct auth_proof proof;
    const cJSON *body; /* NULL: none */
};

struct dps_reply {
    int status; /* of HTTP */
    cJSON *body;
    bool retry; /* ask again after DPS_RETRY_AFTER_S */
};
void dps_reply_done(struct dps_reply *a);
#define auto_dps_reply ATTR_CLEANUP(dps_reply_done)

void dps_reply_err(struct dps_reply *a, unsigned code, const char *message);

/* Each fills RET (empty). */
void dps_register_device(struct dps *d, const struct dps_request *q, struct dps_reply *ret);
void dps_register_poll(struct dps *d, const struct dps_request *q, const char *operation,
                       struct dps_reply *ret);
void dps_register_lookup(struct dps *d, const struct dps_request *q, struct dps_reply *ret);

/* What is known of a registration, as both APIs show it; for the caller. */
cJSON *dps_registration_show(const struct dps *d, const struct registration_row *row);

#endif
