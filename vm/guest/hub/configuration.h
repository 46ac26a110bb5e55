/* Automatic configurations: deployments for IoT Edge devices (whole and layered), desired
 * properties for devices and modules. A configuration targets the twins that its condition selects;
 * the highest priority wins where several say something about the same place, and layered
 * deployments go on top of the base that they outrank.
 *
 * Nothing is looked at periodically: a device is evaluated when it, its tags or, where a condition
 * looks at them, its reported properties change, and everybody concerned when a configuration
 * does. All that follows is in the transaction of the turn in which it began, and a twin is written
 * only where it differs. A device that leaves its last deployment keeps what it runs; settings of
 * other configurations are taken out again. What the service itself writes to such a twin stays
 * until the next evaluation. Loop thread only. */
#ifndef BERTH_HUB_CONFIGURATION_H
#define BERTH_HUB_CONFIGURATION_H

#include "core/base/json.h"
#include "vm/guest/hub/hub.h"
#include "vm/guest/hub/store_config.h"

#define CONFIGURATIONS_MAX 100 /* of a hub, as on IoT Hub */

/* Creates (IF_MATCH NULL) or changes one and does what follows. HUB_KEY as in struct identity.
 * ERR_EXISTS, ERR_NOT_FOUND, ERR_BUSY (another etag), ERR_INVALID, ERR_NO_SPACE. */
int configuration_put(struct hub *hub, const char *hub_key, const char *id, const cJSON *body,
                      const char *if_match, struct err *err);
/* IF_MATCH NULL: whatever it is. */
int configuration_delete(struct hub *hub, const char *hub_key, const char *id, const char *if_match,
                         struct err *err);
/* As the service API shows it, with its metrics, for the caller. */
int configuration_show(struct hub *hub, const char *hub_key, const char *id, cJSON **ret,
                       struct err *err);
/* At most MAX of them. */
int configuration_list(struct hub *hub, const char *hub_key, size_t max, cJSON **ret,
                       struct err *err);
/* Tries the texts of a configuration that is not there yet; the answer of testQueries for the
 * caller. */
cJSON *configuration_test(const cJSON *body);

/* A device or a module is new, or something of it changed that conditions may look at. */
int configuration_follow(struct hub *hub, const char *device, const char *module, struct err *err);
/* It has reported something. */
int configuration_follow_report(struct hub *hub, const char *device, const char *module,
                                struct err *err);

#endif
