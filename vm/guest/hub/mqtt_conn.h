/* One client's MQTT 3.1.1 connection: framing, the order of packets, keep-alive, limits, QoS 0 and
 * 1 both ways. What a CONNECT, a topic or a filter means is its head's: IoT Hub's (clients.c) or
 * the Device Provisioning Service's (dps_mqtt.c), chosen by the user name. The same over TLS and
 * over a WebSocket. Loop thread only. */
#ifndef BERTH_HUB_MQTT_CONN_H
#define BERTH_HUB_MQTT_CONN_H

#include "core/io/mqtt_packet.h"
#include "core/io/net_server.h"

#define MQTT_IN_FLIGHT_MAX 16 /* messages of QoS 1 to a client that wait for their PUBACK */

struct mqtt_conn;

/* All calls but the first two may be NULL where a head has no use for them. */
struct mqtt_head {
    /* The user name is this head's. It may be absent (user.at NULL). */
    bool (*wants)(void *owner, const struct mqtt_packet *connect);
    /* Checks a CONNECT. Returns what the other calls get as X, or NULL (ERR: why, for the log) and
     * the client is refused with NOT_AUTHORIZED. RET_PRESENT: its session was kept. The CONNACK is
     * queued before anything that is published from ready(). */
    void *(*connect)(void *owner, struct mqtt_conn *c, const struct mqtt_packet *p,
                     bool *ret_present, struct err *err);
    /* Instead of connect(), where the check takes time: begins it. True: mqtt_conn_accept() or
     * mqtt_conn_refuse() follows, never from inside; no more is read from the client until then. P
     * is good for the call only. abandon(): the client went before that. */
    bool (*connect_later)(void *owner, struct mqtt_conn *c, const struct mqtt_packet *p,
                          struct err *err);
    void (*abandon)(void *owner, struct mqtt_conn *c);
    void (*ready)(void *x); /* after the CONNACK */
    /* QoS 0 or 1. False (ERR: why): what a hub answers with a disconnect. Else a QoS 1 packet is
     * acknowledged. */
    bool (*publish)(void *x, const struct mqtt_packet *p, struct err *err);
    /* The code for the SUBACK: 0, 1 or MQTT_SUBACK_FAILURE. */
    unsigned char (*subscribe)(void *x, struct mqtt_text filter, unsigned qos);
    void (*subscribed)(void *x); /* after the SUBACK */
    void (*unsubscribe)(void *x, struct mqtt_text filter);
    void (*puback)(void *x, uint16_t id);
    void (*drained)(void *x); /* mqtt_conn_has_room() again */
    /* It is over, once, for an accepted connection; C must not be used any more. WHY: NULL where
     * the client said goodbye, so that its will is not sent. */
    void (*gone)(void *x, const char *why);
};

struct mqtt_server;

/* Beyond CONNECTIONS_MAX, a new one is closed at once. HEADS (NULL-terminated) are asked in turn
 * whether they want a CONNECT; OWNERS go with them. BEFORE_FLUSH as in net_server_events. All
 * borrowed. */
struct mqtt_server *mqtt_server_new(uv_loop_t *loop, unsigned connections_max,
                                    const struct mqtt_head *const *heads, void *const *owners,
                                    bool (*before_flush)(void *arg), void *arg);
void mqtt_server_free(struct mqtt_server *s); /* ends all connections; NULL is fine */
int mqtt_server_listen(struct mqtt_server *s, const char *address, uint16_t port,
                       struct tls_server *tls, struct err *err);
void mqtt_server_set_free_bind(struct mqtt_server *s); /* as of net_server.h */
void mqtt_server_set_tls(struct mqtt_server *s, struct tls_server *tls);
/* Whether a request is to IoT Hub's one address for MQTT over a WebSocket. */
struct http_exchange;
bool mqtt_server_wants(const struct http_exchange *x);
/* Makes the connection of a request for sub-protocol "mqtt" one of S's. As http_exchange_websocket.
 */
int mqtt_server_websocket(struct mqtt_server *s, struct http_exchange *x, struct err *err);

/* QoS 1: returns the packet's id, which puback() gets back; 0 where too many wait already. QoS 0:
 * returns 0. A client that reads neither this nor anything else is cut off in the end. */
uint16_t mqtt_conn_publish(struct mqtt_conn *c, const char *topic, const void *payload, size_t len,
                           unsigned qos);
/* The message with this ID once more, since its PUBACK does not come. */
void mqtt_conn_publish_again(struct mqtt_conn *c, uint16_t id, const char *topic,
                             const void *payload, size_t len);
/* False while much waits for the client to read it: what can wait, should, until drained(). */
bool mqtt_conn_has_room(const struct mqtt_conn *c);
/* The end of connect_later(): X as of connect(). ERR_AUTH, ERR_INVALID and ERR_NOT_FOUND tell the
 * client that it has no right to, all others to try again. */
void mqtt_conn_accept(struct mqtt_conn *c, void *x, bool present);
void mqtt_conn_refuse(struct mqtt_conn *c, const struct err *err);
/* Ends it; gone() comes before this returns. */
void mqtt_conn_end(struct mqtt_conn *c, const char *why);
/* The connection ends by itself at this wall-clock time (a token's end, and what its check allows
 * for clocks that differ); UINT64_MAX: never. */
void mqtt_conn_expires(struct mqtt_conn *c, uint64_t wall_s);
const struct tls *mqtt_conn_tls(const struct mqtt_conn *c);
const char *mqtt_conn_peer_text(const struct mqtt_conn *c); /* borrowed */

#endif
