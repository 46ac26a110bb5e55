/* Connections that change hands, and what must be durable before output leaves. Server and clients
 * share this process: the loop turns until what is waited for has come. */
#include "core/io/net_server.h"

#include "core/base/buf.h"
#include "core/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define WAIT_MS 5000

static int failures;
static uv_loop_t loop;
static char dir[] = "/tmp/berth-net-XXXXXX";
static char path[64];

static void report(const char *name, bool ok, const char *seen)
{
    printf(ok ? "ok %s\n" : "not ok %s: %.300s\n", name, seen ? seen : "");
    failures += !ok;
}

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

/* ------------------------------------------------------------------------------------------ client
 */

static int dial(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        abort();
    return fd;
}

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        perror("send");
}

/* Turns the loop until FD has said TEXT (NULL: until it ended). */
static bool hear(int fd, const char *text)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;
    auto_buf struct buf got = {0};

    while (clock_mono_ms() < end) {
        char data[4096];

        (void)uv_run(&loop, UV_RUN_NOWAIT);

        ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

        if (n == 0)
            return !text;
        if (n > 0)
            buf_append(&got, data, (size_t)n);
        if (text && strcmp(buf_str(&got), text) == 0)
            return true;
    }
    return false;
}

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

static void end(struct net_server *s, int fd)
{
    net_server_free(s);
    close(fd);
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
    int fd = dial();

    say(fd, "overrest");
    report("what the old owner left over reaches the new one", hear(fd, "overrest"),
           buf_str(&story));
    report("the new owner is asked once before it is sent",
           told("first:over second:rest second:flush "), buf_str(&story));
    buf_clear(&story);
    say(fd, "more");
    report("what comes later is the new owner's alone",
           hear(fd, "more") && told("second:more second:flush "), buf_str(&story));
    buf_clear(&story);
    shutdown(fd, SHUT_WR);
    report("and so is the end", hear(fd, NULL) && strstr(buf_str(&story), "second:eof"),
           buf_str(&story));
    end(s, fd);
}

static void test_refusal(void)
{
    struct owner second = {.name = "second", .refuses = true};
    struct owner first = {.name = "first", .next = &second};
    struct net_server *s = serve(&first);
    int kept = dial();
    int moved = dial();

    say(moved, "over");
    say(kept, "stay");
    report("an owner that could not keep its promise breaks its own connections",
           hear(moved, NULL) && strstr(buf_str(&story), "second:close"), buf_str(&story));
    report("and no other's", hear(kept, "stay") && !strstr(buf_str(&story), "first:close"),
           buf_str(&story));
    close(moved);
    end(s, kept);
}

/* Ten connections of two owners with output in one turn. */
static void test_once(void)
{
    struct owner second = {.name = "second"};
    struct owner first = {.name = "first", .next = &second};
    struct net_server *s = serve(&first);
    int fds[10];
    bool ok = true;

    for (int i = 0; i < 10; i++)
        fds[i] = dial();
    for (int i = 0; i < 100 && net_server_connections(s) < 10; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    for (int i = 0; i < 10; i++)
        say(fds[i], i % 2 ? "over" : "stay");
    for (int i = 0; i < 10; i++)
        ok = hear(fds[i], i % 2 ? "over" : "stay") && ok;
    report("each owner is asked once a turn for all its connections",
           ok && first.flushes == 1 && second.flushes == 1, buf_str(&story));
    for (int i = 1; i < 10; i++)
        close(fds[i]);
    end(s, fds[0]);
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
    int a = dial(), b;
    bool ok;

    breaking = second_events;
    breaking.on_close = on_close_write;
    breaking.before_flush = flush_is_told;
    say(a, "stay");
    ok = hear(a, "stay");
    other = first.held[0].conn;
    b = dial();
    say(b, "stay");
    ok = hear(b, "stay") && ok;
    buf_clear(&story);
    (void)net_conn_write(other, "soon", 4);
    net_conn_hand_over(first.held[1].conn, &breaking, &second, &second);
    (void)net_conn_write(first.held[1].conn, "gone", 4);
    report("what is written while a turn is sent waits for its own promise",
           hear(a, "soonlate") && ok &&
               strcmp(strstr(buf_str(&story), "late"), "late first:flush ") == 0,
           buf_str(&story));
    close(b);
    end(s, a);
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
    (void)uv_loop_close(&loop);
    buf_done(&story);
    (void)rmdir(dir);
    return failures ? 1 : 0;
}
