/* Streams over channels of a remote session. See remote_private.h for who may call libssh when:
 * here, the functions behind `stream_ops` only mark, and the ones called from remote_turn() act. */
#include "core/io/remote_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define STREAM_PIECE_MAX (32U << 10)
#define STREAM_DRAIN_MAX (64U << 10)

enum channel_state { CHANNEL_NEW, CHANNEL_OPENING, CHANNEL_OPEN, CHANNEL_GONE };

struct remote_stream {
    struct stream base;
    struct remote *r; /* NULL: the session is gone */
    ssh_channel channel;
    struct ssh_channel_callbacks_struct callbacks;
    enum channel_state state;
    char *to;      /* path or host */
    uint16_t port; /* 0: `to` is a unix socket */
    struct buf out;
    size_t out_at; /* of it is sent */
    uint32_t held; /* bytes libssh keeps because the owner was paused */
    bool paused;
    bool shut; /* the owner is done sending */
    bool eof_sent;
    bool eof_got;
    bool eof_told;
    bool peer_closed; /* the channel was closed by the guest */
    bool told;        /* on_close was called */
    bool closed;      /* the owner has let go */
};

/* Whether the owner may be called. */
static bool stream_live(const struct remote_stream *s)
{
    return !s->closed && !s->told && s->r && !s->r->freed;
}

static void stream_tell_close(struct remote_stream *s, const struct err *why)
{
    if (!stream_live(s))
        return;
    s->told = true;
    s->base.events->on_close(s->base.arg, why);
}

/* ---- what the owner calls: mark and kick ---- */

static int op_write(struct stream *base, const void *data, size_t len, struct err *err)
{
    struct remote_stream *s = (struct remote_stream *)base;
    if (!s->r || s->told || s->shut)
        return err_set(err, ERR_UNREACHABLE, "write to %s: the connection has ended", s->to);
    if (s->out.len - s->out_at + len > STREAM_OUT_MAX)
        return err_set(err, ERR_BUSY, "write to %s: the other side does not read", s->to);
    buf_append(&s->out, data, len);
    remote_kick(s->r);
    return 0;
}

static void op_shutdown(struct stream *base)
{
    struct remote_stream *s = (struct remote_stream *)base;
    s->shut = true;
    if (s->r)
        remote_kick(s->r);
}

static void op_pause(struct stream *base, bool paused)
{
    struct remote_stream *s = (struct remote_stream *)base;
    s->paused = paused;
    if (s->r && !paused)
        remote_kick(s->r);
}

static void op_close(struct stream *base)
{
    struct remote_stream *s = (struct remote_stream *)base;
    if (s->closed)
        return;
    s->closed = true;
    if (s->r)
        remote_kick(s->r);
    else
        remote_stream_free(s);
}

static const struct stream_ops remote_ops = {
    .write = op_write,
    .shutdown = op_shutdown,
    .pause = op_pause,
    .close = op_close,
};

/* ---- what libssh calls, inside a turn ---- */

/* Returns how much was taken; what is not stays in libssh and holds the window down. */
static int on_channel_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
                           int is_stderr, void *arg)
{
    struct remote_stream *s = arg;
    (void)session;
    (void)channel;
    if (is_stderr || !stream_live(s))
        return (int)len;
    if (s->paused) {
        s->held = len;
        return 0;
    }
    s->held = 0;
    s->base.events->on_data(s->base.arg, data, len);
    return (int)len;
}

static void on_channel_eof(ssh_session session, ssh_channel channel, void *arg)
{
    struct remote_stream *s = arg;
    (void)session;
    (void)channel;
    s->eof_got = true;
}

static void on_channel_close(ssh_session session, ssh_channel channel, void *arg)
{
    struct remote_stream *s = arg;
    on_channel_eof(session, channel, arg);
    s->peer_closed = true;
}

/* ---- steps of a turn ---- */

/* Gives the channel back. libssh drops the CLOSE when the EOF in front of it could not be flushed
 * at once (it then returns SSH_AGAIN); the second call sends it. */
static void channel_drop(struct remote_stream *s)
{
    if (!s->channel)
        return;
    if (s->state == CHANNEL_OPEN && ssh_channel_close(s->channel) == SSH_AGAIN)
        (void)ssh_channel_close(s->channel);
    (void)ssh_remove_channel_callbacks(s->channel, &s->callbacks);
    ssh_channel_free(steal(s->channel));
    s->state = CHANNEL_GONE;
}

static int channel_open(struct remote_stream *s)
{
    /* The source address is only for the guest's log. */
    if (s->port)
        return ssh_channel_open_forward(s->channel, s->to, s->port, "127.0.0.1", 0);
    return ssh_channel_open_forward_unix(s->channel, s->to, "127.0.0.1", 0);
}

static void step_refused(struct remote_stream *s)
{
    char said[200];
    struct err err;
    str_sanitise_to(said, sizeof(said), ssh_get_error(s->r->session));
    /* RFC 4254: code 1 is a prohibition by the server, 2 a failed connect; others are lack of
     * resources. Behind the code stands what the server found, for TCP. */
    const char *found = strstr(said, "error (2) ");
    if (strstr(said, "error (1)"))
        err_set(&err, ERR_AUTH, "connect to %s in the VM: its SSH service does not allow it",
                s->to);
    else if (s->port && found)
        err_set(&err, ERR_UNREACHABLE, "connect to %s:%u in the VM: %s", s->to, s->port,
                found + strlen("error (2) "));
    else
        err_set(&err, ERR_UNREACHABLE, "connect to %s in the VM: nothing answers there", s->to);
    channel_drop(s);
    stream_tell_close(s, &err);
}

static void step_open(struct remote_stream *s)
{
    if (s->state == CHANNEL_NEW) {
        s->channel = ssh_channel_new(s->r->session);
        if (!s->channel)
            return; /* the session is broken; the turn notices */
        s->callbacks = (struct ssh_channel_callbacks_struct){
            .userdata = s,
            .channel_data_function = on_channel_data,
            .channel_eof_function = on_channel_eof,
            .channel_close_function = on_channel_close,
        };
        ssh_callbacks_init(&s->callbacks);
        (void)ssh_set_channel_callbacks(s->channel, &s->callbacks);
        s->state = CHANNEL_OPENING;
    }
    int rc = channel_open(s);
    if (rc == SSH_AGAIN)
        return;
    if (rc != SSH_OK) {
        if (!(ssh_get_status(s->r->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)))
            step_refused(s); /* else the whole session is broken: the turn notices */
        return;
    }
    s->state = CHANNEL_OPEN;
    if (stream_live(s) && s->base.events->on_open)
        s->base.events->on_open(s->base.arg);
}

/* What came while the owner was paused. */
static void step_drain(struct remote_stream *s)
{
    char room[STREAM_DRAIN_MAX];
    while (s->held && !s->paused && stream_live(s)) {
        uint32_t want = s->held < sizeof(room) ? s->held : (uint32_t)sizeof(room);
        int n = ssh_channel_read_timeout(s->channel, room, want, 0, 0);
        if (n <= 0) {
            s->held = 0;
            return;
        }
        s->held -= (uint32_t)n;
        s->base.events->on_data(s->base.arg, room, (size_t)n);
    }
}

static void step_write(struct remote_stream *s)
{
    while (s->out_at < s->out.len && !s->peer_closed) {
        uint32_t window = ssh_channel_window_size(s->channel);
        size_t len = s->out.len - s->out_at;
        if (len > STREAM_PIECE_MAX)
            len = STREAM_PIECE_MAX;
        if (len > window)
            len = window;
        if (!len || (ssh_get_status(s->r->session) & SSH_WRITE_PENDING))
            return;
        int n = ssh_channel_write(s->channel, s->out.data + s->out_at, (uint32_t)len);
        if (n <= 0)
            return; /* a key exchange is under way, or the session broke: the turn notices */
        s->out_at += (size_t)n;
    }
    if (s->out.len)
        explicit_bzero(s->out.data, s->out.len);
    buf_clear(&s->out);
    s->out_at = 0;
}

static void step_finish(struct remote_stream *s)
{
    if (s->shut && !s->eof_sent && !s->out.len && !s->peer_closed) {
        (void)ssh_channel_send_eof(s->channel);
        s->eof_sent = true;
    }
    if (s->eof_got && !s->eof_told && !s->held && !s->paused && stream_live(s)) {
        s->eof_told = true;
        s->base.events->on_eof(s->base.arg);
    }
    if (s->eof_told && (s->eof_sent || s->peer_closed))
        stream_tell_close(s, NULL);
}

bool remote_stream_step(struct remote_stream *s)
{
    if (s->closed && s->state != CHANNEL_OPENING) {
        channel_drop(s);
        return false;
    }
    /* A channel that is being opened is never just dropped: the guest would keep its end for good.
     */
    if (s->state == CHANNEL_NEW || s->state == CHANNEL_OPENING)
        step_open(s);
    if (s->state != CHANNEL_OPEN || s->closed || !s->channel)
        return true;
    step_drain(s);
    step_write(s);
    step_finish(s);
    return true;
}

void remote_stream_lost(struct remote_stream *s, const struct err *why)
{
    stream_tell_close(s, why);
}

void remote_stream_orphan(struct remote_stream *s)
{
    s->channel = NULL; /* freed with the session */
    s->state = CHANNEL_GONE;
    s->r = NULL;
    if (s->closed)
        remote_stream_free(s);
}

void remote_stream_free(struct remote_stream *s)
{
    buf_wipe(&s->out);
    free(s->to);
    free(s);
}

/* ---- opening ---- */

static struct stream *stream_new(struct remote *r, const char *to, uint16_t port,
                                 const struct stream_events *events, void *arg)
{
    struct remote_stream *s = xcalloc(1, sizeof(*s));
    s->base = (struct stream){.ops = &remote_ops, .events = events, .arg = arg};
    s->r = r;
    s->to = xstrdup(to);
    s->port = port;
    if (r->n_streams == r->cap_streams) {
        r->cap_streams = r->cap_streams ? 2 * r->cap_streams : 16;
        r->streams = xreallocarray(r->streams, r->cap_streams, sizeof(*r->streams));
    }
    r->streams[r->n_streams++] = s;
    remote_kick(r);
    return &s->base;
}

struct stream *remote_stream_dial(struct dialer *d, const char *path,
                                  const struct stream_events *events, void *arg)
{
    return stream_new((struct remote *)d, path, 0, events, arg);
}

struct stream *remote_open_tcp(struct remote *r, const char *host, uint16_t port,
                               const struct stream_events *events, void *arg)
{
    return stream_new(r, host, port, events, arg);
}
