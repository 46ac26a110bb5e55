/* Topics, filters, user names and property bags: text from a client that has not been believed yet,
 * or from a hub. */
#include "vm/guest/hub/topic.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool each(void *arg, const char *key, const char *value)
{
    (void)arg;
    return key[0] != 'x' && (!value || value[0] != 'x');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct topic topic;
    struct topic_reply reply;
    struct topic_user user;

    if (topic_parse(text, size, &topic, NULL) == 0 && topic.kind == TOPIC_TELEMETRY)
        (void)topic_bag_each(topic.bag.at, topic.bag.len, each, NULL);
    (void)topic_bag_each(text, size, each, NULL);
    (void)topic_filter(text, size, "d", "m");
    (void)topic_parse_reply(text, size, &reply, NULL);
    (void)topic_parse_user(text, size, &user, NULL);
    return 0;
}
