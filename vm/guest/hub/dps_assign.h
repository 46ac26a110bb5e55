/* Which hub a registered device goes to, and making it there. Loop thread only. */
#ifndef BERTH_HUB_DPS_ASSIGN_H
#define BERTH_HUB_DPS_ASSIGN_H

#include "vm/guest/hub/dps_auth.h"

/* The name of the hub that enrolment E gives to registration ID, one of HUBS (the names of all,
 * NULL-terminated); NULL where the sandbox has none of those that E names. Pure. */
const char *dps_assign_pick(const struct dps_enrolment *e, const char *id, const char *const *hubs);

/* Assigns REG (as it was before; zero where it is the first time) to a hub and makes its device
 * there what GRANT says. Sets hub, device and substatus. */
int dps_assign(struct dps *d, const struct dps_grant *grant, struct registration_row *reg,
               struct err *err);

#endif
