/* Optional members of a body that a service client wrote: absent and null are the same, and what is
 * of another type is refused by its JSON path. Pure; any thread. */
#ifndef BERTH_HUB_DPS_JSON_H
#define BERTH_HUB_DPS_JSON_H

#include "core/base/json.h"

#define DPS_PATH_MAX 160

/* "ROOT.KEY", or KEY at the top (ROOT ""). */
void dps_path(char *to, size_t size, const char *root, const char *key);

/* NULL or absent leaves RET alone. ERR_INVALID. */
int dps_json_text(const cJSON *obj, const char *root, const char *key, const char **ret,
                  struct err *err);
int dps_json_bool(const cJSON *obj, const char *root, const char *key, bool *ret, struct err *err);
int dps_json_object(const cJSON *obj, const char *root, const char *key, const cJSON **ret,
                    struct err *err);
int dps_json_array(const cJSON *obj, const char *root, const char *key, const cJSON **ret,
                   struct err *err);

#endif
