/* Between request_json.c and request_sandbox.c; nobody else includes it. */
#ifndef BERTH_TUI_REQUEST_PRIVATE_H
#define BERTH_TUI_REQUEST_PRIVATE_H

#include "tui/ui.h"

#include <cjson/cJSON.h>

/* Calls METHOD for the screen on top; its answer comes as KIND. WHAT names it in messages: "restart
 * vision-ai". TIMEOUT_MS 0: the usual one. */
void request_ask(struct ui *ui, enum reply_kind kind, const char *what, const char *method,
                 cJSON *take_params, uint64_t timeout_ms);

/* Jobs remember who started them. */
void request_add_by(cJSON *params);

/* Hands an answer about the sandbox to its screen. */
void request_deliver_sandbox(struct ui *ui, uint64_t screen_id, struct reply *reply,
                             const cJSON *result);

#endif
