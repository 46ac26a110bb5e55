/* One MQTT 3.1.1 connection over TLS or over a WebSocket, by Paho C. Paho calls back on threads of
 * its own; each such event is copied, queued and handed over, so that everything here happens on
 * the loop's thread. */
#ifndef BERTH_IO_MQTT_CLIENT_H
#define BERTH_IO_MQTT_CLIENT_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define MQTT_CLIENT_IN_FLIGHT 64 /* of QoS 1 that may wait for their PUBACK */

struct mqtt_client;

struct mqtt_client_options {
    const char *host;
    uint16_t port;
    const char *websocket_path; /* "/$iothub/websocket": over HTTPS; NULL: plain MQTT over TLS */
    const char *client_id;
    const char *username;
    const char *ca_file; /* trusted besides the system's store; "" none */
    const char *proxy;   /* "[http://][user:password@]host:port"; "" none */
    unsigned keep_alive_s;
};

struct mqtt_client_events {
    void (*on_open)(void *arg);
    /* QOS 1: the server gets its PUBACK once mqtt_client_took() says so, and sends the message
     * again after a new connection where that never happens. */
    void (*on_message)(void *arg, const char *topic, const char *data, size_t len, unsigned qos);
    void (*on_delivered)(void *arg, uint32_t token); /* the PUBACK of what was published came */
    /* The attempt failed, or the connection is gone, and with it all that was in flight: no token
     * of it comes any more. ERR_REMOTE: the server said no; ERR_AUTH: its certificate is not
     * trusted; ERR_UNREACHABLE. WHY is NULL after mqtt_client_close(). */
    void (*on_close)(void *arg, const struct err *why);
};

/* Everything is copied. NULL with ERR where Paho refuses the options. */
struct mqtt_client *mqtt_client_new(uv_loop_t *loop, const struct mqtt_client_options *options,
                                    const struct mqtt_client_events *events, void *arg,
                                    struct err *err);
/* Ends the connection without events; waits for Paho's threads (up to about a second). NULL is
 * fine. */
void mqtt_client_free(struct mqtt_client *m);

/* Only while closed. PASSWORD is copied by Paho; NULL where a certificate proves the identity. */
int mqtt_client_open(struct mqtt_client *m, const struct secret *password, struct err *err);
void mqtt_client_close(struct mqtt_client *m); /* on_close follows */

int mqtt_client_subscribe(struct mqtt_client *m, const char *const *topics, int n, unsigned qos,
                          struct err *err);
int mqtt_client_unsubscribe(struct mqtt_client *m, const char *const *topics, int n,
                            struct err *err);
/* QOS 1: RET_TOKEN (else it may be NULL) comes back in on_delivered. ERR_BUSY: as many as may be
 * are in flight. */
int mqtt_client_publish(struct mqtt_client *m, const char *topic, const void *data, size_t len,
                        unsigned qos, uint32_t *ret_token, struct err *err);
/* The last message of QoS 1 that on_message brought is durable here. */
void mqtt_client_took(struct mqtt_client *m);

#endif
