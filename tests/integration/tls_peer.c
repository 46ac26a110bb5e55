/* Peers over TLS: who they are, and what becomes of those that are slow, greedy, wrong or deaf,
 * and of the others meanwhile. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_server.h"
#include "tests/support/peer.h"

#include <signal.h>

#define HOST         "hub.example"
#define HANDSHAKE_MS 400
#define REQUEST_MS   400
#define STALL_MS     400
#define OUT_HIGH     (64U << 10)
#define OUT_MAX      (1U << 20)

static char dir[] = "/tmp/berth-tls-XXXXXX";
static uint16_t echo_port, https_port;
static struct net_server *echo_server;
static struct http_server *https_server;
static struct tls_server *tls_of_servers;
static struct tls_client *nobody, *device; /* without a certificate and with one */

static const char *in(const char *name)
{
    static char paths[8][64];
    static unsigned n;
    char *path = paths[n++ % ARRAY_LEN(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

/* ------------------------------------------------------------------------------------------
 * servers
 */

static unsigned lost; /* connections whose owner was told that they broke */
static size_t most_pending;

static void *on_open(struct net_conn *c, void *arg)
{
    (void)arg;
    return c;
}

/* "who" is answered with the common name, all else is echoed ten times. */
static size_t on_data(void *x, const char *data, size_t len)
{
    struct tls_cert_info info = {.common_name = "nobody"};

    if (len == 3 && memcmp(data, "who", 3) == 0) {
        (void)tls_peer(net_conn_tls(x), &info);
        (void)net_conn_write(x, info.common_name, strlen(info.common_name));
        return len;
    }
    for (int i = 0; i < 10; i++)
        (void)net_conn_write(x, data, len);
    if (net_conn_pending(x) > most_pending)
        most_pending = net_conn_pending(x);
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

static void on_close(void *x)
{
    (void)x;
    lost++;
}

static const struct net_server_events echo_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_nothing,
    .on_deadline = on_nothing,
    .on_close = on_close,
};

static void handler(struct http_exchange *x, void *arg)
{
    struct tls_cert_info info = {.common_name = "nobody"};
    size_t len;
    const char *body = http_exchange_body(x, &len);

    (void)arg;
    (void)tls_peer(http_exchange_tls(x), &info);
    http_reply_header(x, "X-Peer", info.common_name);
    http_reply(x, 200, "text/plain", body, len);
}

static int make_certs(struct err *err)
{
    static const char *const names[] = {HOST, NULL};

    if (tls_cert_make_ca(in("ca.pem"), in("ca.key"), "CA", 2, err) < 0 ||
        tls_cert_make_server(in("ca.pem"), in("ca.key"), in("server.pem"), in("server.key"), names,
                             2, err) < 0)
        return -1;
    return tls_cert_make_self_signed(in("dev.pem"), in("dev.key"), "pump-1", 2, err);
}

static int serve(struct err *err)
{
    static const struct net_server_limits limits = {
        .connections_max = 300,
        .in_max = 65536,
        .out_high = OUT_HIGH,
        .out_max = OUT_MAX,
        .handshake_ms = HANDSHAKE_MS,
        .stall_ms = STALL_MS,
    };
    struct http_limits http_limits = {.request_ms = REQUEST_MS, .body_max = 100000};

    if (make_certs(err) < 0 ||
        !(tls_of_servers = tls_server_new(in("server.pem"), in("server.key"), err)) ||
        !(nobody = tls_client_new(in("ca.pem"), err)) ||
        !(device = tls_client_new(in("ca.pem"), err)) ||
        tls_client_show(device, in("dev.pem"), in("dev.key"), err) < 0)
        return -1;
    tls_server_ask_client(tls_of_servers);
    echo_port = free_port();
    https_port = free_port();
    echo_server = net_server_new(&loop, &limits, &echo_events, NULL);
    https_server = http_server_new(&loop, &http_limits, handler, NULL);
    if (net_server_listen_tls(echo_server, "127.0.0.1", echo_port, tls_of_servers, err) < 0)
        return -1;
    return http_server_listen_tls(https_server, "127.0.0.1", https_port, tls_of_servers, err);
}

/* ------------------------------------------------------------------------------------------ who
 */

static void test_who(void)
{
    auto_peer struct peer a = peer_tls(echo_port, device, HOST);
    auto_peer struct peer b = peer_tls(echo_port, nobody, HOST);
    auto_peer struct peer c = peer_tls(https_port, device, HOST);

    peer_puts(&a, "who");
    peer_puts(&b, "who");
    peer_puts(&c, "GET / HTTP/1.1\r\n\r\n");
    report("an owner learns who its peer is", peer_hears(&a, "pump-1"), buf_str(&a.in));
    report("one without a certificate is nobody", peer_hears(&b, "nobody"), buf_str(&b.in));
    report("so does a handler of HTTP", peer_hears(&c, "X-Peer: pump-1\r\n"), buf_str(&c.in));
}

/* ------------------------------------------------------------------------------------------
 * handshakes */

/* Ends between the deadline and twice of it. */
static bool ends_in_time(struct peer *p, uint64_t since, uint64_t ms)
{
    bool ended = peer_ends(p);
    uint64_t took = clock_mono_ms() - since;

    return ended && took + 20 >= ms && took < 2 * ms + 200;
}

static void test_silent(void)
{
    static struct peer crowd[100];
    uint64_t begin = clock_mono_ms();

    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        crowd[i] = peer_tcp(echo_port);

    auto_peer struct peer good = peer_tls(echo_port, nobody, HOST);

    peer_puts(&good, "who");
    report("a crowd that says nothing keeps nobody out",
           peer_hears(&good, "nobody") && clock_mono_ms() - begin < HANDSHAKE_MS, NULL);

    bool ok = true;

    for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
        ok = ends_in_time(&crowd[i], begin, HANDSHAKE_MS) && ok;
        peer_close(&crowd[i]);
    }
    report("and is gone when its time is up", ok && !good.ended, NULL);
}

static void test_slow_hello(void)
{
    auto_peer struct peer p = peer_tcp(echo_port);
    auto_buf struct buf hello = {0};
    auto_buf struct buf nothing = {0};
    uint64_t begin = clock_mono_ms();
    struct tls *t = tls_open(nobody, HOST);

    (void)tls_feed(t, NULL, 0, &nothing, &hello, NULL);
    tls_free(t);
    for (size_t i = 0; i + 1 < hello.len && !p.ended; i++) {
        peer_say(&p, hello.data + i, 1);
        peer_turn(&p);
        (void)poll(NULL, 0, 1);
    }
    report("a handshake byte by byte has one deadline", ends_in_time(&p, begin, HANDSHAKE_MS),
           NULL);
}

static void test_nonsense(void)
{
    static const char forged[] = "\x17\x03\x03\x20\x20"; /* and then 8 KiB */
    static const char junk[0x2020];
    auto_peer struct peer plain = peer_tcp(echo_port);
    auto_peer struct peer open = peer_tls(echo_port, nobody, HOST);
    unsigned before = lost;
    uint64_t begin = clock_mono_ms();

    peer_puts(&plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    report("who does not speak TLS is hung up on at once",
           peer_ends(&plain) && clock_mono_ms() - begin < HANDSHAKE_MS, NULL);
    buf_append(&open.out, forged, strlen(forged));
    buf_append(&open.out, junk, sizeof(junk));
    report("a forged record ends the connection, and its owner knows",
           peer_ends(&open) && lost == before + 1, NULL);
}

/* ------------------------------------------------------------------------------------------ HTTP
 */

static void answers(const char *name, const char *request, size_t len, const char *needle)
{
    auto_peer struct peer p = peer_tls(https_port, nobody, HOST);

    peer_say(&p, request, len);
    report(name, peer_hears(&p, needle), buf_str(&p.in));
}

static void test_requests(void)
{
    static const char two[] = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\none"
                              "POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\ntwo";
    static const char gigabyte[] = "POST / HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\nx";
    auto_buf struct buf endless = {0};
    auto_peer struct peer p = peer_tls(https_port, nobody, HOST);

    peer_puts(&p, two);
    report("two requests with bodies in one record are both answered",
           peer_hears(&p, "one") && peer_hears(&p, "two"), buf_str(&p.in));
    answers("a body of 1 GiB is refused by its announcement", gigabyte, strlen(gigabyte), " 413 ");
    buf_puts(&endless, "GET / HTTP/1.1\r\n");
    while (endless.len < 100000)
        buf_printf(&endless, "X-%zu: %zu\r\n", endless.len, endless.len);
    answers("endless headers are refused", endless.data, endless.len, " 431 ");
}

/* A byte now and then. */
static void test_trickle(const char *name, const char *request, const char *more)
{
    auto_peer struct peer p = peer_tls(https_port, nobody, HOST);
    auto_peer struct peer other = peer_tls(https_port, nobody, HOST);
    uint64_t begin = clock_mono_ms();
    bool served;

    peer_puts(&p, request);
    peer_puts(&other, "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok");
    served = peer_hears(&other, "\r\n\r\nok");
    while (!p.ended && !strstr(buf_str(&p.in), "HTTP") && clock_mono_ms() < begin + PEER_WAIT_MS) {
        peer_puts(&p, more);
        peer_turn(&p);
        (void)poll(NULL, 0, 10);
    }
    report(name,
           served && peer_hears(&p, " 408 ") && clock_mono_ms() - begin < 2 * REQUEST_MS + 200,
           buf_str(&p.in));
}

/* ------------------------------------------------------------------------------------------ deaf
 */

/* Sends while the server takes it, reads nothing, and lets the loop turn until it is cut off. */
static bool cut_off(struct peer *p)
{
    static const char data[8192];
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;
    unsigned before = lost;

    while (lost == before && clock_mono_ms() < end) {
        if (p->out.len == 0)
            peer_say(p, data, sizeof(data));
        peer_push(p);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    return lost > before;
}

static void test_deaf(void)
{
    auto_peer struct peer p = peer_tls(echo_port, nobody, HOST);
    auto_peer struct peer other = peer_tls(echo_port, nobody, HOST);
    bool cut;

    (void)setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    most_pending = 0;
    cut = cut_off(&p);
    report("who asks for much and reads nothing is cut off, and never cost much",
           cut && most_pending < OUT_MAX, NULL);
    peer_puts(&other, "who");
    report("others are served as before", peer_hears(&other, "nobody"), NULL);
}

int main(void)
{
    struct err err = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    (void)uv_loop_init(&loop);
    if (serve(&err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    test_who();
    test_silent();
    test_slow_hello();
    test_nonsense();
    test_requests();
    test_trickle("headers that trickle are 408", "GET / HTTP/1.1\r\nX: ", "x");
    test_trickle("a body that trickles is 408", "POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n",
                 "x");
    test_trickle("so is one in chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                 "1\r\nx\r\n");
    test_deaf();
    net_server_free(echo_server);
    http_server_free(https_server);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    tls_server_free(tls_of_servers);
    tls_client_free(nobody);
    tls_client_free(device);
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
