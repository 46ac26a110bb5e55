/* A CONNECT whose check takes time: what a client notices of it, and what a head may count on.
 * Server and clients share this process. */
#include "vm/guest/hub/mqtt_conn.h"

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/io/tls_cert.h"
#include "tests/support/peer.h"

#include <signal.h>

#define HOST "localhost"

static char dir[] = "/tmp/berth-later-XXXXXX";
static struct tls_server *tls;
static struct tls_client *client;
static struct mqtt_server *server;
static uint16_t port;

/* ---- a head that decides when the test says so ---- */

static struct {
    struct mqtt_conn *asked;
    unsigned asks, abandoned;
    struct buf published;
    bool gone;
} head;

static bool wants(void *owner, const struct mqtt_packet *connect)
{
    (void)owner, (void)connect;
    return true;
}

static bool connect_later(void *owner, struct mqtt_conn *c, const struct mqtt_packet *p,
                          struct err *err)
{
    (void)owner;
    head.asked = c;
    head.asks++;
    if (p->client_id.len == 4 && memcmp(p->client_id.at, "full", 4) == 0) {
        (void)err_set(err, ERR_BUSY, "no room");
        return false;
    }
    return true;
}

static void abandon(void *owner, struct mqtt_conn *c)
{
    (void)owner;
    head.abandoned += c == head.asked;
    head.asked = NULL;
}

static bool publish(void *x, const struct mqtt_packet *p, struct err *err)
{
    (void)x, (void)err;
    buf_append(&head.published, p->payload.at, p->payload.len);
    return true;
}

static void gone(void *x, const char *why)
{
    (void)x, (void)why;
    head.gone = true;
}

static const struct mqtt_head later_head = {.wants = wants,
                                            .connect_later = connect_later,
                                            .abandon = abandon,
                                            .publish = publish,
                                            .gone = gone};

static bool before_flush(void *arg)
{
    (void)arg;
    return true;
}

/* ---- clients ---- */

/* CONNECT of client id ID (4 characters), keep-alive 60. */
static void put_connect(struct buf *to, const char *id)
{
    buf_append(to, "\x10\x10\0\4MQTT\4\2\0\x3c\0\4", 14);
    buf_append(to, id, 4);
}

/* PUBLISH of QoS 1 to topic "t" with packet id 7. */
static void put_publish(struct buf *to, const char *text)
{
    size_t len = strlen(text);

    buf_putc(to, 0x32);
    buf_putc(to, (char)(5 + len));
    buf_append(to, "\0\1t\0\7", 5);
    buf_append(to, text, len);
}

static struct peer come(const struct buf *first)
{
    struct peer p = peer_tls(port, client, HOST);
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;
    unsigned asks = head.asks;

    head.published.len = 0;
    head.gone = false;
    peer_say(&p, first->data, first->len);
    while (head.asks == asks && !p.ended && clock_mono_ms() < end)
        peer_turn(&p);
    return p;
}

static bool gets(struct peer *p, const char *bytes, size_t len)
{
    return peer_gets(p, len) && memcmp(p->in.data, bytes, len) == 0;
}

static bool comes_to(struct peer *p, const unsigned *count, unsigned value)
{
    uint64_t end = clock_mono_ms() + PEER_WAIT_MS;

    while (*count != value && clock_mono_ms() < end)
        peer_turn(p);
    return *count == value;
}

/* ---- cases ---- */

static void test_accept(void)
{
    auto_buf struct buf say = {0};

    put_connect(&say, "good");
    put_publish(&say, "early");

    auto_peer struct peer p = come(&say);

    peer_puts(&p, "\xc0");
    for (int i = 0; i < 20; i++)
        peer_turn(&p);
    report("nothing is answered and no packet taken before the head has decided",
           head.asked && p.in.len == 0 && head.published.len == 0, buf_str(&p.in));
    mqtt_conn_accept(head.asked, &head, true);
    report("then the answers come in order, and what was sent early is dealt with",
           gets(&p, "\x20\2\1\0\x40\2\0\7", 8) && strcmp(buf_str(&head.published), "early") == 0,
           buf_str(&head.published));
    buf_clear(&p.in);
    peer_say(&p, "\0", 1);
    report("a packet that was half there goes on", gets(&p, "\xd0\0", 2), NULL);
    peer_say(&p, "\xe0\0", 2);
    report("the connection ends as any other", peer_ends(&p) && head.gone, NULL);
}

static void test_refuse(void)
{
    static const struct {
        const char *name;
        enum err_kind kind;
        char code;
    } cases[] = {
        {"who may not is told so", ERR_AUTH, 5},
        {"who may try again is told that", ERR_UNREACHABLE, 3},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct err err = {.kind = cases[i].kind, .msg = "no"};
        char answer[] = {0x20, 2, 0, cases[i].code};
        auto_buf struct buf say = {0};

        put_connect(&say, "evil");
        put_publish(&say, "early");

        auto_peer struct peer p = come(&say);

        if (head.asked)
            mqtt_conn_refuse(head.asked, &err);
        report(cases[i].name,
               gets(&p, answer, 4) && peer_ends(&p) && p.in.len == 4 && head.published.len == 0,
               NULL);
    }

    auto_buf struct buf say = {0};

    put_connect(&say, "full");

    auto_peer struct peer p = come(&say);

    report("who is refused at once is, too", gets(&p, "\x20\2\0\3", 4) && peer_ends(&p), NULL);
}

static void test_expired(void)
{
    auto_buf struct buf say = {0};

    put_connect(&say, "late");

    auto_peer struct peer p = come(&say);

    mqtt_conn_expires(head.asked, 1);
    mqtt_conn_accept(head.asked, &head, false);
    report("a token that ended meanwhile ends the connection", peer_ends(&p) && head.gone, NULL);
}

static void test_abandon(void)
{
    static const char much[70000];
    auto_buf struct buf say = {0};
    struct peer p;

    put_connect(&say, "gone");
    p = come(&say);
    peer_close(&p);
    report("a client that does not wait is not waited for", comes_to(&p, &head.abandoned, 1), NULL);
    p = come(&say);
    peer_say(&p, much, sizeof(much));
    report("one that sends much before it is let in is cut off",
           comes_to(&p, &head.abandoned, 2) && peer_ends(&p), NULL);
    peer_close(&p);
    p = come(&say);
    mqtt_server_free(server);
    report("the end of the server tells the head", head.abandoned == 3 && !head.asked, NULL);
    peer_close(&p);
}

static int set_up(struct err *err)
{
    const char *const names[] = {HOST, NULL};
    static const struct mqtt_head *const heads[] = {&later_head, NULL};
    static void *const owners[] = {NULL};
    char file[4][60];
    const char *leaves[] = {"ca.pem", "ca.key", "server.pem", "server.key"};

    if (!mkdtemp(dir))
        return err_sys(err, errno, "mkdtemp");
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
        (void)snprintf(file[i], sizeof(file[i]), "%s/%s", dir, leaves[i]);
    if (tls_cert_make_ca(file[0], file[1], "test", 2, err) < 0 ||
        tls_cert_make_server(file[0], file[1], file[2], file[3], names, 2, err) < 0 ||
        !(tls = tls_server_new(file[2], file[3], err)) || !(client = tls_client_new(file[0], err)))
        return -1;
    server = mqtt_server_new(&loop, 100, heads, owners, before_flush, NULL);
    port = free_port();
    if (mqtt_server_listen(server, "127.0.0.1", port, tls, err) < 0)
        return -1;
    return 0;
}

int main(void)
{
    struct err err = {0};

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    log_set_level(LOG_LEVEL_ERROR);
    (void)uv_loop_init(&loop);
    if (set_up(&err) < 0) {
        printf("not ok set-up: %s\n", err.msg);
        return 1;
    }
    test_accept();
    test_refuse();
    test_expired();
    test_abandon();
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    report("nothing is left in the loop", uv_loop_close(&loop) == 0, NULL);
    tls_client_free(client);
    tls_server_free(tls);
    buf_done(&head.published);
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
