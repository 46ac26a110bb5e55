/* One MQTT 3.1.1 connection over any stream (TLS, a WebSocket over it), as a client: QoS 0 and 1
 * both ways, keep-alive. It keeps nothing but what is unacknowledged, and no message: who publishes
 * keeps it until on_delivered(). What MQTT libraries do not let one decide is decided by the owner
 * here: when a message of QoS 1 that came is acknowledged. Loop thread only. */
#ifndef BERTH_IO_MQTT_CLIENT_H
#define BERTH_IO_MQTT_CLIENT_H

#include "core/base/err.h"
#include "core/base/secret.h"
#include "core/io/stream.h"

#include <stdint.h>
#include <uv.h>

#define MQTT_CLIENT_IN_FLIGHT 64 /* of QoS 1 that may wait for their PUBACK */

struct mqtt_client;

struct mqtt_client_options {
    struct dialer *dialer; /* to HOST:PORT (tls_stream.h, websocket_stream.h); borrowed */
    const char *host;
    uint16_t port;
    const char *client_id;
    const char *username;
    uint16_t keep_alive_s;
};

/* None comes from inside a call; each may free the client. Any may be NULL but on_close. */
struct mqtt_client_events {
    void (*on_open)(void *arg);
    /* All that was asked of mqtt_client_subscribe() is in force. */
    void (*on_subscribed)(void *arg);
    /* ID 0: QoS 0. Else the server gets its PUBACK by mqtt_client_took(), and sends the message
     * again, sooner or later, where that never happens. TOPIC is UTF-8 without NUL. */
    void (*on_message)(void *arg, const char *topic, const char *data, size_t len, uint16_t id);
    void (*on_delivered)(void *arg, uint16_t token); /* the PUBACK of what was published came */
    /* The attempt failed, or the connection is gone, and with it all that was in flight: no token
     * of it comes any more. ERR_REMOTE: the server said no; ERR_AUTH: its certificate is not
     * trusted, or the proxy wants a password; ERR_PROTOCOL; ERR_UNREACHABLE. WHY is NULL after
     * mqtt_client_close(). */
    void (*on_close)(void *arg, const struct err *why);
};

/* Everything but the dialer is copied. */
struct mqtt_client *mqtt_client_new(uv_loop_t *loop, const struct mqtt_client_options *options,
                                    const struct mqtt_client_events *events, void *arg);
/* Says goodbye where it is open; no event comes any more. NULL is fine. */
void mqtt_client_free(struct mqtt_client *m);

/* Only while closed. PASSWORD NULL: a certificate proves who this is. */
int mqtt_client_open(struct mqtt_client *m, const struct secret *password, struct err *err);
void mqtt_client_close(struct mqtt_client *m); /* on_close follows */

/* Once open. All that fail as ERR_UNREACHABLE: on_close follows. */
int mqtt_client_subscribe(struct mqtt_client *m, const char *const *filters, size_t n, unsigned qos,
                          struct err *err);
int mqtt_client_unsubscribe(struct mqtt_client *m, const char *const *filters, size_t n,
                            struct err *err);
/* QOS 1: RET_TOKEN (else it may be NULL) comes back in on_delivered. ERR_BUSY: as much as may be
 * is in flight. ERR_INVALID: TOPIC or message are larger than MQTT or a hub has them. */
int mqtt_client_publish(struct mqtt_client *m, const char *topic, const void *data, size_t len,
                        unsigned qos, uint16_t *ret_token, struct err *err);
/* The message ID of this connection is durable here. */
void mqtt_client_took(struct mqtt_client *m, uint16_t id);

#endif
