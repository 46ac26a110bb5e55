/* Runs a full-screen program in a pseudo-terminal of 80x24 and prints `MS BYTES IDLE`: milliseconds
 * from exec until TEXT stood in its output, bytes until it was quiet, and bytes that it wrote in
 * the SECONDS after that, in which nothing happened. Then it gets a `q`.
 *
 *   ptytime TEXT SECONDS COMMAND [ARG]... */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/str.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define LIMIT_MS 20000
#define QUIET_MS 500

static struct buf out;

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Reads what comes within MS; answers the question for the terminal's status as a terminal does.
 * False at the end. */
static bool turn(int fd, int ms)
{
    char part[65536];
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, ms) <= 0)
        return true;
    ssize_t n = read(fd, part, sizeof(part));
    if (n <= 0)
        return false;
    buf_append(&out, part, (size_t)n);
    if (memmem(part, (size_t)n, "\033[5n", 4))
        return write(fd, "\033[0n", 4) == 4;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t seconds = 0;
    int fd = -1;
    const struct winsize size = {24, 80, 0, 0};
    if (argc < 4 || !str_to_u64(argv[2], 3600, &seconds))
        return 2;
    (void)setenv("TERM", "xterm-256color", 1);
    double start = now_ms();
    pid_t pid = forkpty(&fd, NULL, NULL, &size);
    if (pid == 0) {
        (void)execvp(argv[3], argv + 3);
        _exit(127);
    }
    bool alive = true;
    while (alive && !memmem(buf_str(&out), out.len, argv[1], strlen(argv[1])) &&
           now_ms() < start + LIMIT_MS)
        alive = turn(fd, 100);
    double took = now_ms() - start;
    size_t before = 0;
    do {
        before = out.len;
        for (double end = now_ms() + QUIET_MS; alive && now_ms() < end;)
            alive = turn(fd, 50);
    } while (before != out.len && now_ms() < start + LIMIT_MS);
    for (double end = now_ms() + (double)seconds * 1e3; alive && now_ms() < end;)
        alive = turn(fd, 100);
    bool seen = memmem(buf_str(&out), before, argv[1], strlen(argv[1])) != NULL;
    printf("%.2f %zu %zu\n", took, before, out.len - before);
    (void)!write(fd, "q", 1);
    while (turn(fd, 1000) && waitpid(pid, NULL, WNOHANG) == 0 && now_ms() < start + 2 * LIMIT_MS)
        ;
    (void)kill(pid, SIGKILL);
    buf_done(&out);
    return seen ? 0 : 1;
}
