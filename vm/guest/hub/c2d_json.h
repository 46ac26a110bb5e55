/* A message to a device as the sandbox's HTTP form has it, in JSON, made into what is queued: body
 * and encoded property bag. */
#ifndef BERTH_HUB_C2D_JSON_H
#define BERTH_HUB_C2D_JSON_H

#include "core/base/json.h"
#include "vm/guest/hub/store_c2d.h"

#define C2D_SIZE_MAX   (64U << 10)       /* of a message with its properties */
#define C2D_TTL_MS     UINT64_C(3600000) /* where the sender names no expiry */
#define C2D_TTL_MAX_MS (48 * UINT64_C(3600000))

/* {messageId?, correlationId?, userId?, contentType?, contentEncoding?, expiryTimeUtc?, ack?,
 * properties?{name: text}, body? | bodyBase64?}. A message without an id gets one. RET is empty
 * before. ERR_INVALID names the member. */
int c2d_json_read(const cJSON *json, const char *device, uint64_t now_ms, struct c2d_row *ret,
                  struct err *err);

#endif
