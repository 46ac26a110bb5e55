/* The session: connect, key exchange, login, the turn, the keep-alive, the end. See
 * remote_private.h for how it works and remote_stream.c for the channels. */
#include "core/io/remote_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/server.h> /* ssh_send_keepalive */
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define REMOTE_READS_MAX \
    64 /* socket reads (4 KiB each) in one turn: other work of the loop gets its share */
#define REMOTE_TICK_MS    2500
#define REMOTE_SILENT_MAX 5 /* ticks without a byte, though asked: 12.5 s */
#define REMOTE_TIMEOUT_MS 30000
#define REMOTE_CIPHERS \
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr"

static void remote_turn(struct remote *r);
static void remote_teardown(struct remote *r);

/* ---- errors, in a technician's words ---- */

void remote_fail(struct remote *r, const struct err *err)
{
    if (r->why.kind != ERR_NONE)
        return;
    r->why = *err;
    r->state = REMOTE_STATE_ENDED;
    remote_kick(r);
}

static void fail_identity(struct remote *r)
{
    struct err err;
    err_set(&err, ERR_AUTH, "the VM's identity is not the one made when it was installed");
    err_hint(&err,
             "Something else answers at %s. If the VM's files were replaced or restored, delete "
             "the VM and install it again.",
             r->where);
    remote_fail(r, &err);
}

static void fail_login(struct remote *r)
{
    struct err err;
    err_set(&err, ERR_AUTH, "the VM refused the key that was made when it was installed");
    err_hint(&err, "Restart the VM: it takes its keys anew at every start.");
    remote_fail(r, &err);
}

static void fail_connect(struct remote *r, int errnum)
{
    struct err err;
    if (errnum == ECONNREFUSED)
        err_set(&err, ERR_UNREACHABLE, "nothing listens at %s: the VM is off, or still starting",
                r->where);
    else
        err_sys(&err, errnum, "connect to the VM at %s", r->where);
    remote_fail(r, &err);
}

/* libssh says that the session is broken. */
static void fail_session(struct remote *r)
{
    struct err err;
    char said[300];
    str_sanitise_to(said, sizeof(said), ssh_get_error(r->session));
    if (r->state == REMOTE_STATE_READY)
        err_set(&err, ERR_UNREACHABLE, "the VM closed the connection (%s)", said);
    else if (!ssh_get_serverbanner(r->session))
        /* QEMU's user network accepts before the guest listens and then hangs up. */
        err_set(&err, ERR_UNREACHABLE, "the VM's SSH service does not answer at %s yet", r->where);
    else
        err_set(&err, ERR_PROTOCOL, "the SSH session with the VM could not be set up: %s", said);
    /* A peer that has no key of the pinned kind is not our VM either. */
    if (err.kind == ERR_PROTOCOL && strstr(said, "server host key"))
        fail_identity(r);
    else
        remote_fail(r, &err);
}

static void fail_timeout(struct remote *r)
{
    struct err err;
    if (r->state == REMOTE_STATE_READY) {
        err_set(&err, ERR_TIMEOUT, "the VM has stopped answering");
        err_hint(&err, "If it stays silent, look at its console log, then restart it.");
    } else if (r->state == REMOTE_STATE_TCP || !ssh_get_serverbanner(r->session)) {
        err_set(&err, ERR_TIMEOUT, "the VM's SSH service did not answer at %s in %u s", r->where,
                (unsigned)(r->timeout_ms / 1000));
    } else {
        err_set(&err, ERR_TIMEOUT, "the VM's SSH service began to answer, but was too slow");
    }
    remote_fail(r, &err);
}

/* ---- from the loop to the turn ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct remote *r = poll->data;
    int one = 1;
    (void)status; /* an error shows in the next read or write */
    /* sshd leaves Nagle's algorithm on for channels without a terminal: it holds the second packet
     * of an answer back until the first is acknowledged, which waits 40 ms without this. */
    if (events & UV_READABLE)
        (void)setsockopt(r->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
    remote_turn(r);
}

static void on_kick(uv_idle_t *kick)
{
    struct remote *r = kick->data;
    (void)uv_idle_stop(kick);
    remote_turn(r);
}

static void on_timer(uv_timer_t *timer)
{
    struct remote *r = timer->data;
    if (r->state == REMOTE_STATE_READY) {
        r->silent = r->traffic.in_bytes == r->heard ? r->silent + 1 : 0;
        r->heard = r->traffic.in_bytes;
        r->tick = true;
        if (r->silent >= REMOTE_SILENT_MAX)
            fail_timeout(r);
    } else if (r->state != REMOTE_STATE_ENDED) {
        fail_timeout(r);
    }
    remote_turn(r);
}

void remote_kick(struct remote *r)
{
    if (!r->freed)
        (void)uv_idle_start(&r->kick, on_kick);
}

/* Waits for what libssh waits for. Reading never stops: packets of all channels come through the
 * one socket, and each channel's window bounds what it may bring. */
static void remote_watch(struct remote *r)
{
    int events = 0;
    if (r->state == REMOTE_STATE_TCP) {
        events = UV_WRITABLE;
    } else if (r->state != REMOTE_STATE_ENDED) {
        int flags = ssh_get_poll_flags(r->session);
        events = UV_READABLE | (flags & SSH_WRITE_PENDING ? UV_WRITABLE : 0);
    }
    if (events)
        (void)uv_poll_start(&r->poll, events, on_poll);
    else if (r->polling)
        (void)uv_poll_stop(&r->poll);
}

/* ---- connecting ---- */

static int tcp_start(struct remote *r, const struct remote_target *target, struct err *err)
{
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", target->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *addr = NULL;
    if (getaddrinfo(target->host, port, &hints, &addr) != 0)
        return err_set(err, ERR_INVALID, "connect to the VM: %s is not an IP address",
                       target->host);

    r->fd = socket(addr->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    if (r->fd >= 0)
        (void)setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    int why = 0;
    if (r->fd < 0 || connect(r->fd, addr->ai_addr, addr->ai_addrlen) < 0)
        why = errno;
    freeaddrinfo(addr);
    if (why && why != EINPROGRESS) {
        fail_connect(r, why);
        return 0;
    }
    if (uv_poll_init(r->loop, &r->poll, r->fd) < 0)
        return err_set(err, ERR_SYSTEM, "watch the connection to the VM");
    r->poll.data = r;
    r->polling = true;
    r->handles++;
    return 0;
}

/* libssh gets a descriptor of its own: it closes it when the session breaks, while ours is still
 * watched by the loop. */
static int session_new(struct remote *r)
{
    static const int no = 0;
    int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    struct {
        enum ssh_options_e name;
        const void *value;
    } options[] = {
        {SSH_OPTIONS_PROCESS_CONFIG, &no}, /* nothing of this user's ~/.ssh has a say */
        {SSH_OPTIONS_HOST, "vm"},
        {SSH_OPTIONS_USER, r->user},
        {SSH_OPTIONS_FD, &fd},
        {SSH_OPTIONS_KNOWNHOSTS, "/dev/null"},
        {SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"},
        {SSH_OPTIONS_HOSTKEYS, ssh_key_type_to_char(ssh_key_type(r->host_key))},
        {SSH_OPTIONS_CIPHERS_C_S, REMOTE_CIPHERS},
        {SSH_OPTIONS_CIPHERS_S_C, REMOTE_CIPHERS},
        {SSH_OPTIONS_COMPRESSION, "no"},
    };
    r->session = fd < 0 ? NULL : ssh_new();
    bool ok = r->session != NULL;
    for (size_t i = 0; ok && i < ARRAY_LEN(options); i++)
        ok = ssh_options_set(r->session, options[i].name, options[i].value) == SSH_OK;
    if (!ok) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    ssh_set_blocking(r->session, 0);
    ssh_set_counters(r->session, &r->traffic, NULL);
    (void)ssh_connect(r->session); /* takes the descriptor over */
    (void)fcntl(r->fd, F_SETFL, O_NONBLOCK);
    return 0;
}

static void step_tcp(struct remote *r)
{
    int why = 0;
    socklen_t len = sizeof(why);
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
        why = errno;
    if (!why && getpeername(r->fd, (struct sockaddr *)&peer, &peer_len) < 0)
        why = errno == ENOTCONN ? EINPROGRESS : errno;
    if (why == EINPROGRESS)
        return;
    if (why) {
        fail_connect(r, why);
        return;
    }
    if (session_new(r) < 0) {
        struct err err;
        err_set(&err, ERR_SYSTEM, "set up an SSH session: the SSH library refused an option");
        remote_fail(r, &err);
        return;
    }
    r->state = REMOTE_STATE_HANDSHAKE;
}

/* The key exchange has proved that the other side owns the key it shows; is it the right one? */
static bool identity_fits(struct remote *r)
{
    ssh_key shown = NULL;
    bool fits = ssh_get_server_publickey(r->session, &shown) == SSH_OK &&
                ssh_key_cmp(shown, r->host_key, SSH_KEY_CMP_PUBLIC) == 0;
    ssh_key_free(shown);
    return fits;
}

static void step_handshake(struct remote *r)
{
    int rc = ssh_connect(r->session);
    (void)fcntl(r->fd, F_SETFL, O_NONBLOCK); /* see remote_private.h */
    if (rc == SSH_AGAIN)
        return;
    if (rc != SSH_OK)
        fail_session(r);
    else if (!identity_fits(r))
        fail_identity(r);
    else
        r->state = REMOTE_STATE_LOGIN;
}

static void step_login(struct remote *r)
{
    int rc = ssh_userauth_publickey(r->session, NULL, r->key);
    if (rc == SSH_AUTH_AGAIN)
        return;
    if (rc == SSH_AUTH_DENIED || rc == SSH_AUTH_PARTIAL) {
        fail_login(r);
        return;
    }
    r->event = rc == SSH_AUTH_SUCCESS ? ssh_event_new() : NULL;
    if (!r->event || ssh_event_add_session(r->event, r->session) != SSH_OK) {
        fail_session(r);
        return;
    }
    r->state = REMOTE_STATE_READY;
    uv_timer_start(&r->timer, on_timer, REMOTE_TICK_MS, REMOTE_TICK_MS);
    if (r->events->on_ready)
        r->events->on_ready(r->arg);
}

/* ---- the turn ---- */

static void streams_step(struct remote *r)
{
    size_t kept = 0;
    /* A callback may add streams: n_streams is read anew each time. */
    for (size_t i = 0; i < r->n_streams; i++) {
        struct remote_stream *s = r->streams[i];
        if (r->freed || r->state != REMOTE_STATE_READY || remote_stream_step(s))
            r->streams[kept++] = s;
        else
            remote_stream_free(s);
    }
    r->n_streams = kept;
}

static void step_ready(struct remote *r)
{
    if (r->tick) {
        r->tick = false;
        /* The first call may only take in the answer to the last one. */
        (void)ssh_send_keepalive(r->session);
        (void)ssh_send_keepalive(r->session);
    }
    streams_step(r);
    int rc = SSH_OK;
    for (int i = 0; i < REMOTE_READS_MAX && rc != SSH_AGAIN && rc != SSH_ERROR && !r->freed; i++)
        rc = ssh_event_dopoll(r->event, 0);
    if (rc != SSH_ERROR)
        streams_step(r);
    if (r->state == REMOTE_STATE_READY &&
        (rc == SSH_ERROR || (ssh_get_status(r->session) & (SSH_CLOSED | SSH_CLOSED_ERROR))))
        fail_session(r);
}

static void remote_tell_end(struct remote *r)
{
    for (size_t i = 0; i < r->n_streams && !r->freed; i++)
        remote_stream_lost(r->streams[i], &r->why);
    if (r->told || r->freed)
        return;
    r->told = true;
    uv_timer_stop(&r->timer);
    r->events->on_end(r->arg, &r->why);
}

static void remote_turn(struct remote *r)
{
    if (r->in_turn || r->freed)
        return;
    r->in_turn = true;
    if (r->state == REMOTE_STATE_TCP)
        step_tcp(r);
    if (r->state == REMOTE_STATE_HANDSHAKE)
        step_handshake(r);
    if (r->state == REMOTE_STATE_LOGIN)
        step_login(r);
    if (r->state == REMOTE_STATE_READY && !r->freed)
        step_ready(r);
    if (r->state == REMOTE_STATE_ENDED)
        remote_tell_end(r);
    r->in_turn = false;
    if (r->freed)
        remote_teardown(r);
    else
        remote_watch(r);
}

/* ---- life ---- */

struct remote *remote_connect(uv_loop_t *loop, const struct remote_target *target,
                              const struct remote_events *events, void *arg)
{
    struct remote *r = xcalloc(1, sizeof(*r));
    r->dialer.open_unix = remote_stream_dial;
    r->loop = loop;
    r->events = events;
    r->arg = arg;
    r->fd = -1;
    r->where = xasprintf("%s:%u", target->host, target->port);
    r->user = xstrdup(target->user);
    r->timeout_ms = target->timeout_ms ? target->timeout_ms : REMOTE_TIMEOUT_MS;
    (void)uv_idle_init(loop, &r->kick);
    (void)uv_timer_init(loop, &r->timer);
    r->kick.data = r->timer.data = r;
    r->handles = 2;

    struct err err;
    if (ssh_pki_import_privkey_file(target->key_file, NULL, NULL, NULL, &r->key) != SSH_OK) {
        err_set(&err, ERR_INVALID, "the key %s cannot be read", target->key_file);
        remote_fail(r, &err);
    } else if (remote_key_parse(target->host_key, &r->host_key, &err) < 0 ||
               tcp_start(r, target, &err) < 0) {
        remote_fail(r, &err);
    }
    uv_update_time(loop);
    uv_timer_start(&r->timer, on_timer, r->timeout_ms, 0);
    remote_kick(r);
    return r;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct remote *r = handle->data;
    if (--r->handles)
        return;
    free(r->where);
    free(r->user);
    free(r);
}

/* Not inside a turn: libssh must not be on the stack. */
static void remote_teardown(struct remote *r)
{
    if (r->polling)
        uv_close((uv_handle_t *)&r->poll, on_handle_closed); /* before its descriptor goes */
    uv_close((uv_handle_t *)&r->kick, on_handle_closed);
    uv_close((uv_handle_t *)&r->timer, on_handle_closed);
    if (r->event)
        ssh_event_free(r->event);
    if (r->session)
        ssh_free(r->session); /* with all channels and its descriptor */
    if (r->fd >= 0)
        (void)close(r->fd);
    ssh_key_free(r->key);
    ssh_key_free(r->host_key);
    for (size_t i = 0; i < r->n_streams; i++)
        remote_stream_orphan(r->streams[i]);
    free(r->streams);
}

void remote_free(struct remote *r)
{
    if (!r || r->freed)
        return;
    r->freed = true;
    if (!r->in_turn)
        remote_teardown(r);
}

struct dialer *remote_dialer(struct remote *r)
{
    return &r->dialer;
}
