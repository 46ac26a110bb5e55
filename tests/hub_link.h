/* For tests: a hub of one's own, and a blocking TLS connection to it, plain or as a WebSocket.
 * Every wait has a deadline. */
#ifndef BERTH_TESTS_HUB_LINK_H
#define BERTH_TESTS_HUB_LINK_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define HUB_HOST   "sandbox.berth.internal"
#define HUB_WAIT_S 10 /* a loaded machine; twice the shortest time-out of a method */

static int failures;

static inline bool report(const char *name, bool ok, const char *seen)
{
    if (ok)
        printf("ok %s\n", name);
    else
        printf("not ok %s: %.600s\n", name, seen ? seen : "");
    failures += !ok;
    return ok;
}

/* ------------------------------------------------------------------------------------------ the
 * hub */

struct test_hub {
    char dir[64];
    uint16_t mqtt_port, https_port;
    pid_t pid;
    const char *args[8]; /* more of its options, NULL-terminated */
    char service_key[128];
    char line[600]; /* what it said on the ready descriptor */
};

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

/* Starts berth-hub with ARGS and waits for its first word, which goes to LINE. True when that is
 * "ready". */
static inline bool program_start(const char *const *args, pid_t *pid, char *line, size_t size)
{
    const char *build = getenv("BERTH_BUILD");
    char program[300];
    int ready[2];

    snprintf(program, sizeof(program), "%s/berth-hub", build ? build : "build/debug");
    if (pipe(ready) < 0)
        abort();
    *pid = fork();
    if (*pid == 0) {
        char fd[8];
        int null = open("/dev/null", O_RDWR);
        const char *argv[32] = {program, "--ready-fd", fd};

        close(ready[0]);
        dup2(null, 2);
        snprintf(fd, sizeof(fd), "%d", ready[1]);
        for (size_t i = 0; args[i]; i++)
            argv[i + 3] = args[i];
        execv(program, (char **)(uintptr_t)argv);
        _exit(127);
    }
    close(ready[1]);

    size_t n = 0;
    ssize_t got;

    while (n < size - 1 && (got = read(ready[0], line + n, size - 1 - n)) > 0)
        n += (size_t)got;
    line[n] = '\0';
    close(ready[0]);
    return strcmp(line, "ready\n") == 0;
}

/* The same of a hub in its cloud role. */
static inline bool hub_start(struct test_hub *h)
{
    char mqtt[8], https[8], log[100];
    const char *args[24] = {"--role", "cloud",        "--dir", h->dir,          "--mqtt-port",
                            mqtt,     "--https-port", https,   "--no-registry", "--log",
                            log};
    size_t n = 11;

    snprintf(mqtt, sizeof(mqtt), "%u", h->mqtt_port);
    snprintf(https, sizeof(https), "%u", h->https_port);
    snprintf(log, sizeof(log), "%s.log", h->dir);
    for (size_t i = 0; h->args[i]; i++)
        args[n++] = h->args[i];
    if (!program_start(args, &h->pid, h->line, sizeof(h->line)))
        return false;

    char path[100];
    auto_buf struct buf text = {0};

    snprintf(path, sizeof(path), "%s/sandbox.json", h->dir);
    if (file_read(path, 65536, &text, NULL) < 0)
        return false;

    auto_json cJSON *record = json_parse(text.data, text.len, NULL);
    const char *key = strstr(json_str(record, "serviceConnectionString", ""), "SharedAccessKey=");

    snprintf(h->service_key, sizeof(h->service_key), "%s", key ? key + 16 : "");
    return key != NULL;
}

static inline void hub_new(struct test_hub *h)
{
    *h = (struct test_hub){.mqtt_port = free_port(), .https_port = free_port()};
    snprintf(h->dir, sizeof(h->dir), "/tmp/berth-hub-XXXXXX");
    if (!mkdtemp(h->dir))
        abort();
}

/* Its exit status, or minus the signal that ended it. */
static inline int hub_end(struct test_hub *h, int sig)
{
    int status = 0;

    kill(h->pid, sig);
    waitpid(h->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void hub_remove(struct test_hub *h)
{
    char log[100];

    snprintf(log, sizeof(log), "%s.log", h->dir);
    (void)unlink(log);
    (void)file_remove_tree(h->dir, NULL);
}

/* The two ends of a test program. The hub's folder is there after the first. */
static inline void hub_prepare(struct test_hub *h)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    hub_new(h);
}

static inline bool hub_begin(struct test_hub *h)
{
    hub_prepare(h);
    return report("it starts", hub_start(h), h->line);
}

static inline int hub_finish(struct test_hub *h)
{
    report("SIGTERM ends it cleanly", hub_end(h, SIGTERM) == 0, NULL);
    hub_remove(h);
    return failures ? 1 : 0;
}

/* ------------------------------------------------------------------------------------------ TLS */

struct link {
    int fd;
    SSL *ssl;
    struct buf in; /* read and not yet used */
    bool ended;
    bool websocket;
    struct buf frames; /* a WebSocket's, not yet taken apart */
};

static inline void link_close(struct link *l)
{
    if (l->ssl)
        SSL_free(l->ssl);
    if (l->fd > 0)
        close(l->fd);
    buf_done(&l->in);
    buf_done(&l->frames);
    *l = (struct link){0};
}

/* With the client certificate of the two PEM files, or none (NULL). The server's is verified
 * against the sandbox's own authority, by the name that devices use. */
static inline bool link_open_as(struct link *l, const struct test_hub *h, uint16_t port,
                                const char *cert, const char *key)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = HUB_WAIT_S};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char ca[100];

    *l = (struct link){0};
    snprintf(ca, sizeof(ca), "%s/ca.pem", h->dir);
    if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1 ||
        (cert && (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
                  SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1))) {
        SSL_CTX_free(ctx);
        return false;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    l->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(l->ssl, l->fd);
    SSL_set1_host(l->ssl, HUB_HOST);
    SSL_ctrl(l->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             (char[]){HUB_HOST}); /* SSL_set_tlsext_host_name() drops a const */
    if (connect(l->fd, (struct sockaddr *)&to, sizeof(to)) == 0 && SSL_connect(l->ssl) == 1)
        return true;
    link_close(l);
    return false;
}

static inline bool link_open(struct link *l, const struct test_hub *h, uint16_t port)
{
    return link_open_as(l, h, port, NULL, NULL);
}

static inline bool link_send_raw(struct link *l, const void *data, size_t len)
{
    size_t n;

    return SSL_write_ex(l->ssl, data, len, &n) == 1 && n == len;
}

static inline bool link_read_raw(struct link *l, struct buf *to)
{
    size_t n = 0;
    char *room = buf_reserve(to, 65536);
    bool ok = SSL_read_ex(l->ssl, room, 65536, &n) == 1;

    buf_commit(to, n);
    if (!ok && SSL_get_error(l->ssl, 0) != SSL_ERROR_WANT_READ) /* that is the deadline's */
        l->ended = true;
    return ok;
}

/* ------------------------------------------------------------------------------------------
 * WebSocket */

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* A masked frame, as a client's must be. */
static inline bool ws_send(struct link *l, int opcode, const void *data, size_t len)
{
    static const unsigned char mask[4] = {1, 2, 3, 4};
    auto_buf struct buf frame = {0};

    buf_putc(&frame, (char)(0x80 | opcode));
    if (len < 126) {
        buf_putc(&frame, (char)(0x80 | len));
    } else {
        int bytes = len < 65536 ? 2 : 8;

        buf_putc(&frame, (char)(0x80 | (bytes == 2 ? 126 : 127)));
        while (bytes-- > 0)
            buf_putc(&frame, (char)((uint64_t)len >> (8 * bytes)));
    }
    buf_append(&frame, mask, 4);
    for (size_t i = 0; i < len; i++)
        buf_putc(&frame, (char)(((const unsigned char *)data)[i] ^ mask[i % 4]));
    return link_send_raw(l, frame.data, frame.len);
}

/* Takes the next frame off L->frames: its opcode and its payload, appended to TO. 0: not whole. */
static inline int ws_take(struct link *l, struct buf *to)
{
    const unsigned char *d = (const unsigned char *)buf_str(&l->frames);
    size_t head = 2, len = l->frames.len < 2 ? 0 : d[1] & 127;

    if (len == 126 || len == 127) {
        size_t bytes = len == 126 ? 2 : 8;

        if (l->frames.len < head + bytes)
            return 0;
        len = 0;
        for (size_t i = 0; i < bytes; i++)
            len = len << 8 | d[head + i];
        head += bytes;
    }
    if (l->frames.len < head + len)
        return 0;

    int opcode = d[0] & 15;

    buf_append(to, d + head, len);
    buf_consume(&l->frames, head + len);
    return opcode;
}

/* Upgrades; the status that was answered (101: it is a WebSocket now). */
static inline int ws_open(struct link *l, const char *target, const char *protocol)
{
    auto_buf struct buf request = {0};
    char *end = NULL;

    buf_printf(&request,
               "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
               "Sec-WebSocket-Protocol: %s\r\n\r\n",
               target, protocol);
    (void)link_send_raw(l, request.data, request.len);
    while (!(end = strstr(buf_str(&l->frames), "\r\n\r\n")))
        if (!link_read_raw(l, &l->frames))
            return 0;

    int status = (int)strtol(l->frames.data + 9, NULL, 10);

    if (status == 101 && (!strstr(l->frames.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") ||
                          strstr(l->frames.data, "permessage-deflate")))
        status = -101;
    buf_consume(&l->frames, (size_t)(end + 4 - l->frames.data));
    l->websocket = status == 101;
    return status;
}

static inline bool ws_more(struct link *l)
{
    for (;;) {
        auto_buf struct buf payload = {0};
        int opcode = ws_take(l, &payload);

        if (opcode == WS_BINARY) {
            buf_append(&l->in, buf_str(&payload), payload.len);
            return true;
        }
        if (opcode == WS_CLOSE)
            l->ended = true;
        if (opcode == WS_CLOSE || (opcode == 0 && !link_read_raw(l, &l->frames)))
            return false;
    }
}

/* ------------------------------------------------------------------------------------------ either
 */

static inline bool link_send(struct link *l, const void *data, size_t len)
{
    return l->websocket ? ws_send(l, WS_BINARY, data, len) : link_send_raw(l, data, len);
}

/* Reads more; false at the end or after the deadline. */
static inline bool link_more(struct link *l)
{
    return l->websocket ? ws_more(l) : link_read_raw(l, &l->in);
}

/* True when the server ends the connection within the deadline. */
static inline bool link_ends(struct link *l)
{
    while (link_more(l))
        ;
    return l->ended;
}

#endif
