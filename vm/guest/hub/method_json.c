/* See method_json.h. */
#include "vm/guest/hub/method_json.h"

#include <inttypes.h>
#include <string.h>

static int read_seconds(const cJSON *body, const char *name, uint64_t fallback, uint64_t min,
                        uint64_t *ret_ms, struct err *err)
{
    uint64_t seconds = fallback;

    if (json_get(body, name) &&
        (json_need_u64(body, name, 300, &seconds, NULL) < 0 || seconds < min))
        return err_set(err, ERR_INVALID, "%s: must be %" PRIu64 " to 300", name, min);
    *ret_ms = seconds * 1000;
    return 0;
}

int method_json_read(const cJSON *body, struct method_call *call, struct buf *payload,
                     struct err *err)
{
    if (json_need_str(body, "methodName", &call->name, err) < 0 ||
        read_seconds(body, "responseTimeoutInSeconds", 30, 5, &call->response_ms, err) < 0 ||
        read_seconds(body, "connectTimeoutInSeconds", 0, 0, &call->connect_ms, err) < 0)
        return -1;
    if (!method_name_valid(call->name))
        return err_set(err, ERR_INVALID, "methodName: must have 1 to 100 characters without / # +");
    if (json_get(body, "payload"))
        json_print(payload, json_get(body, "payload"));
    if (payload->len > METHOD_PAYLOAD_MAX)
        return err_set(err, ERR_INVALID, "payload: more than %u KB", METHOD_PAYLOAD_MAX / 1024);
    call->payload = buf_str(payload);
    call->len = payload->len;
    return 0;
}

cJSON *method_json_answer(unsigned status, const char *payload, size_t len)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *value = len > 0 ? json_parse(payload, len, NULL) : NULL;

    json_add_u64(out, "status", status);
    json_add(out, "payload", value ? value : cJSON_CreateNull());
    return out;
}
