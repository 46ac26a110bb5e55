/* A stream from a guest through our SSH session beside `ssh HOST head -c N`, with the same sshd and
 * cipher, alternating in the same run; and how long a request on a new channel takes. */
#include "tests/support/sshd.h"

#include "core/io/child.h"

#include <sys/un.h>

#define SIZE     (384ULL << 20)
#define ROUNDS   3
#define REQUESTS 300
#define CIPHER   "chacha20-poly1305@openssh.com"

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

/* ---- the source: a unix socket that gives SIZE bytes, or echoes one ---- */

static void source_serve(int fd)
{
    static char room[256 << 10];
    char ask;
    if (read(fd, &ask, 1) != 1)
        _exit(0);
    uint64_t left = ask == 'S' ? SIZE : 1;
    while (left) {
        size_t len = left < sizeof(room) ? left : sizeof(room);
        ssize_t n = send(fd, room, len, MSG_NOSIGNAL);
        if (n <= 0)
            _exit(1);
        left -= (uint64_t)n;
    }
    _exit(0);
}

static pid_t source_start(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/source", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 64) < 0)
        abort();
    pid_t pid = fork();
    if (pid)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0 && fork() == 0)
            source_serve(peer);
        (void)close(peer);
    }
}

/* ---- ours ---- */

struct run {
    struct remote *r;
    bool ready, over;
    uint64_t got;
    struct stream *stream;
};

static void on_ready(void *arg)
{
    ((struct run *)arg)->ready = true;
}

static void on_end(void *arg, const struct err *why)
{
    struct run *run = arg;
    printf("not ok session: %s\n", why->msg);
    run->over = run->ready = true;
}

static void on_data(void *arg, const char *data, size_t len)
{
    (void)data;
    ((struct run *)arg)->got += len;
}

static void on_eof(void *arg)
{
    ((struct run *)arg)->over = true;
}

static void on_close(void *arg, const struct err *why)
{
    (void)why;
    ((struct run *)arg)->over = true;
}

static const struct remote_events remote_handlers = {.on_ready = on_ready, .on_end = on_end};
static const struct stream_events stream_handlers = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

static void ask(uv_loop_t *loop, struct run *run, char what)
{
    auto_free char *path = xasprintf("%s/source", dir);
    struct dialer *dialer = remote_dialer(run->r);
    run->over = false;
    run->got = 0;
    run->stream = dialer->open_unix(dialer, path, &stream_handlers, run);
    (void)stream_write(run->stream, &what, 1, NULL);
    while (!run->over)
        (void)uv_run(loop, UV_RUN_ONCE);
    stream_close(run->stream);
}

static double ours_mb(uv_loop_t *loop, struct run *run)
{
    uint64_t start = now_us();
    ask(loop, run, 'S');
    double mb = (double)run->got / (double)(now_us() - start);
    if (run->got != SIZE)
        printf("not ok stream: %llu bytes\n", (unsigned long long)run->got);
    return mb;
}

/* ---- the peer ---- */

static double ssh_mb(void)
{
    auto_free char *command = xasprintf("head -c %llu /dev/zero", (unsigned long long)SIZE);
    auto_free char *port = xasprintf("%u", sshd_port);
    auto_free char *who = xasprintf("%s@127.0.0.1", user_name);
    const char *argv[] = {"ssh", "-q",
                          "-F",  "none",
                          "-i",  user_key,
                          "-p",  port,
                          "-c",  CIPHER,
                          "-o",  "BatchMode=yes",
                          "-o",  "StrictHostKeyChecking=no",
                          "-o",  "UserKnownHostsFile=/dev/null",
                          who,   command,
                          NULL};
    /* Drops what is beyond output_max, as fast as it comes: like the reader above. */
    struct child_options options = {.argv = argv, .output_max = 1};
    struct err err;
    uint64_t start = now_us();
    if (child_run(&options, NULL, &err) < 0)
        printf("not ok ssh: %s\n", err.msg);
    return (double)SIZE / (double)(now_us() - start);
}

static double ssh_request_ms(void)
{
    auto_free char *port = xasprintf("%u", sshd_port);
    auto_free char *who = xasprintf("%s@127.0.0.1", user_name);
    const char *argv[] = {"ssh", "-q",
                          "-F",  "none",
                          "-i",  user_key,
                          "-p",  port,
                          "-c",  CIPHER,
                          "-o",  "BatchMode=yes",
                          "-o",  "StrictHostKeyChecking=no",
                          "-o",  "UserKnownHostsFile=/dev/null",
                          who,   "true",
                          NULL};
    struct child_options options = {.argv = argv};
    uint64_t start = now_us();
    (void)child_run(&options, NULL, NULL);
    return (double)(now_us() - start) / 1000;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (!sshd_setup())
        return 1;
    pid_t source = source_start();
    uv_loop_t loop;
    (void)uv_loop_init(&loop);
    struct run run = {0};
    struct remote_target target = {.host = "127.0.0.1",
                                   .port = sshd_port,
                                   .user = user_name,
                                   .key_file = user_key,
                                   .host_key = host_line};
    run.r = remote_connect(&loop, &target, &remote_handlers, &run);
    while (!run.ready)
        (void)uv_run(&loop, UV_RUN_ONCE);

    double ours = 0, theirs = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double a = ours_mb(&loop, &run), b = ssh_mb();
        ours = a > ours ? a : ours;
        theirs = b > theirs ? b : theirs;
    }
    printf("remote stream: %.0f MB/s, ssh %.0f MB/s: %.2fx (reach >= 0.9x), best of %d, %s\n", ours,
           theirs, ours / theirs, ROUNDS, CIPHER);

    static uint64_t took[REQUESTS];
    for (int i = 0; i < REQUESTS; i++) {
        uint64_t start = now_us();
        ask(&loop, &run, 'E');
        took[i] = now_us() - start;
    }
    qsort(took, REQUESTS, sizeof(took[0]), by_value);
    printf("remote request on a new channel: p50 %.2f ms, p99 %.2f ms (reach <= 2 ms); a new `ssh "
           "true` %.0f ms\n",
           (double)took[REQUESTS / 2] / 1000, (double)took[REQUESTS * 99 / 100] / 1000,
           ssh_request_ms());

    remote_free(run.r);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    (void)kill(source, SIGKILL);
    sshd_teardown();
    return failures ? 1 : 0;
}
