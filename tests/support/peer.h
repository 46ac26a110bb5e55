/* For tests of servers in this very process: a client that lets the loop turn while it waits. Every
 * wait has a deadline. */
#ifndef BERTH_TESTS_PEER_H
#define BERTH_TESTS_PEER_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/io/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#define PEER_WAIT_MS 5000

static int failures;
static uv_loop_t loop;

static inline bool report(const char *name, bool ok, const char *seen)
{
    printf(ok ? "ok %s\n" : "not ok %s: %.300s\n", name, seen ? seen : "");
    failures += !ok;
    return ok;
}

struct peer {
    int fd;
    struct tls *tls; /* NULL: plain */
    struct buf in;
    struct buf out; /* what the socket did not take yet */
    bool ended;
};

static inline void peer_close(struct peer *p)
{
    tls_free(p->tls);
    buf_done(&p->in);
    buf_done(&p->out);
    if (p->fd > 0)
        close(p->fd);
    *p = (struct peer){0};
}
#define auto_peer ATTR_CLEANUP(peer_close)

static inline void peer_push(struct peer *p)
{
    ssize_t n = p->out.len ? send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

    if (n > 0)
        buf_consume(&p->out, (size_t)n);
    else if (n < 0 && errno != EAGAIN)
        buf_done(&p->out); /* the server hung up; what it said last tells why */
}

/* One turn of the loop, and what it brought. */
static inline void peer_turn(struct peer *p)
{
    char data[65536];

    (void)uv_run(&loop, UV_RUN_NOWAIT);
    if (p->fd <= 0 || p->ended)
        return;
    peer_push(p);
    (void)poll(&(struct pollfd){.fd = p->fd, .events = POLLIN}, 1, 1);

    ssize_t n = recv(p->fd, data, sizeof(data), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        p->ended = true;
    if (n > 0 && !p->tls)
        buf_append(&p->in, data, (size_t)n);
    if (n > 0 && p->tls && tls_feed(p->tls, data, (size_t)n, &p->in, &p->out, NULL) < 0)
        p->ended = true;
    peer_push(p);
}

static inline void peer_say(struct peer *p, const void *data, size_t len)
{
    if (p->tls)
        (void)tls_write(p->tls, data, len, &p->out, NULL);
    else
        buf_append(&p->out, data, len);
    peer_push(p);
}

static inline void peer_puts(struct peer *p, const char *text)
{
    peer_say(p, text, strlen(text));
}

/* Until LEN bytes have come. */
static inline bool peer_gets(struct peer *p, size_t len)
{
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;

    while (p->in.len < len && !p->ended && clock_mono_ms() < end)
        peer_turn(p);
    return p->in.len >= len;
}

/* Until what came holds TEXT. */
static inline bool peer_hears(struct peer *p, const char *text)
{
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;

    while (!strstr(buf_str(&p->in), text) && !p->ended && clock_mono_ms() < end)
        peer_turn(p);
    return strstr(buf_str(&p->in), text) != NULL;
}

/* Until the server has ended the connection. */
static inline bool peer_ends(struct peer *p)
{
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;

    while (!p->ended && clock_mono_ms() < end)
        peer_turn(p);
    return p->ended;
}

static inline struct peer peer_unix(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct peer p = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (connect(p.fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort();
    return p;
}

static inline struct peer peer_tcp(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct peer p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    (void)setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(p.fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort();
    return p;
}

/* Not open (TLS NULL) where the handshake failed. */
static inline struct peer peer_tls(uint16_t port, struct tls_client *client, const char *host)
{
    struct peer p = peer_tcp(port);
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;

    p.tls = tls_open(client, host);
    (void)tls_feed(p.tls, NULL, 0, &p.in, &p.out, NULL);
    while (!tls_is_open(p.tls) && !p.ended && clock_mono_ms() < end)
        peer_turn(&p);
    if (!tls_is_open(p.tls)) {
        tls_free(p.tls);
        p.tls = NULL;
    }
    return p;
}

static inline uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

#endif
