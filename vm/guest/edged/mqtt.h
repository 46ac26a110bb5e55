/* One MQTT 3.1.1 connection over TLS, by Paho C. Paho calls back on threads of its own; each such
 * event is copied, queued and handed over, so that everything here happens on the loop's thread. */
#ifndef BERTH_EDGED_MQTT_H
#define BERTH_EDGED_MQTT_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdint.h>
#include <uv.h>

struct mqtt;

struct mqtt_options {
    const char *host;
    uint16_t port;
    const char *client_id;
    const char *username;
    const char *ca_file; /* trusted besides the system's store; "" none */
    const char *proxy;   /* "[http://][user:password@]host:port"; "" none */
    unsigned keep_alive_s;
};

struct mqtt_events {
    void (*on_open)(void *arg);
    void (*on_message)(void *arg, const char *topic, const char *data, size_t len);
    /* The attempt failed, or the connection is gone. ERR_REMOTE: the server said no; ERR_AUTH: its
     * certificate is not trusted; ERR_UNREACHABLE. WHY is NULL after mqtt_close. */
    void (*on_close)(void *arg, const struct err *why);
};

/* Everything is copied. NULL with ERR where Paho refuses the options. */
struct mqtt *mqtt_new(uv_loop_t *loop, const struct mqtt_options *options,
                      const struct mqtt_events *events, void *arg, struct err *err);
/* Ends the connection without events; waits for Paho's threads (up to about a second). NULL is
 * fine. */
void mqtt_free(struct mqtt *m);

/* Only while closed. PASSWORD is copied by Paho. */
int mqtt_open(struct mqtt *m, const struct secret *password, struct err *err);
void mqtt_close(struct mqtt *m); /* on_close follows */

int mqtt_subscribe(struct mqtt *m, const char *const *topics, int n, struct err *err); /* QoS 0 */
int mqtt_publish(struct mqtt *m, const char *topic, const void *data, size_t len,
                 struct err *err); /* QoS 0 */

#endif
