/* What the files remote*.c share; nobody else includes this.
 *
 * How the pieces fit. libssh is entered only from remote_turn(), which runs on the loop: when the
 * socket is ready, when the timer ticks, or on the turn after an owner asked for something (the
 * kick). What owners call (write, close, open) only marks and kicks. So libssh is never re-entered
 * from its own callbacks, and no owner's callback runs inside the owner's own call, although libssh
 * handles incoming packets inside nearly every function it has.
 *
 * Blocking. libssh sets the socket to blocking as soon as it is connected, and a send() of more
 * than the kernel has room for would then stop the whole engine for as long as the guest is stuck.
 * We set it back to non-blocking; libssh sends only after POLLOUT and copes with short writes.
 *
 * Back-pressure. While a stream is paused its data callback takes nothing, libssh keeps what has
 * come and does not grow the channel's window, so at most one window (1.28 MB) per channel waits in
 * memory. Outwards, we hand libssh the next piece only when its own buffer is empty and the peer's
 * window has room; the rest waits in the stream, bounded. */
#ifndef BERTH_IO_REMOTE_PRIVATE_H
#define BERTH_IO_REMOTE_PRIVATE_H

#include "core/base/buf.h"
#include "core/io/remote.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

struct remote_stream;

enum remote_state {
    REMOTE_STATE_TCP,       /* connect() is under way */
    REMOTE_STATE_HANDSHAKE, /* banner and key exchange */
    REMOTE_STATE_LOGIN,
    REMOTE_STATE_READY,
    REMOTE_STATE_ENDED,
};

struct remote {
    struct dialer dialer; /* first: remote_dialer() is a cast */
    uv_loop_t *loop;
    const struct remote_events *events;
    void *arg;
    char *where; /* "127.0.0.1:41022" */
    char *user;
    enum remote_state state;
    uint64_t timeout_ms;

    int fd;
    ssh_session session; /* owns fd once it is there */
    ssh_event event;
    ssh_key key;      /* ours */
    ssh_key host_key; /* the only one accepted */
    struct ssh_counter_struct traffic;

    uv_poll_t poll;
    uv_idle_t kick;
    uv_timer_t timer; /* the deadline of the login, then the keep-alive tick */
    unsigned handles;
    bool polling;    /* the poll handle is set up */
    uint64_t heard;  /* bytes received at the last tick */
    unsigned silent; /* ticks without a byte */
    bool tick;       /* the timer asked for a keep-alive */

    struct remote_stream **streams;
    size_t n_streams, cap_streams;

    struct err why; /* kind ERR_NONE while all is well */
    bool in_turn;
    bool told;  /* on_end was called */
    bool freed; /* the owner has let go */
};

/* Runs a turn soon. */
void remote_kick(struct remote *r);
/* Ends the session with the reason ERR; the first one wins. The owner is told at the end of the
 * turn. */
void remote_fail(struct remote *r, const struct err *err);

/* The streams. remote_stream_step: moves one as far as it goes without waiting; false when it is
 * done and may be freed. */
struct stream *remote_stream_dial(struct dialer *d, const char *path,
                                  const struct stream_events *events, void *arg);
bool remote_stream_step(struct remote_stream *s);
void remote_stream_free(struct remote_stream *s);
/* The session is over: the owner gets on_close with WHY, unless it has had it. */
void remote_stream_lost(struct remote_stream *s, const struct err *why);
/* The session goes away under a stream whose owner has not closed it: it stays until
 * stream_close(). */
void remote_stream_orphan(struct remote_stream *s);

/* The public key in a line "ssh-ed25519 AAAA... [comment]". Free with ssh_key_free. */
int remote_key_parse(const char *line, ssh_key *ret, struct err *err);

#endif
