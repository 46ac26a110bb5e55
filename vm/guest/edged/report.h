/* The reported properties of $edgeAgent (schema version 1.0), built whole; the hub gets the
 * difference (twin_diff). */
#ifndef BERTH_EDGED_REPORT_H
#define BERTH_EDGED_REPORT_H

#include "core/base/json.h"
#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/edge_hub.h"

#define REPORT_AGENT_IMAGE_FMT "berth-edged:%s"

/* RUNNING false: the last report before the end, where every module's state is unknown. STARTED_MS:
 * of this process. The caller frees it. */
cJSON *report_build(const struct agent *agent, const struct edge_hub *hub, uint64_t started_ms,
                    bool running);

/* Why the module is as it is, for people; "" where all is well. */
void report_describe(const struct module_view *view, char *to, size_t size);

#endif
