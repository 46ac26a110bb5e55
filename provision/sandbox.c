/* The sandbox's process: start, find again, stop. See sandbox.h. */
#include "provision/sandbox.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/io/child.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SANDBOX_FILE_MAX   (64U << 10)
#define SANDBOX_READY_MS   30000
#define SANDBOX_STOP_MS    10000
#define SANDBOX_KILL_MS    3000
#define SANDBOX_LOOK_MS    50
#define SANDBOX_LISTEN_MAX 8

char *sandbox_path(const char *leaf)
{
    return leaf[0] ? path_of(PATH_STATE, "sandbox/%s", leaf) : path_of(PATH_STATE, "sandbox");
}

/* ---- sandbox.json ---- */

void sandbox_record_done(struct sandbox_record *r)
{
    secret_wipe(&r->service);
    secret_wipe(&r->dps);
}

static int read_port(const cJSON *obj, const char *key, uint16_t *ret, struct err *err)
{
    uint64_t port;
    if (json_need_u64(obj, key, UINT16_MAX, &port, err) < 0)
        return -1;
    *ret = (uint16_t)port;
    return 0;
}

/* "dps": {"host", "idScope", "serviceConnectionString"} */
static void read_dps(const cJSON *obj, struct sandbox_record *r)
{
    const char *service = json_str(obj, "serviceConnectionString", "");
    if (!service[0])
        return;
    str_sanitise_to(r->dps_host, sizeof(r->dps_host), json_str(obj, "host", ""));
    str_sanitise_to(r->id_scope, sizeof(r->id_scope), json_str(obj, "idScope", ""));
    secret_set(&r->dps, service, strlen(service));
}

/* "hubs": ["a", ...]; where it is missing, the host is the only one. */
static void read_hubs(const cJSON *array, struct sandbox_record *r)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, array)
    {
        if (cJSON_IsString(item) && r->n_hubs < ARRAY_LEN(r->hubs))
            str_sanitise_to(r->hubs[r->n_hubs++], sizeof(r->hubs[0]), item->valuestring);
    }
    if (r->n_hubs)
        return;
    r->n_hubs = 1;
    STR_SET(r->hubs[0], r->host);
}

static int parse_record(const cJSON *root, struct sandbox_record *r, struct err *err)
{
    const char *service, *ca;
    uint64_t pid, start;
    if (json_need_str(root, "serviceConnectionString", &service, err) < 0 ||
        json_need_str(root, "caFile", &ca, err) < 0 ||
        read_port(root, "mqttPort", &r->mqtt_port, err) < 0 ||
        read_port(root, "httpsPort", &r->https_port, err) < 0 ||
        json_need_u64(root, "pid", INT32_MAX, &pid, err) < 0 ||
        json_need_u64(root, "pidStart", UINT64_MAX, &start, err) < 0)
        return -1;
    if (!str_copy(r->ca_file, sizeof(r->ca_file), ca))
        return err_set(err, ERR_INVALID, "caFile is too long");
    r->registry_port = (uint16_t)json_u64(json_get(root, "registry"), "port", 0);
    r->pid = (pid_t)pid;
    r->pid_start = start;
    str_sanitise_to(r->host, sizeof(r->host), json_str(root, "host", ""));
    str_sanitise_to(r->version, sizeof(r->version), json_str(root, "serverVersion", ""));
    read_hubs(json_get(root, "hubs"), r);
    read_dps(json_get(root, "dps"), r);
    secret_set(&r->service, service, strlen(service));
    return 0;
}

int sandbox_parse(const char *data, size_t len, struct sandbox_record *ret, struct err *err)
{
    auto_json cJSON *root = json_parse(data, len, err);
    struct sandbox_record r = {0};
    if (!root || parse_record(root, &r, err) < 0)
        return -1;
    *ret = r;
    return 0;
}

int sandbox_load(struct sandbox_record *ret, struct err *err)
{
    auto_free char *path = sandbox_path("sandbox.json");
    auto_wiped_buf struct buf text = {0};
    if (file_read(path, SANDBOX_FILE_MAX, &text, err) < 0)
        return -1;
    if (sandbox_parse(buf_str(&text), text.len, ret, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

bool sandbox_alive(const struct sandbox_record *r)
{
    return r->pid > 0 && r->pid_start && child_start_time(r->pid) == r->pid_start;
}

int sandbox_load_running(struct sandbox_record *ret, struct err *err)
{
    struct sandbox_record r = {0};
    if (sandbox_load(&r, NULL) == 0 && sandbox_alive(&r)) {
        *ret = r;
        return 0;
    }
    sandbox_record_done(&r);
    err_set(err, ERR_UNREACHABLE, "the sandbox is not running");
    return err_hint(err, "start it: berth sandbox start");
}

/* ---- starting and stopping: one small object each, gone with its timer ---- */

struct sandbox_job {
    uv_timer_t timer;
    sandbox_done_fn done;
    void *arg;
    bool failed;
    struct err why;
    pid_t pid; /* being stopped */
    uint64_t pid_start;
    uint64_t begun_ms;
    bool killed;
};

static void on_job_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void job_end(struct sandbox_job *j, const struct err *err)
{
    uv_timer_stop(&j->timer);
    j->done(j->arg, err);
    uv_close((uv_handle_t *)&j->timer, on_job_closed);
}

static struct sandbox_job *job_new(uv_loop_t *loop, sandbox_done_fn done, void *arg)
{
    struct sandbox_job *j = xcalloc(1, sizeof(*j));
    (void)uv_timer_init(loop, &j->timer);
    j->timer.data = j;
    j->done = done;
    j->arg = arg;
    return j;
}

static void on_told(uv_timer_t *timer)
{
    struct sandbox_job *j = timer->data;
    job_end(j, j->failed ? &j->why : NULL);
}

static void on_ready(void *arg, pid_t pid, const struct err *err)
{
    struct sandbox_job *j = arg;
    struct sandbox_record r = {0};
    struct err bad;
    (void)pid;
    if (!err && sandbox_load(&r, &bad) < 0) {
        err_wrap(&bad, "the sandbox started, but left no record");
        err = &bad;
    }
    sandbox_record_done(&r);
    job_end(j, err);
}

/* Where berth-hub is: beside us, else in PATH. Heap string. */
static char *hub_program(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) {
        auto_free char *beside = xasprintf("%.*s/berth-hub", (int)(slash - self), self);
        if (file_exists(beside))
            return steal(beside);
    }
    return xstrdup("berth-hub");
}

/* What was asked for, else what it had last time: guests know the sandbox by these ports. */
static uint16_t choose_port(uint16_t asked, uint16_t last, uint16_t fallback)
{
    return asked ? asked : last ? last : fallback;
}

/* The options for its further hubs, in ARGV; how many words they are. */
static size_t put_hubs(const char **argv, const struct sandbox_options *o,
                       const struct sandbox_record *last)
{
    size_t n = 0;
    for (size_t i = 0; o->hubs && i < SANDBOX_HUBS_MAX && o->hubs[i]; i++) {
        argv[n++] = "--hub-name";
        argv[n++] = o->hubs[i];
    }
    for (size_t i = 1; !o->hubs && i < last->n_hubs; i++) {
        argv[n++] = "--hub-name";
        argv[n++] = last->hubs[i];
    }
    return n;
}

static void job_spawn(struct sandbox_job *j, uv_loop_t *loop, const struct sandbox_options *o,
                      const struct sandbox_record *last)
{
    static const char *const loopback[] = {"127.0.0.1", NULL};
    char ports[3][8];
    const uint16_t wanted[3] = {
        choose_port(o->mqtt_port, last->mqtt_port, SANDBOX_MQTT_PORT),
        choose_port(o->https_port, last->https_port, SANDBOX_HTTPS_PORT),
        choose_port(o->registry_port, last->registry_port, SANDBOX_REGISTRY_PORT)};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++)
        (void)snprintf(ports[i], sizeof(ports[i]), "%u", wanted[i]);
    auto_free char *program = o->program ? xstrdup(o->program) : hub_program();
    auto_free char *dir = sandbox_path("");
    auto_free char *log = sandbox_path("hub.log");

    const char *argv[16 + 2 * (SANDBOX_LISTEN_MAX + SANDBOX_HUBS_MAX)] = {
        program,       "--role",          "cloud",       "--dir",      dir,
        "--host-name", SANDBOX_HOST,      "--mqtt-port", ports[0],     "--https-port",
        ports[1],      "--registry-port", ports[2],      "--ready-fd", "3"};
    size_t n = 15;
    const char *const *listen = o->listen ? o->listen : loopback;
    for (size_t i = 0; i < SANDBOX_LISTEN_MAX && listen[i]; i++) {
        argv[n++] = "--listen";
        argv[n++] = listen[i];
    }
    n += put_hubs(argv + n, o, last);
    argv[n] = NULL;
    struct child_daemon daemon = {.argv = argv, .log_path = log, .timeout_ms = SANDBOX_READY_MS};
    child_start_daemon(loop, &daemon, on_ready, j);
}

static bool other_port(uint16_t asked, uint16_t is)
{
    return asked && asked != is;
}

/* ERR_EXISTS where the one that runs is not what is asked for. */
static int check_same(const struct sandbox_options *o, const struct sandbox_record *r,
                      struct err *err)
{
    bool other = other_port(o->mqtt_port, r->mqtt_port) ||
                 other_port(o->https_port, r->https_port) ||
                 other_port(o->registry_port, r->registry_port);
    size_t n = 0;
    for (; o->hubs && o->hubs[n]; n++)
        other = other || n + 1 >= r->n_hubs || !str_eq(o->hubs[n], r->hubs[n + 1]);
    if (!other && (!o->hubs || n + 1 == r->n_hubs))
        return 0;
    err_set(err, ERR_EXISTS, "the sandbox runs already, with other ports or hubs");
    return err_hint(err, "`berth sandbox show` tells which; to change them: berth sandbox stop");
}

void sandbox_start(uv_loop_t *loop, const struct sandbox_options *options, sandbox_done_fn done,
                   void *arg)
{
    struct sandbox_job *j = job_new(loop, done, arg);
    auto_sandbox_record struct sandbox_record r = {0};
    bool runs = sandbox_load(&r, NULL) == 0 && sandbox_alive(&r);
    auto_free char *dir = sandbox_path("");
    j->failed = runs ? check_same(options, &r, &j->why) < 0 : file_mkdirs(dir, 0700, &j->why) < 0;
    if (runs || j->failed)
        uv_timer_start(&j->timer, on_told, 0, 0);
    else
        job_spawn(j, loop, options, &r);
}

static void on_look(uv_timer_t *timer)
{
    struct sandbox_job *j = timer->data;
    uint64_t waited = clock_mono_ms() - j->begun_ms;
    struct err err;
    if (child_start_time(j->pid) != j->pid_start) {
        job_end(j, NULL);
    } else if (waited >= SANDBOX_STOP_MS + SANDBOX_KILL_MS) {
        err_set(&err, ERR_SYSTEM, "the sandbox (process %d) cannot be ended", (int)j->pid);
        job_end(j, &err);
    } else if (waited >= SANDBOX_STOP_MS && !j->killed) {
        j->killed = true;
        (void)kill(j->pid, SIGKILL);
    }
}

void sandbox_stop(uv_loop_t *loop, sandbox_done_fn done, void *arg)
{
    struct sandbox_job *j = job_new(loop, done, arg);
    auto_sandbox_record struct sandbox_record r = {0};
    if (sandbox_load_running(&r, NULL) < 0) {
        uv_timer_start(&j->timer, on_told, 0, 0);
        return;
    }
    j->pid = r.pid;
    j->pid_start = r.pid_start;
    j->begun_ms = clock_mono_ms();
    (void)kill(j->pid, SIGTERM);
    uv_timer_start(&j->timer, on_look, SANDBOX_LOOK_MS, SANDBOX_LOOK_MS);
}

int sandbox_erase(struct err *err)
{
    auto_free char *dir = sandbox_path("");
    auto_free char *lock = sandbox_path("lock");
    if (!file_exists(dir))
        return 0;
    auto_close int held = file_lock(lock, false, err);
    if (held < 0 && err && err->kind == ERR_BUSY) {
        err_set(err, ERR_BUSY, "a sandbox still runs in %s", dir);
        return err_hint(err, "stop it first: berth sandbox stop");
    }
    if (held < 0 || file_remove_tree(dir, err) < 0)
        return -1;
    return file_sync_parent(dir, err);
}
