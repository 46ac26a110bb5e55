/* A WebSocket from its first request to its last byte, over a unix socket and over TLS, with
 * clients that are right, slow, wrong or gone. Its owner here echoes. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/io/http_server.h"
#include "tests/support/frames.h"
#include "tests/support/peer.h"

#include <signal.h>

#define HOST       "hub.example"
#define REQUEST_MS 300
#define MESSAGE_MS 400
#define LARGE      (320U << 10)

static char dir[] = "/tmp/berth-ws-XXXXXX";
static char path[64], ca_file[64];
static uint16_t port;
static struct http_server *server;
static struct tls_server *tls;
static struct tls_client *client;

/* ------------------------------------------------------------------------------------------ server
 */

struct echo {
    struct net_conn *conn;
    size_t wanted; /* nothing is used before so much is there */
};

static struct buf story;
static size_t wanted;
static uint64_t commits;

static void *on_open(struct net_conn *c, void *arg)
{
    struct echo *e = xcalloc(1, sizeof(*e));

    (void)arg;
    e->conn = c;
    e->wanted = wanted;
    net_conn_deadline(c, 60000);
    return e;
}

static size_t on_data(void *x, const char *data, size_t len)
{
    struct echo *e = x;

    if (len < e->wanted)
        return 0;
    if (len == 5 && memcmp(data, "leave", 5) == 0) {
        (void)net_conn_write(e->conn, "bye", 3);
        net_conn_close(e->conn);
        free(e);
        return len;
    }
    (void)net_conn_write(e->conn, data, len);
    return len;
}

static void on_eof(void *x)
{
    struct echo *e = x;

    buf_puts(&story, "eof ");
    net_conn_close(e->conn);
    free(e);
}

static void on_close(void *x)
{
    buf_puts(&story, "close ");
    free(x);
}

static void on_nothing(void *x)
{
    (void)x;
}

static bool before_flush(void *arg)
{
    (void)arg;
    commits++;
    return true;
}

static const struct net_server_events echo_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_nothing,
    .on_deadline = on_nothing,
    .on_close = on_close,
    .before_flush = before_flush,
};

static void upgrade(struct http_exchange *x)
{
    struct err err = {0};

    if (http_exchange_websocket(x, "mqtt", &echo_events, NULL, &err) < 0)
        http_reply_message(x, 400, "%s", err.msg);
}

static void on_later(uv_timer_t *timer)
{
    upgrade(timer->data);
    uv_close((uv_handle_t *)timer, (uv_close_cb)(void (*)(void))free);
}

static void handler(struct http_exchange *x, void *arg)
{
    (void)arg;
    if (!http_exchange_wants_websocket(x)) {
        http_reply(x, 200, "text/plain", "plain", 5);
    } else if (strcmp(http_exchange_path(x), "/later") == 0) {
        uv_timer_t *timer = xcalloc(1, sizeof(*timer));

        (void)uv_timer_init(&loop, timer);
        timer->data = x;
        (void)uv_timer_start(timer, on_later, 50, 0);
    } else {
        upgrade(x);
    }
}

static void serve(void)
{
    static const char *const names[] = {HOST, NULL};
    struct http_limits limits = {
        .request_ms = REQUEST_MS, .message_ms = MESSAGE_MS, .connections_max = 300};
    char key[64], ca_key[64], cert[64];
    struct err err = {0};

    snprintf(path, sizeof(path), "%s/sock", dir);
    snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", dir);
    snprintf(ca_key, sizeof(ca_key), "%s/ca.key", dir);
    snprintf(cert, sizeof(cert), "%s/server.pem", dir);
    snprintf(key, sizeof(key), "%s/server.key", dir);
    port = free_port();
    server = http_server_new(&loop, &limits, handler, NULL);
    if (tls_cert_make_ca(ca_file, ca_key, "CA", 2, &err) < 0 ||
        tls_cert_make_server(ca_file, ca_key, cert, key, names, 2, &err) < 0 ||
        !(tls = tls_server_new(cert, key, &err)) || !(client = tls_client_new(ca_file, &err)) ||
        http_server_listen_unix(server, path, 0600, (uid_t)-1, (gid_t)-1, &err) < 0 ||
        http_server_listen_tls(server, "127.0.0.1", port, tls, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

/* ------------------------------------------------------------------------------------------ client
 */

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ASKS    "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define MQTT    "Sec-WebSocket-Protocol: mqtt\r\n"
#define REQUEST "GET /$iothub/websocket HTTP/1.1\r\n" ASKS KEY VERSION MQTT "\r\n"

static struct peer dial(bool secure)
{
    return secure ? peer_tls(port, client, HOST) : peer_unix(path);
}

static void say(struct peer *p, enum opcode opcode, bool fin, const char *data, size_t len)
{
    auto_buf struct buf frame = {0};

    frame_put(&frame, opcode, fin, data, len);
    peer_say(p, frame.data, frame.len);
}

static void say_text(struct peer *p, const char *text)
{
    say(p, BINARY, true, text, strlen(text));
}

/* Drops what was heard up to the end of the handshake. */
static bool agreed(struct peer *p)
{
    if (!peer_hears(p, "\r\n\r\n") || strncmp(p->in.data, "HTTP/1.1 101 ", 13) != 0)
        return false;
    buf_consume(&p->in, (size_t)(strstr(p->in.data, "\r\n\r\n") + 4 - p->in.data));
    return true;
}

static struct peer open_websocket(bool secure)
{
    struct peer p = dial(secure);

    for (int i = 0; i < 20; i++) /* the end of those before is not this one's */
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    buf_clear(&story);
    peer_puts(&p, REQUEST);
    if (!agreed(&p))
        printf("# no WebSocket: %s\n", buf_str(&p.in));
    return p;
}

/* The next frame is this one, which the server made: short, and no mask. */
static bool hears(struct peer *p, enum opcode opcode, const char *data, size_t len)
{
    bool ok = peer_gets(p, len + 2) && (unsigned char)p->in.data[0] == (0x80U | opcode) &&
              (unsigned char)p->in.data[1] == len && memcmp(p->in.data + 2, data, len) == 0;

    if (ok)
        buf_consume(&p->in, len + 2);
    return ok;
}

static bool hears_text(struct peer *p, const char *text)
{
    return hears(p, BINARY, text, strlen(text));
}

static bool hears_goodbye(struct peer *p, unsigned code)
{
    const char bytes[] = {(char)(code >> 8), (char)code};

    return hears(p, CLOSE, bytes, sizeof(bytes)) && peer_ends(p);
}

/* Until the owner was told TEXT. */
static bool told(const char *text)
{
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;

    while (strcmp(buf_str(&story), text) != 0 && clock_mono_ms() < end)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    return strcmp(buf_str(&story), text) == 0;
}

/* ------------------------------------------------------------------------------------------ the
 * handshake */

static void answers(const char *name, const char *request, const char *status, const char *needle)
{
    auto_peer struct peer p = dial(false);

    peer_puts(&p, request);
    report(name,
           peer_hears(&p, "\r\n\r\n") && peer_hears(&p, needle) &&
               strncmp(p.in.data + 9, status, 3) == 0,
           buf_str(&p.in));
}

static void test_handshake(void)
{
    auto_peer struct peer p = dial(false);

    peer_puts(&p,
              "GET / HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\nConnection: keep-alive, upgrade"
              "\r\n" KEY VERSION "Sec-WebSocket-Extensions: permessage-deflate\r\n"
              "Sec-WebSocket-Protocol: amqp,MQTT\r\nSec-WebSocket-Protocol:  foo , mqtt\r\n\r\n");
    report("a request with lists and an extension is agreed to",
           peer_hears(&p, "\r\n\r\n") && strncmp(p.in.data, "HTTP/1.1 101 ", 13) == 0 &&
               strstr(p.in.data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") &&
               strstr(p.in.data, "Sec-WebSocket-Protocol: mqtt\r\n"),
           buf_str(&p.in));
    report("the extension is not", !strstr(buf_str(&p.in), "Extensions"), buf_str(&p.in));
    answers("another version is refused and told which is spoken",
            "GET / HTTP/1.1\r\n" ASKS KEY MQTT "Sec-WebSocket-Version: 8\r\n\r\n", "400",
            "Sec-WebSocket-Version: 13\r\n");
    answers("a request without a key is refused", "GET / HTTP/1.1\r\n" ASKS VERSION MQTT "\r\n",
            "400", "Sec-WebSocket-Key");
    answers("a key of another length is refused",
            "GET / HTTP/1.1\r\n" ASKS VERSION MQTT "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n",
            "400", "Sec-WebSocket-Key");
    answers("two keys are refused", "GET / HTTP/1.1\r\n" ASKS KEY KEY VERSION MQTT "\r\n", "400",
            "Sec-WebSocket-Key");
    answers("another sub-protocol is refused",
            "GET / HTTP/1.1\r\n" ASKS KEY VERSION "Sec-WebSocket-Protocol: AMQPWSB10\r\n\r\n",
            "400", "sub-protocol mqtt");
    answers("no sub-protocol is refused", "GET / HTTP/1.1\r\n" ASKS KEY VERSION "\r\n", "400",
            "sub-protocol mqtt");
    answers("another method is refused",
            "POST / HTTP/1.1\r\n" ASKS KEY VERSION MQTT "Content-Length: 2\r\n\r\nhi", "400",
            "does not ask");
    answers("HTTP/1.0 is refused", "GET / HTTP/1.0\r\n" ASKS KEY VERSION MQTT "\r\n", "400",
            "does not ask");
    answers("an upgrade to something else is no WebSocket",
            "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION MQTT "\r\n",
            "200", "plain");
    answers("a handshake that does not end is 408", "GET / HTTP/1.1\r\n" ASKS KEY, "408",
            "in time");
}

/* Frames behind the request in the same packet belong to the new owner. */
static void test_eager(bool secure, const char *target, const char *name)
{
    auto_buf struct buf all = {0};
    auto_peer struct peer p = dial(secure);

    buf_printf(&all, "GET %s HTTP/1.1\r\n" ASKS KEY VERSION MQTT "\r\n", target);
    frame_put(&all, BINARY, true, "one", 3);
    frame_put(&all, BINARY, true, "two", 3);
    peer_say(&p, all.data, all.len);

    bool ok = agreed(&p) && hears_text(&p, "onetwo");

    say_text(&p, "three");
    report(name, ok && hears_text(&p, "three"), buf_str(&p.in));

    auto_peer struct peer brief = dial(secure);

    frame_put(&all, CLOSE, true, "\x03\xe8", 2);
    peer_say(&brief, all.data, all.len);
    report("even where the goodbye is among them",
           agreed(&brief) && hears_text(&brief, "onetwo") && hears_goodbye(&brief, 1000),
           buf_str(&brief.in));
}

/* ------------------------------------------------------------------------------------------ frames
 */

static void test_echo(bool secure)
{
    auto_peer struct peer p = open_websocket(secure);
    auto_buf struct buf frames = {0};
    uint64_t before = commits;

    frame_put(&frames, BINARY, true, "one ", 4);
    frame_put(&frames, BINARY, false, "two ", 4);
    frame_put(&frames, PING, true, "?", 1);
    frame_put(&frames, MORE, true, "three", 5);
    peer_say(&p, frames.data, frames.len);
    report("what came in one packet is answered with one message, behind the pong",
           hears(&p, PONG, "?", 1) && hears_text(&p, "one two three"), buf_str(&p.in));
    report("the owner was asked before it was sent", commits > before, NULL);

    wanted = strlen("one two three");
    auto_peer struct peer slow = open_websocket(secure);

    wanted = 0;
    for (size_t i = 0; i < frames.len; i++) {
        peer_say(&slow, frames.data + i, 1);
        peer_turn(&slow);
    }
    report("it may also come byte by byte",
           hears(&slow, PONG, "?", 1) && hears_text(&slow, "one two three"), NULL);
}

/* A packet that the owner can only use as a whole, larger than what HTTP lets wait. */
static void test_large(bool secure)
{
    auto_free char *data = xmalloc(LARGE);

    memset(data, 'x', LARGE);
    wanted = LARGE;
    auto_peer struct peer p = open_websocket(secure);
    wanted = 0;
    say(&p, BINARY, false, data, 1000);
    for (size_t at = 1000; at < LARGE; at += 30000)
        say(&p, MORE, false, data, LARGE - at < 30000 ? LARGE - at : 30000);
    say(&p, MORE, true, "", 0);
    report("a large packet in fragments reaches its owner whole and comes back as one message",
           peer_gets(&p, LARGE + 10) && p.in.len == LARGE + 10 &&
               memcmp(p.in.data, "\x82\x7f\0\0\0\0\0\x05\0\0x", 11) == 0,
           NULL);
}

static void test_goodbyes(bool secure)
{
    auto_peer struct peer a = open_websocket(secure);
    auto_buf struct buf frames = {0};

    frame_put(&frames, BINARY, true, "last", 4);
    frame_put(&frames, CLOSE, true, "\x03\xe8", 2);
    peer_say(&a, frames.data, frames.len);
    report("the client's goodbye is returned, and the connection ends",
           hears_text(&a, "last") && hears_goodbye(&a, 1000) && told("eof "), buf_str(&story));

    auto_peer struct peer b = open_websocket(secure);

    say_text(&b, "leave");
    report("the owner's end is a goodbye behind its last word",
           hears_text(&b, "bye") && hears_goodbye(&b, 1000), buf_str(&b.in));

    auto_peer struct peer c = open_websocket(secure);

    say_text(&c, "x");
    (void)hears_text(&c, "x");
    peer_close(&c);
    report("a client that is gone without a word is noticed", told("eof "), buf_str(&story));

    auto_peer struct peer d = open_websocket(secure);

    say(&d, TEXT, true, "hello", 5);
    report("text is refused with 1003", hears_goodbye(&d, 1003) && told("close "), buf_str(&story));

    auto_peer struct peer e = open_websocket(secure);

    buf_clear(&frames);
    frame_put(&frames, BINARY, true, "good", 4);
    buf_puts(&frames, "\x82\x01x"); /* no mask */
    peer_say(&e, frames.data, frames.len);
    report("what breaks the protocol is refused with 1002, what came before it is not lost",
           hears_text(&e, "good") && hears_goodbye(&e, 1002) && told("close "), buf_str(&story));

    auto_peer struct peer f = open_websocket(secure);

    peer_say(&f, "\x82\xff\0\0\0\0\x40\0\0\0maskx", 15);
    report("a message of 1 GiB is refused with 1009 at its first byte",
           hears_goodbye(&f, 1009) && told("close "), buf_str(&story));
}

/* ------------------------------------------------------------------------------------------ slow
 * and greedy */

static void test_slow(void)
{
    auto_peer struct peer p = open_websocket(false);
    uint64_t begin = clock_mono_ms();

    say(&p, BINARY, false, "half", 4);
    (void)hears_text(&p, "half");
    while (!p.ended && clock_mono_ms() < begin + PEER_WAIT_MS) {
        say(&p, PING, true, "", 0);
        peer_turn(&p);
        buf_clear(&p.in);
    }
    report("a message has one deadline, whatever is said meanwhile",
           p.ended && clock_mono_ms() - begin >= MESSAGE_MS && told("close "), buf_str(&story));

    auto_peer struct peer header = open_websocket(false);

    peer_say(&header, "\x82", 1);
    report("so has half a header", peer_ends(&header) && told("close "), buf_str(&story));

    auto_peer struct peer idle = open_websocket(false);
    uint64_t until = clock_mono_ms() + 2 * MESSAGE_MS;

    say_text(&idle, "x");
    while (clock_mono_ms() < until)
        peer_turn(&idle);
    report("between messages there is none", !idle.ended, buf_str(&story));
}

/* Asks with pings and large messages for more and more, and reads nothing of it. */
static void test_deaf(void)
{
    auto_peer struct peer p = open_websocket(true);
    auto_peer struct peer other = open_websocket(true);
    auto_buf struct buf frames = {0};
    static char data[10000];
    size_t taken = 0;
    unsigned stuck = 0;

    for (int i = 0; i < 50; i++)
        frame_put(&frames, PING, true, data, 125);
    frame_put(&frames, BINARY, true, data, sizeof(data));
    while (stuck < 1000 && taken < (64U << 20)) {
        if (p.out.len == 0) {
            peer_say(&p, frames.data, frames.len);
            taken += frames.len;
        }

        size_t before = p.out.len;

        peer_push(&p);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        stuck = p.out.len && p.out.len == before ? stuck + 1 : 0;
    }
    report("who does not read is not read", taken < (32U << 20), NULL);
    say_text(&other, "x");
    report("others are served meanwhile", hears_text(&other, "x"), NULL);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    (void)uv_loop_init(&loop);
    serve();
    test_handshake();
    for (int secure = 0; secure < 2; secure++) {
        printf("# over %s\n", secure ? "TLS" : "a unix socket");
        test_eager(secure, "/now", "frames behind the request reach the owner");
        test_eager(secure, "/later", "also where the answer came later");
        test_echo(secure);
        test_large(secure);
        test_goodbyes(secure);
    }
    test_slow();
    test_deaf();
    http_server_free(server);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    tls_server_free(tls);
    tls_client_free(client);
    buf_done(&story);
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
