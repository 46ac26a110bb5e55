/* What a CONNECT for IoT Hub says, also where an edge hub stands in for it: who it is from, and the
 * will. Pure; any thread. */
#ifndef BERTH_HUB_CONNECT_H
#define BERTH_HUB_CONNECT_H

#include "core/io/mqtt_packet.h"
#include "vm/guest/hub/topic.h"

/* Who it says it is: user name and client id must agree to the letter. */
int connect_read_user(const struct mqtt_packet *p, struct topic_user *ret, struct err *err);

/* What a client left to be sent in case it goes without a word. */
struct will {
    char *bag;
    struct buf payload;
    bool retain;
};
/* A will goes to the own telemetry topic, or nowhere. RET: a copy, NULL where there is none. */
int connect_read_will(const struct mqtt_packet *p, const struct topic_user *user, struct will **ret,
                      struct err *err);
void will_free(struct will *w); /* NULL is fine */
DEFINE_AUTO(will, struct will, will_free)
#define auto_will ATTR_CLEANUP(will_freep)

#endif
