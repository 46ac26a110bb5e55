/* What tests of the console in a terminal share: the real `berth` in a pseudo-terminal, read by a
 * real terminal emulator (libvterm), against an engine that is scripted here. Each test program
 * includes it once. */
#ifndef BERTH_TESTS_UI_RUN_H
#define BERTH_TESTS_UI_RUN_H

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/rpc/frame.h"
#include "core/rpc/message.h"
#include "core/rpc/model_json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <vterm.h>

#define WAIT_MS 15000
#define SECRET  "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
#define CONNSTR "HostName=contoso-hub.azure-devices.net;DeviceId=pump-07;SharedAccessKey=" SECRET

static int failures;
static char dir[] = "/tmp/berth-ui-XXXXXX";
static struct snapshot snap;

/* ---- the program under test and what it is connected to */

struct run {
    pid_t pid;
    int master, slave; /* the slave stays open here, so that its settings can be compared */
    struct termios before;
    VTerm *vt;
    VTermScreen *screen;
    int rows, cols;
    bool answers;    /* the terminal answers ESC[5n */
    struct buf sent; /* all bytes the program ever wrote */
    uint64_t start_ms;
    int listener, client;
    struct frame frame;
    char method[64];
    struct buf params; /* of the last call but snapshot.watch and metrics.get */
    uint64_t stream_seq;
    bool ended;
    int status;
};

static void report(const char *name, bool ok, const char *fmt, ...) ATTR_PRINTF(3, 4);

static void report(const char *name, bool ok, const char *fmt, ...)
{
    va_list ap;
    if (ok) {
        printf("ok %s\n", name);
    } else {
        printf("not ok %s: ", name);
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
        printf("\n");
        failures++;
    }
    (void)fflush(stdout);
}

static void engine_send(struct run *r, cJSON *take_message)
{
    auto_buf struct buf line = {0};
    json_print(&line, take_message);
    cJSON_Delete(take_message);
    buf_putc(&line, '\n');
    for (size_t at = 0; at < line.len && r->client >= 0;) {
        ssize_t n = send(r->client, line.data + at, line.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

/* What the sandbox is said to hold. */
static cJSON *sandbox_answer(const char *method)
{
    static const char list[] =
        "{\"total\":2,\"devices\":[{\"deviceId\":\"pump-07\",\"enabled\":true,\"connected\":true,"
        "\"edge\":true,\"auth\":\"sas\",\"modules\":4},{\"deviceId\":\"evil\\u001b[2J\","
        "\"enabled\":false,\"auth\":\"x509-ca\"}]}";
    static const char device[] =
        "{\"deviceId\":\"pump-07\",\"enabled\":true,\"connected\":true,"
        "\"edge\":true,\"auth\":\"sas\",\"connectionString\":\"" CONNSTR "\",\"moduleList\":[]}";
    static const char twin[] =
        "{\"deviceId\":\"pump-07\",\"properties\":{\"desired\":{\"interval\":5,"
        "\"evil\":\"\\u001b]0;title\\u0007\"},\"reported\":{}}}";
    const char *text = str_eq(method, "sandbox.device_list")   ? list
                       : str_eq(method, "sandbox.device_show") ? device
                       : str_eq(method, "sandbox.twin_get")    ? twin
                                                               : "{\"stream\":\"sandbox-1\"}";
    return json_parse(text, strlen(text), NULL);
}

static cJSON *answer_for(const char *method)
{
    if (str_starts(method, "sandbox."))
        return sandbox_answer(method);
    cJSON *result = cJSON_CreateObject();
    if (str_eq(method, "hello")) {
        json_add_u64(result, "protocol", 1);
        json_add_str(result, "version", "0.1.0");
        json_add_u64(result, "pid", 1);
    } else if (str_eq(method, "snapshot.watch")) {
        cJSON_Delete(result);
        return model_json_snapshot(&snap);
    } else if (str_eq(method, "logs.follow")) {
        json_add_str(result, "stream", "s1");
    } else if (str_eq(method, "metrics.get")) {
        (void)json_add_array(result, "series");
    } else {
        json_add_str(result, "job", "7c1e");
    }
    return result;
}

static void engine_line(struct run *r, const char *line, size_t len)
{
    struct err err;
    auto_message struct message m = {0};
    if (message_parse(line, len, &m, NULL, &err) < 0 || m.type != MESSAGE_CALL)
        return;
    if (!str_eq(m.method, "snapshot.watch") && !str_eq(m.method, "metrics.get")) {
        STR_SET(r->method, m.method);
        buf_clear(&r->params);
        if (m.params)
            json_print(&r->params, m.params);
    }
    engine_send(r, message_result(m.id, answer_for(m.method)));
}

static void engine_read(struct run *r)
{
    char part[16384];
    const char *line = NULL;
    size_t len = 0;
    struct err err;
    ssize_t n = recv(r->client, part, sizeof(part), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        (void)close(r->client);
        r->client = -1;
        return;
    }
    frame_push(&r->frame, part, (size_t)n);
    while (frame_next(&r->frame, &line, &len, &err) == 1)
        engine_line(r, line, len);
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static void terminal_read(struct run *r)
{
    char part[65536];
    ssize_t n = read(r->master, part, sizeof(part));
    if (n <= 0)
        return;
    buf_append(&r->sent, part, (size_t)n);
    (void)vterm_input_write(r->vt, part, (size_t)n);
    size_t out = vterm_output_read(r->vt, part, sizeof(part));
    if (r->answers)
        write_all(r->master, part, out);
}

/* One round of waiting, at most MS. */
static void turn(struct run *r, int ms)
{
    struct pollfd fds[3] = {
        {r->master, POLLIN, 0}, {r->listener, POLLIN, 0}, {r->client, POLLIN, 0}};
    if (poll(fds, 3, ms) > 0) {
        if (fds[0].revents & POLLIN)
            terminal_read(r);
        if (fds[1].revents & POLLIN)
            r->client = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fds[2].revents && r->client >= 0)
            engine_read(r);
    }
    if (!r->ended && r->pid > 0 && waitpid(r->pid, &r->status, WNOHANG) == r->pid)
        r->ended = true;
}

static void row_text(const struct run *r, int row, char *to, size_t size)
{
    const VTermRect rect = {row, row + 1, 0, r->cols};
    size_t n = vterm_screen_get_text(r->screen, to, size - 1, rect);
    to[n < size ? n : size - 1] = '\0';
}

static bool shows(const struct run *r, const char *text)
{
    char row[2048];
    for (int i = 0; i < r->rows; i++) {
        row_text(r, i, row, sizeof(row));
        if (strstr(row, text))
            return true;
    }
    return false;
}

static bool wait_for(struct run *r, const char *text)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;
    while (!shows(r, text) && clock_mono_ms() < end && !r->ended)
        turn(r, 50);
    return shows(r, text);
}

static bool wait_end(struct run *r)
{
    uint64_t end = clock_mono_ms() + WAIT_MS;
    while (!r->ended && clock_mono_ms() < end)
        turn(r, 20);
    turn(r, 50);
    return r->ended;
}

/* Until nothing came for a while: the program has drawn what it wanted to. */
static void settle(struct run *r)
{
    size_t seen;
    uint64_t end = clock_mono_ms() + WAIT_MS;
    do {
        seen = r->sent.len;
        uint64_t quiet = clock_mono_ms() + 300;
        while (clock_mono_ms() < quiet)
            turn(r, 50);
    } while (seen != r->sent.len && clock_mono_ms() < end);
}

static void keys(struct run *r, const char *text)
{
    write_all(r->master, text, strlen(text));
}

static int listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    STR_SET(a.sun_path, path);
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4) < 0)
        return -1;
    return fd;
}

static void exec_berth(const struct run *r, const char *term, const char *extra)
{
    char *program = xasprintf("%s/berth", getenv("BERTH_BUILD"));
    (void)setsid();
    (void)ioctl(r->slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(r->slave, fd);
    (void)setenv("TERM", term, 1);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    if (extra)
        (void)setenv(extra, "1", 1);
    (void)execl(program, "berth", NULL);
    _exit(127);
}

static void run_start(struct run *r, const char *term, const char *extra, int rows, int cols)
{
    const struct winsize size = {(unsigned short)rows, (unsigned short)cols, 0, 0};
    auto_free char *path = path_engine_socket();
    memset(r, 0, sizeof(*r));
    r->client = -1;
    r->answers = true;
    r->rows = rows;
    r->cols = cols;
    r->listener = listen_at(path);
    (void)openpty(&r->master, &r->slave, NULL, NULL, &size);
    (void)fcntl(r->master, F_SETFD, FD_CLOEXEC);
    (void)tcgetattr(r->slave, &r->before);
    r->vt = vterm_new(rows, cols);
    vterm_set_utf8(r->vt, 1);
    r->screen = vterm_obtain_screen(r->vt);
    vterm_screen_enable_altscreen(r->screen, 1);
    vterm_screen_reset(r->screen, 1);
    r->start_ms = clock_mono_ms();
    r->pid = fork();
    if (r->pid == 0)
        exec_berth(r, term, extra);
}

static void run_end(struct run *r)
{
    if (!r->ended) {
        (void)kill(r->pid, SIGKILL);
        (void)wait_end(r);
    }
    (void)close(r->master);
    (void)close(r->slave);
    (void)close(r->listener);
    if (r->client >= 0)
        (void)close(r->client);
    vterm_free(r->vt);
    frame_done(&r->frame);
    buf_done(&r->sent);
    buf_done(&r->params);
}

static size_t count(const struct run *r, const char *bytes)
{
    size_t n = 0;
    size_t len = strlen(bytes);
    for (size_t i = 0; i + len <= r->sent.len; i++)
        n += memcmp(r->sent.data + i, bytes, len) == 0;
    return n;
}

static bool restored(const struct run *r)
{
    struct termios now;
    memset(&now, 0, sizeof(now));
    return tcgetattr(r->slave, &now) == 0 && now.c_lflag == r->before.c_lflag &&
           now.c_iflag == r->before.c_iflag && now.c_oflag == r->before.c_oflag &&
           memcmp(now.c_cc, r->before.c_cc, sizeof(now.c_cc)) == 0 && count(r, "\033[?2004l") > 0 &&
           count(r, "\033[?1049l") == count(r, "\033[?1049h");
}

/* ---- the site on screen */

static void make_site(void)
{
    struct vm_status *vm = &snap.vms[0];
    uint64_t now = clock_wall_ms();
    memset(&snap, 0, sizeof(snap));
    STR_SET(snap.host, "edge-07");
    snap.sandbox.light = LIGHT_OFF;
    snap.n_vms = 1;
    STR_SET(vm->name, "edge-07-vm");
    vm->state = VM_STATE_RUNNING;
    vm->cpus = 2;
    vm->started_ms = now - 90 * 60000;
    vm->seen_ms = now;
    vm->cpu_percent = 18;
    vm->memory_used = 600 << 20;
    vm->memory_total = 1024 << 20;
    vm->runtime = RUNTIME_STATE_RUNNING;
    vm->cloud = CLOUD_STATE_DISCONNECTED;
    STR_SET(vm->device_id, "pump-07");
    static const char *const names[] = {"edgeAgent", "edgeHub", "modbus", "historian"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        STR_SET(vm->modules[i].name, names[i]);
        vm->modules[i].state = MODULE_STATE_RUNNING;
        vm->modules[i].started_ms = now - 80 * 60000;
    }
    vm->n_modules = ARRAY_LEN(names);
}

static void setup(void)
{
    struct err err;
    if (!mkdtemp(dir) || !getenv("BERTH_BUILD")) {
        printf("not ok setup: needs BERTH_BUILD and /tmp\n");
        exit(1);
    }
    auto_free char *runtime = xasprintf("%s/run", dir);
    (void)setenv("BERTH_RUNTIME_DIR", runtime, 1);
    (void)setenv("BERTH_STATE_DIR", dir, 1);
    (void)file_mkdirs(runtime, 0700, &err);
    (void)signal(SIGPIPE, SIG_IGN);
    make_site();
}

static int teardown(void)
{
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}

#endif
