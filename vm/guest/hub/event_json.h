/* A telemetry message as an Event Hubs consumer sees it, in JSON. Pure; any thread. */
#ifndef BERTH_HUB_EVENT_JSON_H
#define BERTH_HUB_EVENT_JSON_H

#include "core/base/json.h"
#include "vm/guest/hub/events.h"

/* {"sequence", "enqueuedTimeUtc", "deviceId", "moduleId"?, "properties": {what the application
 * set}, "systemProperties": {what the message and the hub say}, "bodyBase64"}; for the caller. */
cJSON *event_json(const struct event *event);

#endif
