/* The sandbox as the engine runs it: a real berth-hub and registry, started, used over REST and
 * with skopeo, found again, stopped. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/child.h"
#include "core/io/http.h"
#include "provision/hub_rest.h"
#include "provision/provision.h"
#include "provision/sandbox.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LIMIT_MS 60000

static int failures;
static uv_loop_t loop;
static char dir[] = "/tmp/berth-sandbox-XXXXXX";
static char *hub;
static uint16_t ports[3];

static void report(const char *name, bool ok, const char *why)
{
    printf(ok ? "ok %s\n" : "not ok %s: %s\n", name, why);
    (void)fflush(stdout);
    failures += !ok;
}

/* The end of whatever is under way. */
struct seen {
    int calls;
    struct err err;
    struct secret string;
    struct buf body;
};

static void on_done(void *arg, const struct err *err)
{
    struct seen *s = arg;
    s->calls++;
    s->err = err ? *err : (struct err){0};
}

static void on_device(void *arg, const char *connection_string, const struct err *err)
{
    struct seen *s = arg;
    if (connection_string)
        secret_set(&s->string, connection_string, strlen(connection_string));
    on_done(arg, err);
}

static void on_fetched(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct seen *s = arg;
    (void)status;
    buf_clear(&s->body);
    buf_append(&s->body, buf_str(body), body->len);
    on_done(arg, err);
}

static void wait_for(struct seen *s)
{
    uint64_t deadline = clock_mono_ms() + LIMIT_MS;
    while (!s->calls && clock_mono_ms() < deadline)
        (void)uv_run(&loop, UV_RUN_ONCE);
    if (!s->calls)
        err_set(&s->err, ERR_TIMEOUT, "the test waited in vain");
    s->calls = 0;
}

static uint16_t listen_somewhere(int *ret_fd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        abort();
    *ret_fd = fd;
    return ntohs(addr.sin_port);
}

static void start(struct seen *s)
{
    struct sandbox_options o = {
        .program = hub, .mqtt_port = ports[0], .https_port = ports[1], .registry_port = ports[2]};
    sandbox_start(&loop, &o, on_done, s);
    wait_for(s);
}

/* ---- cases ---- */

static void case_start(struct sandbox_record *r)
{
    struct seen s = {0};
    int fd;
    uint16_t mine = ports[0];
    ports[0] = listen_somewhere(&fd);
    start(&s);
    char number[8];
    (void)snprintf(number, sizeof(number), "%u", ports[0]);
    report("a_taken_port_is_named", s.err.kind == ERR_REMOTE && strstr(s.err.msg, number),
           s.err.msg);
    (void)close(fd);
    ports[0] = mine;

    start(&s);
    report("starts", s.err.kind == ERR_NONE, s.err.msg);
    struct err err = {0};
    bool loaded = sandbox_load(r, &err) == 0;
    report("leaves_a_record",
           loaded && sandbox_alive(r) && r->mqtt_port == ports[0] && r->https_port == ports[1] &&
               r->registry_port == ports[2] && str_eq(r->host, SANDBOX_HOST),
           err.msg);
    start(&s);
    struct sandbox_record again = {0};
    (void)sandbox_load(&again, NULL);
    report("a_second_start_finds_the_first", s.err.kind == ERR_NONE && again.pid == r->pid,
           s.err.msg);
    sandbox_record_done(&again);
}

static void case_rest(const struct sandbox_record *r)
{
    struct seen s = {0}, t = {0};
    struct err err = {0};
    struct hub_rest *h = hub_rest_new(&loop, r, NULL, &err);
    if (!h) {
        report("rest", false, err.msg);
        return;
    }
    hub_rest_device(h, "edge #1", on_device, &s);
    wait_for(&s);
    report("a_bad_device_name_is_refused", s.err.kind == ERR_INVALID, s.err.msg);
    hub_rest_device(h, "edge-1", on_device, &s);
    wait_for(&s);
    report(
        "a_device_is_made",
        s.err.kind == ERR_NONE && s.string.data &&
            str_starts(s.string.data, "HostName=" SANDBOX_HOST ";DeviceId=edge-1;SharedAccessKey="),
        s.err.msg);
    hub_rest_device(h, "edge-1", on_device, &t);
    wait_for(&t);
    report("the_same_device_again",
           t.err.kind == ERR_NONE && s.string.data && t.string.data &&
               str_eq(s.string.data, t.string.data),
           t.err.msg);
    const char *manifest = hub_rest_sample_manifest();
    hub_rest_deploy(h, "edge-1", manifest, strlen(manifest), on_done, &s);
    wait_for(&s);
    report("the_sample_is_deployed", s.err.kind == ERR_NONE, s.err.msg);
    hub_rest_deploy(h, "nobody", manifest, strlen(manifest), on_done, &s);
    wait_for(&s);
    report("no_such_device", s.err.kind == ERR_NOT_FOUND, s.err.msg);
    hub_rest_deploy(h, "edge-1", "{\"modulesContent\":3}", 20, on_done, &s);
    wait_for(&s);
    report("a_bad_manifest_is_refused", s.err.kind == ERR_INVALID, s.err.msg);
    hub_rest_free(h);
    secret_wipe(&s.string);
    secret_wipe(&t.string);
}

/* A guest that is not asked by these steps. */
static const struct provision_guest nobody = {.arg = NULL};
static const struct provision_events run_events = {.on_step = on_done};

static void case_image(const struct sandbox_record *r)
{
    auto_free char *tar = xasprintf("%s/sample.tar", dir);
    const char *pack[] = {"vm/guest/image/sensor/pack.sh", "/bin/true", tar, NULL};
    const char *env[] = {"SOURCE_DATE_EPOCH=0", NULL};
    struct child_options options = {.argv = pack, .env = env, .timeout_ms = LIMIT_MS};
    struct err err = {0};
    if (child_run(&options, NULL, &err) < 0) {
        report("pack_an_image", false, err.msg);
        return;
    }
    struct seen s = {0};
    struct provision *p = provision_new(&loop, &provision_sandbox, &nobody, &run_events, &s);
    provision_set_sandbox(p, &(struct provision_sandbox_options){
                                 .device_id = "edge-2", .host_ip = "10.0.2.2", .sample = tar});
    bool good = true;
    for (size_t step = 0; step < 3 && good; step++) {
        provision_apply(p, step);
        wait_for(&s);
        good = s.err.kind == ERR_NONE;
    }
    report("registers_stores_and_assigns", good, s.err.msg);
    provision_free(p);

    struct http *http = http_new(&loop);
    auto_free char *url =
        xasprintf("https://127.0.0.1:%u/v2/berth-sensor/tags/list", r->registry_port);
    struct http_options get = {.method = "GET", .url = url, .ca_file = r->ca_file};
    (void)http_fetch_start(http, &get, on_fetched, &s);
    wait_for(&s);
    report("the_registry_holds_the_image", strstr(buf_str(&s.body), "\"latest\"") != NULL,
           s.err.kind ? s.err.msg : buf_str(&s.body));
    http_free(http);
    buf_done(&s.body);
}

static void case_stop(struct sandbox_record *r)
{
    struct seen s = {0};
    sandbox_stop(&loop, on_done, &s);
    wait_for(&s);
    report("stops", s.err.kind == ERR_NONE && !sandbox_alive(r), s.err.msg);
    sandbox_stop(&loop, on_done, &s);
    wait_for(&s);
    report("stops_twice", s.err.kind == ERR_NONE, s.err.msg);

    struct provision *p = provision_new(&loop, &provision_sandbox, &nobody, &run_events, &s);
    provision_set_sandbox(
        p, &(struct provision_sandbox_options){.device_id = "edge-3", .host_ip = "10.0.2.2"});
    provision_apply(p, 0);
    wait_for(&s);
    report("a_sandbox_that_is_off_is_named",
           s.err.kind == ERR_UNREACHABLE && strstr(s.err.msg, "not running"), s.err.msg);
    provision_free(p);

    uint16_t mine[3];
    memcpy(mine, ports, sizeof(mine));
    memset(ports, 0, sizeof(ports));
    start(&s);
    memcpy(ports, mine, sizeof(ports));
    sandbox_record_done(r);
    bool again = sandbox_load(r, NULL) == 0 && sandbox_alive(r);
    report("starts_again_on_the_ports_that_guests_know",
           s.err.kind == ERR_NONE && again && r->mqtt_port == mine[0] && r->https_port == mine[1] &&
               r->registry_port == mine[2],
           s.err.msg);
    (void)kill(r->pid, SIGKILL);
    uint64_t deadline = clock_mono_ms() + LIMIT_MS;
    while (sandbox_alive(r) && clock_mono_ms() < deadline)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    start(&s);
    report("starts_after_a_kill", s.err.kind == ERR_NONE, s.err.msg);
    sandbox_stop(&loop, on_done, &s);
    wait_for(&s);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    (void)setenv("BERTH_STATE_DIR", dir, 1);
    const char *build = getenv("BERTH_BUILD");
    hub = xasprintf("%s/berth-hub", build ? build : "build/debug");
    int fds[3];
    for (size_t i = 0; i < ARRAY_LEN(ports); i++)
        ports[i] = listen_somewhere(&fds[i]);
    for (size_t i = 0; i < ARRAY_LEN(ports); i++)
        (void)close(fds[i]);

    uv_timer_t tick; /* keeps the loop turning: a daemon's end is noticed by it */
    (void)uv_loop_init(&loop);
    (void)uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 20, 20);
    struct sandbox_record r = {0};
    case_start(&r);
    if (sandbox_alive(&r)) {
        case_rest(&r);
        case_image(&r);
        case_stop(&r);
    }
    sandbox_record_done(&r);
    uint64_t deadline = clock_mono_ms() + 5000;
    uv_close((uv_handle_t *)&tick, NULL);
    do
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    while (uv_loop_close(&loop) != 0 && clock_mono_ms() < deadline);
    (void)file_remove_tree(dir, NULL);
    free(hub);
    return failures ? 1 : 0;
}
