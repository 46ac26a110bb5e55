/* The loop-side I/O on this machine: unix streams, the HTTP client against a scripted peer,
 * children and daemons. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/child.h"
#include "core/io/digest.h"
#include "core/io/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int failures;
static char dir[] = "/tmp/berth-io-XXXXXX";

static void report(const char *name, bool ok, const char *why)
{
    if (ok) {
        printf("ok %s\n", name);
        return;
    }
    printf("not ok %s: %s\n", name, why);
    failures++;
}

/* ---- a peer that serves one scripted answer per connection, from a thread ---- */

struct peer {
    char path[64];
    int fd;
    pthread_t thread;
    const char *answer;
    size_t answer_len;
    size_t step;    /* bytes per write, 0: all at once */
    bool hang;      /* keep the connection open, say nothing more */
    struct buf got; /* what the client sent */
};

static void peer_talk(struct peer *p, int fd)
{
    char room[4096];
    while (!memmem(buf_str(&p->got), p->got.len, "\r\n\r\n", 4)) {
        ssize_t n = read(fd, room, sizeof(room));
        if (n <= 0)
            return;
        buf_append(&p->got, room, (size_t)n);
    }
    for (size_t at = 0; at < p->answer_len;) {
        size_t len = p->step && p->step < p->answer_len - at ? p->step : p->answer_len - at;
        ssize_t n = send(fd, p->answer + at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
    while (p->hang && read(fd, room, sizeof(room)) > 0)
        ;
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        peer_talk(p, fd);
        (void)close(fd);
    }
    return NULL;
}

static void peer_start(struct peer *p)
{
    static int n;
    (void)snprintf(p->path, sizeof(p->path), "%s/peer%d", dir, n++);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    STR_SET(addr.sun_path, p->path);
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(p->fd, 8) < 0)
        abort();
    if (pthread_create(&p->thread, NULL, peer_main, p) != 0)
        abort();
}

static void peer_stop(struct peer *p)
{
    (void)shutdown(p->fd, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->fd);
    buf_done(&p->got);
}

/* ---- HTTP ---- */

struct answer {
    int calls;
    int status;
    struct buf body;
    struct err err;
    /* streamed */
    struct http_call *call;
    bool pause_each;
    bool cancel;
    uv_timer_t resume;
    unsigned chunks;
};

static void on_done(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct answer *a = arg;
    a->calls++;
    a->status = status;
    if (err)
        a->err = *err;
    buf_append(&a->body, buf_str(body), body->len);
}

static void on_resume(uv_timer_t *timer)
{
    struct answer *a = timer->data;
    http_call_resume(a->call);
}

static bool on_stream(void *arg, const char *data, size_t len)
{
    struct answer *a = arg;
    buf_append(&a->body, data, len);
    a->chunks++;
    if (a->cancel) {
        http_call_cancel(a->call);
        return true;
    }
    if (!a->pause_each)
        return true;
    uv_timer_start(&a->resume, on_resume, 1, 0);
    return false;
}

static void http_case(struct peer *p, const struct http_request *request, struct answer *a,
                      bool stream)
{
    uv_loop_t loop;
    (void)uv_loop_init(&loop);
    (void)uv_timer_init(&loop, &a->resume);
    a->resume.data = a;
    struct dialer *dialer = dialer_local_new(&loop);
    a->call =
        http_call_start(dialer, &loop, p->path, request, stream ? on_stream : NULL, on_done, a);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&a->resume, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    dialer_local_free(dialer);
    if (uv_loop_close(&loop) != 0)
        abort();
}

static const struct http_row {
    const char *name;
    const char *answer;
    size_t body_max;
    int status;
    const char *body;
    enum err_kind kind;
    bool hang;
} http_rows[] = {
    {"content_length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, 200, "hello", 0,
     false},
    {"keep_alive_peer_is_not_waited_for", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, 200,
     "hi", 0, true},
    {"chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 0,
     200, "abcde", 0, true},
    {"until_close", "HTTP/1.0 200 OK\r\n\r\nuntil the end", 0, 200, "until the end", 0, false},
    {"no_content", "HTTP/1.1 204 No Content\r\n\r\n", 0, 204, "", 0, true},
    {"error_status_is_an_answer", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", 0, 404,
     "{}", 0, false},
    {"continue_before_the_answer",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", 0, 201, "x",
     0, false},
    {"cut_body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0, 0, "", ERR_PROTOCOL,
     false},
    {"cut_headers", "HTTP/1.1 200 OK\r\nContent-Le", 0, 0, "", ERR_UNREACHABLE, false},
    {"nothing", "", 0, 0, "", ERR_UNREACHABLE, false},
    {"not_http", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", 0, 0, "", ERR_PROTOCOL, false},
    {"too_large", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello hello hello!!!", 10, 0, "",
     ERR_PROTOCOL, false},
    {"too_large_without_length", "HTTP/1.0 200 OK\r\n\r\nhello hello hello!!!", 10, 0, "",
     ERR_PROTOCOL, false},
    {"silent_peer_times_out", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello", 0, 0, "",
     ERR_TIMEOUT, true},
};

static void http_row_run(const struct http_row *row, size_t step, const char *suffix)
{
    struct peer p = {
        .answer = row->answer, .answer_len = strlen(row->answer), .step = step, .hang = row->hang};
    peer_start(&p);
    struct answer a = {0};
    struct http_request request = {.method = "GET",
                                   .target = "/x?secret=1",
                                   .timeout_ms = row->kind == ERR_TIMEOUT ? 100 : 10000,
                                   .body_max = row->body_max};
    http_case(&p, &request, &a, false);
    char name[80], why[600];
    (void)snprintf(name, sizeof(name), "http %s%s", row->name, suffix);
    (void)snprintf(why, sizeof(why), "calls %d status %d kind %s body '%s' (%s)", a.calls, a.status,
                   err_kind_name(a.err.kind), buf_str(&a.body), a.err.msg);
    report(name,
           a.calls == 1 && a.status == row->status && a.err.kind == row->kind &&
               str_eq(buf_str(&a.body), row->body) && !strstr(a.err.msg, "secret"),
           why);
    buf_done(&a.body);
    peer_stop(&p);
}

static void http_endless_headers(void)
{
    struct buf text = {0};
    buf_puts(&text, "HTTP/1.1 200 OK\r\n");
    while (text.len < 1U << 20)
        buf_puts(&text, "X-Again: and again and again\r\n");
    struct peer p = {.answer = text.data, .answer_len = text.len, .hang = true};
    peer_start(&p);
    struct answer a = {0};
    struct http_request request = {.method = "GET", .target = "/", .timeout_ms = 10000};
    http_case(&p, &request, &a, false);
    report("http endless_headers", a.calls == 1 && a.err.kind == ERR_PROTOCOL, a.err.msg);
    peer_stop(&p);
    buf_done(&text);
}

/* 2 MB in chunks, the reader pausing after each piece: nothing lost, nothing doubled. */
static void http_streamed(bool until_close)
{
    struct buf body = {0}, text = {0};
    for (int i = 0; body.len < 2U << 20; i++)
        buf_printf(&body, "line %d\n", i);
    buf_printf(&text, "HTTP/1.1 200 OK\r\n%s\r\n",
               until_close ? "" : "Transfer-Encoding: chunked\r\n");
    for (size_t at = 0; at < body.len; at += 1000) {
        size_t len = body.len - at < 1000 ? body.len - at : 1000;
        if (!until_close)
            buf_printf(&text, "%zx\r\n", len);
        buf_append(&text, body.data + at, len);
        if (!until_close)
            buf_puts(&text, "\r\n");
    }
    if (!until_close)
        buf_puts(&text, "0\r\n\r\n");

    struct peer p = {.answer = text.data, .answer_len = text.len};
    peer_start(&p);
    struct answer a = {.pause_each = true};
    struct http_request request = {.method = "GET", .target = "/logs", .timeout_ms = 10000};
    http_case(&p, &request, &a, true);
    report(until_close ? "http streamed_until_close_with_pauses" : "http streamed_with_pauses",
           a.calls == 1 && a.status == 200 && a.body.len == body.len &&
               memcmp(a.body.data, body.data, body.len) == 0 && a.chunks > 20,
           a.err.msg);
    peer_stop(&p);
    buf_done(&a.body);
    buf_done(&body);
    buf_done(&text);
}

static void http_cancelled(void)
{
    const char *text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    struct peer p = {.answer = text, .answer_len = strlen(text), .hang = true};
    peer_start(&p);
    struct answer a = {.cancel = true};
    struct http_request request = {.method = "GET", .target = "/", .timeout_ms = 10000};
    http_case(&p, &request, &a, true);
    report("http cancel_from_its_own_callback", a.calls == 0 && str_eq(buf_str(&a.body), "abc"),
           "done was called");
    buf_done(&a.body);
    peer_stop(&p);
}

static void http_posted(void)
{
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct peer p = {.answer = text, .answer_len = strlen(text)};
    peer_start(&p);
    struct answer a = {0};
    struct http_request request = {.method = "POST",
                                   .target = "/modules/a/restart",
                                   .content_type = "application/json",
                                   .body = "{}",
                                   .body_len = 2,
                                   .timeout_ms = 10000};
    http_case(&p, &request, &a, false);
    report("http request_is_complete",
           a.status == 200 && str_starts(buf_str(&p.got), "POST /modules/a/restart HTTP/1.1\r\n") &&
               strstr(buf_str(&p.got), "Content-Length: 2\r\n") && str_ends(buf_str(&p.got), "{}"),
           buf_str(&p.got));
    buf_done(&a.body);
    peer_stop(&p);
}

static void http_nobody_there(void)
{
    struct peer p = {0};
    (void)snprintf(p.path, sizeof(p.path), "%s/none", dir);
    struct answer a = {0};
    struct http_request request = {.method = "GET", .target = "/", .timeout_ms = 10000};
    http_case(&p, &request, &a, false);
    report("http nobody_listens", a.calls == 1 && a.err.kind == ERR_UNREACHABLE, a.err.msg);

    memset(p.path, 'x', sizeof(p.path) - 1);
    char *path = xasprintf("%s/%s%s", dir, p.path, p.path);
    uv_loop_t loop;
    (void)uv_loop_init(&loop);
    struct dialer *dialer = dialer_local_new(&loop);
    struct answer b = {0};
    (void)http_call_start(dialer, &loop, path, &request, NULL, on_done, &b);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    dialer_local_free(dialer);
    (void)uv_loop_close(&loop);
    report("http path_too_long", b.calls == 1 && b.err.kind == ERR_INVALID, b.err.msg);
    free(path);
}

/* ---- children ---- */

static void child_case(const char *name, const char *script, uint64_t timeout_ms, size_t max,
                       enum err_kind kind, const char *out)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    const char *env[] = {"BERTH_TEST=over", NULL};
    struct child_options o = {.argv = argv,
                              .env = env,
                              .input = "from us",
                              .input_len = 7,
                              .output_max = max,
                              .timeout_ms = timeout_ms};
    auto_child_result struct child_result r = {0};
    struct err err = {0};
    uint64_t start = clock_mono_ms();
    (void)child_run(&o, &r, &err);
    char why[700];
    (void)snprintf(why, sizeof(why), "kind %s out '%s' (%s) after %llu ms", err_kind_name(err.kind),
                   buf_str(&r.out), err.msg, (unsigned long long)(clock_mono_ms() - start));
    report(name, err.kind == kind && str_eq(buf_str(&r.out), out) && clock_mono_ms() - start < 8000,
           why);
}

static void child_cases(void)
{
    child_case("child output", "cat; echo \" $BERTH_TEST\"", 10000, 0, ERR_NONE, "from us over\n");
    child_case("child status_with_reason", "echo first >&2; echo 'no such disk' >&2; exit 3", 10000,
               0, ERR_REMOTE, "");
    child_case("child output_is_bounded", "cat >/dev/null; yes | head -c 1000000", 10000, 4,
               ERR_NONE, "y\ny\n");
    child_case("child timeout", "trap '' TERM; echo a; sleep 60 & wait; sleep 60", 200, 0,
               ERR_TIMEOUT, "a\n");
    child_case("child grandchild_keeps_the_pipe", "(sleep 20; true) & echo done", 10000, 0,
               ERR_NONE, "done\n");

    const char *argv[] = {"berth-no-such-program", NULL};
    struct child_options o = {.argv = argv};
    struct err err = {0};
    report("child no_such_program", child_run(&o, NULL, &err) < 0 && err.kind == ERR_NOT_FOUND,
           err.msg);
}

struct daemon_seen {
    int calls;
    pid_t pid;
    struct err err;
};

static void on_ready(void *arg, pid_t pid, const struct err *err)
{
    struct daemon_seen *seen = arg;
    seen->calls++;
    seen->pid = pid;
    if (err)
        seen->err = *err;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static struct daemon_seen daemon_run(const char *script, uint64_t timeout_ms, const char *log)
{
    uv_loop_t loop;
    (void)uv_loop_init(&loop);
    const char *argv[] = {"sh", "-c", script, NULL};
    struct child_daemon d = {.argv = argv, .log_path = log, .timeout_ms = timeout_ms};
    struct daemon_seen seen = {0};
    child_start_daemon(&loop, &d, on_ready, &seen);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    uint64_t deadline = clock_mono_ms() + 5000;
    if (seen.pid) {
        /* It outlives the loop's interest, yet is reaped while the loop lives on for other reasons.
         */
        uv_timer_t tick;
        (void)uv_timer_init(&loop, &tick);
        uv_timer_start(&tick, on_tick, 5, 5);
        bool known = child_start_time(seen.pid) != 0;
        (void)kill(seen.pid, SIGKILL);
        while (kill(seen.pid, 0) == 0 && clock_mono_ms() < deadline)
            (void)uv_run(&loop, UV_RUN_ONCE);
        if (!known || child_start_time(seen.pid))
            seen.pid = -1;
        uv_close((uv_handle_t *)&tick, NULL);
    }
    do
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    while (uv_loop_close(&loop) != 0 && clock_mono_ms() < deadline);
    return seen;
}

static void daemon_cases(void)
{
    char log[64];
    (void)snprintf(log, sizeof(log), "%s/daemon.log", dir);
    struct daemon_seen s =
        daemon_run("echo hello >&2; echo ready >&3; exec 3>&-; exec sleep 60", 5000, log);
    auto_buf struct buf text = {0};
    (void)file_read(log, 1000, &text, NULL);
    report("daemon ready_and_logging",
           s.calls == 1 && s.pid > 0 && str_eq(buf_str(&text), "hello\n"), s.err.msg);
    s = daemon_run("echo 'port 8883 is taken by another program' >&3; exit 1", 5000, log);
    report("daemon says_why_not",
           s.calls == 1 && s.err.kind == ERR_REMOTE && strstr(s.err.msg, "port 8883 is taken"),
           s.err.msg);
    s = daemon_run("exit 1", 5000, log);
    report("daemon ends_without_a_word", s.calls == 1 && s.err.kind == ERR_REMOTE, s.err.msg);
    s = daemon_run("exec sleep 60", 200, log);
    report("daemon is_not_ready_in_time", s.calls == 1 && s.err.kind == ERR_TIMEOUT, s.err.msg);
    (void)snprintf(log, sizeof(log), "%s/missing/daemon.log", dir);
    s = daemon_run("true", 200, log);
    report("daemon log_cannot_be_opened", s.calls == 1 && s.err.kind == ERR_NOT_FOUND, s.err.msg);
}

static void digest_cases(void)
{
    char hex[DIGEST_HEX_SIZE];
    digest_sha256("abc", 3, hex);
    report("digest known_answer",
           str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), hex);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(http_rows); i++) {
        http_row_run(&http_rows[i], 0, "");
        http_row_run(&http_rows[i], 1, " byte_by_byte");
    }
    http_endless_headers();
    http_streamed(false);
    http_streamed(true);
    http_cancelled();
    http_posted();
    http_nobody_there();
    child_cases();
    daemon_cases();
    digest_cases();
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
