/* The real `berth` in a pseudo-terminal, read by a real terminal emulator (libvterm), against an
 * engine that is scripted here: what bytes go out, what a person sees, and that the terminal is as
 * before afterwards. */
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

static void resize(struct run *r, int rows, int cols)
{
    const struct winsize size = {(unsigned short)rows, (unsigned short)cols, 0, 0};
    r->rows = rows;
    r->cols = cols;
    vterm_set_size(r->vt, rows, cols);
    (void)ioctl(r->master, TIOCSWINSZ, &size);
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

/* ---- the cases */

static void case_dashboard(void)
{
    struct run r;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    bool first = wait_for(&r, "berth");
    uint64_t first_ms = clock_mono_ms() - r.start_ms;
    bool dash = wait_for(&r, "Modules (4 running)");
    printf("# exec to first frame %llu ms, to the dashboard %llu ms\n",
           (unsigned long long)first_ms, (unsigned long long)(clock_mono_ms() - r.start_ms));
    report("dashboard_appears", first && dash, "first %d, dashboard %d", first, dash);
    settle(&r);
    printf("# bytes until the dashboard stood: %zu\n", r.sent.len);
    report("first_paint_is_small", r.sent.len <= 2400, "%zu bytes", r.sent.len);

    /* A change of the minute is a change: then the five seconds are tried again. */
    size_t written = 1;
    for (int i = 0; i < 2 && written; i++) {
        size_t before = r.sent.len;
        uint64_t end = clock_mono_ms() + 5000;
        while (clock_mono_ms() < end)
            turn(&r, 100);
        written = r.sent.len - before;
    }
    report("idle_writes_nothing", written == 0, "%zu bytes in 5 s", written);

    size_t clears = count(&r, "\033[2J") + count(&r, "\033[H\033[J");
    keys(&r, "2");
    (void)wait_for(&r, "worst first");
    keys(&r, "jjk\033");
    settle(&r);
    report("no_bell_and_no_clear",
           count(&r, "\a") == 0 && count(&r, "\033[5m") == 0 &&
               count(&r, "\033[2J") + count(&r, "\033[H\033[J") == clears,
           "%zu bells, %zu clears", count(&r, "\a"), count(&r, "\033[2J"));
    keys(&r, "q");
    report("q_ends_it", wait_end(&r) && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0,
           "status %x", (unsigned)r.status);
    report("terminal_is_restored", restored(&r), "settings or modes differ");
    run_end(&r);
}

static void case_focus(void)
{
    struct run r;
    VTermPos pos;
    char row[512];
    run_start(&r, "xterm", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "2");
    (void)wait_for(&r, "worst first");
    keys(&r, "jj");
    settle(&r);
    vterm_state_get_cursorpos(vterm_obtain_state(r.vt), &pos);
    row_text(&r, pos.row, row, sizeof(row));
    report("cursor_stands_on_the_marked_row", row[1] == '>', "row %d: %s", pos.row, row);
    run_end(&r);
}

static void case_resize(void)
{
    struct run r;
    uint32_t seed = 11;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    resize(&r, 5, 60);
    report("too_small_says_so", wait_for(&r, "screens need 80x24"), "not seen");
    resize(&r, 43, 132);
    report("larger_again_draws_all", wait_for(&r, "IMAGE"), "not seen");
    for (int i = 0; i < 60 && !r.ended; i++) {
        seed = seed * 1664525U + 1013904223U;
        resize(&r, 1 + (int)(seed >> 8) % 60, 1 + (int)(seed >> 16) % 200);
        turn(&r, 5);
    }
    resize(&r, 24, 80);
    report("survives_many_sizes", wait_for(&r, "Modules (4 running)") && !r.ended, "ended %d",
           r.ended);
    run_end(&r);
}

static void case_paste(void)
{
    struct run r;
    auto_free char *kilobytes = xcalloc(1, 2100);
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "c");
    (void)wait_for(&r, "What should the VM be connected to");
    keys(&r, "1");
    (void)wait_for(&r, "Paste the connection string");
    memset(kilobytes, 'q', 2048);
    keys(&r, "\033[200~");
    keys(&r, kilobytes);
    keys(&r, "\r\n\033[201~");
    report("bracketed_paste_of_2_KB_comes_whole", wait_for(&r, "2048 characters"), "not seen");
    keys(&r, "\025");
    (void)wait_for(&r, "In the Azure portal");
    keys(&r, CONNSTR "\n");
    report("plain_paste_fires_no_command",
           wait_for(&r, "116 characters") && wait_for(&r, "[OK] Complete"), "not seen");
    settle(&r);
    report("no_command_came_of_it", !str_eq(r.method, "provision.connection_string"),
           "it was sent");
    keys(&r, "\r");
    (void)wait_for(&r, "Job 7c1e");
    report("enter_sends_it",
           str_eq(r.method, "provision.connection_string") && strstr(buf_str(&r.params), CONNSTR),
           "%s %s", r.method, buf_str(&r.params));
    report("the_secret_is_on_no_screen", count(&r, "c2Vj") == 0, "it was written");
    run_end(&r);
}

static void push_lines(struct run *r, int n)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "stream", "s1");
    cJSON *entries = json_add_array(params, "entries");
    for (int i = 0; i < n; i++) {
        char text[80];
        cJSON *e = cJSON_CreateObject();
        r->stream_seq++;
        (void)str_format(text, sizeof(text), "value %llu \xe2\x82\xac of the generator",
                         (unsigned long long)r->stream_seq);
        json_add_u64(e, "seq", r->stream_seq);
        json_add_u64(e, "gap", 0);
        json_add_u64(e, "at", clock_wall_ms());
        json_add_u64(e, "stream", 1);
        json_add_str(e, "text", text);
        json_push(entries, e);
    }
    engine_send(r, message_event("event.log", params));
}

static void case_log_flood(void)
{
    struct run r;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "3");
    (void)wait_for(&r, "Whose log?");
    keys(&r, "\r");
    (void)wait_for(&r, "FOLLOW");
    uint64_t end = clock_mono_ms() + 3000;
    uint64_t start = clock_mono_ms();
    while (clock_mono_ms() < end) { /* 5,000 lines/s */
        if (r.stream_seq < (clock_mono_ms() - start) * 5)
            push_lines(&r, 200);
        turn(&r, 5);
    }
    uint64_t pressed = clock_mono_ms();
    keys(&r, " ");
    bool paused = wait_for(&r, "PAUSED");
    uint64_t took = clock_mono_ms() - pressed;
    printf("# 5,000 lines/s: key to visible %llu ms, %zu bytes out for %llu lines\n",
           (unsigned long long)took, r.sent.len, (unsigned long long)r.stream_seq);
    report("a_flood_leaves_the_keys_alive", paused && took < 1000, "%llu ms",
           (unsigned long long)took);
    char text[64];
    settle(&r);
    (void)str_format(text, sizeof(text), "%llu lines", (unsigned long long)r.stream_seq);
    report("no_line_is_lost", shows(&r, text) && !shows(&r, "gap"), "%s not shown", text);
    run_end(&r);
}

static void send_event(struct run *r, uint64_t seq, const char *text)
{
    cJSON *params = cJSON_CreateObject();
    cJSON *entry = cJSON_CreateObject();
    json_add_str(params, "stream", "sandbox-1");
    json_push(json_add_array(params, "entries"), entry);
    json_add_u64(entry, "seq", seq);
    json_add_u64(entry, "at", clock_wall_ms());
    json_add_str(entry, "deviceId", "pump-07");
    json_add_str(entry, "text", text);
    json_add_u64(entry, "size", strlen(text));
    engine_send(r, message_event("event.sandbox", params));
}

static void case_sandbox(void)
{
    struct run r;
    snap.sandbox.light = LIGHT_OK;
    STR_SET(snap.sandbox.host, "sandbox.berth.internal");
    snap.sandbox.mqtt_port = 8883;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    settle(&r);
    size_t before = r.sent.len;
    keys(&r, "O");
    bool list = wait_for(&r, "Devices (2, 1 connected)") && wait_for(&r, "[OK] connected");
    settle(&r);
    report("the_sandbox_shows_its_devices", list, "no list");
    report("its_first_paint_is_small", r.sent.len - before <= 2400, "%zu bytes",
           r.sent.len - before);
    before = r.sent.len;
    uint64_t end = clock_mono_ms() + 5000;
    while (clock_mono_ms() < end)
        turn(&r, 100);
    report("asking_again_writes_nothing", r.sent.len - before <= 10, "%zu bytes in 5 s",
           r.sent.len - before);

    send_event(&r, 1,
               "hello \033]0;title\a\033[2J \xc2\x9b"
               "31m");
    report("an_event_arrives_as_it_is_sent", wait_for(&r, "hello ^[]0;title^G^[[2J"), "no event");
    report("and_moves_no_cursor", count(&r, "\033]0;") == 0 && count(&r, "\a") == 0, "it does");

    keys(&r, "\r");
    bool twin = wait_for(&r, "\"interval\": 5");
    report("a_device_shows_its_twin", twin && wait_for(&r, "Sandbox > pump-07"), "no twin");
    report("its_key_is_hidden", count(&r, SECRET) == 0, "the key went out");
    keys(&r, "S");
    report("until_it_is_asked_for", wait_for(&r, "HostName=contoso-hub"), "no string");
    keys(&r, "S");
    report("and_hidden_again", wait_for(&r, "hidden; S shows"), "still there");
    keys(&r, "\033");
    (void)wait_for(&r, "Devices (2, 1 connected)");
    run_end(&r);
    run_start(&r, "vt100", "NO_COLOR", 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    keys(&r, "o");
    report("on_a_serial_line_too", wait_for(&r, "[!]  disabled"), "no list");
    run_end(&r);
    snap.sandbox.light = LIGHT_OFF;
}

static void case_signal(const char *name, int number, bool clean)
{
    struct run r;
    char label[64];
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    (void)kill(r.pid, number);
    bool ended = wait_end(&r);
    (void)str_format(label, sizeof(label), "terminal_is_restored_after_%s", name);
    report(label, ended && restored(&r), "ended %d", ended);
    if (clean)
        report("sigterm_ends_with_143", WIFEXITED(r.status) && WEXITSTATUS(r.status) == 143,
               "status %x", (unsigned)r.status);
    run_end(&r);
}

static void case_hangup(void)
{
    struct run r;
    run_start(&r, "xterm-256color", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    (void)close(r.slave);
    (void)close(r.master);
    r.master = open("/dev/null", O_RDWR | O_CLOEXEC);
    r.slave = open("/dev/null", O_RDWR | O_CLOEXEC);
    uint64_t end = clock_mono_ms() + WAIT_MS;
    while (!r.ended && clock_mono_ms() < end) {
        struct pollfd none = {-1, 0, 0};
        (void)poll(&none, 1, 20);
        r.ended = waitpid(r.pid, &r.status, WNOHANG) == r.pid;
    }
    report("a_closed_terminal_ends_it", r.ended, "still runs");
    run_end(&r);
}

static void case_terminals(void)
{
    static const char *const names[] = {"vt100",         "vt220",  "linux", "xterm",
                                        "tmux-256color", "screen", "ansi",  "xterm-mono"};
    char label[80];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct run r;
        run_start(&r, names[i], NULL, 24, 80);
        bool dash = wait_for(&r, "Modules (4 running)") && shows(&r, "[OK] running");
        (void)str_format(label, sizeof(label), "works_on_%s", names[i]);
        report(label, dash, "no dashboard");
        keys(&r, "q");
        (void)wait_end(&r);
        run_end(&r);
    }
}

static void case_no_colour(void)
{
    struct run r;
    run_start(&r, "xterm-256color", "NO_COLOR", 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    settle(&r);
    size_t colours = count(&r, "\033[32m") + count(&r, "\033[33m") + count(&r, "\033[31m");
    report("no_colour_means_none", colours == 0, "%zu colours", colours);
    run_end(&r);
}

static void case_silent_terminal(void)
{
    struct run r;
    run_start(&r, "xterm", NULL, 24, 80);
    r.answers = false;
    bool dash = wait_for(&r, "Modules (4 running)");
    keys(&r, "5");
    bool vm = wait_for(&r, "System image");
    keys(&r, "2");
    bool modules = wait_for(&r, "worst first");
    report("a_terminal_that_never_answers_works_too", dash && vm && modules, "%d %d %d", dash, vm,
           modules);
    run_end(&r);
}

static void case_dumb(const char *term)
{
    struct run r;
    char label[64];
    run_start(&r, term, NULL, 24, 80);
    bool ended = wait_end(&r);
    (void)str_format(label, sizeof(label), "TERM_%s_names_the_commands", *term ? term : "empty");
    report(label,
           ended && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 2 && count(&r, "\033") == 0 &&
               shows(&r, "berth status"),
           "status %x, %zu escapes", (unsigned)r.status, count(&r, "\033"));
    run_end(&r);
}

static void case_engine_lost(void)
{
    struct run r;
    run_start(&r, "xterm", NULL, 24, 80);
    (void)wait_for(&r, "Modules (4 running)");
    (void)shutdown(r.client, SHUT_RDWR);
    (void)close(r.client);
    r.client = -1;
    bool gone = wait_for(&r, "no engine");
    bool back = wait_for(&r, "Cloud");
    report("a_lost_engine_is_said_and_found_again", gone && back, "gone %d, back %d", gone, back);
    run_end(&r);
}

int main(void)
{
    struct err err;
    auto_free char *runtime = NULL;
    if (!mkdtemp(dir) || !getenv("BERTH_BUILD")) {
        printf("not ok ui_pty: needs BERTH_BUILD and /tmp\n");
        return 1;
    }
    runtime = xasprintf("%s/run", dir);
    (void)setenv("BERTH_RUNTIME_DIR", runtime, 1);
    (void)setenv("BERTH_STATE_DIR", dir, 1);
    (void)file_mkdirs(runtime, 0700, &err);
    (void)signal(SIGPIPE, SIG_IGN);
    make_site();
    case_dashboard();
    case_focus();
    case_resize();
    case_paste();
    case_log_flood();
    case_sandbox();
    case_signal("SIGTERM", SIGTERM, true);
    case_signal("SIGSEGV", SIGSEGV, false);
    case_signal("SIGABRT", SIGABRT, false);
    case_hangup();
    case_terminals();
    case_no_colour();
    case_silent_terminal();
    case_engine_lost();
    case_dumb("dumb");
    case_dumb("no-such-terminal");
    case_dumb("");
    (void)file_remove_tree(dir, &err);
    return failures ? 1 : 0;
}
