/* Remote sessions against a private sshd on loopback with keys of its own, and against peers that
 * misbehave. */
#define SSHD_EXTRA "RekeyLimit 24M\n" /* key exchanges in the middle of the streams */
#include "core/io/http_client.h"
#include "tests/support/sshd.h"

#include <errno.h>
#include <sys/un.h>

#define STREAM_SIZE   (200ULL << 20)
#define PARALLEL      50
#define PARALLEL_SIZE (256U << 10)

static char *other_key;
static pid_t servers_pid;
static char *other_line;

/* ---- the servers behind sshd, one process for each connection ---- */

static char pattern_at(uint64_t at)
{
    return (char)((at * 2654435761U) >> 13);
}

static int listen_unix(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 128) < 0)
        abort();
    return fd;
}

static void put(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            _exit(1);
        data += n;
        len -= (size_t)n;
    }
}

static void serve_echo(int fd)
{
    char room[65536];
    ssize_t n;
    while ((n = read(fd, room, sizeof(room))) > 0)
        put(fd, room, (size_t)n);
}

static void serve_source(int fd)
{
    static char room[1 << 20];
    for (uint64_t at = 0; at < STREAM_SIZE; at += sizeof(room)) {
        for (size_t i = 0; i < sizeof(room); i++)
            room[i] = pattern_at(at + i);
        put(fd, room, sizeof(room));
    }
}

/* Reads to the end, then answers what it got. */
static void serve_sink(int fd)
{
    static char room[1 << 20];
    uint64_t at = 0, bad = 0;
    ssize_t n;
    while ((n = read(fd, room, sizeof(room))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            bad += room[i] != pattern_at(at + (uint64_t)i);
        at += (uint64_t)n;
    }
    int len = snprintf(room, sizeof(room), "%llu bytes, %llu bad", (unsigned long long)at,
                       (unsigned long long)bad);
    put(fd, room, (size_t)len);
}

static void serve_http(int fd)
{
    char room[4096];
    (void)read(fd, room, sizeof(room));
    const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nguest";
    put(fd, text, strlen(text));
}

static const struct {
    const char *name;
    void (*serve)(int fd);
} servers[] = {
    {"echo", serve_echo}, {"source", serve_source}, {"sink", serve_sink}, {"http", serve_http}};

static pid_t servers_start(void)
{
    int fds[ARRAY_LEN(servers)];
    for (size_t i = 0; i < ARRAY_LEN(servers); i++)
        fds[i] = listen_unix(servers[i].name);
    pid_t pid = fork();
    if (pid)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        if (fork())
            continue;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int fd = accept(fds[i], NULL, NULL);
            if (fd >= 0 && fork() == 0) {
                servers[i].serve(fd);
                (void)shutdown(fd, SHUT_WR);
                _exit(0);
            }
            (void)close(fd);
        }
    }
    for (;;)
        (void)pause();
}

/* ---- a session under test ---- */

struct session {
    uv_loop_t loop;
    uv_timer_t alarm;
    struct remote *r;
    bool ready, ended, expired;
    struct err why;
    uint64_t took_ms;
};

static void on_ready(void *arg)
{
    ((struct session *)arg)->ready = true;
}

static void on_end(void *arg, const struct err *why)
{
    struct session *s = arg;
    s->ended = true;
    s->why = *why;
}

static const struct remote_events events = {.on_ready = on_ready, .on_end = on_end};

static void on_alarm(uv_timer_t *timer)
{
    ((struct session *)timer->data)->expired = true;
}

/* Turns the loop until *FLAG, the end of the session or the deadline. */
static void run_until(struct session *s, const bool *flag, uint64_t limit_ms)
{
    uint64_t start = clock_mono_ms();
    s->expired = false;
    uv_update_time(&s->loop);
    uv_timer_start(&s->alarm, on_alarm, limit_ms, 0);
    while (!*flag && !s->ended && !s->expired)
        (void)uv_run(&s->loop, UV_RUN_ONCE);
    uv_timer_stop(&s->alarm);
    s->took_ms = clock_mono_ms() - start;
}

static void session_start(struct session *s, uint16_t port, const char *key, const char *pinned,
                          uint64_t timeout_ms)
{
    memset(s, 0, sizeof(*s));
    (void)uv_loop_init(&s->loop);
    (void)uv_timer_init(&s->loop, &s->alarm);
    s->alarm.data = s;
    struct remote_target target = {.host = "127.0.0.1",
                                   .port = port,
                                   .user = user_name,
                                   .key_file = key,
                                   .host_key = pinned,
                                   .timeout_ms = timeout_ms};
    s->r = remote_connect(&s->loop, &target, &events, s);
}

static void session_stop(struct session *s)
{
    remote_free(s->r);
    uv_close((uv_handle_t *)&s->alarm, NULL);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&s->loop) != 0) {
        printf("not ok loop: handles are left over\n");
        failures++;
    }
}

static void session_open(struct session *s)
{
    session_start(s, sshd_port, user_key, host_line, 20000);
    run_until(s, &s->ready, 20000);
}

/* ---- a stream under test ---- */

struct flow {
    struct session *s;
    struct stream *stream;
    uint64_t got, bad;
    uint64_t pause_every; /* pause after so many bytes; 0 never */
    uint64_t next_pause;
    unsigned pauses;
    uv_timer_t resume;
    struct buf text; /* the first bytes */
    bool opened, eof, closed;
    struct err why;
    struct flow *all; /* of PARALLEL */
    bool *all_done;
};

static void flow_on_open(void *arg)
{
    ((struct flow *)arg)->opened = true;
}

static void flow_on_resume(uv_timer_t *timer)
{
    struct flow *f = timer->data;
    if (f->stream)
        stream_pause(f->stream, false);
}

static void flow_on_data(void *arg, const char *data, size_t len)
{
    struct flow *f = arg;
    for (size_t i = 0; i < len; i++)
        f->bad += data[i] != pattern_at(f->got + i);
    if (f->text.len < 200)
        buf_append(&f->text, data, len < 200 ? len : 200);
    f->got += len;
    if (f->pause_every && f->got >= f->next_pause) {
        f->next_pause = f->got + f->pause_every;
        f->pauses++;
        stream_pause(f->stream, true);
        uv_timer_start(&f->resume, flow_on_resume, 5, 0);
    }
}

static void flow_on_eof(void *arg)
{
    ((struct flow *)arg)->eof = true;
}

static void flow_on_close(void *arg, const struct err *why)
{
    struct flow *f = arg;
    f->closed = true;
    if (why)
        f->why = *why;
    stream_close(steal(f->stream));
    if (!f->all)
        return;
    *f->all_done = true;
    for (size_t i = 0; i < PARALLEL; i++)
        *f->all_done &= f->all[i].closed;
}

static const struct stream_events flow_events = {.on_open = flow_on_open,
                                                 .on_data = flow_on_data,
                                                 .on_eof = flow_on_eof,
                                                 .on_close = flow_on_close};

static void flow_start(struct flow *f, struct session *s, const char *name)
{
    f->s = s;
    auto_free char *path = xasprintf("%s/%s", dir, name);
    f->stream = remote_dialer(s->r)->open_unix(remote_dialer(s->r), path, &flow_events, f);
}

static void flow_done(struct flow *f)
{
    stream_close(f->stream);
    buf_done(&f->text);
}

/* ---- cases ---- */

static void case_connect(void)
{
    struct session s;
    session_open(&s);
    report("connects_and_logs_in", s.ready && !s.ended, "%s", s.why.msg);
    session_stop(&s);
}

static void case_refusals(void)
{
    struct session s;
    session_start(&s, sshd_port, user_key, other_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("refuses_a_changed_host_key",
           s.ended && !s.ready && s.why.kind == ERR_AUTH && strstr(s.why.msg, "identity") &&
               s.why.hint[0],
           "%s", s.why.msg);
    session_stop(&s);

    session_start(&s, sshd_port, other_key, host_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("is_refused_with_a_wrong_key",
           s.ended && !s.ready && s.why.kind == ERR_AUTH && strstr(s.why.msg, "refused"), "%s",
           s.why.msg);
    session_stop(&s);

    session_start(&s, free_port(NULL), user_key, host_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("nobody_listens", s.ended && s.why.kind == ERR_UNREACHABLE, "%s", s.why.msg);
    session_stop(&s);

    session_start(&s, sshd_port, "/nonexistent", host_line, 20000);
    run_until(&s, &s.ready, 20000);
    report("key_file_is_missing", s.ended && s.why.kind == ERR_INVALID, "%s", s.why.msg);
    session_stop(&s);
}

/* A TCP peer that accepts, as QEMU's user network does before the guest listens. */
static void case_peer(const char *name, const char *says, size_t times, bool hang,
                      enum err_kind kind)
{
    int fd;
    uint16_t port = free_port(&fd);
    (void)listen(fd, 5);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int peer = accept(fd, NULL, NULL);
        while (times--)
            put(peer, says, strlen(says));
        while (hang)
            (void)pause();
        _exit(0);
    }
    (void)close(fd);
    struct session s;
    session_start(&s, port, user_key, host_line, 700);
    run_until(&s, &s.ready, 10000);
    report(name, s.ended && !s.ready && s.why.kind == kind && s.took_ms < 5000,
           "%s: %s (after %llu ms)", err_kind_name(s.why.kind), s.why.msg,
           (unsigned long long)s.took_ms);
    session_stop(&s);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

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

/* A paused reader of a 200 MB stream holds the peer, not the bytes. */
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

/* 2,000 channels one after another over one session: nothing of them stays at the other side. */
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

/* Uploads, then half-closes and still gets the answer. */
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

/* remote_free with streams open: their owners hear nothing more and may close them later. */
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

static void case_killed(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {0};
    flow_start(&f, &s, "echo");
    run_until(&s, &f.opened, 10000);
    sshd_signal(SIGKILL, true);
    bool never = false;
    run_until(&s, &never, 10000);
    report("killed_sshd_is_noticed",
           s.ended && s.why.kind == ERR_UNREACHABLE && f.closed && f.why.kind == ERR_UNREACHABLE &&
               s.took_ms < 2000,
           "%s: %s", err_kind_name(s.why.kind), s.why.msg);
    flow_done(&f);
    session_stop(&s);
}

static void case_silent(void)
{
    struct session s;
    session_open(&s);
    struct flow f = {0};
    flow_start(&f, &s, "sink");
    run_until(&s, &f.opened, 10000);
    sshd_signal(SIGSTOP, false);
    /* More than the kernel takes: a session that blocks in send() would never return. */
    char *data = xcalloc(1, STREAM_OUT_MAX);
    uint64_t start = clock_mono_ms();
    (void)stream_write(f.stream, data, STREAM_OUT_MAX, NULL);
    bool never = false;
    run_until(&s, &never, 30000);
    uint64_t took = clock_mono_ms() - start;
    report("silent_peer_is_found_in_time",
           s.ended && s.why.kind == ERR_TIMEOUT && f.closed && took < 16000, "%s: %s (%llu ms)",
           err_kind_name(s.why.kind), s.why.msg, (unsigned long long)took);
    free(data);
    sshd_signal(SIGCONT, false);
    flow_done(&f);
    session_stop(&s);
}

/* Idle longer than the keep-alive's patience: an answering peer is not given up. */
static void case_idle(void)
{
    struct session s;
    session_open(&s);
    bool never = false;
    run_until(&s, &never, 14000);
    report("an_idle_session_stays", s.ready && !s.ended, "%s", s.why.msg);
    session_stop(&s);
}

static void case_keygen(void)
{
    struct stat st;
    auto_buf struct buf text = {0};
    struct err err = {0};
    other_key = xasprintf("%s/other", dir);
    bool made = remote_keygen(other_key, "first", &err) == 0 &&
                remote_keygen(other_key, "berth test", &err) == 0; /* replaces */
    auto_free char *line = made ? pub_line(other_key) : xstrdup("");
    (void)file_read(other_key, 4096, &text, NULL);
    report("keygen",
           made && stat(other_key, &st) == 0 && (st.st_mode & 0777) == 0600 &&
               str_starts(line, "ssh-ed25519 AAAA") && str_ends(line, " berth test\n") &&
               strstr(buf_str(&text), "BEGIN OPENSSH PRIVATE KEY"),
           "%s '%s'", err.msg, line);
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    (void)signal(SIGPIPE, SIG_IGN);
    if (!sshd_setup()) {
        printf("not ok setup: keys could not be made\n");
        return 1;
    }
    case_keygen();
    other_line = pub_line(other_key);
    servers_pid = servers_start();
    case_connect();
    if (!str_eq(only, "quick")) {
        case_refusals();
        case_peer("peer_hangs_up_before_a_banner", "", 0, false, ERR_UNREACHABLE);
        case_peer("peer_never_sends_a_banner", "", 0, true, ERR_TIMEOUT);
        case_peer("peer_speaks_something_else", "220 mail.example ESMTP\r\n", 3, true, ERR_TIMEOUT);
        case_peer("peer_sends_garbage_without_end", "garbage without an end of line ", 100000, true,
                  ERR_UNREACHABLE);
        case_peer("peer_stops_after_the_banner", "SSH-2.0-OpenSSH_9.2\r\n", 1, true, ERR_TIMEOUT);
        case_refused_channel();
        case_http();
        case_half_close();
        case_freed_under_streams();
        case_paused_is_bounded();
        case_parallel();
        case_many_in_turn();
    }
    case_stream("200_mb_stream_is_exact", 0);
    if (!str_eq(only, "quick")) {
        case_stream("200_mb_stream_with_pauses_is_exact", 4U << 20);
        case_killed();
        case_idle();
        case_silent();
    }
    (void)kill(servers_pid, SIGKILL);
    sshd_teardown();
    free(other_key);
    free(other_line);
    return failures ? 1 : 0;
}
