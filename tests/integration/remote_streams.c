/* Streams over a remote session with a private sshd on loopback: every byte, both ways, many at
 * once, slow readers, and streams whose session ends. */
#include "core/io/http_client.h"
#include "tests/support/remote_flow.h"

#define PARALLEL_SIZE (256U << 10)

static void case_stream(const char *name, uint64_t pause_every)
{
    struct session s;
    session_open(&s);
    struct flow f = {.pause_every = pause_every, .next_pause = pause_every};
    (void)uv_timer_init(&s.loop, &f.resume);
    f.resume.data = &f;
    flow_start(&f, &s, "source");
    stream_shutdown(f.stream);
    run_until(&s, &f.closed, 120000);
    report(name,
           f.closed && f.eof && f.why.kind == ERR_NONE && f.got == STREAM_SIZE && f.bad == 0 &&
               (!pause_every || f.pauses > 20),
           "got %llu, bad %llu, pauses %u, %s %s", (unsigned long long)f.got,
           (unsigned long long)f.bad, f.pauses, f.why.msg, s.why.msg);
    flow_done(&f);
    uv_close((uv_handle_t *)&f.resume, NULL);
    session_stop(&s);
}

static long memory_kib(void)
{
    char room[4096];
    auto_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, room, sizeof(room) - 1);
    room[n > 0 ? n : 0] = '\0';
    const char *at = strstr(room, "VmRSS:");
    return at ? strtol(at + 6, NULL, 10) : 0;
}

static void case_paused_is_bounded(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {.pause_every = 1, .next_pause = 1};
    (void)uv_timer_init(&s.loop, &f.resume);
    f.resume.data = &f;
    flow_start(&f, &s, "source");
    stream_pause(f.stream, true);
    long before = memory_kib();
    bool never = false;
    run_until(&s, &never, 1500);
    long grown = memory_kib() - before;
    report("a_paused_stream_holds_the_peer", f.got == 0 && grown < 12 * 1024, "got %llu, %ld KiB",
           (unsigned long long)f.got, grown);

    /* Other channels of the session go on meanwhile. */
    struct flow echo = {0};
    flow_start(&echo, &s, "echo");
    char ping[100];
    for (size_t i = 0; i < sizeof(ping); i++)
        ping[i] = pattern_at(i);
    (void)stream_write(echo.stream, ping, sizeof(ping), NULL);
    stream_shutdown(echo.stream);
    run_until(&s, &echo.closed, 10000);
    report("and_does_not_hold_the_others", echo.got == sizeof(ping) && echo.bad == 0, "got %llu",
           (unsigned long long)echo.got);
    flow_done(&echo);
    flow_done(&f);
    uv_close((uv_handle_t *)&f.resume, NULL);
    session_stop(&s);
}

static void case_parallel(void)
{
    struct session s;
    session_open(&s);
    bool done = false;
    static struct flow flows[PARALLEL];
    char *data = xmalloc(PARALLEL_SIZE);
    for (size_t i = 0; i < PARALLEL_SIZE; i++)
        data[i] = pattern_at(i);
    for (size_t i = 0; i < PARALLEL; i++) {
        flows[i] = (struct flow){.all = flows, .all_done = &done};
        flow_start(&flows[i], &s, "echo");
        (void)stream_write(flows[i].stream, data, PARALLEL_SIZE, NULL);
        stream_shutdown(flows[i].stream);
    }
    run_until(&s, &done, 60000);
    size_t good = 0;
    for (size_t i = 0; i < PARALLEL; i++)
        good += flows[i].got == PARALLEL_SIZE && flows[i].bad == 0 && flows[i].eof &&
                flows[i].why.kind == ERR_NONE;
    report("50_channels_at_once", good == PARALLEL, "%zu of %d whole; %s", good, PARALLEL,
           s.why.msg);
    for (size_t i = 0; i < PARALLEL; i++)
        flow_done(&flows[i]);
    free(data);
    session_stop(&s);
}

static void case_many_in_turn(void)
{
    struct session s;
    session_open(&s);
    size_t good = 0;
    for (int i = 0; i < 2000 && !s.ended; i++) {
        struct flow f = {0};
        flow_start(&f, &s, "echo");
        (void)stream_write(f.stream, "\0", 1, NULL);
        if (i % 3 == 0) {
            stream_close(steal(f.stream)); /* while it is being opened */
            good++;
        } else {
            stream_shutdown(f.stream);
            run_until(&s, &f.closed, 10000);
            good += f.got == 1;
        }
        flow_done(&f);
    }
    report("2000_channels_in_turn", good == 2000, "%zu; %s", good, s.why.msg);
    session_stop(&s);
}

static void case_half_close(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {0};
    flow_start(&f, &s, "sink");
    size_t len = 3U << 20;
    char *data = xmalloc(len);
    for (size_t i = 0; i < len; i++)
        data[i] = pattern_at(i);
    struct err err = {0};
    bool wrote = stream_write(f.stream, data, len, &err) == 0;
    bool second = stream_write(f.stream, data, 2U << 20, &err) == 0;
    stream_shutdown(f.stream);
    run_until(&s, &f.closed, 30000);
    report("half_close_and_answer",
           wrote && f.why.kind == ERR_NONE && str_eq(buf_str(&f.text), "3145728 bytes, 0 bad"),
           "'%s' %s", buf_str(&f.text), f.why.msg);
    report("a_queue_that_is_full_is_refused", !second && err.kind == ERR_BUSY, "%s", err.msg);
    free(data);
    flow_done(&f);
    session_stop(&s);
}

static void case_refused_channel(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {0};
    flow_start(&f, &s, "nobody");
    run_until(&s, &f.closed, 10000);
    report("nobody_behind_the_channel",
           f.closed && !f.opened && f.why.kind == ERR_UNREACHABLE && !s.ended, "%s", f.why.msg);
    flow_done(&f);

    int fd;
    uint16_t port = free_port(&fd);
    (void)listen(fd, 5);
    pid_t pid = fork();
    if (pid == 0) {
        serve_echo(accept(fd, NULL, NULL));
        _exit(0);
    }
    struct flow tcp = {.s = &s};
    tcp.stream = remote_open_tcp(s.r, "127.0.0.1", port, &flow_events, &tcp);
    char first = pattern_at(0);
    (void)stream_write(tcp.stream, &first, 1, NULL);
    stream_shutdown(tcp.stream);
    run_until(&s, &tcp.closed, 10000);
    report("tcp_from_inside", tcp.got == 1 && tcp.bad == 0, "%s", tcp.why.msg);
    flow_done(&tcp);
    (void)close(fd);
    (void)waitpid(pid, NULL, 0);
    session_stop(&s);
}

struct http_seen {
    bool done;
    int status;
    struct buf body;
};

static void on_http(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct http_seen *seen = arg;
    seen->done = true;
    seen->status = err ? -1 : status;
    buf_append(&seen->body, buf_str(body), body->len);
}

static void case_http(void)
{
    struct session s;
    session_open(&s);
    struct http_seen seen = {0};
    auto_free char *path = xasprintf("%s/http", dir);
    struct http_request request = {.method = "GET", .target = "/", .timeout_ms = 10000};
    (void)http_call_start(remote_dialer(s.r), &s.loop, path, &request, NULL, on_http, &seen);
    run_until(&s, &seen.done, 10000);
    report("http_over_a_channel", seen.status == 200 && str_eq(buf_str(&seen.body), "guest"), "%d",
           seen.status);
    buf_done(&seen.body);
    session_stop(&s);
}

static void case_freed_under_streams(void)
{
    struct session s;
    session_open(&s);
    struct flow a = {0}, b = {0};
    flow_start(&a, &s, "source");
    flow_start(&b, &s, "echo");
    run_until(&s, &b.opened, 10000);
    session_stop(&s);
    report("freed_under_open_streams", !a.closed && !b.closed && a.stream && b.stream, "closed");
    flow_done(&a);
    flow_done(&b);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (!sshd_setup()) {
        printf("not ok setup: keys could not be made\n");
        return 1;
    }

    pid_t servers_pid = servers_start();

    case_refused_channel();
    case_http();
    case_half_close();
    case_freed_under_streams();
    case_paused_is_bounded();
    case_parallel();
    case_many_in_turn();
    case_stream("200_mb_stream_is_exact", 0);
    case_stream("200_mb_stream_with_pauses_is_exact", 4U << 20);
    (void)kill(servers_pid, SIGKILL);
    sshd_teardown();
    return failures ? 1 : 0;
}
