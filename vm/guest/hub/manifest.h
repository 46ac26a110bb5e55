/* Deployment manifests: what IoT Edge would refuse on the device is refused here, with the JSON
 * path. Pure; any thread. */
#ifndef BERTH_HUB_MANIFEST_H
#define BERTH_HUB_MANIFEST_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>

/* Checks BODY ({"modulesContent":{...}}, also wrapped in "content"), which is for one device.
 * RET_MODULES is its modulesContent, borrowed from BODY: module id -> {"properties.desired":{...}}.
 * ERR_INVALID: "modulesContent.$edgeAgent.properties.desired.modules.m.settings.image: ...". */
int manifest_check(const cJSON *body, const cJSON **ret_modules, struct err *err);

/* Checks the modulesContent of an automatic deployment: a whole one, or a layered one, which has no
 * "properties.desired" of $edgeAgent but paths below it, also of other modules:
 * "properties.desired.modules.m", "properties.desired.routes.r". */
int manifest_check_automatic(const cJSON *modules, bool *ret_layered, struct err *err);

/* Checks the desired properties of MODULE, as they would be deployed. */
int manifest_check_desired(const char *module, const cJSON *desired, struct err *err);

/* The desired section of one entry of modulesContent. */
const cJSON *manifest_desired(const cJSON *entry);

#endif
