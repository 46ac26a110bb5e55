/* What tests of streams over SSH share: servers behind a private sshd, and a session and its
 * streams that note what happens to them. Each test program includes it once. */
#ifndef BERTH_TESTS_REMOTE_FLOW_H
#define BERTH_TESTS_REMOTE_FLOW_H

#define SSHD_EXTRA "RekeyLimit 24M\n" /* key exchanges in the middle of the streams */
#include "tests/support/sshd.h"

#include <errno.h>
#include <sys/un.h>

#define STREAM_SIZE (200ULL << 20)
#define PARALLEL    50

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

#endif
