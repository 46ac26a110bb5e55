/* Property bags as a device may send them, shown to who follows telemetry: the answer must be JSON.
 */
#include "vm/guest/hub/event_json.h"
#include "vm/guest/hub/topic.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct topic topic;

    if (topic_parse(text, size, &topic, NULL) < 0 || topic.kind != TOPIC_TELEMETRY)
        return 0;

    const struct event event = {.device = "d",
                                .module = "m",
                                .generation = "1",
                                .method = "{}",
                                .model_id = "",
                                .bag = topic.bag.at,
                                .bag_len = topic.bag.len,
                                .payload = text,
                                .len = size};
    auto_json cJSON *out = event_json(&event);
    auto_buf struct buf shown = {0};

    json_print(&shown, out);

    auto_json cJSON *again = json_parse(shown.data, shown.len, NULL);

    assert(again);
    return 0;
}
