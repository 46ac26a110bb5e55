/* What several configurations together say to the twins of one device. Pure; any thread.
 *
 * A configuration sets values at paths of a twin: "properties.desired" as a whole, or
 * "properties.desired.a.b". The higher rank wins where two set the same place or one inside it. */
#ifndef BERTH_HUB_CONFIGURATION_MERGE_H
#define BERTH_HUB_CONFIGURATION_MERGE_H

#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether a configuration can set PATH. */
bool layers_path_valid(const char *path);

/* One that targets the device. */
struct layer {
    const cJSON *content; /* module id -> {path: value} */
    bool whole;           /* a base deployment */
    bool applied;         /* out: something of it is in the result */
};

/* Merges LAYERS, the highest rank first. NEED_BASE: IoT Edge deployments, of which the first whole
 * one and what ranks above it count, and nothing where there is no whole one. Returns {module id:
 * {path: value}} for the caller, in an order in which the paths can be set one after the other;
 * NULL where nothing applies. */
cJSON *layers_merge(struct layer *layers, size_t n, bool need_base);

/* DESIRED as it is with SETTINGS ({path: value}) put into it; BEFORE (may be NULL) is what was set
 * the last time, and disappears unless it is set again. For the caller. */
cJSON *layers_desired(const cJSON *desired, const cJSON *settings, const cJSON *before);

#endif
