/* MQTT 3.1.1 packets of both sides: the bytes, and nothing of what they mean to a hub. Pure; any
 * thread. */
#ifndef BERTH_IO_MQTT_PACKET_H
#define BERTH_IO_MQTT_PACKET_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IoT Hub takes messages of 256 KiB; the rest is room for topic and header. */
#define MQTT_PAYLOAD_MAX (256U << 10)
#define MQTT_PACKET_MAX  (MQTT_PAYLOAD_MAX + 65536U + 16U)
#define MQTT_FILTERS_MAX 50 /* in one packet */
#define MQTT_TEXT_MAX    65535U

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
};

enum mqtt_connack {
    MQTT_ACCEPTED = 0,
    MQTT_BAD_PROTOCOL = 1,
    MQTT_BAD_CLIENT_ID = 2,
    MQTT_UNAVAILABLE = 3,
    MQTT_BAD_LOGIN = 4,
    MQTT_NOT_AUTHORIZED = 5,
};

#define MQTT_SUBACK_FAILURE 0x80

/* Text inside the packet: not terminated, free of NUL, valid UTF-8. */
struct mqtt_text {
    const char *at; /* NULL where absent */
    size_t len;
};

struct mqtt_packet {
    enum mqtt_type type;
    uint16_t id; /* PUBLISH with QoS > 0, PUBACK, SUBSCRIBE, UNSUBSCRIBE */
    /* CONNECT */
    bool known_protocol; /* name MQTT, level 4; where false the other members are not set */
    bool clean;
    uint16_t keep_alive_s;
    struct mqtt_text client_id, user, password; /* password: any bytes */
    bool has_will;
    bool will_retain;
    struct mqtt_text will_topic, will_payload;
    /* PUBLISH */
    struct mqtt_text topic, payload; /* payload: any bytes */
    unsigned qos;
    bool retain;
    /* SUBSCRIBE, UNSUBSCRIBE: as they stand in the packet, for mqtt_packet_filter() */
    struct mqtt_text filters;
    /* CONNACK */
    unsigned code;
    /* SUBACK: one of the filters, or more */
    bool refused;
};

/* Reads the packet that a client sent at DATA. Returns its length, 0 where more bytes are needed,
 * -1 (ERR_PROTOCOL) where it breaks the protocol or is larger than MQTT_PACKET_MAX. RET points into
 * DATA. */
long mqtt_packet_parse(const char *data, size_t len, struct mqtt_packet *ret, struct err *err);
/* The same for what a server sends. */
long mqtt_reply_parse(const char *data, size_t len, struct mqtt_packet *ret, struct err *err);

/* The next filter of a SUBSCRIBE or UNSUBSCRIBE; AT begins at 0. False behind the last. */
bool mqtt_packet_filter(const struct mqtt_packet *p, size_t *at, struct mqtt_text *ret_filter,
                        unsigned *ret_qos);

/* What both sides send. All of a PUBLISH but its LEN bytes of payload, which the caller sends
 * behind it. ID 0: QoS 0. AGAIN: it was sent before. */
void mqtt_put_publish(struct buf *to, const char *topic, size_t len, uint16_t id, bool again);
void mqtt_put_puback(struct buf *to, uint16_t id);

/* What a server sends. */
void mqtt_put_connack(struct buf *to, bool session_present, enum mqtt_connack code);
void mqtt_put_suback(struct buf *to, uint16_t id, const unsigned char *codes, size_t n);
void mqtt_put_unsuback(struct buf *to, uint16_t id);
void mqtt_put_pingresp(struct buf *to);

/* What a client sends. No text may be longer than MQTT_TEXT_MAX. The session is a clean one;
 * PASSWORD may be NULL. */
void mqtt_put_connect(struct buf *to, const char *client_id, const char *user, const char *password,
                      uint16_t keep_alive_s);
void mqtt_put_subscribe(struct buf *to, uint16_t id, const char *const *filters, size_t n,
                        unsigned qos);
void mqtt_put_unsubscribe(struct buf *to, uint16_t id, const char *const *filters, size_t n);
void mqtt_put_pingreq(struct buf *to);
void mqtt_put_disconnect(struct buf *to);

#endif
