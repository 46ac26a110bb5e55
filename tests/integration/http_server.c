/* The HTTP server on a unix socket and a plain port, spoken to byte by byte: what clients do wrong,
 * slowly, or all at once. The server runs in a child. */
#include "core/io/http_server.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_MS 5000

static char dir[] = "/tmp/berth-http-XXXXXX";
static char path[64];
static uint16_t port;
static int failures;

/* ------------------------------------------------------------------------------------------ server
 * side */

static unsigned left; /* clients that went away in the middle of a stream */
static size_t streamed;
static char filler[32768];

static void pump(void *arg)
{
    struct http_exchange *x = arg;
    bool more = true;

    while (more) {
        streamed += sizeof(filler);
        more = http_reply_chunk(x, filler, sizeof(filler));
    }
}

static void on_left(void *arg)
{
    (void)arg;
    left++;
}

static void on_later(uv_timer_t *timer)
{
    http_reply(timer->data, 200, "text/plain", "later", 5);
    uv_close((uv_handle_t *)timer, (uv_close_cb)(void (*)(void))free);
}

static void reply_later(struct http_exchange *x, uv_loop_t *loop)
{
    uv_timer_t *timer = calloc(1, sizeof(*timer));

    uv_timer_init(loop, timer);
    timer->data = x;
    uv_timer_start(timer, on_later, 100, 0);
}

static void handler(struct http_exchange *x, void *arg)
{
    const char *at = http_exchange_path(x);
    char text[256];
    size_t len;
    const char *body = http_exchange_body(x, &len);

    if (strcmp(at, "/echo") == 0) {
        http_reply(x, 200, "text/plain", body, len);
    } else if (strcmp(at, "/large") == 0) {
        http_reply(x, 200, "text/plain", filler, sizeof(filler));
    } else if (strcmp(at, "/later") == 0) {
        reply_later(x, arg);
    } else if (strcmp(at, "/none") == 0) {
        http_reply(x, 204, NULL, NULL, 0);
    } else if (strcmp(at, "/stream") == 0) {
        http_exchange_on_close(x, on_left, NULL);
        http_reply_start(x, 200, "text/plain", pump, x);
        pump(x);
    } else if (strcmp(at, "/three") == 0) {
        http_reply_header(x, "X-Evil", "a\r\nInjected: yes");
        http_reply_start(x, 200, "text/plain", NULL, NULL);
        (void)http_reply_chunk(x, "one", 3);
        (void)http_reply_chunk(x, "two", 3);
        http_reply_end(x);
    } else if (strcmp(at, "/left") == 0) {
        snprintf(text, sizeof(text), "%u", left);
        http_reply(x, 200, "text/plain", text, strlen(text));
    } else if (strcmp(at, "/streamed") == 0) {
        snprintf(text, sizeof(text), "%zu", streamed);
        http_reply(x, 200, "text/plain", text, strlen(text));
    } else if (strcmp(at, "/pid") == 0) {
        snprintf(text, sizeof(text), "%d", (int)http_exchange_peer_pid(x));
        http_reply(x, 200, "text/plain", text, strlen(text));
    } else if (strcmp(at, "/query") == 0) {
        if (!http_exchange_query(x, "a", text, sizeof(text)))
            http_reply_message(x, 400, "no \"a\"");
        else
            http_reply(x, 200, "text/plain", text, strlen(text));
    } else {
        http_reply(x, 200, "text/plain", at, strlen(at));
    }
}

static void serve(int ready)
{
    uv_loop_t loop;
    struct err err = {0};
    struct http_limits limits = {
        .request_ms = 300, .idle_ms = 400, .body_max = 100000, .connections_max = 8};

    uv_loop_init(&loop);

    struct http_server *s = http_server_new(&loop, &limits, handler, &loop);

    if (http_server_listen_unix(s, path, 0660, (uid_t)-1, (gid_t)-1, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        _exit(1);
    }
    if (http_server_listen_tcp(s, "127.0.0.1", port, &err) < 0 || write(ready, "r", 1) != 1)
        _exit(1);
    close(ready);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
}

/* ------------------------------------------------------------------------------------------ client
 * side */

static int dial(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

static int dial_tcp(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* One that nobody has just now. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        exit(1);
    close(fd);
    return ntohs(a.sin_port);
}

static void say_n(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n < 0)
            return; /* the server may hang up on us in the middle; the answer tells */
        text += n;
        len -= (size_t)n;
    }
}

static void say(int fd, const char *text)
{
    say_n(fd, text, strlen(text));
}

/* Reads until NEEDLE was seen N times, the end of the stream or the deadline. Returns whether it
 * was seen. */
static bool hear(int fd, struct buf *to, const char *needle, unsigned n)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;

    for (;;) {
        unsigned seen = 0;

        for (const char *at = buf_str(to); needle && seen < n && (at = strstr(at, needle)); at++)
            seen++;
        if (needle && seen >= n)
            return true;

        uint64_t now = clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
            return false;

        char *room = buf_reserve(to, 65536);
        ssize_t got = read(fd, room, 65536);

        if (got <= 0) {
            buf_commit(to, 0);
            return !needle; /* without a needle the end is what we wait for */
        }
        buf_commit(to, (size_t)got);
    }
}

static void report(const char *name, bool ok, const struct buf *seen)
{
    if (ok) {
        printf("ok %s\n", name);
        return;
    }
    failures++;
    printf("not ok %s: got <%.300s>\n", name, seen ? buf_str(seen) : "");
}

/* Sends REQUEST, waits for the end of the connection, wants NEEDLE in the answer. */
static void until_close(const char *name, const char *request, const char *needle)
{
    auto_buf struct buf seen = {0};
    int fd = dial();

    say(fd, request);

    bool ended = hear(fd, &seen, NULL, 0);

    report(name, ended && strstr(buf_str(&seen), needle), &seen);
    close(fd);
}

static void expect(const char *name, const char *request, const char *needle, unsigned times)
{
    auto_buf struct buf seen = {0};
    int fd = dial();

    say(fd, request);
    report(name, hear(fd, &seen, needle, times), &seen);
    close(fd);
}

static void test_pipelining(void)
{
    auto_buf struct buf request = {0};

    for (int i = 0; i < 200; i++)
        buf_puts(&request, i % 3 == 0 ? "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
                           : i % 3 == 1
                               ? "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
                               : "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    /* Only the first is slow, so that 199 wait behind it. */
    for (char *p = request.data + 10; (p = strstr(p, "GET /later"));)
        memcpy(p, "GET /echo ", 10);
    expect("pipelined requests of every kind are answered in order", buf_str(&request),
           "HTTP/1.1 200 OK", 200);
}

/* Together they are far more than may wait for one client. */
static void test_large_pipelining(void)
{
    static char chunk[65536];
    const size_t wanted = 400 * sizeof(filler);
    auto_buf struct buf request = {0};
    uint64_t end = clock_mono_ms() + WAIT_MS;
    char seen[60];
    size_t got = 0;
    int fd = dial();

    for (int i = 0; i < 400; i++)
        buf_puts(&request, "GET /large HTTP/1.1\r\n\r\n");
    say(fd, buf_str(&request));
    while (got < wanted && clock_mono_ms() < end) {
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    snprintf(seen, sizeof(seen), "%zu of %zu bytes", got, wanted);
    buf_clear(&request);
    buf_puts(&request, seen);
    report("pipelined large answers come as fast as they are taken", got >= wanted, &request);
    close(fd);
}

static void test_split(void)
{
    auto_buf struct buf seen = {0};
    const char *request = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n";
    int fd = dial();

    for (const char *p = request; *p; p++)
        say_n(fd, p, 1);
    report("a chunked body that comes byte by byte", hear(fd, &seen, "hello world", 1), &seen);
    close(fd);
}

static void test_continue(void)
{
    auto_buf struct buf seen = {0};
    int fd = dial();

    say(fd, "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");

    bool ok = hear(fd, &seen, "100 Continue\r\n\r\n", 1);

    say(fd, "ok");
    ok = hear(fd, &seen, "\r\n\r\nok", 1) && ok;
    report("100-continue is granted before the body", ok, &seen);
    close(fd);
}

static void test_limits(void)
{
    auto_buf struct buf big = {0};

    until_close("a body announced too large is 413",
                "POST /echo HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n", " 413 ");
    buf_puts(&big, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 200; i++)
        buf_puts(&big, "400\r\n"), memset(buf_reserve(&big, 1024), 'x', 1024),
            buf_commit(&big, 1024), buf_puts(&big, "\r\n");
    until_close("a chunked body that grows too large is 413", buf_str(&big), " 413 ");
    buf_clear(&big);
    buf_puts(&big, "GET / HTTP/1.1\r\nX: ");
    memset(buf_reserve(&big, 20000), 'x', 20000);
    buf_commit(&big, 20000);
    until_close("endless headers are 431", buf_str(&big), " 431 ");
    buf_clear(&big);
    buf_puts(&big, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 150; i++)
        buf_puts(&big, "a: b\r\n");
    until_close("too many headers are 431", buf_str(&big), " 431 ");
}

static void test_bad(void)
{
    until_close("nonsense is 400", "\x16\x03\x01 what\r\n\r\n", " 400 ");
    until_close("two lengths that differ are 400",
                "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                " 400 ");
    until_close("length and chunked together are 400",
                "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\n\r\n",
                " 400 ");
    until_close("a request that never ends is 408", "GET / HTTP/1.1\r\nHost: x\r\n", " 408 ");
    until_close("an unknown expectation is 417",
                "POST /echo HTTP/1.1\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\nab", " 417 ");
    until_close("a connection without a request is closed", "", "");
    until_close("an upgrade that is not offered gets a plain answer",
                "GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", " 200 ");
}

/* What a client sets its clock by, in one second and in a later one. */
static bool tells_time(void)
{
    auto_buf struct buf seen = {0};
    struct tm tm = {0};
    uint64_t before = clock_wall_ms() / 1000;
    int fd = dial();

    say(fd, "GET /echo HTTP/1.1\r\n\r\n");
    bool answered = hear(fd, &seen, "\r\n\r\n", 1);
    const char *at = answered ? strstr(seen.data, "\r\nDate: ") : NULL;
    const char *end = at ? strptime(at, "\r\nDate: %a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
    uint64_t theirs = (uint64_t)timegm(&tm);

    close(fd);
    return end && str_starts(end, "\r\n") && theirs >= before && theirs <= clock_wall_ms() / 1000;
}

static void test_date(void)
{
    uint64_t start = clock_wall_ms() / 1000;
    bool good = tells_time();

    while (good && clock_wall_ms() / 1000 == start)
        good = tells_time();
    report("answers tell the time, and go on doing so", good && tells_time(), NULL);
}

static void test_paths(void)
{
    expect("paths stay as they were sent", "GET /a+b%2Fc//../d HTTP/1.1\r\n\r\n",
           "\r\n\r\n/a+b%2Fc//../d", 1);
    expect("query values are decoded", "GET /query?b=1&a=x%2Fy+z&aa=2 HTTP/1.1\r\n\r\n",
           "\r\n\r\nx/y z", 1);
    expect("a broken escape is no value", "GET /query?a=%zz HTTP/1.1\r\n\r\n",
           "{\"message\":\"no \\\"a\\\"\"}", 1);
    expect("204 has no body", "GET /none HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n",
           "GMT\r\n\r\nHTTP/1.1 200", 1);
    expect("HEAD has a length and no body", "HEAD /abc HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n",
           "Content-Length: 4\r\n\r\nHTTP/1.1 200", 1);
    expect("a streamed answer is chunked", "GET /three HTTP/1.1\r\n\r\n",
           "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", 1);
    expect("a header value cannot begin another header", "GET /three HTTP/1.1\r\n\r\n",
           "X-Evil: a  Injected: yes\r\n", 1);
    until_close("HTTP/1.0 gets a body that ends with the connection", "GET /three HTTP/1.0\r\n\r\n",
                "\r\n\r\nonetwo");
}

static void test_peer(void)
{
    char text[64];

    snprintf(text, sizeof(text), "\r\n\r\n%d", (int)getpid());
    expect("the handler learns who calls", "GET /pid HTTP/1.1\r\n\r\n", text, 1);
}

static void test_tcp(void)
{
    auto_buf struct buf seen = {0};
    int fd = dial_tcp();

    say(fd, "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nplain");
    report("a plain port answers as the socket does", hear(fd, &seen, "\r\n\r\nplain", 1), &seen);
    buf_clear(&seen);
    say(fd, "GET /pid HTTP/1.1\r\n\r\n");
    report("its callers have no process that is known", hear(fd, &seen, "\r\n\r\n0", 1), &seen);
    close(fd);
}

static void test_half_close(void)
{
    auto_buf struct buf seen = {0};
    int fd = dial();

    say(fd, "GET /later HTTP/1.1\r\n\r\n");
    shutdown(fd, SHUT_WR);
    report("a client that half-closes still gets its answer", hear(fd, &seen, "\r\n\r\nlater", 1),
           &seen);
    close(fd);
}

static unsigned long ask(const char *what)
{
    auto_buf struct buf seen = {0};
    int fd = dial();

    say(fd, "GET ");
    say(fd, what);
    say(fd, " HTTP/1.1\r\nConnection: close\r\n\r\n");
    (void)hear(fd, &seen, NULL, 0);
    close(fd);

    const char *body = strstr(buf_str(&seen), "\r\n\r\n");

    return body ? strtoul(body + 4, NULL, 10) : 0;
}

/* Who does not read gets a bounded amount; who leaves is noticed. */
static void test_stream(void)
{
    auto_buf struct buf seen = {0};
    int fd = dial();

    say(fd, "GET /stream HTTP/1.1\r\n\r\n");
    (void)hear(fd, &seen, "\r\n\r\n", 1);

    unsigned long before = ask("/streamed");
    unsigned long after = ask("/streamed");

    report("a slow reader stops the source", before == after && before < (4U << 20), &seen);
    for (int i = 0; i < 200; i++)
        buf_clear(&seen), (void)hear(fd, &seen, "x", 1);
    report("the source goes on when the reader does", ask("/streamed") > before, NULL);
    close(fd);

    uint64_t end = clock_mono_ms() + WAIT_MS;

    while (ask("/left") == 0 && clock_mono_ms() < end)
        ;
    report("a client that leaves a stream is noticed", ask("/left") == 1, NULL);
}

static void test_crowd(void)
{
    int fds[20];
    unsigned closed = 0;
    auto_buf struct buf seen = {0};

    for (int i = 0; i < 20; i++)
        fds[i] = dial();
    for (int i = 8; i < 20; i++)
        closed += hear(fds[i], &seen, NULL, 0);
    report("connections beyond the limit are closed at once", closed == 12, NULL);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    (void)ask("/left");
}

static void test_socket_file(void)
{
    struct stat st = {0};

    (void)stat(path, &st);
    report("the socket has its mode", (st.st_mode & 07777) == 0660, NULL);

    int ready[2];

    (void)pipe(ready);
    pid_t second = fork();

    if (second == 0) {
        (void)freopen("/dev/null", "w", stderr);
        serve(ready[1]);
    }

    int status = 0;

    waitpid(second, &status, 0);
    report("a second server does not take the socket away",
           WIFEXITED(status) && WEXITSTATUS(status) == 1 && ask("/left") < 100, NULL);
}

static pid_t start(void)
{
    int ready[2];
    char c;

    if (pipe(ready) < 0)
        exit(1);
    pid_t child = fork();

    if (child == 0) {
        close(ready[0]);
        serve(ready[1]);
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 1)
        exit(1);
    close(ready[0]);
    return child;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(filler, 'x', sizeof(filler));
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/http.sock", dir);
    port = free_port();

    pid_t child = start();

    test_socket_file();
    test_pipelining();
    test_large_pipelining();
    test_split();
    test_continue();
    test_limits();
    test_bad();
    test_date();
    test_paths();
    test_peer();
    test_tcp();
    test_half_close();
    test_stream();
    test_crowd();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = start();
    expect("a stale socket is replaced", "GET /echo HTTP/1.1\r\n\r\n", " 200 ", 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    (void)unlink(path);
    (void)rmdir(dir);
    return failures ? 1 : 0;
}
