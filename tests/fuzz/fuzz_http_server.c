/* HTTP requests as bytes on a real socket of the server: parser, limits, the life of a connection
 * and what may become of it, a WebSocket. */
#include "core/io/http_server.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct http_server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void remove_socket(void)
{
    (void)unlink(address.sun_path);
}

/* A WebSocket's owner echoes. */
static void *on_open(struct net_conn *c, void *arg)
{
    (void)arg;
    return c;
}

static size_t on_data(void *x, const char *data, size_t len)
{
    (void)net_conn_write(x, data, len);
    return len;
}

static void on_eof(void *x)
{
    net_conn_close(x);
}

static void on_nothing(void *x)
{
    (void)x;
}

static const struct net_server_events echo = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_nothing,
    .on_deadline = on_nothing,
    .on_close = on_nothing,
};

static void handler(struct http_exchange *x, void *arg)
{
    char value[64];
    size_t len;
    const char *body = http_exchange_body(x, &len);

    (void)arg;
    if (http_exchange_wants_websocket(x) &&
        http_exchange_websocket(x, "mqtt", &echo, NULL, NULL) == 0)
        return;
    (void)http_exchange_header(x, "Authorization");
    if (http_exchange_query(x, "api-version", value, sizeof(value)))
        http_reply_header(x, "X-Value", value);
    http_reply(x, 200, "text/plain", body, len);
}

static void start(void)
{
    struct http_limits limits = {.body_max = 4096, .header_max = 4096};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/berth-fuzz-http.%d", getpid());
    (void)uv_loop_init(&loop);
    server = http_server_new(&loop, &limits, handler, NULL);
    if (http_server_listen_unix(server, address.sun_path, 0600, (uid_t)-1, (gid_t)-1, NULL) < 0)
        abort();
    (void)atexit(remove_socket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[65536];

    if (size > 16384)
        return -1;
    if (!server)
        start();

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        abort();
    (void)send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < 8; i++) {
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        if (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) == 0)
            break;
    }
    (void)close(fd);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    return 0;
}
