/* MQTT packets as any peer may send them. */
#include "core/io/mqtt_packet.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_replies(const uint8_t *data, size_t size)
{
    struct mqtt_packet p;
    long n;

    while (size > 0 && (n = mqtt_reply_parse((const char *)data, size, &p, NULL)) > 0) {
        assert((size_t)n <= size && p.topic.len + p.payload.len <= (size_t)n);
        data += n;
        size -= (size_t)n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_replies(data, size);
    while (size > 0) {
        struct mqtt_packet p;
        struct mqtt_text filter;
        unsigned qos;
        size_t at = 0;
        long n = mqtt_packet_parse((const char *)data, size, &p, NULL);

        if (n <= 0)
            break;
        assert((size_t)n <= size);
        if (p.type == MQTT_SUBSCRIBE || p.type == MQTT_UNSUBSCRIBE)
            while (mqtt_packet_filter(&p, &at, &filter, &qos))
                assert(filter.len > 0 && qos <= 2);
        data += n;
        size -= (size_t)n;
    }
    return 0;
}
