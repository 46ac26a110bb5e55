/* See server.h. */
#include "core/engine/server.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/launch.h"
#include "core/rpc/message.h"
#include "core/rpc/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SERVER_BACKLOG 128

struct client {
    struct server *server;
    struct wire *wire; /* NULL: it was put out and waits to be reaped */
    struct dispatch_peer peer;
    bool watches;
    bool missed; /* a snapshot was not sent: it had not read the one before */
};

struct server {
    uv_poll_t poll;
    uv_timer_t reaper;
    unsigned handles;
    int fd;
    struct server_options options;
    struct dispatch dispatch;
    char *path;
    struct client *clients[SERVER_CLIENTS_MAX];
    size_t n_clients;
    uint64_t next_client;
};

static void on_connection(uv_poll_t *poll, int status, int events);
static void on_line(void *arg, const char *line, size_t len);
static void on_drain(void *arg);
static void on_end(void *arg, const struct err *why);
static void send_message(void *sink, uint64_t client, const cJSON *message);

static const struct wire_events wire_events = {
    .on_line = on_line, .on_drain = on_drain, .on_end = on_end};

/* ---- listen ---- */

static int listen_on(const char *path, struct err *err)
{
    struct sockaddr_un address;
    auto_close int fd = launch_socket(path, &address, err);
    if (fd < 0)
        return -1;
    (void)unlink(path);
    /* Its folder is 0700, so nobody gets in between bind and chmod. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0600) < 0 ||
        listen(fd, SERVER_BACKLOG) < 0)
        return err_sys(err, errno, "listen on %s", path);
    int listening = fd;
    fd = -1;
    return listening;
}

struct server *server_new(const struct server_options *options, struct err *err)
{
    int fd = listen_on(options->path, err);
    if (fd < 0)
        return NULL;
    struct server *s = xcalloc(1, sizeof(*s));
    s->options = *options;
    s->path = xstrdup(options->path);
    s->fd = fd;
    s->next_client = 1;
    s->dispatch = (struct dispatch){
        .tables = options->tables, .owner = options->owner, .sink = s, .send = send_message};
    (void)uv_poll_init(options->loop, &s->poll, fd);
    (void)uv_timer_init(options->loop, &s->reaper);
    s->poll.data = s->reaper.data = s;
    s->handles = 2;
    (void)uv_poll_start(&s->poll, UV_READABLE, on_connection);
    return s;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct server *s = handle->data;
    if (--s->handles)
        return;
    free(s->path);
    free(s);
}

static void client_free(struct server *s, struct client *c)
{
    for (size_t i = 0; i < s->n_clients; i++) {
        if (s->clients[i] != c)
            continue;
        s->clients[i] = s->clients[--s->n_clients];
        break;
    }
    wire_free(c->wire);
    free(c);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    while (s->n_clients)
        client_free(s, s->clients[0]);
    (void)unlink(s->path);
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
    uv_close((uv_handle_t *)&s->reaper, on_handle_closed);
    (void)close(s->fd);
}

size_t server_clients(const struct server *s)
{
    return s->n_clients;
}

static struct client *client_find(const struct server *s, uint64_t id)
{
    for (size_t i = 0; i < s->n_clients; i++)
        if (s->clients[i]->peer.client == id && s->clients[i]->wire)
            return s->clients[i];
    return NULL;
}

/* ---- in ---- */

static const char *unwelcome(const struct server *s, int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid())
        return "a client of another user was turned away";
    if (s->n_clients == SERVER_CLIENTS_MAX)
        return "too many clients: one was turned away";
    return NULL;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct server *s = poll->data;
    (void)status;
    (void)events;
    /* cppcheck-suppress nullPointer ; who connects is asked of the socket itself */
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    const char *why = unwelcome(s, fd);
    if (why) {
        log_warn("rpc", "%s", why);
        (void)close(fd);
        return;
    }
    struct client *c = xcalloc(1, sizeof(*c));
    c->server = s;
    c->peer.client = s->next_client++;
    c->wire = wire_new(s->options.loop, fd, &wire_events, c, NULL);
    if (!c->wire) {
        free(c);
        return;
    }
    s->clients[s->n_clients++] = c;
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct client *c = arg;
    dispatch_line(&c->server->dispatch, &c->peer, line, len);
}

static void on_drain(void *arg)
{
    struct client *c = arg;
    c->server->options.on_drain(c->server->options.owner, c->peer.client);
}

static void on_end(void *arg, const struct err *why)
{
    struct client *c = arg;
    struct server *s = c->server;
    uint64_t id = c->peer.client;
    if (why->kind == ERR_PROTOCOL)
        log_warn("rpc", "client %llu: %s", (unsigned long long)id, why->msg);
    client_free(s, c);
    s->options.on_gone(s->options.owner, id);
}

/* ---- out ---- */

static void on_reap(uv_timer_t *timer)
{
    struct server *s = timer->data;
    for (size_t i = s->n_clients; i-- > 0;) {
        struct client *c = s->clients[i];
        uint64_t id = c->peer.client;
        if (c->wire)
            continue;
        s->clients[i] = s->clients[--s->n_clients];
        free(c);
        s->options.on_gone(s->options.owner, id);
    }
}

/* Puts a client out. Its struct stays until the loop turns: whoever called may be at work for it.
 */
static void client_drop(struct client *c, const struct err *why)
{
    log_warn("rpc", "client %llu is put out: %s", (unsigned long long)c->peer.client, why->msg);
    wire_free(steal(c->wire));
    (void)uv_timer_start(&c->server->reaper, on_reap, 0, 0);
}

/* An answer that does not fit any more means a client that asks and never reads. */
static void send_message(void *sink, uint64_t client, const cJSON *message)
{
    struct server *s = sink;
    struct client *c = client_find(s, client);
    struct err err = {0};
    if (c && wire_send(c->wire, message, &err) < 0)
        client_drop(c, &err);
}

bool server_notify(struct server *s, uint64_t client, const char *method, cJSON *take_params)
{
    cJSON *message = message_event(method, take_params);
    struct client *c = client_find(s, client);
    bool sent = c && wire_send(c->wire, message, NULL) == 0;
    cJSON_Delete(message);
    return sent;
}

size_t server_queued(const struct server *s, uint64_t client)
{
    const struct client *c = client_find(s, client);
    return c ? wire_queued(c->wire) : SIZE_MAX;
}

void server_watch(struct server *s, uint64_t client)
{
    struct client *c = client_find(s, client);
    if (c)
        c->watches = true;
}

size_t server_watchers(const struct server *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_clients; i++)
        n += s->clients[i]->watches && s->clients[i]->wire;
    return n;
}

void server_send_snapshot(struct server *s, cJSON *take_snapshot)
{
    cJSON *message = message_event("event.snapshot", take_snapshot);
    for (size_t i = 0; i < s->n_clients; i++) {
        struct client *c = s->clients[i];
        if (!c->watches || !c->wire)
            continue;
        c->missed = wire_queued(c->wire) > 0 || wire_send(c->wire, message, NULL) < 0;
    }
    cJSON_Delete(message);
}

bool server_catch_up(struct server *s, uint64_t client)
{
    struct client *c = client_find(s, client);
    if (!c || !c->missed || wire_queued(c->wire) > 0)
        return false;
    c->missed = false;
    return true;
}
