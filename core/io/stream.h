/* A byte stream on the loop: a unix socket, or a channel of a guest's SSH session. Both look the
 * same from above, so that one HTTP client and one log follower serve the local machine, the guest
 * and the tests.
 *
 * Loop thread only. Callbacks never run from inside the call that caused them. After stream_close()
 * no callback comes any more and the pointer is gone. */
#ifndef BERTH_IO_STREAM_H
#define BERTH_IO_STREAM_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define STREAM_OUT_MAX (4U << 20) /* bytes that may wait for a slow peer */

struct stream;

struct stream_events {
    void (*on_open)(void *arg); /* connected; writing is allowed before it, too */
    void (*on_data)(void *arg, const char *data, size_t len);
    void (*on_eof)(void *arg); /* the peer will send no more */
    void (*on_close)(void *arg,
                     const struct err *why); /* last event; WHY is NULL after an orderly end. The
                                                owner then calls stream_close() */
};

/* What a kind of stream implements; embedded as first member. Only stream kinds use it. */
struct stream_ops {
    int (*write)(struct stream *s, const void *data, size_t len, struct err *err);
    void (*shutdown)(struct stream *s);
    void (*pause)(struct stream *s, bool paused);
    void (*close)(struct stream *s);
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_events *events;
    void *arg;
};

/* Queues a copy. ERR_BUSY where more than STREAM_OUT_MAX would wait. */
int stream_write(struct stream *s, const void *data, size_t len, struct err *err);
/* Half-close: our side is done sending, once what is queued is out. */
void stream_shutdown(struct stream *s);
/* No on_data while paused; the peer is slowed down by its own window. */
void stream_pause(struct stream *s, bool paused);
/* Ends it from any state, also from inside a callback. NULL is fine. */
void stream_close(struct stream *s);

/* Who can open a stream to a unix socket path: this machine, or a guest over SSH. The failure to
 * connect comes as on_close. */
struct dialer {
    struct stream *(*open_unix)(struct dialer *d, const char *path,
                                const struct stream_events *events, void *arg);
};

/* A dialer for sockets of this machine. Free with dialer_local_free when no stream of it is left.
 */
struct dialer *dialer_local_new(uv_loop_t *loop);
void dialer_local_free(struct dialer *d);

#endif
