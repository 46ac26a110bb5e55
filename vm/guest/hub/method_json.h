/* The JSON of a direct method called over REST: the same of IoT Hub and of an edge hub. Pure; any
 * thread. */
#ifndef BERTH_HUB_METHOD_JSON_H
#define BERTH_HUB_METHOD_JSON_H

#include "core/base/json.h"
#include "vm/guest/hub/methods.h"

/* Fills in name, times and payload of CALL; they are borrowed from BODY and PAYLOAD. ERR_INVALID
 * names the member. */
int method_json_read(const cJSON *body, struct method_call *call, struct buf *payload,
                     struct err *err);
/* {"status":...,"payload":...}, for the caller. */
cJSON *method_json_answer(unsigned status, const char *payload, size_t len);

#endif
