/* Messages to devices as a service may send them: what is made of them must be a topic. */
#include "vm/guest/hub/c2d_json.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json cJSON *json = json_parse((const char *)data, size, NULL);
    auto_c2d_row struct c2d_row row = {0};
    struct err err = {0};

    if (!cJSON_IsObject(json))
        return 0;
    if (c2d_json_read(json, "dev", 1700000000000, &row, &err) < 0) {
        assert(err.kind == ERR_INVALID && err.msg[0]);
        return 0;
    }
    assert(row.bag.len + row.body.len <= C2D_SIZE_MAX && row.message_id[0]);
    assert(topic_bag_each(row.bag.data, row.bag.len, NULL, NULL));
    return 0;
}
