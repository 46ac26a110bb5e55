/* See edged.h. The twin's path: hub -> cloud -> twin -> agent; the report's: agent -> report ->
 * difference to what the hub knows -> cloud. */
#include "vm/guest/edged/edged.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/version.h"
#include "vm/guest/edged/agent.h"
#include "vm/guest/edged/agent_methods.h"
#include "vm/guest/edged/agent_metrics.h"
#include "vm/guest/edged/certs.h"
#include "vm/guest/edged/cloud.h"
#include "vm/guest/edged/edge_hub.h"
#include "vm/guest/edged/gc.h"
#include "vm/guest/edged/mgmt.h"
#include "vm/guest/edged/notify.h"
#include "vm/guest/edged/reporter.h"
#include "vm/guest/edged/telemetry.h"
#include "vm/guest/edged/twin.h"
#include "vm/guest/edged/workload.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FAREWELL_MS 2000 /* for the last report */
#define CLOSE_TURNS 200

struct edged {
    uv_loop_t loop;
    struct config *config;
    struct keys *keys;
    struct credential *credential;
    struct device device; /* empty as long as it is not known */
    struct certs *certs;
    struct docker *docker;
    struct workload *workload;
    struct agent *agent;
    struct edge_hub *hub;
    struct agent_methods *methods;
    struct telemetry *telemetry;
    struct gc *gc;
    struct cloud *cloud;
    struct mgmt *mgmt;
    struct twin twin;
    struct reporter *reporter;
    uint64_t started_ms;
    bool stopping;
    bool told; /* the last report is with the hub, or cannot be */
    bool moved;
    bool outdated; /* the modules hold certificates of a former edge CA */
    uv_timer_t certs_timer;
    uv_timer_t farewell;
    uv_signal_t terminate, interrupt;
};

/* ------------------------------------------------------------------------------- reports */

/* Both, in any order, before this process ends: the last report, the end of the edge hub. */
static void end_if_done(struct edged *e)
{
    if (e->stopping && e->told && !edge_hub_running(e->hub))
        uv_stop(&e->loop);
}

static void farewell_said(struct edged *e)
{
    e->told = true;
    end_if_done(e);
}

static void on_reported(void *arg, bool ok)
{
    struct edged *e = arg;
    agent_metrics_sync(telemetry_meters(e->telemetry), ok);
    reporter_answered(e->reporter, ok);
    if (e->stopping)
        farewell_said(e);
}

/* What modules trust and show they take at their start. */
static void restart_outdated(struct edged *e)
{
    if (!e->outdated || !e->mgmt || !containers_ready(agent_containers(e->agent)))
        return;
    e->outdated = false;
    log_info("certs", "restarting the modules: they need certificates of the new edge CA");
    mgmt_restart_modules(e->mgmt);
}

static void on_agent_changed(void *arg)
{
    struct edged *e = arg;
    struct module_view views[PLAN_TRACKS_MAX];
    if (e->workload)
        workload_keep(e->workload, views, agent_modules(e->agent, views, ARRAY_LEN(views)));
    restart_outdated(e);
    telemetry_look(e->telemetry);
    edge_hub_look(e->hub);
    reporter_soon(e->reporter);
}

static void on_hub_changed(void *arg)
{
    struct edged *e = arg;
    telemetry_look(e->telemetry);
    reporter_soon(e->reporter);
    end_if_done(e);
}

/* ------------------------------------------------------------------------------- twin */

static void on_twin(void *arg, const char *text, size_t len)
{
    struct edged *e = arg;
    struct err err;
    int status = twin_set(&e->twin, text, len, &err);
    agent_metrics_sync(telemetry_meters(e->telemetry), status == 0);
    if (status < 0) {
        log_warn("cloud", "%s", err.msg);
        return;
    }
    reporter_renewed(e->reporter);
    agent_desire(e->agent, e->twin.desired);
}

static void on_patch(void *arg, const char *text, size_t len)
{
    struct edged *e = arg;
    struct err err;
    enum twin_change change;
    int status = twin_patch(&e->twin, text, len, &change, &err);
    agent_metrics_sync(telemetry_meters(e->telemetry), status == 0);
    if (status < 0)
        log_warn("cloud", "%s", err.msg);
    else if (change == TWIN_GAP)
        cloud_get_twin(e->cloud);
    else if (change == TWIN_APPLIED)
        agent_desire(e->agent, e->twin.desired);
}

static void on_certs_timer(uv_timer_t *timer)
{
    struct edged *e = timer->data;
    struct err err;
    bool renewed = false;
    if (certs_keep(e->certs, &renewed, &err) < 0)
        log_error("certs", "%s", err.msg);
    e->outdated = e->outdated || renewed;
    restart_outdated(e);
    (void)uv_timer_start(timer, on_certs_timer, certs_keep_ms(e->certs), 0);
}

/* Known at last, or another one: then this process has the wrong modules, and so starts anew. */
static void on_device(void *arg, const struct device *device)
{
    struct edged *e = arg;
    if (device_known(&e->device)) {
        log_warn("edged", "this machine is device %s of %s now, no longer %s of %s: starting anew",
                 device->id, device->hub, e->device.id, e->device.hub);
        e->moved = true;
        uv_stop(&e->loop);
        return;
    }
    e->device = *device;
    (void)uv_timer_start(&e->certs_timer, on_certs_timer, 0, 0);
    telemetry_set_device(e->telemetry, &e->device);
    agent_begin(e->agent, &e->device);
    edge_hub_begin(e->hub, &e->device);
}

static void on_method(void *arg, const char *name, const char *rid, const char *data, size_t len)
{
    struct edged *e = arg;
    agent_methods_call(e->methods, name, rid, data, len);
}

static void on_method_answer(void *arg, const char *rid, int status, const char *body, size_t len)
{
    struct edged *e = arg;
    cloud_answer(e->cloud, rid, status, body, len);
}

static void on_cloud_state(void *arg)
{
    struct edged *e = arg;
    if (cloud_state(e->cloud).word != CLOUD_CONNECTED)
        reporter_disconnected(e->reporter);
}

/* ------------------------------------------------------------------------------- end */

static void on_farewell_late(uv_timer_t *timer)
{
    farewell_said(timer->data);
}

/* The containers go on: an update of the runtime must not stop what runs on it. The hub is told
 * that nobody watches them now. */
static void stop(struct edged *e)
{
    if (e->stopping) {
        uv_stop(&e->loop);
        return;
    }
    e->stopping = true;
    notify_systemd("STOPPING=1");
    edge_hub_close(e->hub);
    if (reporter_last(e->reporter))
        (void)uv_timer_start(&e->farewell, on_farewell_late, FAREWELL_MS, 0);
    else
        farewell_said(e);
}

static void on_signal(uv_signal_t *handle, int number)
{
    log_info("edged", "%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    stop(handle->data);
}

static void on_restart_asked(void *arg)
{
    stop(arg);
}

/* ------------------------------------------------------------------------------- life */

static void loop_init(struct edged *e)
{
    (void)uv_loop_init(&e->loop);
    (void)uv_timer_init(&e->loop, &e->certs_timer);
    (void)uv_timer_init(&e->loop, &e->farewell);
    (void)uv_signal_init(&e->loop, &e->terminate);
    (void)uv_signal_init(&e->loop, &e->interrupt);
    e->certs_timer.data = e->farewell.data = e->terminate.data = e->interrupt.data = e;
    (void)uv_signal_start(&e->terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&e->interrupt, on_signal, SIGINT);
}

static void begin_methods(struct edged *e, const struct edged_options *o)
{
    const struct agent_methods_context context = {
        .loop = &e->loop,
        .docker = e->docker,
        .config = e->config,
        .options = o,
        .device = &e->device,
        .agent = e->agent,
        .meters = telemetry_meters(e->telemetry),
        .hub = e->hub,
        .answer = on_method_answer,
        .restart = on_restart_asked,
        .arg = e,
    };
    e->methods = agent_methods_new(&context);
}

static void open_telemetry(struct edged *e, const char *state_dir)
{
    const struct telemetry_context context = {
        .loop = &e->loop,
        .docker = e->docker,
        .config = e->config,
        .state_dir = state_dir,
        .started_ms = e->started_ms,
    };
    e->telemetry = telemetry_new(&context);
}

static void open_hub(struct edged *e, const struct edged_options *o)
{
    const struct edge_hub_context context = {
        .loop = &e->loop,
        .config = e->config,
        .agent = e->agent,
        .workload = e->workload,
        .program = o->hub_program,
        .state_dir = o->state_dir,
        .https_port = o->https_port,
        .changed = on_hub_changed,
        .arg = e,
    };
    e->hub = edge_hub_new(&context);
}

static void open_reporter(struct edged *e)
{
    const struct reporter_context context = {
        .loop = &e->loop,
        .agent = e->agent,
        .hub = e->hub,
        .twin = &e->twin,
        .started_ms = e->started_ms,
    };
    e->reporter = reporter_new(&context);
}

static void on_list(void *arg, struct http_exchange *x)
{
    struct edged *e = arg;
    mgmt_reply_list(e->mgmt, x);
}

static int open_workload(struct edged *e, const char *state_dir, struct err *err)
{
    const struct workload_context context = {
        .loop = &e->loop,
        .docker = e->docker,
        .config = e->config,
        .device = &e->device,
        .keys = e->keys,
        .certs = e->certs,
        .list = on_list,
        .arg = e,
    };
    e->workload = workload_new(&context, state_dir, err);
    return e->workload ? 0 : -1;
}

/* The two APIs; by default both sockets are in the same folder. */
static int open_sockets(struct edged *e, const struct mgmt_context *context, const char *usual,
                        struct err *err)
{
    const char *socket = *e->config->management_socket ? e->config->management_socket : usual;
    const char *workload = e->config->workload_socket;
    const char *slash = strrchr(socket, '/');
    auto_free char *beside =
        xasprintf("%.*sworkload.sock", slash ? (int)(slash - socket) + 1 : 0, socket);
    e->mgmt = mgmt_new(context, socket, err);
    if (!e->mgmt)
        return -1;
    return workload_begin(e->workload, e->agent, e->cloud, *workload ? workload : beside, err);
}

static int begin(struct edged *e, const struct edged_options *o, struct err *err)
{
    static const struct cloud_events events = {on_device, on_cloud_state, on_twin,
                                               on_patch,  on_reported,    on_method};
    const struct cloud_options cloud = {.config = e->config,
                                        .credential = e->credential,
                                        .keys = e->keys,
                                        .https_port = o->https_port,
                                        .state_dir = o->state_dir};
    e->docker = docker_new(&e->loop,
                           *e->config->engine_socket ? e->config->engine_socket : o->engine_socket);
    if (open_workload(e, o->state_dir, err) < 0)
        return -1;
    open_telemetry(e, o->state_dir);
    e->agent = agent_new(&e->loop, e->docker, e->config, o->state_dir, on_agent_changed, e);
    e->gc = gc_new(&e->loop, e->docker, e->config, e->agent, o->state_dir);
    open_hub(e, o);
    open_reporter(e);
    begin_methods(e, o);
    agent_use_workload(e->agent, e->workload);
    agent_use_meters(e->agent, telemetry_meters(e->telemetry));
    telemetry_begin(e->telemetry, e->agent, e->hub);
    e->cloud = cloud_new(&e->loop, &cloud, &events, e, err);
    if (!e->cloud)
        return -1;
    reporter_use_cloud(e->reporter, e->cloud);
    if (cloud_device(e->cloud))
        on_device(e, cloud_device(e->cloud));
    const struct mgmt_context context = {
        .loop = &e->loop,
        .docker = e->docker,
        .config = e->config,
        .device = &e->device,
        .agent = e->agent,
        .hub = e->hub,
        .certs = e->certs,
        .cloud = e->cloud,
        .started_ms = e->started_ms,
        .restart = on_restart_asked,
        .arg = e,
    };
    return open_sockets(e, &context, o->mgmt_socket, err);
}

/* The hub sweeps its own folder, but it may never run again. */
static void sweep(const struct edged_options *o)
{
    static const char *const folders[] = {"", "/keys", "/certs", "/hub"};
    const char *slash = strrchr(o->config_file, '/');
    auto_free char *config_dir =
        slash ? xstrndup(o->config_file, (size_t)(slash - o->config_file) + 1) : xstrdup(".");
    file_sweep(config_dir);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        auto_free char *dir = xasprintf("%s%s", o->state_dir, folders[i]);
        file_sweep(dir);
    }
}

static int open_keys(struct edged *e, const char *state_dir, struct err *err)
{
    if (file_mkdirs(state_dir, 0700, err) < 0)
        return -1;
    e->keys = keys_new(state_dir, &e->config->preloaded_keys, err);
    if (e->keys)
        e->credential = credential_new(&e->loop, e->config, e->keys, err);
    if (e->credential)
        e->certs = certs_new(e->config, &e->device, state_dir, err);
    return e->certs ? 0 : -1;
}

/* True where something still holds the loop. */
static bool end(struct edged *e)
{
    mgmt_free(e->mgmt);
    agent_methods_free(e->methods);
    gc_free(e->gc);
    edge_hub_free(e->hub);
    cloud_free(e->cloud);
    agent_free(e->agent);
    telemetry_free(e->telemetry);
    workload_free(e->workload);
    twin_done(&e->twin);
    reporter_free(e->reporter);
    uv_close((uv_handle_t *)&e->certs_timer, NULL);
    uv_close((uv_handle_t *)&e->farewell, NULL);
    uv_close((uv_handle_t *)&e->terminate, NULL);
    uv_close((uv_handle_t *)&e->interrupt, NULL);
    /* An engine's call that a client of the management API had started is not waited for. */
    for (int i = 0; i < CLOSE_TURNS && uv_loop_alive(&e->loop); i++)
        (void)uv_run(&e->loop, UV_RUN_NOWAIT);
    docker_free(e->docker);
    if (uv_loop_close(&e->loop) < 0)
        return true;
    credential_free(e->credential);
    certs_free(e->certs);
    keys_free(e->keys);
    return false;
}

static void check_hostname(const struct config *config)
{
    struct err err;
    char machine[256] = "";
    if (gethostname(machine, sizeof(machine) - 1) == 0 &&
        config_check_hostname(config->hostname, machine, &err) < 0)
        log_warn("config", "%s", err.msg);
}

int edged_run(struct config *config, const struct edged_options *options, struct edged_end *ret_end,
              struct err *err)
{
    static struct edged e;
    e.config = config;
    e.started_ms = clock_wall_ms();
    loop_init(&e);
    sweep(options);
    int status = open_keys(&e, options->state_dir, err);
    if (status == 0)
        status = begin(&e, options, err);
    if (status == 0) {
        log_info("edged", "version %s, provisioning %s", BERTH_VERSION,
                 config_method_name(config->provisioning.method));
        check_hostname(config);
        notify_systemd("READY=1");
        (void)uv_run(&e.loop, UV_RUN_DEFAULT);
    }
    ret_end->moved = e.moved;
    ret_end->busy = end(&e);
    return status;
}
