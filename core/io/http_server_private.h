/* What the files of the HTTP server share: http_server.c has the life of a connection,
 * http_exchange.c the request, http_reply.c the answer, http_websocket.c the way to a WebSocket.
 * Nobody else includes this. */
#ifndef BERTH_IO_HTTP_SERVER_PRIVATE_H
#define BERTH_IO_HTTP_SERVER_PRIVATE_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/io/http_server.h"

#include <llhttp.h>

#define HTTP_HEADERS_MAX 100
#define HTTP_REPLY_HIGH  (1U << 20) /* the mark of http_reply_chunk() */

struct http_server {
    struct net_server *server;
    struct http_limits limits;
    http_handler_fn handler;
    void *arg;
    bool (*before_send)(void *arg);
    void *before_send_arg;
    uint64_t date_s; /* since 1970, of the text below */
    char date[CLOCK_HTTP_MAX];
};

struct header {
    size_t name, value; /* offsets into text */
};

/* A connection, and the one request that it carries at a time: the exchange. */
struct http_exchange {
    struct http_server *server;
    struct net_conn *conn;
    llhttp_t parser;
    /* The request. */
    struct buf text; /* target, then names and values, each terminated */
    struct header headers[HTTP_HEADERS_MAX];
    size_t n_headers;
    size_t query; /* offset of the query behind '?'; 0: none */
    struct buf body;
    bool begun;   /* its first byte came: the deadline runs */
    bool in_text; /* an element of TEXT is being received */
    int refuse;   /* status to refuse it with, found while parsing */
    /* The answer. */
    bool handling; /* the handler has it */
    bool in_handler;
    bool keep;
    bool streaming;
    bool chunked;
    bool eof; /* the client sends no more */
    struct buf reply_headers;
    bool dated; /* by whoever answers */
    void (*on_close)(void *arg);
    void *on_close_arg;
    void (*on_drain)(void *arg);
    void *on_drain_arg;
};

extern const llhttp_settings_t http_exchange_parser;

/* The answer is complete. */
void http_exchange_finish(struct http_exchange *x);
/* X ends; its connection is the caller's. */
struct net_conn *http_exchange_detach(struct http_exchange *x);

#endif
