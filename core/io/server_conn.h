/* What server.c and conn.c share. Nobody else includes this. */
#ifndef BERTH_IO_SERVER_CONN_H
#define BERTH_IO_SERVER_CONN_H

#include "core/io/server.h"

#define SERVER_SCRATCH 65536

/* A uv_listen()ing handle. */
struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct server *server;
    struct listener *next;
    struct tls_server *tls; /* NULL: plain */
    char *path;             /* unix: unlinked at the end while still ours */
    ino_t inode;
};

enum conn_state {
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_ENDING, /* given up by its owner; output goes out, input is dropped */
    CONN_CLOSED, /* uv_close() runs */
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct server *server;
    struct conn *next, *prev; /* all of the server */
    struct conn *turn_next,
        **turn_pprev; /* those with work at the end of this turn; pprev NULL: not in it */
    void *x;
    struct tls *tls;
    enum conn_state state;
    bool reading;
    bool eof;
    bool stopped;   /* conn_write() said stop */
    bool redeliver; /* conn_resume() was called */
    bool sending;   /* write_req is in flight */
    bool shut;      /* shutdown of our side was asked for */
    unsigned handles_open;
    size_t dropped;    /* input thrown away while ENDING */
    size_t guard_left; /* bytes in flight when the guard was set */
    struct buf in;     /* plaintext nobody used yet */
    struct buf out;    /* plaintext to send */
    struct buf wire;   /* ciphertext to send */
    struct buf flying; /* what write_req sends */
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    uv_timer_t deadline;
    uv_timer_t guard; /* handshake, stalled output, lingering end */
    pid_t peer_pid;
    uid_t peer_uid;
    char peer[56];
};

struct server {
    uv_loop_t *loop;
    struct server_limits limits;
    const struct server_events *events;
    void *arg;
    uv_prepare_t prepare;
    struct listener *listeners;
    struct conn *conns;
    struct conn *turn;
    unsigned n_conns;
    unsigned refs; /* uv handles that still point here */
    bool freed;
    char scratch[SERVER_SCRATCH]; /* one read at a time: libuv calls the reader right after */
};

void server_unref(struct server *s);
/* Puts C on the list that is worked off at the end of the turn. */
void server_turn_add(struct conn *c);
void server_turn_remove(struct conn *c);
void server_conn_gone(struct conn *c); /* its handles are closed: unlink and free */

/* Accepts from L. */
void conn_accept(struct listener *l);
/* End of the turn: deliver what was resumed, then (2nd call) send. */
void conn_redeliver(struct conn *c);
void conn_flush(struct conn *c);
/* Ends it at once; EVENT: tell the owner. */
void conn_destroy(struct conn *c, bool event);

#endif
