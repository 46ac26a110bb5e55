/* Listeners and their connections: unix sockets, TLS and plain TCP alike become byte streams with
 * deadlines and bounded buffers. HTTP and MQTT are built on it.
 *
 * Output of one turn of the loop is gathered and sent at its end, after before_flush: what is
 * promised in it can be made durable there first, for all connections in one go. Loop thread only.
 */
#ifndef BERTH_IO_NET_SERVER_H
#define BERTH_IO_NET_SERVER_H

#include "core/base/err.h"
#include "core/io/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct net_server;
struct net_conn;

struct net_server_limits {
    unsigned connections_max; /* beyond it a new connection is closed at once */
    size_t in_max;            /* input that may wait for its consumer; then reading stops */
    size_t out_high; /* output that may wait for the peer before net_conn_write() says stop; no more
                        is read from it meanwhile */
    size_t out_max;  /* a connection with more is ended */
    uint64_t handshake_ms; /* until TLS is up */
    uint64_t stall_ms;     /* a peer that takes no output for so long is gone */
    uint64_t message_ms;   /* from the first to the last byte of a WebSocket's message */
};

struct net_server_events {
    /* A connection is ready (TLS is up). Returns what the other events get as X; NULL refuses it.
     */
    void *(*on_open)(struct net_conn *c, void *arg);
    /* Returns how many bytes it used. The rest comes again with more behind it, or after
     * net_conn_resume(). */
    size_t (*on_data)(void *x, const char *data, size_t len);
    void (*on_eof)(void *x);      /* the peer sends no more */
    void (*on_drain)(void *x);    /* after net_conn_write() said stop: all is out */
    void (*on_deadline)(void *x); /* the time of net_conn_deadline() is up */
    void (*on_close)(void *x);    /* it broke; C is gone after this. Not after net_conn_close() */
    /* Before the output of a turn is sent. False: it must not be; those connections break. Once for
     * all that have it and its ARG in common. */
    bool (*before_flush)(void *arg);
};

struct net_server *net_server_new(uv_loop_t *loop, const struct net_server_limits *limits,
                                  const struct net_server_events *events, void *arg);
/* Ends listeners and connections (with on_close). The loop must turn once more for the memory. NULL
 * is fine. */
void net_server_free(struct net_server *s);
/* Stops listening; connections stay. */
void net_server_stop_listening(struct net_server *s);
unsigned net_server_connections(const struct net_server *s);

/* Takes over PATH: a stale socket is replaced, one that answers is ERR_EXISTS. Owner and mode are
 * set before anyone can connect; uid/gid -1: leave. */
int net_server_listen_unix(struct net_server *s, const char *path, mode_t mode, uid_t uid,
                           gid_t gid, struct err *err);
/* ADDRESS is a numeric IPv4 or IPv6 address. ERR_EXISTS: "port N is taken by another program". TLS
 * is borrowed and outlives S. */
int net_server_listen_tls(struct net_server *s, const char *address, uint16_t port,
                          struct tls_server *tls, struct err *err);
/* The same in the clear, only for what any process of this machine may see and say. */
int net_server_listen_tcp(struct net_server *s, const char *address, uint16_t port,
                          struct err *err);
/* From now on it also listens on addresses that this machine does not have yet, such as a bridge's
 * that is made later; one that it never gets stays silent. */
void net_server_set_free_bind(struct net_server *s);
/* New connections use TLS from now on (a renewed certificate). */
void net_server_set_tls(struct net_server *s, struct tls_server *tls);

/* Queues a copy. False: more than out_high waits; go on at on_drain. */
bool net_conn_write(struct net_conn *c, const void *data, size_t len);
size_t net_conn_pending(const struct net_conn *c);
/* Ends it: what is queued is sent first, no event comes any more, C is gone for the caller. */
void net_conn_close(struct net_conn *c);
/* Ends it at once, dropping what is queued. */
void net_conn_abort(struct net_conn *c);
/* C belongs to another owner from now on: X is what its events get, and before_flush of EVENTS gets
 * ARG, which outlives C, and answers also for what waits to be sent. The deadline stays. What
 * on_data left over comes to the new owner at the end of this turn. */
void net_conn_hand_over(struct net_conn *c, const struct net_server_events *events, void *arg,
                        void *x);
/* C is a WebSocket from now on: what was written before goes out as it is, later each turn's output
 * is a binary message, and on_data gets the payload of binary messages as one stream, beginning
 * with what it left over so far. Pings, the goodbye (on_eof) and what breaks the protocol
 * (on_close) are dealt with. A message may be 4 MiB long; in_max is 512 KiB at least. */
void net_conn_websocket(struct net_conn *c);
/* The TLS under C, for the peer's certificate; NULL where there is none. */
const struct tls *net_conn_tls(const struct net_conn *c);
/* Input that on_data left over is offered again, at the end of this turn. */
void net_conn_resume(struct net_conn *c);
/* on_deadline in MS milliseconds; replaces the one before. 0: none. */
void net_conn_deadline(struct net_conn *c, uint64_t ms);
pid_t net_conn_peer_pid(const struct net_conn *c); /* 0 unless a unix socket */
const char *net_conn_peer_text(
    const struct net_conn *c); /* "127.0.0.1:51234" or "unix"; borrowed */

#endif
