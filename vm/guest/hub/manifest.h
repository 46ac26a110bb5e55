/* Deployment manifests: what IoT Edge would refuse on the device is refused here, with the JSON
 * path. Pure; any thread. */
#ifndef BERTH_HUB_MANIFEST_H
#define BERTH_HUB_MANIFEST_H

#include "core/base/err.h"
#include "core/base/json.h"

/* Checks BODY ({"modulesContent":{...}}, also wrapped in "content"). RET_MODULES is its
 * modulesContent, borrowed from BODY: module id ->
 * {"properties.desired":{...}}. ERR_INVALID:
 * "modulesContent.$edgeAgent.properties.desired.modules.m.settings.image: ...". */
int manifest_check(const cJSON *body, const cJSON **ret_modules, struct err *err);

/* The desired section of one entry of modulesContent. */
const cJSON *manifest_desired(const cJSON *entry);

#endif
