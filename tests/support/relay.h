/* For tests: a TCP relay on the test's own loop between a client and a server, which can be cut,
 * stalled, or made to answer itself. */
#ifndef BERTH_TESTS_RELAY_H
#define BERTH_TESTS_RELAY_H

#include "core/base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct relay {
    uv_loop_t *loop;
    uv_tcp_t server;
    uint16_t port, to;  /* on 127.0.0.1 */
    unsigned accepted;  /* so far */
    bool cut;           /* accepts, and hangs up */
    bool stalled;       /* what the server says does not arrive */
    const char *answer; /* says this itself; NULL: does not */
    struct relay_pair *pairs;
};

struct relay_pair {
    struct relay *relay;
    struct relay_pair *next;
    uv_tcp_t client, server;
    uv_connect_t connect;
    unsigned open; /* handles */
    bool closing;
    char room[16384];
};

struct relay_write {
    uv_write_t req;
    char data[];
};

static inline void relay_pair_closed(uv_handle_t *handle)
{
    struct relay_pair *p = handle->data;
    struct relay_pair **at = &p->relay->pairs;

    if (--p->open)
        return;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
}

static inline void relay_pair_close(struct relay_pair *p)
{
    if (p->closing)
        return;
    p->closing = true;
    uv_close((uv_handle_t *)&p->client, relay_pair_closed);
    uv_close((uv_handle_t *)&p->server, relay_pair_closed);
}

static inline void relay_written(uv_write_t *req, int status)
{
    (void)status;
    free(req);
}

static inline void relay_send(uv_tcp_t *to, const char *data, size_t len)
{
    struct relay_write *w = xmalloc(sizeof(*w) + len);
    uv_buf_t piece = uv_buf_init(w->data, (unsigned)len);

    memcpy(w->data, data, len);
    if (uv_write(&w->req, (uv_stream_t *)to, &piece, 1, relay_written) < 0)
        free(w);
}

static inline void relay_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct relay_pair *p = handle->data;

    (void)size;
    *ret = uv_buf_init(p->room, sizeof(p->room));
}

static inline void relay_read(uv_stream_t *from, ssize_t n, const uv_buf_t *room)
{
    struct relay_pair *p = from->data;
    bool by_client = from == (uv_stream_t *)&p->client;

    if (p->closing || n == 0)
        return;
    if (n < 0)
        relay_pair_close(p);
    else if (by_client && p->relay->answer)
        relay_send(&p->client, p->relay->answer, strlen(p->relay->answer));
    else
        relay_send(by_client ? &p->server : &p->client, room->base, (size_t)n);
}

static inline void relay_connected(uv_connect_t *req, int status)
{
    struct relay_pair *p = req->data;

    if (p->closing)
        return;
    if (status < 0) {
        relay_pair_close(p);
        return;
    }
    (void)uv_read_start((uv_stream_t *)&p->client, relay_alloc, relay_read);
    if (!p->relay->stalled)
        (void)uv_read_start((uv_stream_t *)&p->server, relay_alloc, relay_read);
}

static inline void relay_accept(uv_stream_t *server, int status)
{
    struct relay *r = server->data;
    struct relay_pair *p = xcalloc(1, sizeof(*p));
    struct sockaddr_in to;

    (void)status;
    r->accepted++;
    p->relay = r;
    p->next = r->pairs;
    r->pairs = p;
    p->open = 2;
    (void)uv_tcp_init(r->loop, &p->client);
    (void)uv_tcp_init(r->loop, &p->server);
    p->client.data = p->server.data = p->connect.data = p;
    (void)uv_accept(server, (uv_stream_t *)&p->client);
    (void)uv_ip4_addr("127.0.0.1", r->to, &to);
    if (r->cut)
        relay_pair_close(p);
    else
        (void)uv_tcp_connect(&p->connect, &p->server, (struct sockaddr *)&to, relay_connected);
}

/* All connections, now. */
static inline void relay_cut(struct relay *r)
{
    for (struct relay_pair *p = r->pairs; p; p = p->next)
        relay_pair_close(p);
}

static inline void relay_stall(struct relay *r, bool stalled)
{
    r->stalled = stalled;
    for (struct relay_pair *p = r->pairs; p; p = p->next) {
        if (p->closing)
            continue;
        if (stalled)
            (void)uv_read_stop((uv_stream_t *)&p->server);
        else
            (void)uv_read_start((uv_stream_t *)&p->server, relay_alloc, relay_read);
    }
}

static inline void relay_open(struct relay *r, uv_loop_t *loop, uint16_t to)
{
    struct sockaddr_in at;
    int len = sizeof(at);

    *r = (struct relay){.loop = loop, .to = to};
    (void)uv_ip4_addr("127.0.0.1", 0, &at);
    (void)uv_tcp_init(loop, &r->server);
    r->server.data = r;
    if (uv_tcp_bind(&r->server, (struct sockaddr *)&at, 0) < 0 ||
        uv_listen((uv_stream_t *)&r->server, 128, relay_accept) < 0 ||
        uv_tcp_getsockname(&r->server, (struct sockaddr *)&at, &len) < 0)
        abort();
    r->port = (uint16_t)(at.sin_port >> 8 | at.sin_port << 8);
}

static inline void relay_close(struct relay *r)
{
    relay_cut(r);
    uv_close((uv_handle_t *)&r->server, NULL);
}

#endif
