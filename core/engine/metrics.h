/* One VM's figures over the last hour, kept in memory: its own, its modules', and what modules
 * serve for Prometheus. Loop thread only. */
#ifndef BERTH_ENGINE_METRICS_H
#define BERTH_ENGINE_METRICS_H

#include "core/base/model.h"

#include <cjson/cJSON.h>

#define METRICS_POINTS     1800 /* an hour, a point every 2 s */
#define METRICS_SERIES_MAX 256  /* of one VM; more are not kept */

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* NULL is fine */

/* NAME "vm.cpu", MODULE NULL for the VM's own. Unknown values (below 0 for UNIT "%", not finite)
 * are left out. */
void metrics_add(struct metrics *m, const char *name, const char *module, const char *unit,
                 uint64_t at_ms, double value);

/* Everything that a status tells. */
void metrics_sample_vm(struct metrics *m, const struct vm_status *status, uint64_t at_ms);

/* {"series":[{"name","unit","module"?,"points":[[ms,value],...]}]}: points later than SINCE_MS. The
 * whole stays below the length of a line of the wire: where there is too much, older points are
 * left out. */
cJSON *metrics_json(const struct metrics *m, uint64_t since_ms);

#endif
