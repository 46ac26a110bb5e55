/* What several verbs do with the runtime's list of modules. */
#ifndef BERTH_IOTEDGE_MODULES_H
#define BERTH_IOTEDGE_MODULES_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdint.h>

#define MODULES_MAX      256
#define MODULES_NAME_MAX 130

/* Those of an answer of GET /modules that have a name, in the order of the names; borrowed. */
size_t modules_sorted(const cJSON *list, const cJSON **ret, size_t max);
/* "Up 3 minutes", "Failed (137) a minute ago". Appended, not sanitised. */
void modules_describe(const cJSON *module, uint64_t now_ms, struct buf *out);
/* Says ERR, and where the names are if that is what was wrong. Returns the exit status. */
int modules_not_found(struct err *err);

#endif
