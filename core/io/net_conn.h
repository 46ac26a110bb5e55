/* What net_server.c, net_conn.c and net_output.c share. Nobody else includes this. */
#ifndef BERTH_IO_NET_CONN_H
#define BERTH_IO_NET_CONN_H

#include "core/base/queue.h"
#include "core/io/net_server.h"
#include "core/io/websocket.h"

#define NET_SCRATCH 65536

/* A uv_listen()ing handle. */
struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_server *server;
    struct listener *next;
    struct tls_server *tls; /* NULL: plain */
    char *path;             /* unix: unlinked at the end while still ours; NULL: TCP */
    ino_t inode;
};

/* Whose a connection is. One for each pair of EVENTS and ARG, so that before_flush is asked once.
 */
struct net_owner {
    struct net_owner *next; /* all of the server */
    const struct net_server_events *events;
    void *arg;
    unsigned conns;
    bool wanted; /* one of its connections has output in this round */
    bool asked;
    bool keep; /* what before_flush said */
};

enum net_conn_state {
    NET_CONN_HANDSHAKE,
    NET_CONN_OPEN,
    NET_CONN_ENDING, /* given up by its owner; output goes out, input is dropped */
    NET_CONN_CLOSED, /* uv_close() runs */
};

struct net_conn {
    struct queue_link turn; /* in the server's, where it has work at the end of this turn */
    uint64_t round;         /* of the server, in which it was put there */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_server *server;
    struct net_conn *next, *prev; /* all of the server */
    struct net_owner *owner;
    void *x;
    struct tls *tls;             /* NULL: plain */
    struct websocket *websocket; /* NULL: a stream without frames */
    enum net_conn_state state;
    bool reading;
    bool eof;       /* nothing more can come */
    bool eof_told;  /* the owner knows that the peer says no more */
    bool offering;  /* on_data runs */
    bool stopped;   /* net_conn_write() said stop */
    bool redeliver; /* net_conn_resume() was called */
    bool sending;   /* write_req is in flight */
    bool shut;      /* shutdown of our side was asked for */
    unsigned handles_open;
    size_t dropped;    /* input thrown away while ENDING */
    size_t guard_left; /* bytes in flight when the guard was set */
    struct buf in;     /* plaintext nobody used yet */
    struct buf out;    /* plaintext to send */
    struct buf wire;   /* the same in frames and TLS records, where it has them */
    struct buf flying; /* what write_req sends */
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    uv_timer_t deadline;
    uv_timer_t guard;   /* handshake, stalled output, lingering end */
    uv_timer_t message; /* a WebSocket's message that is not complete */
    uint64_t message_number;
    pid_t peer_pid;
    char peer[56];
};

struct net_server {
    uv_loop_t *loop;
    struct net_server_limits limits;
    struct net_owner *owners;
    struct net_owner *own; /* whose new connections are */
    uv_prepare_t prepare;
    uv_idle_t awake; /* runs while a turn has something to send */
    struct listener *listeners;
    struct net_conn *conns;
    struct queue turn;
    unsigned n_conns;
    unsigned refs; /* uv handles that still point here */
    bool freed;
    bool free_bind;
    uint64_t round;            /* of sending; what is written while one runs is for the next */
    char scratch[NET_SCRATCH]; /* one read at a time: libuv calls the reader right after */
};

void net_server_unref(struct net_server *s);
/* Puts C on the list that is worked off at the end of the turn. */
void net_server_turn_add(struct net_conn *c);
/* Gives C to the owner of EVENTS and ARG. */
void net_server_own(struct net_conn *c, const struct net_server_events *events, void *arg);
void net_server_conn_gone(struct net_conn *c); /* its handles are closed: unlink and free */

/* Accepts from L. */
void net_conn_accept(struct listener *l);
/* End of the turn: deliver what was resumed, then (2nd call) send. */
void net_conn_redeliver(struct net_conn *c);
void net_conn_flush(struct net_conn *c);
/* Ends it at once; EVENT: tell the owner. */
void net_conn_destroy(struct net_conn *c, bool event);

void net_conn_update_reading(struct net_conn *c);
/* Ends it in MS milliseconds unless output gets on by then. */
void net_conn_guard(struct net_conn *c, uint64_t ms);
/* Makes LEN bytes ready for the socket, behind what is so already. */
void net_conn_seal(struct net_conn *c, const char *data, size_t len);

#endif
