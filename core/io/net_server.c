/* See net_server.h: listeners, the list of connections and the end of the loop's turn. The
 * connections themselves are in net_conn.c. */
#include "core/io/net_conn.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 511

static struct net_owner *owner_of(struct net_server *s, const struct net_server_events *events,
                                  void *arg)
{
    struct net_owner *o = s->owners;

    while (o && (o->events != events || o->arg != arg))
        o = o->next;
    if (!o) {
        o = xcalloc(1, sizeof(*o));
        *o = (struct net_owner){.next = s->owners, .events = events, .arg = arg};
        s->owners = o;
    }
    o->conns++;
    return o;
}

static void owner_unref(struct net_server *s, struct net_owner *o)
{
    struct net_owner **at = &s->owners;

    if (--o->conns > 0)
        return;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    free(o);
}

void net_server_own(struct net_conn *c, const struct net_server_events *events, void *arg)
{
    struct net_owner *before = c->owner;

    c->owner = owner_of(c->server, events, arg);
    if (before)
        owner_unref(c->server, before);
}

void net_server_unref(struct net_server *s)
{
    if (--s->refs > 0)
        return;
    owner_unref(s, s->own);
    free(s);
}

/* Its being there keeps the loop from waiting: what the flush of another server wrote, when ours of
 * this turn was over, goes out in the next. */
static void on_awake(uv_idle_t *awake)
{
    (void)awake;
}

void net_server_turn_add(struct net_conn *c)
{
    struct net_server *s = c->server;

    if (c->turn.queue && c->round == s->round)
        return;
    queue_remove(&c->turn);
    queue_append(&s->turn, &c->turn);
    c->round = s->round;
    (void)uv_idle_start(&s->awake, on_awake);
}

/* Calls on_data again for those who asked for it. */
static void redeliver_all(struct net_server *s)
{
    struct queue_link *at = s->turn.first;

    while (at) {
        struct net_conn *c = (struct net_conn *)at;

        if (c->redeliver) {
            net_conn_redeliver(c);
            at = s->turn.first; /* the list may have changed under us */
        } else {
            at = at->next;
        }
    }
}

/* Asks each owner once whose connections have something to send; two that have the same question
 * share the answer. */
static void ask_owners(struct net_server *s)
{
    for (struct queue_link *at = s->turn.first; at; at = at->next)
        ((struct net_conn *)at)->owner->wanted = true;
    for (struct net_owner *o = s->owners; o; o = o->next) {
        struct net_owner *same = s->owners;

        o->asked = o->wanted;
        o->wanted = false;
        if (!o->asked)
            continue;
        while (same != o && (!same->asked || same->arg != o->arg ||
                             same->events->before_flush != o->events->before_flush))
            same = same->next;
        if (same != o)
            o->keep = same->keep;
        else
            o->keep = !o->events->before_flush || o->events->before_flush(o->arg);
    }
}

/* Just before the loop waits: everything that this turn produced goes out. Sending can drain a
 * connection, and its owner can then produce more, for itself or for others: that is another round,
 * with its own before_flush. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct net_server *s = prepare->data;

    while (s->turn.n > 0) {
        struct net_conn *c;

        redeliver_all(s);
        s->round++;
        ask_owners(s);
        while ((c = (struct net_conn *)s->turn.first) && c->round != s->round) {
            queue_remove(&c->turn);
            if (c->owner->keep)
                net_conn_flush(c);
            else
                net_conn_destroy(c, true);
        }
    }
    (void)uv_idle_stop(&s->awake);
}

struct net_server *net_server_new(uv_loop_t *loop, const struct net_server_limits *limits,
                                  const struct net_server_events *events, void *arg)
{
    struct net_server *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->limits = *limits;
    s->own = owner_of(s, events, arg);
    s->refs = 1;
    (void)uv_prepare_init(loop, &s->prepare);
    s->prepare.data = s;
    (void)uv_prepare_start(&s->prepare, on_prepare);
    uv_unref((uv_handle_t *)&s->prepare);
    (void)uv_idle_init(loop, &s->awake);
    s->awake.data = s;
    uv_unref((uv_handle_t *)&s->awake);
    return s;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    struct net_server *s = l->server;

    free(l->path);
    free(l);
    net_server_unref(s);
}

void net_server_stop_listening(struct net_server *s)
{
    while (s->listeners) {
        struct listener *l = s->listeners;
        struct stat st;

        s->listeners = l->next;
        if (l->path && lstat(l->path, &st) == 0 && st.st_ino == l->inode)
            (void)unlink(l->path);
        uv_close(&l->uv.handle, on_listener_closed);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    net_server_unref(handle->data);
}

void net_server_free(struct net_server *s)
{
    if (!s)
        return;
    s->freed = true;
    net_server_stop_listening(s);
    for (struct net_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        net_conn_destroy(c, true);
    }
    s->refs++; /* for the second of its handles */
    uv_close((uv_handle_t *)&s->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&s->awake, on_handle_closed);
}

unsigned net_server_connections(const struct net_server *s)
{
    return s->n_conns;
}

void net_server_conn_gone(struct net_conn *c)
{
    struct net_server *s = c->server;

    queue_remove(&c->turn);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->n_conns--;
    owner_unref(s, c->owner);
    free(c);
    net_server_unref(s);
}

static void on_connection(uv_stream_t *stream, int status)
{
    if (status == 0)
        net_conn_accept(stream->data);
}

static struct listener *listener_new(struct net_server *s)
{
    struct listener *l = xcalloc(1, sizeof(*l));

    l->server = s;
    return l;
}

/* Hands the initialised listener to the server, or closes it. */
static int listener_start(struct listener *l, const char *what, struct err *err)
{
    struct net_server *s = l->server;
    int status = uv_listen(&l->uv.stream, BACKLOG, on_connection);

    l->uv.handle.data = l;
    s->refs++;
    if (status < 0) {
        uv_close(&l->uv.handle, on_listener_closed);
        return err_sys(err, -status, "listen on %s", what);
    }
    l->next = s->listeners;
    s->listeners = l;
    return 0;
}

static bool somebody_answers(const struct sockaddr_un *address)
{
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                       errno == EAGAIN);
}

static int unix_address(struct sockaddr_un *address, const char *path, struct err *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!str_copy(address->sun_path, sizeof(address->sun_path), path))
        return err_set(err, ERR_INVALID, "socket path is longer than %zu characters: %s",
                       sizeof(address->sun_path) - 1, path);
    return 0;
}

/* Bound under another name first and renamed when owner and mode fit: nobody sees it half-made.
 * Returns the descriptor. */
static int bind_unix(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
    auto_free char *early = xasprintf("%s.new", path);
    struct sockaddr_un address;
    auto_close int fd = -1;

    if (unix_address(&address, path, err) < 0)
        return -1;
    if (somebody_answers(&address))
        return err_set(err, ERR_EXISTS, "%s is served by another process", path);
    if (unix_address(&address, early, err) < 0)
        return -1;
    (void)unlink(early);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_sys(err, errno, "create socket %s", path);
    if (((uid != (uid_t)-1 || gid != (gid_t)-1) && chown(early, uid, gid) < 0) ||
        chmod(early, mode) < 0 || listen(fd, BACKLOG) < 0 || rename(early, path) < 0) {
        int errnum = errno;

        (void)unlink(early);
        return err_sys(err, errnum, "create socket %s", path);
    }
    int taken = fd;

    fd = -1;
    return taken;
}

int net_server_listen_unix(struct net_server *s, const char *path, mode_t mode, uid_t uid,
                           gid_t gid, struct err *err)
{
    int fd = bind_unix(path, mode, uid, gid, err);
    struct stat st = {0};

    if (fd < 0)
        return -1;

    struct listener *l = listener_new(s);

    (void)lstat(path, &st);
    l->path = xstrdup(path);
    l->inode = st.st_ino;
    (void)uv_pipe_init(s->loop, &l->uv.pipe, 0);
    (void)uv_pipe_open(&l->uv.pipe, fd);
    return listener_start(l, path, err);
}

/* The socket is made before it is bound: what the option is for is the binding. */
static int bind_tcp(struct listener *l, const struct sockaddr_storage *to)
{
    static const int yes = 1;
    bool v6 = to->ss_family == AF_INET6;
    uv_os_fd_t fd = -1;
    int status = uv_tcp_init_ex(l->server->loop, &l->uv.tcp, to->ss_family);

    if (status < 0) { /* too many descriptors: the handle is to be closed like any other */
        (void)uv_tcp_init(l->server->loop, &l->uv.tcp);
        return status;
    }
    (void)uv_fileno(&l->uv.handle, &fd);
    if (l->server->free_bind && setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                                           v6 ? IPV6_FREEBIND : IP_FREEBIND, &yes, sizeof(yes)) < 0)
        return -errno;
    return uv_tcp_bind(&l->uv.tcp, (const struct sockaddr *)to, 0);
}

static int listen_tcp(struct net_server *s, const char *address, uint16_t port,
                      struct tls_server *tls, struct err *err)
{
    struct sockaddr_storage to = {0};
    char what[80];

    if (uv_ip4_addr(address, port, (struct sockaddr_in *)&to) != 0 &&
        uv_ip6_addr(address, port, (struct sockaddr_in6 *)&to) != 0)
        return err_set(err, ERR_INVALID, "not an IP address: %s", address);
    (void)str_format(what, sizeof(what), "%s port %u", address, port);

    struct listener *l = listener_new(s);
    struct err why = {0};
    int status = bind_tcp(l, &to);

    l->tls = tls;
    if (status < 0) {
        l->uv.handle.data = l;
        s->refs++;
        uv_close(&l->uv.handle, on_listener_closed);
        return err_sys(err, -status, "listen on %s", what);
    }
    if (listener_start(l, what, &why) < 0) {
        if (why.sys == EADDRINUSE)
            return err_set(err, ERR_EXISTS, "port %u is taken by another program", port);
        if (err)
            *err = why;
        return -1;
    }
    return 0;
}

int net_server_listen_tls(struct net_server *s, const char *address, uint16_t port,
                          struct tls_server *tls, struct err *err)
{
    return listen_tcp(s, address, port, tls, err);
}

int net_server_listen_tcp(struct net_server *s, const char *address, uint16_t port, struct err *err)
{
    return listen_tcp(s, address, port, NULL, err);
}

void net_server_set_free_bind(struct net_server *s)
{
    s->free_bind = true;
}

void net_server_set_tls(struct net_server *s, struct tls_server *tls)
{
    for (struct listener *l = s->listeners; l; l = l->next)
        if (l->tls)
            l->tls = tls;
}
