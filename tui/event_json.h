/* An event of the sandbox as one line for people. */
#ifndef BERTH_TUI_EVENT_JSON_H
#define BERTH_TUI_EVENT_JSON_H

#include "core/base/buf.h"

#include <cjson/cJSON.h>

/* Appends `sensor-1/module  alert=true  {"t":21}` for an entry of event.sandbox, or its words where
 * it is one about the stream. Sanitised, no line end. */
void event_json_line(const cJSON *entry, struct buf *out);

#endif
