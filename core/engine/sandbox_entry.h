/* One event of the sandbox as it goes to a client: bounded, its body decoded where it is text. */
#ifndef BERTH_ENGINE_SANDBOX_ENTRY_H
#define BERTH_ENGINE_SANDBOX_ENTRY_H

#include "provision/hub_event.h"

#include <cjson/cJSON.h>

#define SANDBOX_ENTRY_MAX (704U << 10) /* bytes on the wire, at most */

/* {sequence, at, deviceId, moduleId?, properties{}, systemProperties{}, size, text?, bodyBase64?,
 * cut?}. `text`: the body, where it is UTF-8; `cut`: it or a property was too long to be shown
 * whole. Texts are as the device sent them. */
cJSON *sandbox_entry_json(const struct hub_event *event);

/* A word about the stream itself: {mark, text}. */
cJSON *sandbox_entry_mark(const char *mark, const char *text);

#endif
