/* For tests: a hub of one's own, and a blocking TLS client that speaks REST and raw MQTT to it.
 * Every wait has a deadline. */
#ifndef BERTH_TESTS_HUB_CLIENT_H
#define BERTH_TESTS_HUB_CLIENT_H

#include "core/azure/sas.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define HUB_HOST   "sandbox.berth.internal"
#define HUB_WAIT_S 5

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

/* Starts it and waits for its first word. True when that is "ready". */
static inline bool hub_start(struct test_hub *h)
{
    const char *build = getenv("BERTH_BUILD");
    char program[300], mqtt[8], https[8], log[100];
    int ready[2];

    snprintf(program, sizeof(program), "%s/berth-hub", build ? build : "build/debug");
    snprintf(mqtt, sizeof(mqtt), "%u", h->mqtt_port);
    snprintf(https, sizeof(https), "%u", h->https_port);
    snprintf(log, sizeof(log), "%s.log", h->dir);
    if (pipe(ready) < 0)
        abort();
    h->pid = fork();
    if (h->pid == 0) {
        char fd[8];
        int null = open("/dev/null", O_RDWR);

        close(ready[0]);
        dup2(null, 2);
        snprintf(fd, sizeof(fd), "%d", ready[1]);
        execl(program, program, "--role", "cloud", "--dir", h->dir, "--mqtt-port", mqtt,
              "--https-port", https, "--no-registry", "--ready-fd", fd, "--log", log, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);

    size_t n = 0;
    ssize_t got;

    while (n < sizeof(h->line) - 1 &&
           (got = read(ready[0], h->line + n, sizeof(h->line) - 1 - n)) > 0)
        n += (size_t)got;
    h->line[n] = '\0';
    close(ready[0]);
    if (strcmp(h->line, "ready\n") != 0)
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

/* ------------------------------------------------------------------------------------------ TLS */

struct link {
    int fd;
    SSL *ssl;
    struct buf in; /* read and not yet used */
    bool ended;
};

static inline void link_close(struct link *l)
{
    if (l->ssl)
        SSL_free(l->ssl);
    if (l->fd > 0)
        close(l->fd);
    buf_done(&l->in);
    *l = (struct link){0};
}

/* The certificate is verified against the sandbox's own authority, by the name that devices use. */
static inline bool link_open(struct link *l, const struct test_hub *h, uint16_t port)
{
    static SSL_CTX *ctx;
    static char ctx_dir[64];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = HUB_WAIT_S};

    if (strcmp(ctx_dir, h->dir) != 0) {
        char ca[100];

        SSL_CTX_free(ctx);
        ctx = SSL_CTX_new(TLS_client_method());
        snprintf(ca, sizeof(ca), "%s/ca.pem", h->dir);
        snprintf(ctx_dir, sizeof(ctx_dir), "%s", h->dir);
        if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
            return false;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    *l = (struct link){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    l->ssl = SSL_new(ctx);
    SSL_set_fd(l->ssl, l->fd);
    SSL_set1_host(l->ssl, HUB_HOST);
    SSL_set_tlsext_host_name(l->ssl, HUB_HOST);
    if (connect(l->fd, (struct sockaddr *)&to, sizeof(to)) == 0 && SSL_connect(l->ssl) == 1)
        return true;
    link_close(l);
    return false;
}

static inline bool link_send(struct link *l, const void *data, size_t len)
{
    size_t n;

    return SSL_write_ex(l->ssl, data, len, &n) == 1 && n == len;
}

/* Reads more; false at the end or after the deadline. */
static inline bool link_more(struct link *l)
{
    size_t n = 0;
    char *room = buf_reserve(&l->in, 65536);
    bool ok = SSL_read_ex(l->ssl, room, 65536, &n) == 1;

    buf_commit(&l->in, n);
    if (!ok && !(errno == EAGAIN && SSL_get_error(l->ssl, 0) == SSL_ERROR_SYSCALL))
        l->ended = true;
    return ok;
}

/* True when the server ends the connection within the deadline. */
static inline bool link_ends(struct link *l)
{
    while (link_more(l))
        ;
    return l->ended;
}

/* ------------------------------------------------------------------------------------------ REST
 */

/* Sends a request and gives all that came back. AUTH NULL: the owner's token. Status, 0 where
 * nothing came. */
static inline int rest_text(const struct test_hub *h, const char *auth, const char *method,
                            const char *target, const char *headers, const char *body,
                            struct buf *ret)
{
    struct link l;
    auto_secret struct secret token = {0};
    auto_buf struct buf request = {0};
    int status = 0;

    buf_clear(ret);
    if (!link_open(&l, h, h->https_port))
        return 0;
    if (!auth)
        (void)sas_make(HUB_HOST, h->service_key, clock_wall_ms() / 1000 + 3600, "iothubowner",
                       &token, NULL);
    buf_printf(&request,
               "%s %s%sapi-version=2021-04-12 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
               "Authorization: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
               method, target, strchr(target, '?') ? "&" : "?", auth ? auth : token.data,
               headers ? headers : "", body ? strlen(body) : 0, body ? body : "");
    (void)link_send(&l, request.data, request.len);
    (void)link_ends(&l);
    if (str_starts(buf_str(&l.in), "HTTP/1.1 "))
        status = (int)strtol(l.in.data + 9, NULL, 10);
    buf_append(ret, buf_str(&l.in), l.in.len);
    link_close(&l);
    return status;
}

/* The same; the body is parsed into RET (may be NULL). */
static inline int rest(const struct test_hub *h, const char *auth, const char *method,
                       const char *target, const char *headers, const char *body, cJSON **ret)
{
    auto_buf struct buf text = {0};
    int status = rest_text(h, auth, method, target, headers, body, &text);
    const char *data = strstr(buf_str(&text), "\r\n\r\n");

    if (ret)
        *ret = data && data[4] ? json_parse(data + 4, strlen(data + 4), NULL) : NULL;
    return status;
}

/* Creates a device and gives its primary key. */
static inline void device_create(const struct test_hub *h, const char *device, bool edge,
                                 char key[128])
{
    char target[200], body[200];
    auto_json cJSON *out = NULL;

    snprintf(target, sizeof(target), "/devices/%s", device);
    snprintf(body, sizeof(body), "{\"deviceId\":\"%s\",\"capabilities\":{\"iotEdge\":%s}}", device,
             edge ? "true" : "false");
    (void)rest(h, NULL, "PUT", target, NULL, body, &out);

    const cJSON *auth = out ? json_get(out, "authentication") : NULL;
    const cJSON *keys = auth ? json_get(auth, "symmetricKey") : NULL;

    snprintf(key, 128, "%s", keys ? json_str(keys, "primaryKey", "") : "");
}

/* ------------------------------------------------------------------------------------------ MQTT
 */

static inline void put16(struct buf *b, size_t n)
{
    buf_putc(b, (char)(n >> 8));
    buf_putc(b, (char)n);
}

static inline void put_text(struct buf *b, const char *text)
{
    put16(b, strlen(text));
    buf_puts(b, text);
}

static inline bool send_packet(struct link *l, unsigned char first, const struct buf *body)
{
    auto_buf struct buf packet = {0};
    size_t n = body ? body->len : 0;

    buf_putc(&packet, (char)first);
    do {
        buf_putc(&packet, (char)((n & 127) | (n > 127 ? 128 : 0)));
        n >>= 7;
    } while (n);
    if (body)
        buf_append(&packet, body->data, body->len);
    return link_send(l, packet.data, packet.len);
}

/* The next packet: its first byte (0: none came), its body in BODY. */
static inline unsigned recv_packet(struct link *l, struct buf *body)
{
    buf_clear(body);
    for (;;) {
        size_t at = 1, len = 0, shift = 0;
        bool whole = false;

        while (at < l->in.len && !whole) {
            len |= (size_t)(l->in.data[at] & 127) << shift;
            shift += 7;
            whole = !(l->in.data[at++] & 128);
        }
        if (whole && l->in.len >= at + len) {
            unsigned first = (unsigned char)l->in.data[0];

            buf_append(body, l->in.data + at, len);
            buf_consume(&l->in, at + len);
            return first;
        }
        if (!link_more(l))
            return 0;
    }
}

struct mqtt_login {
    const char *client_id, *user, *password; /* NULL: made from device, module and key */
    const char *device, *module, *key;
    const char *sr; /* audience; NULL: the right one */
    const char *will_topic, *will;
    uint64_t expiry_s; /* 0: in an hour */
    unsigned keep_alive_s;
    bool keep_session;
};

/* Opens and sends CONNECT. Returns the CONNACK code, -1 where none came. PRESENT may be NULL. */
static inline int mqtt_login(struct link *l, const struct test_hub *h, const struct mqtt_login *m,
                             bool *present)
{
    const char *module = m->module ? m->module : "";
    const char *slash = module[0] ? "/" : "";
    char id[300], user[600], sr[600];
    auto_secret struct secret token = {0};
    auto_buf struct buf body = {0};

    snprintf(id, sizeof(id), "%s%s%s", m->device, slash, module);
    snprintf(user, sizeof(user), HUB_HOST "/%s/?api-version=2021-04-12&DeviceClientType=test", id);
    snprintf(sr, sizeof(sr), HUB_HOST "/devices/%s%s%s", m->device, module[0] ? "/modules/" : "",
             module);
    if (!m->password &&
        sas_make(m->sr ? m->sr : sr, m->key,
                 m->expiry_s ? m->expiry_s : clock_wall_ms() / 1000 + 3600, NULL, &token, NULL) < 0)
        return -1;
    if (!link_open(l, h, h->mqtt_port))
        return -1;
    put_text(&body, "MQTT");
    buf_putc(&body, 4);
    buf_putc(&body, (char)(0xc0 | (m->keep_session ? 0 : 2) | (m->will ? 4 : 0)));
    put16(&body, m->keep_alive_s);
    put_text(&body, m->client_id ? m->client_id : id);
    if (m->will) {
        put_text(&body, m->will_topic);
        put_text(&body, m->will);
    }
    put_text(&body, m->user ? m->user : user);
    put_text(&body, m->password ? m->password : token.data);
    (void)send_packet(l, 0x10, &body);
    if (recv_packet(l, &body) != 0x20 || body.len != 2)
        return -1;
    if (present)
        *present = body.data[0] & 1;
    return (unsigned char)body.data[1];
}

static inline bool mqtt_publish(struct link *l, const char *topic, unsigned qos, unsigned id,
                                const void *payload, size_t len)
{
    auto_buf struct buf body = {0};

    put_text(&body, topic);
    if (qos)
        put16(&body, id);
    buf_append(&body, payload, len);
    return send_packet(l, (unsigned char)(0x30 | qos << 1), &body);
}

/* The SUBACK's code for one filter; -1 where none came. */
static inline int mqtt_subscribe(struct link *l, const char *filter, unsigned qos)
{
    auto_buf struct buf body = {0};

    put16(&body, 7);
    put_text(&body, filter);
    buf_putc(&body, (char)qos);
    (void)send_packet(l, 0x82, &body);
    return recv_packet(l, &body) == 0x90 && body.len == 3 ? (unsigned char)body.data[2] : -1;
}

/* The next PUBLISH: topic and payload as text. */
static inline bool mqtt_receive(struct link *l, struct buf *topic, struct buf *payload)
{
    auto_buf struct buf body = {0};

    buf_clear(topic);
    buf_clear(payload);
    if ((recv_packet(l, &body) & 0xf0) != 0x30 || body.len < 2)
        return false;

    size_t n = (size_t)((unsigned char)body.data[0] << 8 | (unsigned char)body.data[1]);

    buf_append(topic, body.data + 2, n);
    buf_append(payload, body.data + 2 + n, body.len - 2 - n);
    return true;
}

#endif
