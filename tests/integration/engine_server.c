/* A real engine on private folders, spoken to over its socket: who starts it, who gets in, what it
 * does with bad input. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/rpc/client.h"
#include "core/rpc/launch.h"
#include "core/rpc/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CLIENTS  20
#define LIMIT_MS 20000
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_MAX (256U << 20) /* the sanitiser keeps freed memory for a while */
#else
#define GROWTH_MAX (24U << 20)
#endif

static int failures;
static char work[] = "/tmp/berth-engine-XXXXXX";
static char *socket_path;

static bool report(const char *name, bool ok, const char *why)
{
    if (ok)
        printf("ok %s\n", name);
    else
        printf("not ok %s: %s\n", name, why);
    (void)fflush(stdout);
    failures += !ok;
    return ok;
}

/* ---- a client that says what it likes ---- */

struct peer {
    int fd;
    struct buf in;
};

static bool peer_open(struct peer *p)
{
    *p = (struct peer){.fd = launch_connect(socket_path, NULL)};
    return p->fd >= 0;
}

static void peer_close(struct peer *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    buf_done(&p->in);
    p->fd = -1;
}

/* False when the engine closed the connection or does not take the bytes in time. */
static bool peer_write(struct peer *p, const void *data, size_t len, uint64_t limit_ms)
{
    uint64_t deadline = clock_mono_ms() + limit_ms;
    for (size_t done = 0; done < len;) {
        ssize_t n = send(p->fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        uint64_t now = clock_mono_ms();
        if (errno != EAGAIN || now >= deadline)
            return false;
        (void)poll(&(struct pollfd){.fd = p->fd, .events = POLLOUT}, 1, (int)(deadline - now));
    }
    return true;
}

/* The next line as JSON; NULL at the end of the connection or the time. */
static cJSON *peer_read(struct peer *p)
{
    uint64_t deadline = clock_mono_ms() + LIMIT_MS;
    for (;;) {
        char *end = p->in.len ? memchr(p->in.data, '\n', p->in.len) : NULL;
        if (end) {
            size_t len = (size_t)(end - p->in.data);
            cJSON *json = json_parse(p->in.data, len, NULL);
            buf_consume(&p->in, len + 1);
            return json;
        }
        uint64_t now = clock_mono_ms();
        if (now >= deadline)
            return NULL;
        (void)poll(&(struct pollfd){.fd = p->fd, .events = POLLIN}, 1, (int)(deadline - now));
        char *room = buf_reserve(&p->in, 65536);
        ssize_t n = read(p->fd, room, 65536);
        if (n > 0)
            p->in.len += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            return NULL;
    }
}

/* Sends a line and returns the answer. */
static cJSON *peer_ask(struct peer *p, const char *line)
{
    auto_free char *text = xasprintf("%s\n", line);
    return peer_write(p, text, strlen(text), LIMIT_MS) ? peer_read(p) : NULL;
}

static bool peer_greet(struct peer *p, pid_t *ret_pid)
{
    auto_free char *hello = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\","
                                      "\"params\":{\"protocol\":%d,\"client\":\"test\"}}",
                                      BERTH_PROTOCOL);
    auto_json cJSON *answer = peer_ask(p, hello);
    const cJSON *result = json_get(answer, "result");
    if (ret_pid)
        *ret_pid = (pid_t)json_u64(result, "pid", 0);
    return json_u64(result, "protocol", 0) == BERTH_PROTOCOL;
}

/* Is ERROR in ANSWER of this kind, with WORD in its message? */
static bool is_error(const cJSON *answer, enum err_kind kind, const char *word)
{
    const cJSON *error = json_get(answer, "error");
    return json_u64(error, "code", 0) == (uint64_t)kind &&
           strstr(json_str(error, "message", ""), word);
}

/* Connects, starting an engine where none runs. */
static pid_t engine_up(void)
{
    struct err err = {0};
    struct peer p = {.fd = launch_engine(socket_path, -1, &err)};
    pid_t pid = 0;
    if (p.fd < 0)
        printf("# %s\n", err.msg);
    else
        (void)peer_greet(&p, &pid);
    peer_close(&p);
    return pid;
}

/* Sends SIGNAL and waits until the engine is gone. */
static bool engine_down(pid_t pid, int signal_number)
{
    if (pid <= 1)
        return false;
    auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return false;
    (void)kill(pid, signal_number);
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, LIMIT_MS) == 1;
}

/* ---- start ---- */

struct starter {
    uv_loop_t loop;
    struct rpc_client *client;
    uint64_t pid;
};

static void on_pid(void *arg, const cJSON *result, const struct err *err)
{
    struct starter *s = arg;
    if (!err)
        s->pid = json_u64(result, "pid", 0);
    rpc_client_free(s->client);
}

static void on_lost(void *arg, const struct err *why)
{
    struct starter *s = arg;
    printf("# %s\n", why->msg);
    rpc_client_free(s->client);
}

/* One console's way to the engine; runs in a child. Returns the engine's pid. */
static uint64_t start_as_console(void)
{
    static const struct rpc_client_events events = {.on_lost = on_lost};
    struct starter s = {0};
    (void)uv_loop_init(&s.loop);
    s.client =
        rpc_client_new(&s.loop, &(struct rpc_client_options){.start_engine = true}, &events, &s);
    cJSON *params = cJSON_CreateObject();
    json_add_u64(params, "protocol", BERTH_PROTOCOL);
    rpc_call(s.client, "hello", params, LIMIT_MS, on_pid, &s);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&s.loop);
    return s.pid;
}

static void test_race(void)
{
    int gate[2];
    int results[2];
    if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(results, O_CLOEXEC) < 0)
        abort();
    for (int i = 0; i < CLIENTS; i++) {
        if (fork() != 0)
            continue;
        char c = 0;
        (void)close(gate[1]);
        (void)!read(gate[0], &c, 1); /* all at once */
        uint64_t pid = start_as_console();
        _exit(write(results[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
    }
    (void)close(gate[1]);
    (void)close(results[1]);
    uint64_t pids[CLIENTS] = {0};
    int n = 0;
    while (n < CLIENTS && read(results[0], &pids[n], sizeof(pids[0])) == sizeof(pids[0]))
        n++;
    while (wait(NULL) > 0)
        ;
    bool same = n == CLIENTS && pids[0] > 1;
    for (int i = 1; i < n; i++)
        same = same && pids[i] == pids[0];
    report("twenty consoles at once start one engine", same,
           "not all of them reached the same engine");
    (void)close(gate[0]);
    (void)close(results[0]);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_privacy(void)
{
    report("socket 0600 in a folder 0700",
           mode_of(socket_path) == 0600 && mode_of(getenv("BERTH_RUNTIME_DIR")) == 0700,
           "other modes");
}

/* A descriptor of the console that is not close-on-exec must not live on in the engine. */
static void test_descriptors(pid_t pid)
{
    auto_free char *dir = xasprintf("/proc/%d/fd", (int)pid);
    bool clean = true;
    for (int fd = 3; fd < 256; fd++) {
        char target[256];
        auto_free char *link = xasprintf("%s/%d", dir, fd);
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            clean = clean && !strstr(target, "inherited");
        }
    }
    report("the engine inherits no descriptor", clean,
           "it holds a file of the console that started it");
}

static void test_second_engine(void)
{
    auto_free char *program = xasprintf("%s/berthd", getenv("BERTH_BUILD"));
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, 2);
        (void)execl(program, "berthd", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    report("a second engine refuses", WIFEXITED(status) && WEXITSTATUS(status) == 1,
           "it ended in another way");
}

static void test_stale_socket(pid_t first)
{
    bool killed = engine_down(first, SIGKILL);
    bool stale = file_exists(socket_path);
    pid_t next = engine_up();
    report("a killed engine's socket does not keep the next one",
           killed && stale && next > 1 && next != first, "no new engine");
}

/* ---- what is said ---- */

static void test_versions(void)
{
    static const struct {
        const char *name;
        const char *line;
        const char *word;
    } cases[] = {
        {"an older console is told so",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":0}}",
         "older"},
        {"a newer console is told so",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":999}}",
         "newer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct peer p;
        if (!peer_open(&p))
            continue;
        auto_json cJSON *answer = peer_ask(&p, cases[i].line);
        report(cases[i].name, is_error(answer, ERR_UNSUPPORTED, cases[i].word), "another answer");
        peer_close(&p);
    }
    struct peer p;
    auto_json cJSON *early =
        peer_open(&p) ? peer_ask(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.list\"}")
                      : NULL;
    report("nothing is answered before hello", is_error(early, ERR_PROTOCOL, "hello"), "it was");
    peer_close(&p);
}

static void test_garbage(void)
{
    static const char *const lines[] = {
        "\x01\x02\xff\xfe",
        "{",
        "[]",
        "null",
        "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.get\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.get\",\"params\":{\"id\":5}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vm.create\",\"params\":{\"plan\":{\"name\":\".."
        "/../etc\"}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vm.start\",\"params\":{\"vm\":\"\\u001b[2J\"}}",
    };
    struct peer p;
    bool ok = peer_open(&p) && peer_greet(&p, NULL);
    for (size_t i = 0; ok && i < ARRAY_LEN(lines); i++) {
        auto_json cJSON *answer = peer_ask(&p, lines[i]);
        ok = json_get(answer, "error") && *json_str(json_get(answer, "error"), "message", "");
        if (!ok)
            printf("# line %zu\n", i);
    }
    report("each wrong line gets an error and the next is heard", ok, "no error came");
    peer_close(&p);
}

static bool answers_within(uint64_t limit_ms)
{
    struct peer p;
    uint64_t begin = clock_mono_ms();
    bool ok = peer_open(&p) && peer_greet(&p, NULL);
    peer_close(&p);
    return ok && clock_mono_ms() - begin < limit_ms;
}

static void test_endless_line(const char *name, char c, pid_t engine)
{
    struct peer p;
    size_t len = 2U << 20;
    auto_free char *block = xmalloc(len);
    memset(block, c, len);
    bool refused = peer_open(&p);
    if (refused && peer_write(&p, block, len, 5000)) {
        auto_json cJSON *answer = peer_read(&p);
        refused = answer == NULL; /* closed without a word */
    }
    peer_close(&p);
    report(name, refused && kill(engine, 0) == 0 && answers_within(2000),
           "the engine took it, or does not answer any more");
}

static size_t memory_of(pid_t pid)
{
    auto_free char *path = xasprintf("/proc/%d/statm", (int)pid);
    auto_buf struct buf text = {0};
    unsigned long pages = 0;
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%*u %lu", &pages) != 1) /* NOLINT(cert-err34-c) */
        pages = 0;
    if (file)
        (void)fclose(file);
    return pages * 4096;
}

/* Asks and asks and never reads. */
static void test_slow_reader(pid_t engine)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"snapshot.get\"}\n";
    struct peer p;
    size_t before = memory_of(engine);
    size_t asked = 0;
    bool out = false;
    if (peer_open(&p) && peer_greet(&p, NULL))
        for (; asked < 500000 && !out; asked++)
            out = !peer_write(&p, line, sizeof(line) - 1, 3000);
    size_t after = memory_of(engine);
    report("a client that never reads is put out", out, "it could go on asking for ever");
    report("and costs a bounded amount of memory", after < before + GROWTH_MAX, "the engine grew");
    report("and the others do not notice", answers_within(2000), "no answer in time");
    printf("# %zu calls, %zu KiB more\n", asked, after > before ? (after - before) / 1024 : 0);
    peer_close(&p);
}

/* ---- end ---- */

static void test_sigterm(pid_t pid)
{
    report("SIGTERM ends the engine", engine_down(pid, SIGTERM), "it runs on");
    report("and takes its socket along", !file_exists(socket_path), "the socket is left");
}

static void test_idle(void)
{
    auto_free char *program = xasprintf("%s/berthd", getenv("BERTH_BUILD"));
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(program, "berthd", "--foreground", "--idle-exit", "1", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool ended = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, LIMIT_MS) == 1;
    if (!ended)
        (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    report("an engine that nobody needs ends",
           ended && WIFEXITED(status) && WEXITSTATUS(status) == 0, "it stayed");
    report("and leaves no socket", !file_exists(socket_path), "the socket is left");
}

static void set_up(void)
{
    const char *build = getenv("BERTH_BUILD");
    if (!build || !mkdtemp(work)) {
        (void)fprintf(stderr, "BERTH_BUILD must name the folder of the programs\n");
        _exit(2);
    }
    auto_free char *state = xasprintf("%s/state", work);
    auto_free char *run = xasprintf("%s/run", work);
    auto_free char *path = xasprintf("%s:%s", build, getenv("PATH"));
    auto_free char *inherited = xasprintf("%s/inherited", work);
    (void)setenv("BERTH_STATE_DIR", state, 1);
    (void)setenv("BERTH_RUNTIME_DIR", run, 1);
    (void)setenv("BERTH_LIBVIRT_URI", "test:///default", 1);
    (void)setenv("PATH", path, 1);
    (void)open(inherited, O_RDWR | O_CREAT, 0600); /* not close-on-exec, on purpose */
    socket_path = path_engine_socket();
}

int main(void)
{
    set_up();
    test_race();
    pid_t pid = engine_up();
    test_privacy();
    test_descriptors(pid);
    test_second_engine();
    test_versions();
    test_garbage();
    test_endless_line("2 MiB of [ end only their own connection", '[', pid);
    test_endless_line("2 MiB without a line end, too", 'x', pid);
    test_slow_reader(pid);
    test_stale_socket(pid);
    test_sigterm(engine_up());
    test_idle();
    (void)file_remove_tree(work, NULL);
    free(socket_path);
    return failures ? 1 : 0;
}
