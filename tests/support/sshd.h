/* What tests of SSH sessions share: a report, and a private sshd on loopback with keys of its own.
 * Each test program includes it once. */
#ifndef BERTH_TESTS_SSHD_H
#define BERTH_TESTS_SSHD_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/remote.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifndef SSHD_EXTRA
#define SSHD_EXTRA "" /* more lines for its configuration */
#endif

static int failures;
static char dir[] = "/tmp/berth-ssh-XXXXXX";
static char *user_key, *host_key, *host_line;
static const char *user_name;
static uint16_t sshd_port;
static pid_t sshd_pid;

static void report(const char *name, bool ok, const char *fmt, ...) ATTR_PRINTF(3, 4)
    __attribute__((unused));
static void report(const char *name, bool ok, const char *fmt, ...)
{
    if (ok) {
        printf("ok %s\n", name);
    } else {
        printf("not ok %s: ", name);
        va_list ap;
        va_start(ap, fmt);
        (void)vprintf(fmt, ap);
        va_end(ap);
        printf("\n");
        failures++;
    }
    (void)fflush(stdout);
}

static char *pub_line(const char *key)
{
    auto_free char *path = xasprintf("%s.pub", key);
    struct buf text = {0};
    if (file_read(path, 4096, &text, NULL) < 0)
        abort();
    return buf_steal(&text);
}

static uint16_t free_port(int *ret_fd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&addr, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        abort();
    if (ret_fd)
        *ret_fd = fd;
    else
        (void)close(fd);
    return ntohs(addr.sin_port);
}

static bool port_answers(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

static void sshd_start(void)
{
    static char config[64];
    auto_buf struct buf text = {0}, keys = {0};
    auto_free char *pub = xasprintf("%s.pub", user_key);
    sshd_port = free_port(NULL);
    (void)file_read(pub, 4096, &keys, NULL);
    buf_printf(&text,
               "ListenAddress 127.0.0.1\nPort %u\nHostKey %s\nAuthorizedKeysFile %s/authorized\n"
               "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
               "StrictModes no\nPidFile none\nPermitRootLogin prohibit-password\nMaxSessions 64\n"
               "AllowStreamLocalForwarding yes\nAllowTcpForwarding local\nMaxStartups 100\n"
               "LogLevel ERROR\n" SSHD_EXTRA,
               sshd_port, host_key, dir);
    (void)snprintf(config, sizeof(config), "%s/authorized", dir);
    (void)file_write(config, keys.data, keys.len, 0644, NULL);
    (void)snprintf(config, sizeof(config), "%s/sshd_config", dir);
    (void)file_write(config, text.data, text.len, 0644, NULL);
    (void)mkdir("/run/sshd", 0755);
    sshd_pid = fork();
    if (sshd_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config, (char *)NULL);
        _exit(127);
    }
    uint64_t deadline = clock_mono_ms() + 10000;
    while (!port_answers(sshd_port) && clock_mono_ms() < deadline)
        (void)poll(NULL, 0, 10);
}

/* Sends SIGNUM to the session processes of sshd (with CHILDREN_ONLY) or to all of it. */
static void sshd_signal(int signum, bool children_only)
{
    pid_t known[256] = {sshd_pid};
    size_t n = 1;
    for (size_t before = 0; before != n;) {
        before = n;
        DIR *proc = opendir("/proc");
        const struct dirent *e;
        while ((e = readdir(proc)) != NULL) {
            auto_free char *path = xasprintf("/proc/%s/stat", e->d_name);
            char text[512] = "";
            auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
                continue;
            const char *end = strrchr(text, ')');
            int pid = (int)strtol(text, NULL, 10), parent = 0;
            if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
                continue;
            bool seen = false, child = false;
            for (size_t i = 0; i < n; i++) {
                seen |= known[i] == pid;
                child |= known[i] == parent;
            }
            if (child && !seen && n < ARRAY_LEN(known))
                known[n++] = pid;
        }
        (void)closedir(proc);
    }
    for (size_t i = children_only ? 1 : 0; i < n; i++)
        (void)kill(known[i], signum);
}

/* The folder, the keys, the server. */
static bool sshd_setup(void)
{
    if (!mkdtemp(dir))
        return false;
    (void)chmod(dir, 0755);
    user_key = xasprintf("%s/user", dir);
    host_key = xasprintf("%s/host", dir);
    user_name = getpwuid(getuid())->pw_name;
    if (remote_keygen(user_key, "berth test", NULL) < 0 ||
        remote_keygen(host_key, "host", NULL) < 0)
        return false;
    host_line = pub_line(host_key);
    sshd_start();
    return true;
}

static void sshd_teardown(void)
{
    sshd_signal(SIGKILL, false);
    (void)waitpid(sshd_pid, NULL, 0);
    (void)file_remove_tree(dir, NULL);
    free(user_key);
    free(host_key);
    free(host_line);
}

#endif
