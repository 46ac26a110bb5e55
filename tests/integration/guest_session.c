/* The engine's session to a guest, and provisioning through it: a private sshd in front of sockets
 * that answer as a guest's do. */
#include "core/base/str.h"
#include "core/engine/guest.h"
#include "core/engine/guest_provision.h"
#include "core/io/http_server.h"
#include "tests/support/sshd.h"

#include <uv.h>

#define LIMIT_MS 20000
#define KEY      "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* ---- the guest's side ---- */

static struct fake {
    struct http_server *mgmt, *docker;
    uv_pipe_t admin;
    const char *cloud, *cloud_error;
    char cloud_since[40];
    unsigned stats; /* answered so far */
    char posted[200];
    struct http_exchange *follow;
    bool follow_gone;
    bool configured;
    char lines[600];         /* of all requests to the helper, one a line */
    struct buf body;         /* of the last config-apply */
    const char *refuse;      /* config-apply fails with this */
    bool unchanged;          /* it finds the same there already */
    bool older;              /* its helper is that of an older image */
    const char *after_apply; /* cloud state that the new configuration leads to */
} fake = {.cloud = "connected", .cloud_error = "", .cloud_since = "2026-11-21T10:00:00Z"};

static uv_loop_t loop;

static void mgmt_on_gone(void *arg)
{
    (void)arg;
    fake.follow = NULL;
    fake.follow_gone = true;
}

static void mgmt_get(struct http_exchange *x, const char *path)
{
    char text[1000];
    if (str_eq(path, "/modules"))
        (void)snprintf(text, sizeof(text),
                       "{\"modules\":[{\"name\":\"edgeAgent\",\"config\":{\"settings\":{"
                       "\"image\":\"berth-edged:1\"}},\"status\":{\"runtimeStatus\":{"
                       "\"status\":\"running\"}}},{\"name\":\"sensor1\",\"config\":{\"settings\":{"
                       "\"image\":\"i\"}},\"status\":{\"startTime\":\"2026-11-21T10:00:00Z\","
                       "\"runtimeStatus\":{\"status\":\"running\"}}}]}");
    else if (str_eq(path, "/systeminfo"))
        (void)snprintf(text, sizeof(text),
                       "{\"version\":\"0.1.0\",\"device_id\":\"d1\",\"hub_name\":\"localhost\","
                       "\"cloud_state\":\"%s\",\"cloud_since\":\"%s\",\"cloud_error\":\"%s\"}",
                       fake.cloud, fake.cloud_since, fake.cloud_error);
    else if (str_eq(path, "/systeminfo/resources"))
        (void)snprintf(
            text, sizeof(text),
            "{\"used_cpu\":3.5,\"used_ram\":50000000,\"total_ram\":512000000,\"disks\":[{"
            "\"available_space\":3,\"total_space\":4}]}");
    else {
        http_reply_message(x, 404, "No such module");
        return;
    }
    http_reply(x, 200, "application/json", text, strlen(text));
}

static void on_mgmt(struct http_exchange *x, void *arg)
{
    (void)arg;
    const char *path = http_exchange_path(x);
    if (str_eq(path, "/modules/sensor1/logs")) {
        http_reply_start(x, 200, "text/plain", NULL, NULL);
        http_exchange_on_close(x, mgmt_on_gone, NULL);
        (void)http_reply_chunk(x, "\1\0\0\0\0\0\0\5line\n", 13);
        fake.follow = x;
    } else if (str_eq(http_exchange_method(x), "POST")) {
        STR_SET(fake.posted, path);
        if (str_eq(path, "/modules/sensor1/restart"))
            http_reply(x, 204, NULL, NULL, 0);
        else
            http_reply_message(x, 404, "module not found: nobody");
    } else {
        mgmt_get(x, path);
    }
}

static void on_docker(struct http_exchange *x, void *arg)
{
    (void)arg;
    char text[300];
    fake.stats++;
    (void)snprintf(text, sizeof(text),
                   "{\"read\":\"2026-11-21T10:00:%02uZ\",\"cpu_stats\":{\"cpu_usage\":{"
                   "\"total_usage\":%u000000}},\"memory_stats\":{\"usage\":1000000}}",
                   fake.stats % 60, 500 * fake.stats);
    bool known = str_eq(http_exchange_path(x), "/v1.41/containers/sensor1/stats");
    http_reply(x, known ? 200 : 404, "application/json", text, strlen(text));
}

struct admin_peer {
    uv_pipe_t pipe;
    uv_write_t write;
    uv_shutdown_t end;
    struct buf in;
    char room[4096];
    char reply[300];
};

static void admin_on_closed(uv_handle_t *handle)
{
    struct admin_peer *p = handle->data;
    buf_done(&p->in);
    free(p);
}

static void admin_on_end(uv_shutdown_t *end, int status)
{
    (void)status;
    uv_close((uv_handle_t *)end->handle, admin_on_closed);
}

static const char *admin_answer(const char *line)
{
    if (str_eq(line, "info"))
        return fake.configured ? "ok\nimage_version=0.1.0\nconfigured=yes\nruntime=activating\n"
                               : "ok\nimage_version=0.1.0\nconfigured=no\nruntime=inactive\n";
    if (str_eq(line, "config-apply") && fake.refuse)
        return fake.refuse;
    if (str_eq(line, "config-apply")) {
        fake.cloud = fake.after_apply;
        STR_SET(fake.cloud_since, "2026-11-21T10:05:00Z");
        return fake.unchanged ? "ok unchanged\n" : "ok\n";
    }
    if (str_eq(line, "config-keep") && !fake.older)
        return "ok\n";
    if (str_eq(line, "config-undo tried") && fake.older)
        return "error config-undo takes no arguments\n";
    if (str_starts(line, "config-undo"))
        return "ok previous configuration restored\n";
    return "error unknown verb\n";
}

static void admin_on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct admin_peer *p = handle->data;
    (void)size;
    *buf = uv_buf_init(p->room, sizeof(p->room));
}

static void admin_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct admin_peer *p = stream->data;
    if (n >= 0) {
        buf_append(&p->in, buf->base, (size_t)n);
        return;
    }
    const char *text = buf_str(&p->in);
    size_t line = strcspn(text, "\n");
    auto_free char *verb = xstrndup(text, line);
    (void)str_format(fake.lines + strlen(fake.lines), sizeof(fake.lines) - strlen(fake.lines),
                     "%s\n", verb);
    if (str_eq(verb, "config-apply")) {
        buf_clear(&fake.body);
        buf_puts(&fake.body, line < p->in.len ? text + line + 1 : "");
    }
    STR_SET(p->reply, admin_answer(verb));
    uv_buf_t out = uv_buf_init(p->reply, (unsigned)strlen(p->reply));
    (void)uv_write(&p->write, stream, &out, 1, NULL);
    (void)uv_shutdown(&p->end, stream, admin_on_end);
}

static void admin_on_connection(uv_stream_t *server, int status)
{
    struct admin_peer *p = xcalloc(1, sizeof(*p));
    (void)status;
    (void)uv_pipe_init(&loop, &p->pipe, 0);
    p->pipe.data = p;
    (void)uv_accept(server, (uv_stream_t *)&p->pipe);
    (void)uv_read_start((uv_stream_t *)&p->pipe, admin_on_alloc, admin_on_read);
}

static void fake_listen(const char *sub, const char *leaf, char *path, size_t size)
{
    auto_free char *folder = xasprintf("%s%s", dir, sub);
    (void)file_mkdirs(folder, 0755, NULL);
    (void)snprintf(path, size, "%s/%s", folder, leaf);
}

static void fake_start_runtime(void)
{
    char path[200];
    fake_listen("/run/iotedge", "mgmt.sock", path, sizeof(path));
    fake.mgmt = http_server_new(&loop, NULL, on_mgmt, NULL);
    if (http_server_listen_unix(fake.mgmt, path, 0666, (uid_t)-1, (gid_t)-1, NULL) < 0)
        abort();
}

static void fake_start(void)
{
    char path[200];
    fake_listen("/run", "docker.sock", path, sizeof(path));
    fake.docker = http_server_new(&loop, NULL, on_docker, NULL);
    if (http_server_listen_unix(fake.docker, path, 0666, (uid_t)-1, (gid_t)-1, NULL) < 0)
        abort();
    fake_listen("/run/berth", "guest.sock", path, sizeof(path));
    (void)uv_pipe_init(&loop, &fake.admin, 0);
    if (uv_pipe_bind(&fake.admin, path) < 0 ||
        uv_listen((uv_stream_t *)&fake.admin, 16, admin_on_connection) < 0)
        abort();
}

/* ---- the engine's side ---- */

static struct guest *guest;
static struct vm_status status;
static unsigned samples;

static void on_change(void *arg)
{
    (void)arg;
    guest_fill(guest, &status);
}

static void on_sample(void *arg)
{
    (void)arg;
    samples++;
    guest_fill(guest, &status);
}

static const struct guest_events guest_handlers = {.on_change = on_change, .on_sample = on_sample};

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Turns the loop until COND or the deadline. */
#define UNTIL(cond)                                           \
    do {                                                      \
        uint64_t until_deadline = clock_mono_ms() + LIMIT_MS; \
        while (!(cond) && clock_mono_ms() < until_deadline)   \
            (void)uv_run(&loop, UV_RUN_ONCE);                 \
    } while (0)

static void begin(void)
{
    auto_free char *root = xstrdup(dir);
    struct guest_target target = {.host = "127.0.0.1",
                                  .port = sshd_port,
                                  .key_file = user_key,
                                  .host_key = host_line,
                                  .user = user_name,
                                  .root = root};
    guest = guest_new(&loop, &target, &guest_handlers, NULL);
    guest_watched(guest, true);
}

struct seen {
    int calls;
    struct err err;
    char text[200];
    struct buf body;
};

static void seen_reset(struct seen *s)
{
    buf_done(&s->body);
    *s = (struct seen){0};
}

static void on_admin(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct seen *s = arg;
    s->calls++;
    s->err = err ? *err : (struct err){0};
    STR_SET(s->text, text);
    buf_append(&s->body, buf_str(body), body->len);
}

static void on_done(void *arg, const struct err *err)
{
    struct seen *s = arg;
    s->calls++;
    s->err = err ? *err : (struct err){0};
}

static void on_got(void *arg, const struct buf *body, const struct err *err)
{
    on_admin(arg, "", body, err);
}

static bool on_log(void *arg, const char *data, size_t len)
{
    struct seen *s = arg;
    buf_append(&s->body, data, len);
    return true;
}

/* ---- the session ---- */

static void case_polling(void)
{
    UNTIL(samples > 0);
    report("an_unprovisioned_guest_is_told_apart",
           status.state == VM_STATE_RUNNING && status.runtime == RUNTIME_STATE_UNPROVISIONED &&
               status.cloud == CLOUD_STATE_NONE,
           "%s %s %s", vm_state_name(status.state), runtime_state_name(status.runtime),
           status.reason);

    fake.configured = true;
    guest_poll(guest);
    UNTIL(status.runtime == RUNTIME_STATE_STARTING);
    report("a_runtime_that_starts", status.runtime == RUNTIME_STATE_STARTING, "%s",
           runtime_state_name(status.runtime));

    fake_start_runtime();
    UNTIL(status.runtime == RUNTIME_STATE_RUNNING && status.n_modules == 2 &&
          status.modules[1].cpu_percent >= 0);
    report("modules_and_figures",
           status.n_modules == 2 && str_eq(status.modules[1].name, "sensor1") &&
               status.modules[1].state == MODULE_STATE_RUNNING &&
               status.modules[1].cpu_percent > 49 && status.modules[1].cpu_percent < 51 &&
               status.modules[1].memory == 1000000 && status.memory_used == 50000000 &&
               status.disk_total == 4 && status.disk_used == 1 && status.seen_ms,
           "%zu modules, cpu %f", status.n_modules, status.modules[1].cpu_percent);
    report("cloud_state", status.cloud == CLOUD_STATE_CONNECTED && str_eq(status.device_id, "d1"),
           "%s", cloud_state_name(status.cloud));
}

static void case_requests(void)
{
    struct seen s = {0};
    struct err err;
    (void)guest_module(guest, GUEST_MODULE_RESTART, "sensor1", on_done, &s, &err);
    UNTIL(s.calls);
    report("module_restart",
           s.err.kind == ERR_NONE && str_eq(fake.posted, "/modules/sensor1/restart"), "%s",
           s.err.msg);
    seen_reset(&s);

    (void)guest_module(guest, GUEST_MODULE_STOP, "no/such?m", on_done, &s, &err);
    UNTIL(s.calls);
    report("an_unknown_module_is_not_found",
           s.err.kind == ERR_NOT_FOUND && str_eq(fake.posted, "/modules/no%2Fsuch%3Fm/stop"),
           "%s %s", s.err.msg, fake.posted);
    seen_reset(&s);

    (void)guest_admin(guest, "info", NULL, 0, 0, on_admin, &s, &err);
    UNTIL(s.calls);
    report("a_verb_of_the_helper",
           s.err.kind == ERR_NONE && strstr(buf_str(&s.body), "image_version=0.1.0"), "%s",
           s.err.msg);
    seen_reset(&s);

    (void)guest_admin(guest, "explode now", "x", 1, 0, on_admin, &s, &err);
    UNTIL(s.calls);
    report("a_refusal_of_the_helper", s.err.kind == ERR_REMOTE && str_eq(s.err.msg, "unknown verb"),
           "%s", s.err.msg);
    seen_reset(&s);

    (void)guest_reach(guest, "127.0.0.1", sshd_port, on_done, &s, &err);
    UNTIL(s.calls);
    report("a_port_that_can_be_reached", s.err.kind == ERR_NONE, "%s", s.err.msg);
    seen_reset(&s);
    (void)guest_reach(guest, "127.0.0.1", 1, on_done, &s, &err);
    UNTIL(s.calls);
    report("a_port_that_cannot", s.err.kind == ERR_UNREACHABLE && strstr(s.err.msg, "refused"),
           "%s", s.err.msg);
    seen_reset(&s);

    /* sshd answers HTTP with its banner: bytes came, but no HTTP. */
    (void)guest_get(guest, "127.0.0.1", sshd_port, "/metrics", 1000, on_got, &s, &err);
    UNTIL(s.calls);
    report("a_peer_that_speaks_no_http", s.err.kind == ERR_PROTOCOL, "%s", s.err.msg);
    seen_reset(&s);
}

static void case_log(void)
{
    struct seen s = {0};
    struct err err;
    struct guest_log_options options = {.tail = 10, .follow = true};
    struct guest_call *call = guest_log(guest, "sensor1", &options, on_log, on_done, &s, &err);
    UNTIL(s.body.len == 13);
    (void)http_reply_chunk(fake.follow, "\2\0\0\0\0\0\0\4two\n", 12);
    UNTIL(s.body.len == 25);
    report("a_log_is_followed", s.body.len == 25 && s.calls == 0, "%zu bytes", s.body.len);
    guest_call_cancel(call);
    UNTIL(fake.follow_gone);
    report("a_cancelled_log_ends_in_the_guest", fake.follow_gone && s.calls == 0, "still there");
    seen_reset(&s);

    (void)guest_log(guest, "sensor1", &options, on_log, on_done, &s, &err);
    UNTIL(s.body.len == 13);
    http_reply_end(fake.follow);
    fake.follow = NULL;
    UNTIL(s.calls);
    report("a_log_that_is_over", s.calls == 1 && s.err.kind == ERR_NONE, "%s", s.err.msg);
    seen_reset(&s);
}

/* ---- provisioning ---- */

static struct guest *find_guest(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return guest;
}

static const struct provision_events run_events = {.on_step = on_done};

/* All steps in order; after a failure the undo of those that were begun. The error of the first. */
static struct err run_all(const char *string, size_t *ret_step)
{
    struct guest_provision source = {.find = find_guest};
    struct provision_guest access;
    guest_provision_init(&access, &source);
    struct seen s = {0};
    struct err err = {0};
    struct provision *p =
        provision_new(&loop, &provision_connection_string, &access, &run_events, &s);
    size_t step = 0;
    if (provision_set_string(p, string, strlen(string), &err) == 0) {
        for (; step < provision_connection_string.n_steps && err.kind == ERR_NONE; step++) {
            s.calls = 0;
            provision_apply(p, step);
            UNTIL(s.calls);
            err = s.err;
        }
        for (size_t i = step; err.kind != ERR_NONE && i-- > 0;) {
            s.calls = 0;
            provision_undo(p, i);
            UNTIL(s.calls);
        }
    }
    provision_free(p);
    *ret_step = step;
    return err;
}

/* The device is connected under the configuration it has, and that is known. */
static void calm(void)
{
    fake.cloud = "connected";
    fake.cloud_error = "";
    STR_SET(fake.cloud_since, "2026-11-21T10:00:00Z");
    fake.lines[0] = '\0';
    unsigned before = samples;
    UNTIL(samples > before + 1);
}

static void case_provision(void)
{
    size_t step;
    char string[200];
    (void)snprintf(string, sizeof(string),
                   " HostName=localhost:%u;DeviceId=d1;SharedAccessKey=" KEY "\n", sshd_port);

    calm();
    fake.after_apply = "connected";
    struct err err = run_all(string, &step);
    report("provisioning_by_connection_string",
           err.kind == ERR_NONE && strstr(buf_str(&fake.body), ";SharedAccessKey=" KEY "\"\n") &&
               strstr(fake.lines, "config-apply\nconfig-keep\n") && !strstr(fake.lines, "undo"),
           "%s (step %zu) %s", err.msg, step, fake.lines);

    calm();
    fake.older = true;
    err = run_all(string, &step);
    report("a_vm_whose_image_is_older_is_provisioned_too",
           err.kind == ERR_NONE && !strstr(fake.lines, "undo"), "%s (step %zu) %s", err.msg, step,
           fake.lines);
    fake.refuse = "error line 3: provisioning.source is wrong\n";
    fake.lines[0] = '\0';
    (void)run_all(string, &step);
    report("where_it_applied_nothing_nothing_is_undone",
           strstr(fake.lines, "config-apply\n") && !strstr(fake.lines, "config-undo\n"), "%s",
           fake.lines);
    fake.refuse = NULL;
    calm();
    fake.after_apply = "refused";
    fake.cloud_error = "CONNACK 5: not authorized";
    (void)run_all(string, &step);
    report("what_it_applied_is_undone", strstr(fake.lines, "config-undo\n"), "%s", fake.lines);
    fake.older = false;

    calm();
    fake.after_apply = "refused";
    fake.cloud_error = "CONNACK 5: not authorized";
    err = run_all(string, &step);
    report("a_refused_device_is_explained_and_undone",
           err.kind == ERR_AUTH && strstr(err.msg, "refused the device's key") &&
               strstr(err.hint, "clock") && strstr(fake.lines, "config-undo") &&
               !strstr(fake.lines, "config-keep") && !strstr(err.msg, KEY),
           "%s: %s | %s | %s", err_kind_name(err.kind), err.msg, err.hint, fake.lines);

    calm();
    fake.unchanged = true;
    fake.after_apply = "refused";
    fake.cloud_error = "CONNACK 5: not authorized";
    err = run_all(string, &step);
    report("a_configuration_that_was_there_before_is_not_undone",
           err.kind == ERR_AUTH && !strstr(fake.lines, "undo"), "%s: %s | %s",
           err_kind_name(err.kind), err.msg, fake.lines);
    fake.unchanged = false;

    calm();
    fake.after_apply = "disconnected";
    fake.cloud_error = "certificate verify failed: unable to get local issuer certificate";
    uint64_t begun = clock_mono_ms();
    err = run_all(string, &step);
    report("a_certificate_that_is_not_trusted_is_not_waited_out",
           err.kind == ERR_REMOTE && strstr(err.msg, "does not trust") && err.hint[0] &&
               clock_mono_ms() - begun < 15000,
           "%s: %s", err_kind_name(err.kind), err.msg);

    fake.refuse = "error line 3: provisioning.source is wrong\n";
    fake.lines[0] = '\0';
    err = run_all(string, &step);
    report("a_configuration_that_is_not_taken_says_why",
           err.kind == ERR_REMOTE && strstr(err.msg, "line 3"), "%s %s", err.msg, fake.lines);
    fake.refuse = NULL;

    err = run_all("HostName=localhost:1;DeviceId=d1;SharedAccessKey=" KEY, &step);
    report("a_hub_out_of_reach_stops_before_any_change",
           err.kind == ERR_UNREACHABLE && strstr(err.msg, "localhost"), "%s", err.msg);
    err = run_all("HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=" KEY, &step);
    report("a_hub_owner_string_is_refused_at_once", err.kind == ERR_INVALID && step == 0, "%s",
           err.msg);
    calm();
}

/* ---- trouble ---- */

/* What an engine does that finds the job of a killed one in its journal: it knows no more of that
 * run, and its VM is not reached yet. */
static struct provision *begin_undo(struct seen *ret_seen)
{
    static struct guest_provision source = {.find = find_guest};
    static struct provision_guest access;
    guest_provision_init(&access, &source);
    struct provision *p =
        provision_new(&loop, &provision_connection_string, &access, &run_events, ret_seen);
    size_t step = 0;
    while (!provision_connection_string.steps[step].undo)
        step++;
    fake.lines[0] = '\0';
    provision_undo(p, step);
    return p;
}

static void case_lost(void)
{
    struct seen s = {0}, undone = {0};
    struct err err;
    struct guest_log_options options = {.tail = 10, .follow = true};
    (void)guest_log(guest, "sensor1", &options, on_log, on_done, &s, &err);
    UNTIL(s.body.len == 13);
    sshd_signal(SIGKILL, true);
    UNTIL(status.state == VM_STATE_SILENT);
    report("a_lost_guest_is_silent",
           status.state == VM_STATE_SILENT && status.reason[0] && s.calls == 1 &&
               s.err.kind == ERR_UNREACHABLE,
           "%s %d", vm_state_name(status.state), s.calls);
    report("requests_are_refused_meanwhile",
           !guest_module(guest, GUEST_MODULE_RESTART, "sensor1", on_done, &s, &err) &&
               err.kind == ERR_UNREACHABLE,
           "%s", err.msg);
    struct provision *p = begin_undo(&undone);
    UNTIL(status.state == VM_STATE_RUNNING);
    report("and_is_found_again", status.state == VM_STATE_RUNNING && !status.reason[0], "%s",
           status.reason);
    UNTIL(undone.calls);
    report("what_a_killed_engine_tried_is_undone_then",
           undone.err.kind == ERR_NONE && strstr(fake.lines, "config-undo tried\n"), "%s: %s",
           undone.err.msg, fake.lines);
    provision_free(p);
    seen_reset(&s);
}

static void case_freed(void)
{
    struct seen s = {0};
    struct err err;
    struct guest_log_options options = {.tail = 10, .follow = true};
    (void)guest_log(guest, "sensor1", &options, on_log, on_done, &s, &err);
    (void)guest_admin(guest, "info", NULL, 0, 0, on_admin, &s, &err);
    guest_free(guest);
    report("calls_end_with_their_guest", s.calls == 2 && s.err.kind == ERR_UNREACHABLE, "%d",
           s.calls);
    seen_reset(&s);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (!sshd_setup()) {
        printf("not ok setup: sshd could not be started\n");
        return 1;
    }
    uv_timer_t tick; /* UNTIL looks at its deadline this often */
    (void)uv_loop_init(&loop);
    (void)uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 50, 50);
    fake_start();
    begin();
    case_polling();
    case_requests();
    case_log();
    case_provision();
    case_lost();
    case_freed();
    http_server_free(fake.mgmt);
    http_server_free(fake.docker);
    uv_close((uv_handle_t *)&fake.admin, NULL);
    uv_close((uv_handle_t *)&tick, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    report("nothing_is_left_on_the_loop", uv_loop_close(&loop) == 0, "handles are");
    buf_done(&fake.body);
    sshd_teardown();
    return failures ? 1 : 0;
}
