/* MQTT packets as any peer may send them. */
#include "core/io/mqtt_packet.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
