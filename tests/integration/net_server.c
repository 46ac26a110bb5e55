/* Connections that change hands, and what must be durable before output leaves. Server and clients
 * share this process: the loop turns until what is waited for has come. */
#include "core/io/net_server.h"

#include "tests/support/peer.h"

static char dir[] = "/tmp/berth-net-XXXXXX";
static char path[64];

/* ------------------------------------------------------------------------------------------ owners
 */

/* An owner writes down in order what happens to it and to its connections. */
struct owner {
    const char *name;
    bool refuses;       /* before_flush says no */
    struct owner *next; /* who gets a connection after "over" */
    unsigned flushes;
    struct held {
        struct net_conn *conn;
        struct owner *owner;
    } held[16];
    unsigned n;
};

static struct buf story;

static bool before_flush(void *arg)
{
    struct owner *o = arg;

    o->flushes++;
    buf_printf(&story, "%s:flush ", o->name);
    return !o->refuses;
}

static void *on_open(struct net_conn *c, void *arg)
{
    struct owner *o = arg;
    struct held *h = &o->held[o->n++];

    *h = (struct held){c, o};
    return h;
}

static void on_nothing(void *x)
{
    (void)x;
}

static void on_close(void *x)
{
    const struct held *h = x;

    buf_printf(&story, "%s:close ", h->owner->name);
}

static void on_eof(void *x)
{
    struct held *h = x;

    buf_printf(&story, "%s:eof ", h->owner->name);
    net_conn_close(h->conn);
}

static size_t on_echo(void *x, const char *data, size_t len)
{
    struct held *h = x;

    buf_printf(&story, "%s:%.*s ", h->owner->name, (int)len, data);
    (void)net_conn_write(h->conn, data, len);
    return len;
}

static const struct net_server_events second_events = {
    .on_open = on_open,
    .on_data = on_echo,
    .on_eof = on_eof,
    .on_drain = on_nothing,
    .on_deadline = on_nothing,
    .on_close = on_close,
    .before_flush = before_flush,
};

/* Words of four letters; "over" hands the connection over. */
static size_t on_word(void *x, const char *data, size_t len)
{
    struct held *h = x;
    struct owner *next = h->owner->next;

    if (len < 4)
        return 0;
    (void)on_echo(x, data, 4);
    if (memcmp(data, "over", 4) == 0)
        net_conn_hand_over(h->conn, &second_events, next, on_open(h->conn, next));
    return 4;
}

static const struct net_server_events first_events = {
    .on_open = on_open,
    .on_data = on_word,
    .on_eof = on_eof,
    .on_drain = on_nothing,
    .on_deadline = on_nothing,
    .on_close = on_close,
    .before_flush = before_flush,
};

static const struct net_server_limits limits = {
    .connections_max = 100,
    .in_max = 65536,
    .out_high = 65536,
    .out_max = 1U << 20,
    .handshake_ms = 1000,
    .stall_ms = 1000,
};

static struct net_server *serve(struct owner *o)
{
    struct net_server *s = net_server_new(&loop, &limits, &first_events, o);
    struct err err = {0};

    if (net_server_listen_unix(s, path, 0600, (uid_t)-1, (gid_t)-1, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    buf_clear(&story);
    return s;
}

static void end(struct net_server *s)
{
    net_server_free(s);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static bool told(const char *text)
{
    return strcmp(buf_str(&story), text) == 0;
}

/* ------------------------------------------------------------------------------------------ tests
 */

static void test_hand_over(void)
{
    struct owner second = {.name = "second"};
    struct owner first = {.name = "first", .next = &second};
    struct net_server *s = serve(&first);
    auto_peer struct peer p = peer_unix(path);

    peer_puts(&p, "overrest");
    report("what the old owner left over reaches the new one", peer_hears(&p, "overrest"),
           buf_str(&story));
    report("the new owner is asked once before it is sent",
           told("first:over second:rest second:flush "), buf_str(&story));
    buf_clear(&story);
    peer_puts(&p, "more");
    report("what comes later is the new owner's alone",
           peer_hears(&p, "more") && told("second:more second:flush "), buf_str(&story));
    buf_clear(&story);
    shutdown(p.fd, SHUT_WR);
    report("and so is the end", peer_ends(&p) && strstr(buf_str(&story), "second:eof"),
           buf_str(&story));
    end(s);
}

static void test_refusal(void)
{
    struct owner second = {.name = "second", .refuses = true};
    struct owner first = {.name = "first", .next = &second};
    struct net_server *s = serve(&first);
    auto_peer struct peer kept = peer_unix(path);
    auto_peer struct peer moved = peer_unix(path);

    peer_puts(&moved, "over");
    peer_puts(&kept, "stay");
    report("an owner that could not keep its promise breaks its own connections",
           peer_ends(&moved) && strstr(buf_str(&story), "second:close"), buf_str(&story));
    report("and no other's", peer_hears(&kept, "stay") && !strstr(buf_str(&story), "first:close"),
           buf_str(&story));
    end(s);
}

/* Ten connections of two owners with output in one turn. */
static void test_once(void)
{
    struct owner second = {.name = "second"};
    struct owner first = {.name = "first", .next = &second};
    struct net_server *s = serve(&first);
    struct peer peers[10];
    bool ok = true;

    for (int i = 0; i < 10; i++)
        peers[i] = peer_unix(path);
    for (int i = 0; i < 100 && net_server_connections(s) < 10; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    for (int i = 0; i < 10; i++)
        peer_puts(&peers[i], i % 2 ? "over" : "stay");
    for (int i = 0; i < 10; i++)
        ok = peer_hears(&peers[i], i % 2 ? "over" : "stay") && ok;
    report("each owner is asked once a turn for all its connections",
           ok && first.flushes == 1 && second.flushes == 1, buf_str(&story));
    for (int i = 0; i < 10; i++)
        peer_close(&peers[i]);
    end(s);
}

/* A connection breaks while a turn is sent; its owner writes to another one then, whose output of
 * this turn is not out yet. */
static struct net_conn *other;

static void on_close_write(void *x)
{
    (void)x;
    buf_puts(&story, "late ");
    (void)net_conn_write(other, "late", 4);
}

static bool flush_is_told(void *arg)
{
    struct owner *o = arg;

    buf_puts(&story, "flush ");
    return !o->refuses;
}

static void test_written_while_sending(void)
{
    static struct net_server_events breaking;
    struct owner first = {.name = "first"};
    struct owner second = {.name = "second", .refuses = true};
    struct net_server *s = serve(&first);
    auto_peer struct peer a = peer_unix(path);
    auto_peer struct peer b = {0};
    bool ok;

    breaking = second_events;
    breaking.on_close = on_close_write;
    breaking.before_flush = flush_is_told;
    peer_puts(&a, "stay");
    ok = peer_hears(&a, "stay");
    other = first.held[0].conn;
    b = peer_unix(path);
    peer_puts(&b, "stay");
    ok = peer_hears(&b, "stay") && ok;
    buf_clear(&story);
    (void)net_conn_write(other, "soon", 4);
    net_conn_hand_over(first.held[1].conn, &breaking, &second, &second);
    (void)net_conn_write(first.held[1].conn, "gone", 4);
    report("what is written while a turn is sent waits for its own promise",
           peer_hears(&a, "soonlate") && ok &&
               strcmp(strstr(buf_str(&story), "late"), "late first:flush ") == 0,
           buf_str(&story));
    end(s);
}

/* Two servers of one loop: as the one sends, it writes to a connection of the other, whose own
 * turn may be over. */
static bool flush_writes(void *arg)
{
    struct owner *o = arg;

    if (o->flushes++ == 0)
        (void)net_conn_write(other, "late", 4);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void on_heard(uv_poll_t *heard, int status, int events)
{
    (void)status, (void)events;
    uv_stop(heard->loop);
}

static void test_written_by_another(const char *name, bool made_first)
{
    static struct net_server_events events;
    struct owner first = {.name = "first"};
    struct owner second = {.name = "second", .flushes = 1};
    uv_timer_t timer;
    uv_poll_t heard;
    char got[5] = "";

    events = second_events;
    events.before_flush = flush_writes;

    struct net_server *writer =
        made_first ? net_server_new(&loop, &limits, &events, &second) : NULL;
    struct net_server *s = serve(&first);
    auto_peer struct peer hears = peer_unix(path);

    peer_puts(&hears, "stay");
    (void)peer_hears(&hears, "stay");
    other = first.held[0].conn;
    net_server_stop_listening(s);
    if (!writer)
        writer = net_server_new(&loop, &limits, &events, &second);
    (void)net_server_listen_unix(writer, path, 0600, (uid_t)-1, (gid_t)-1, NULL);

    auto_peer struct peer says = peer_unix(path);

    for (int i = 0; i < 100 && net_server_connections(writer) < 1; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    (void)uv_timer_init(&loop, &timer);
    (void)uv_timer_start(&timer, on_timer, PEER_WAIT_MS, 0);
    (void)uv_poll_init(&loop, &heard, hears.fd);
    (void)uv_poll_start(&heard, UV_READABLE, on_heard);
    second.flushes = 0;
    peer_puts(&says, "word");
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)!recv(hears.fd, got, 4, MSG_DONTWAIT);
    report(name, uv_is_active((uv_handle_t *)&timer) && strcmp(got, "late") == 0, got);
    uv_close((uv_handle_t *)&heard, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    net_server_free(writer);
    end(s);
}

static void test_tcp(void)
{
    static const char nobodys[] = "192.0.2.1"; /* of documentation */
    struct owner first = {.name = "first"};
    struct net_server *s = serve(&first);
    uint16_t port = free_port();
    struct err err = {0};
    bool ok = net_server_listen_tcp(s, "127.0.0.1", port, &err) == 0;
    auto_peer struct peer p = peer_tcp(port);

    peer_puts(&p, "word");
    report("plain TCP carries what a unix socket carries", ok && peer_hears(&p, "word"), err.msg);
    report("and tells who is there",
           first.n == 1 && !strncmp(net_conn_peer_text(first.held[0].conn), "127.0.0.1:", 10) &&
               net_conn_peer_pid(first.held[0].conn) == 0,
           buf_str(&story));

    ok = net_server_listen_tcp(s, "127.0.0.1", port, &err) < 0 && err.kind == ERR_EXISTS;
    report("a taken port is told from other faults", ok && strstr(err.msg, "is taken"), err.msg);
    ok = net_server_listen_tcp(s, "localhost", port, &err) < 0 && err.kind == ERR_INVALID;
    report("a name is no address", ok, err.msg);
    ok = net_server_listen_tcp(s, nobodys, port, &err) < 0 && err.kind != ERR_EXISTS;
    net_server_set_free_bind(s);
    err.msg[0] = '\0';
    ok = net_server_listen_tcp(s, nobodys, port, &err) == 0 && ok;
    ok = net_server_listen_tcp(s, "2001:db8::1", port, &err) == 0 && ok;
    report("an address that is not here yet can be listened on, where that was asked for", ok,
           err.msg);
    end(s);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/sock", dir);
    (void)uv_loop_init(&loop);
    test_hand_over();
    test_refusal();
    test_once();
    test_written_while_sending();
    test_written_by_another("what another server's turn writes is not left to wait", true);
    test_written_by_another("nor where that one's turn comes later", false);
    test_tcp();
    (void)uv_loop_close(&loop);
    buf_done(&story);
    (void)rmdir(dir);
    return failures ? 1 : 0;
}
