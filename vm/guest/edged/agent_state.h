/* What the agent keeps on disk: the last desired properties and the restart counters. Blocking (a
 * small file); loop thread. */
#ifndef BERTH_EDGED_AGENT_STATE_H
#define BERTH_EDGED_AGENT_STATE_H

#include "core/base/json.h"
#include "vm/guest/edged/device.h"
#include "vm/guest/edged/plan.h"

#include <stdbool.h>

/* Whole and 0600: it holds registry passwords and modules' environment. */
int agent_state_write(const char *path, const struct device *device, const cJSON *desired,
                      const struct module_track *tracks, size_t n_tracks, struct err *err);

/* RET_DESIRED is NULL where the file is not there, or is of another device or hub, which
 * RET_FOREIGN tells. At most MAX tracks. */
int agent_state_read(const char *path, const struct device *device, bool *ret_foreign,
                     cJSON **ret_desired, struct module_track *tracks, size_t max, size_t *ret_n,
                     struct err *err);

#endif
