/* See launch.h. The ready pipe: the engine writes one '+' once its socket listens, or the reason
 * why it cannot start: the message, and behind a line end the hint. */
#include "core/rpc/launch.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define LAUNCH_LIMIT_MS \
    15000 /* an engine that starts answers within a second, on a slow disk within some */
#define LAUNCH_LOCK_POLL_MS 20
#define LAUNCH_READY_MAX    1024

int launch_socket(const char *path, struct sockaddr_un *ret_address, struct err *err)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!str_copy(ret_address->sun_path, sizeof(ret_address->sun_path), path)) {
        err_set(err, ERR_INVALID, "the path of the engine's socket is too long: %s", path);
        return err_hint(err, "set BERTH_RUNTIME_DIR to a shorter path");
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? err_sys(err, errno, "make a socket") : fd;
}

int launch_connect(const char *path, struct err *err)
{
    struct sockaddr_un address;
    auto_close int fd = launch_socket(path, &address, err);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            return err_set(err, ERR_NOT_FOUND, "no engine is running");
        return err_sys(err, errno, "connect to the engine at %s", path);
    }
    int connected = fd;
    fd = -1;
    return connected;
}

/* "FOLDER/berthd" of our own executable where that exists, else the bare name for a search in PATH.
 */
static char *engine_program(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        auto_free char *beside = xasprintf("%s/berthd", self);
        if (slash && access(beside, X_OK) == 0)
            return steal(beside);
    }
    return xstrdup("berthd");
}

/* Waits until FD is readable. 0 when it is, else ERR_TIMEOUT or ERR_CANCELLED. */
static int wait_readable(int fd, int cancel_fd, uint64_t deadline_ms, struct err *err)
{
    for (;;) {
        uint64_t now = clock_mono_ms();
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};
        int n = poll(fds, 2, now < deadline_ms ? (int)(deadline_ms - now) : 0);
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "wait for the engine");
        if (n > 0 && fds[1].revents)
            return err_set(err, ERR_CANCELLED, "start of the engine was given up");
        if (n > 0 && fds[0].revents)
            return 0;
        if (n == 0 && now >= deadline_ms) {
            err_set(err, ERR_TIMEOUT, "the engine did not start within %d s",
                    LAUNCH_LIMIT_MS / 1000);
            return err_hint(err, "see its log, engine.log in the state folder");
        }
    }
}

/* Waits for whoever starts the engine now; then we hold the lock. */
static int take_lock(const char *socket_path, int cancel_fd, uint64_t deadline_ms, struct err *err)
{
    auto_free char *path = xasprintf("%s.lock", socket_path);
    for (;;) {
        struct err busy = {0};
        int fd = file_lock(path, false, &busy);
        if (fd >= 0)
            return fd;
        uint64_t now = clock_mono_ms();
        if (busy.kind != ERR_BUSY || now >= deadline_ms) {
            if (err)
                *err = busy;
            return err_wrap(err, "start the engine");
        }
        struct pollfd cancel = {.fd = cancel_fd, .events = POLLIN};
        if (poll(&cancel, 1, LAUNCH_LOCK_POLL_MS) > 0)
            return err_set(err, ERR_CANCELLED, "start of the engine was given up");
    }
}

/* Starts PROGRAM with the write end of a pipe as its descriptor 3 and nothing else of ours but the
 * standard three, which go nowhere. */
static int spawn_engine(char *program, int ready_fd, pid_t *ret_pid, struct err *err)
{
    char *const argv[] = {program, (char[]){"--ready-fd"}, (char[]){"3"}, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, ready_fd, 3);
    int rc = strchr(program, '/') ? posix_spawn(ret_pid, program, &actions, &attr, argv, environ)
                                  : posix_spawnp(ret_pid, program, &actions, &attr, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        err_sys(err, rc, "start the engine (%s)", program);
        return err_hint(err, "berthd belongs beside berth: is the installation complete?");
    }
    return 0;
}

/* Reads the engine's one word. */
static int read_ready(int fd, int cancel_fd, uint64_t deadline_ms, struct err *err)
{
    char text[LAUNCH_READY_MAX];
    size_t len = 0;
    while (len < sizeof(text) - 1) {
        if (wait_readable(fd, cancel_fd, deadline_ms, err) < 0)
            return -1;
        ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
        if (text[0] == '+')
            return 0;
    }
    text[len] = '\0';
    char *hint = strchr(text, '\n');
    if (hint)
        *hint++ = '\0';
    char clean[sizeof(((struct err *)0)->msg)];
    str_sanitise_to(clean, sizeof(clean), text);
    err_set(err, ERR_SYSTEM, "%s", *clean ? clean : "the engine ended while it started");
    str_sanitise_to(clean, sizeof(clean), hint ? hint : "");
    return err_hint(err, "%s", *clean ? clean : "see its log, engine.log in the state folder");
}

/* berthd leaves us at once (it forks into the background), so its first process can be reaped here.
 */
static int start_engine(int cancel_fd, uint64_t deadline_ms, struct err *err)
{
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "make a pipe");
    auto_close int ready = ends[0];
    /* Above the standard three and the 3 it becomes in the child: adddup2 onto itself would leave
     * it close-on-exec. */
    auto_close int theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    (void)close(ends[1]);
    if (theirs < 0)
        return err_sys(err, errno, "make a pipe");

    auto_free char *program = engine_program();
    pid_t pid = -1;
    if (spawn_engine(program, theirs, &pid, err) < 0)
        return -1;
    (void)close(theirs);
    theirs = -1;
    int rc = read_ready(ready, cancel_fd, deadline_ms, err);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}

int launch_engine(const char *path, int cancel_fd, struct err *err)
{
    struct err why = {0};
    int fd = launch_connect(path, &why);
    if (fd >= 0 || why.kind != ERR_NOT_FOUND) {
        if (fd < 0 && err)
            *err = why;
        return fd;
    }

    uint64_t deadline = clock_mono_ms() + LAUNCH_LIMIT_MS;
    if (path_prepare(err) < 0)
        return -1;
    auto_close int lock = take_lock(path, cancel_fd, deadline, err);
    if (lock < 0)
        return -1;
    fd = launch_connect(path, NULL);
    if (fd >= 0)
        return fd;
    if (start_engine(cancel_fd, deadline, err) < 0)
        return -1;
    return launch_connect(path, err);
}
