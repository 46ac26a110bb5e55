/* Enrolments in the store: found, made, changed, deleted. Loop thread only. */
#ifndef BERTH_HUB_DPS_RECORDS_H
#define BERTH_HUB_DPS_RECORDS_H

#include "vm/guest/hub/dps_private.h"

#define DPS_ENROLMENTS_MAX 10000
#define DPS_GROUPS_MAX     100 /* as on Azure */

/* Fills RET (empty). ERR_NOT_FOUND. */
int dps_records_get(struct dps *d, bool group, const char *id, struct dps_enrolment *ret,
                    struct err *err);
/* Creates (IF_MATCH NULL) or replaces the enrolment ID from BODY; fills RET (empty). IF_MATCH "*"
 * or an etag. ERR_EXISTS, ERR_BUSY (another etag), ERR_INVALID, ERR_NO_SPACE. */
int dps_records_put(struct dps *d, bool group, const char *id, const cJSON *body,
                    const char *if_match, struct dps_enrolment *ret, struct err *err);
/* With the registrations that came of it; their devices stay on their hubs. IF_MATCH NULL: whatever
 * it is. */
int dps_records_delete(struct dps *d, bool group, const char *id, const char *if_match,
                       struct err *err);
/* The same for one registration. */
int dps_records_forget(struct dps *d, const char *id, const char *if_match, struct err *err);

#endif
