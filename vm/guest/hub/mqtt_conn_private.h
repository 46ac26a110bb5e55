/* What mqtt_conn.c (life, time, output, the server) and mqtt_conn_input.c (what clients send)
 * share. Nobody else includes this. */
#ifndef BERTH_HUB_MQTT_CONN_PRIVATE_H
#define BERTH_HUB_MQTT_CONN_PRIVATE_H

#include "vm/guest/hub/mqtt_conn.h"

struct mqtt_server {
    uv_loop_t *loop;
    const struct mqtt_head *const *heads;
    void *const *owners;
    bool (*before_flush)(void *arg);
    void *arg;
    struct net_server *net;
    struct mqtt_conn *conns;
    struct buf scratch; /* the packet that is being made */
};

/* A CONNECT whose check takes time. */
struct mqtt_asked {
    const struct mqtt_head *head;
    void *owner;
    uint16_t keep_alive_s;
    char client_id[]; /* for the log: sanitised */
};

struct mqtt_conn {
    struct mqtt_server *server;
    struct mqtt_conn *next, **pprev; /* of the server */
    struct net_conn *net;            /* NULL once it is over */
    const struct mqtt_head *head;    /* NULL: no CONNECT was accepted yet */
    void *x;
    struct mqtt_asked *asked; /* its head has not decided yet; no packet is taken meanwhile */
    uint64_t keep_alive_ms;
    uint64_t seen_ms; /* loop time of its last packet */
    uint64_t expiry_s;
    bool busy; /* its input is being worked off: that frees it, too */
    bool full; /* much output waits: no more input is taken meanwhile */
    uint16_t last_id;
    uint16_t in_flight[MQTT_IN_FLIGHT_MAX]; /* ids; 0: free */
};

/* mqtt_conn.c. As mqtt_conn_end(), for who works on C and frees it. */
void mqtt_conn_over(struct mqtt_conn *c, const char *why);
/* One timer serves keep-alive and expiry: it looks what is due and sets itself anew. Returns why
 * the time is up, or NULL. */
const char *mqtt_conn_watch(struct mqtt_conn *c);
uint16_t *mqtt_conn_in_flight(struct mqtt_conn *c, uint16_t id); /* NULL: no such one */
/* An answer: what is put into the buffer goes out with mqtt_conn_packet_end(). */
struct buf *mqtt_conn_packet(struct mqtt_conn *c);
void mqtt_conn_packet_end(struct mqtt_conn *c);

/* mqtt_conn_input.c. As on_data of net_server.h. */
size_t mqtt_conn_on_data(void *conn, const char *data, size_t len);

#endif
