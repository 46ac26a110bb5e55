/* What modules send to the workload API. Pure. */
#ifndef BERTH_EDGED_WORKLOAD_BODY_H
#define BERTH_EDGED_WORKLOAD_BODY_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/json.h"

/* The bytes that member KEY has as base64, whole and padded. ERR_PROTOCOL: it is missing or no
 * string; ERR_INVALID: not base64. BODY NULL: ERR_INVALID. */
int workload_body_bytes(const cJSON *body, const char *key, struct buf *out, struct err *err);
/* The text of member KEY; borrowed from BODY. */
int workload_body_text(const cJSON *body, const char *key, const char **ret, struct err *err);

/* Whether a process is listed in an engine's answer to "top": by its number on this machine. */
bool workload_body_top_has(const cJSON *top, const char *title, uint64_t pid);

#endif
