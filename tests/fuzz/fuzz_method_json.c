/* The body of a direct method's call over REST, from anybody. What is taken is within the limits
 * that the error names, and its payload is JSON, which the answer then carries whole. */
#include "vm/guest/hub/method_json.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json cJSON *body = json_parse((const char *)data, size, NULL);
    auto_buf struct buf payload = {0};
    struct method_call call = {0};
    struct err err = {0};

    if (method_json_read(body, &call, &payload, &err) < 0) {
        assert(err.kind == ERR_INVALID && err.msg[0]);
        return 0;
    }
    assert(method_name_valid(call.name));
    assert(call.response_ms >= 5000 && call.response_ms <= 300000 && call.connect_ms <= 300000);
    assert(call.len <= METHOD_PAYLOAD_MAX && strlen(call.payload) == call.len);

    auto_json cJSON *answer = method_json_answer(200, call.payload, call.len);
    auto_buf struct buf again = {0};

    json_print(&again, json_get(answer, "payload"));
    assert(call.len == 0 ? strcmp(buf_str(&again), "null") == 0
                         : strcmp(buf_str(&again), call.payload) == 0);
    return 0;
}
