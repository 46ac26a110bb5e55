/* JSON-RPC 2.0 messages as they stand on a line: building and taking apart. Pure; both ends of the
 * wire use it. Ids are whole numbers. */
#ifndef BERTH_RPC_MESSAGE_H
#define BERTH_RPC_MESSAGE_H

#include "core/base/err.h"

#include <cjson/cJSON.h>
#include <stdint.h>

enum message_type { MESSAGE_CALL, MESSAGE_EVENT, MESSAGE_RESULT, MESSAGE_ERROR };

/* A parsed line. Everything is borrowed from `json`, which message_done() frees. */
struct message {
    cJSON *json;
    enum message_type type;
    uint64_t id; /* of a call, result or error; 0 where an error answers no call in particular */
    const char *method;  /* of a call or event */
    const cJSON *params; /* of a call or event; an object, or NULL where there are none */
    const cJSON *result;
    struct err error; /* sanitised */
};

/* ERR_PROTOCOL for what is no message; RET_ID (may be NULL) is then the id to answer, 0 where there
 * is none. */
int message_parse(const char *line, size_t len, struct message *ret, uint64_t *ret_id,
                  struct err *err);
void message_done(struct message *m);
#define auto_message ATTR_CLEANUP(message_done)

/* PARAMS NULL: none. Never NULL. */
cJSON *message_call(uint64_t id, const char *method, cJSON *take_params);
cJSON *message_event(const char *method, cJSON *take_params);
cJSON *message_result(uint64_t id, cJSON *take_result);
cJSON *message_error(uint64_t id, const struct err *error);

/* cJSON_Delete, but overwrites every string first: parameters may hold a secret. NULL is fine. */
void message_free(cJSON *json);

#endif
