/* What the files of the cloud share: cloud.c connects, cloud_twin.c speaks of the twin,
 * cloud_method.c of direct methods. Nobody else includes this. */
#ifndef BERTH_EDGED_CLOUD_PRIVATE_H
#define BERTH_EDGED_CLOUD_PRIVATE_H

#include "core/io/clock_watch.h"
#include "core/io/mqtt_client.h"
#include "vm/guest/edged/cloud.h"
#include "vm/guest/edged/identity.h"
#include "vm/guest/edged/provisioning.h"

enum step { STEP_PAUSE, STEP_DEVICE, STEP_IDENTITY, STEP_CONNECT, STEP_ONLINE, STEP_RENEW };

struct cloud {
    uv_loop_t *loop;
    struct cloud_options o;
    struct provisioning *provisioning;
    struct device device; /* empty until it is known, and so are the next two */
    struct identity *identity;
    struct dialer *dialer, *websocket; /* the latter where MQTT goes over HTTPS's port, or NULL */
    struct mqtt_client *mqtt;
    struct keys_handle key; /* the module's */
    uv_timer_t *timer;      /* pause, or renewal */
    struct clock_watch *clock;
    uv_timer_t *answer; /* the hub owes a twin or the answer to a report */
    const struct cloud_events *events;
    void *arg;

    enum step step;
    unsigned failures;
    unsigned rid;        /* of the last request */
    unsigned twin_rid;   /* waited for; 0 none */
    unsigned report_rid; /* waited for; 0 none */

    enum cloud_word word;
    uint64_t since_ms;
    char error[400];
};

/* What the hub has to be asked for before the twin's topics come. */
int cloud_twin_subscribe(struct cloud *c, struct err *err);
void cloud_twin_message(void *arg, const char *topic, const char *data, size_t len, uint16_t id);
/* False where TOPIC is not a method's. */
bool cloud_method_message(struct cloud *c, const char *topic, const char *data, size_t len);
/* Nothing that was asked will be answered. */
void cloud_twin_reset(struct cloud *c);

#endif
