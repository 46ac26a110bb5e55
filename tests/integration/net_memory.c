/* What connections cost a server that holds many: a device that is idle most of the time must be
 * cheap, and one that has left must cost nothing. The server runs in a child, whose own memory is
 * measured. With a number as argument: so many connections one after the other instead of 500. */
#include "core/base/file.h"
#include "core/base/str.h"
#include "core/io/http_server.h"
#include "tests/support/frames.h"
#include "tests/support/peer.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define HOST "hub.example"
/* Under the sanitiser, whose own memory hides the server's, only the way is walked. */
#ifdef __SANITIZE_ADDRESS__
#define IDLE   40
#define GUESTS 100
#else
#define IDLE   400
#define GUESTS 500
#endif
/* OpenSSL 3.0 alone holds 14 KiB for a connection, and 9 for a certificate that a client shows. */
#define IDLE_MAX_KIB        18
#define CERTIFICATE_MAX_KIB 10
#define GROWTH_MAX_KIB      256 /* what the allocator may do as it likes */

static char dir[64] = "/tmp/berth-mem-XXXXXX";
static uint16_t mqtt_port, https_port;
static pid_t server;

static char *in(const char *name)
{
    static char paths[8][100];
    static unsigned n;
    char *path = paths[n++ % ARRAY_LEN(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

/* ------------------------------------------------------------------------------------------ server
 */

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
    (void)arg;
    if (http_exchange_websocket(x, "mqtt", &echo, NULL, NULL) < 0)
        http_reply(x, 200, "text/plain", "plain", 5);
}

static void serve(int ready)
{
    static const struct net_server_limits limits = {
        .connections_max = 2 * IDLE,
        .in_max = 1U << 20,
        .out_high = 1U << 20,
        .out_max = 1U << 21,
        .handshake_ms = 10000,
        .stall_ms = 10000,
    };
    struct tls_server *tls = tls_server_new(in("server.pem"), in("server.key"), NULL);
    struct net_server *mqtt;
    struct http_server *https;

    (void)uv_loop_init(&loop);
    mqtt = net_server_new(&loop, &limits, &echo, NULL);
    https =
        http_server_new(&loop, &(struct http_limits){.connections_max = 2 * IDLE}, handler, NULL);
    tls_server_ask_client(tls);
    if (net_server_listen_tls(mqtt, "127.0.0.1", mqtt_port, tls, NULL) < 0 ||
        http_server_listen_tls(https, "127.0.0.1", https_port, tls, NULL) < 0 ||
        write(ready, "r", 1) != 1)
        _exit(1);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

static long server_kib(void)
{
    static const char key[] = "Private_Dirty:";
    char path[64], line[200];
    long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)server);

    FILE *f = fopen(path, "r");

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

/* ------------------------------------------------------------------------------------------ client
 */

/* Connected, and answered once. */
static struct peer talk(struct tls_client *client, bool websocket)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    struct peer p = peer_tls(websocket ? https_port : mqtt_port, client, HOST);
    auto_buf struct buf frame = {0};

    if (!p.tls)
        abort();
    if (websocket) {
        peer_puts(&p, request);
        frame_put(&frame, BINARY, true, "hello", 5);
        peer_say(&p, frame.data, frame.len);
    } else {
        peer_puts(&p, "hello");
    }
    if (!peer_hears(&p, "hello"))
        abort();
    buf_done(&p.in);
    return p;
}

static void leave(struct peer *p)
{
    tls_end(p->tls, &p->out);
    peer_push(p);
    (void)peer_ends(p); /* so that the server has let go */
    peer_close(p);
}

static void check(const char *name, long kib, long max, unsigned n)
{
    char seen[100];

    snprintf(seen, sizeof(seen), "%ld KiB, %.1f each", kib, (double)kib / n);
    printf("# %s: %s\n", name, seen);
#ifdef __SANITIZE_ADDRESS__
    max *= 1000; /* the sanitiser's own memory hides the server's */
#endif
    report(name, kib <= max, seen);
}

/* Executed anew: what a mere fork inherits would be counted or not, as the pages happen to fall. */
static void start(void)
{
    int ready[2];
    char ports[2][8], fd[8], c;

    if (pipe(ready) < 0)
        abort();
    snprintf(ports[0], sizeof(ports[0]), "%u", mqtt_port);
    snprintf(ports[1], sizeof(ports[1]), "%u", https_port);
    snprintf(fd, sizeof(fd), "%d", ready[1]);
    server = fork();
    if (server == 0) {
        execl("/proc/self/exe", "net_memory", dir, ports[0], ports[1], fd, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 1)
        abort();
    close(ready[0]);
}

static void stop(void)
{
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
}

static void come_and_go(struct tls_client *client, bool websocket, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct peer p = talk(client, websocket);

        leave(&p);
    }
}

/* A new server, since an older one has memory to spare. */
static void test_idle(const char *name, struct tls_client *client, bool websocket, long max_kib)
{
    static struct peer peers[IDLE];
    long before;

    start();
    come_and_go(client, websocket, 8);
    before = server_kib();
    for (unsigned i = 0; i < IDLE; i++)
        peers[i] = talk(client, websocket);
    check(name, server_kib() - before, IDLE * max_kib, IDLE);
    for (unsigned i = 0; i < IDLE; i++)
        peer_close(&peers[i]);
    stop();
}

static void test_growth(const char *name, struct tls_client *client, bool websocket, unsigned n)
{
    long before;

    start();
    come_and_go(client, websocket, 100);
    before = server_kib();
    come_and_go(client, websocket, n);
    check(name, server_kib() - before, GROWTH_MAX_KIB, n);
    stop();
}

int main(int argc, char **argv)
{
    static const char *const names[] = {HOST, NULL};
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : GUESTS;
    struct rlimit files;

    if (argc == 5) {
        STR_SET(dir, argv[1]);
        mqtt_port = (uint16_t)strtoul(argv[2], NULL, 10);
        https_port = (uint16_t)strtoul(argv[3], NULL, 10);
        serve((int)strtol(argv[4], NULL, 10));
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (!mkdtemp(dir) || tls_cert_make_ca(in("ca.pem"), in("ca.key"), "CA", 2, NULL) < 0 ||
        tls_cert_make_server(in("ca.pem"), in("ca.key"), in("server.pem"), in("server.key"), names,
                             2, NULL) < 0 ||
        tls_cert_make_device(in("ca.pem"), in("ca.key"), in("dev.pem"), in("dev.key"), "dev", 2,
                             NULL) < 0)
        return 1;
    mqtt_port = free_port();
    https_port = free_port();
    (void)uv_loop_init(&loop);

    struct tls_client *plain = tls_client_new(in("ca.pem"), NULL);
    struct tls_client *shows = tls_client_new(in("ca.pem"), NULL);

    (void)tls_client_show(shows, in("dev.pem"), in("dev.key"), NULL);
    test_idle("an idle connection is small", plain, false, IDLE_MAX_KIB);
    test_idle("so is a WebSocket", plain, true, IDLE_MAX_KIB);
    test_idle("one with a certificate is not much larger", shows, false,
              IDLE_MAX_KIB + CERTIFICATE_MAX_KIB);
    test_growth("connections that come and go leave nothing", plain, false, n);
    test_growth("nor do those that show a certificate", shows, false, n);
    test_growth("nor WebSockets", plain, true, n);
    tls_client_free(plain);
    tls_client_free(shows);
    (void)uv_loop_close(&loop);
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
