/* See engine.h. */
#include "core/engine/engine.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/path.h"
#include "core/engine/dispatch.h"
#include "core/engine/host.h"
#include "core/engine/job_kinds.h"
#include "core/engine/job_provision.h"
#include "core/engine/jobs.h"
#include "core/engine/logs.h"
#include "core/engine/methods.h"
#include "core/engine/pool.h"
#include "core/engine/reconcile.h"
#include "core/engine/sandbox_events.h"
#include "core/engine/sandbox_state.h"
#include "core/engine/server.h"
#include "core/engine/state.h"
#include "core/engine/vms.h"
#include "vm/record.h"

#include <signal.h>
#include <unistd.h>

#define ENGINE_IDLE_CHECK_MS 500
#define ENGINE_END_LIMIT_MS  10000 /* a thread that hangs in a library does not keep the engine */

static const struct rpc_method *const tables[] = {
    methods_core,   methods_vm,   methods_sandbox, methods_provision,
    methods_module, methods_logs, methods_metrics, NULL,
};

static void on_job_change(void *owner)
{
    engine_touch(owner);
}

static void on_vm_event(void *arg, const struct vm_event *event)
{
    struct engine *e = arg;
    vms_on_event(e->vms, event);
}

static void on_gone(void *owner, uint64_t client)
{
    struct engine *e = owner;
    logs_client_gone(e->logs, client);
    sandbox_events_client_gone(e->sandbox_events, client);
    vms_watched(e->vms, server_watchers(e->server) > 0);
}

static void on_drain(void *owner, uint64_t client)
{
    struct engine *e = owner;
    state_catch_up(e->state, client);
    logs_client_drained(e->logs, client);
    sandbox_events_client_drained(e->sandbox_events, client);
}

void engine_touch(struct engine *e)
{
    if (e->state && !e->ending)
        state_touch(e->state);
}

/* ---- end ---- */

static bool is_idle(const struct engine *e)
{
    return e->ready && server_clients(e->server) == 0 && jobs_running(e->jobs) == 0 &&
           !vms_any_running(e->vms);
}

static void on_idle_check(uv_timer_t *timer)
{
    struct engine *e = timer->data;
    uint64_t now = clock_mono_ms();
    if (!is_idle(e))
        e->idle_since_ms = now;
    else if (now - e->idle_since_ms >= e->idle_exit_ms)
        engine_end(e, "nobody needs it");
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    engine_end(handle->data, "it was told to");
}

/* Everything durable is on disk; the rest of the memory goes with the process. */
ATTR_NORETURN static void leave(void)
{
    auto_free char *path = path_engine_socket();
    (void)unlink(path);
    _exit(0);
}

static void on_end_limit(uv_timer_t *timer)
{
    (void)timer;
    log_error("main", "a thread does not come back; the engine ends without it");
    leave();
}

/* No thread works for a job any more. Where a call is still under way that will come back to what
 * is freed here (in the pool, to the sandbox, for a client), nothing is freed. */
static void on_jobs_stopped(void *owner)
{
    struct engine *e = owner;
    if (e->jobs_cut || pool_busy() || dispatch_open()) {
        log_info("main", "engine ends with calls under way");
        leave();
    }
    logs_free(e->logs);
    sandbox_events_free(e->sandbox_events);
    sandbox_state_free(e->sandbox);
    vms_free(e->vms);
    jobs_free(e->jobs);
    host_free(e->host);
    state_free(e->state);
    server_free(e->server);
    for (size_t i = 0; i < ARRAY_LEN(e->signals); i++)
        uv_close((uv_handle_t *)&e->signals[i], NULL);
    uv_close((uv_handle_t *)&e->idle_timer, NULL);
    /* The limit stays on guard without keeping the loop alive. */
    uv_unref((uv_handle_t *)&e->end_timer);
}

void engine_end(struct engine *e, const char *why)
{
    if (e->ending)
        return;
    e->ending = true;
    e->jobs_cut = jobs_running(e->jobs) > 0;
    log_info("main", "engine is ending: %s", why);
    (void)uv_timer_start(&e->end_timer, on_end_limit, ENGINE_END_LIMIT_MS, 0);
    jobs_stop(e->jobs, on_jobs_stopped);
}

void engine_close(struct engine *e)
{
    uv_close((uv_handle_t *)&e->end_timer, NULL);
    (void)uv_run(e->loop, UV_RUN_DEFAULT);
}

/* ---- begin ---- */

static void on_reconciled(struct engine *e)
{
    e->ready = true;
    if (e->ending)
        return;
    jobs_resume(e->jobs);
    engine_touch(e);
}

static void watch_signals(struct engine *e)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(e->signals); i++) {
        (void)uv_signal_init(e->loop, &e->signals[i]);
        e->signals[i].data = e;
        (void)uv_signal_start(&e->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&e->signals[i]);
    }
    (void)uv_timer_init(e->loop, &e->idle_timer);
    (void)uv_timer_init(e->loop, &e->end_timer);
    e->idle_timer.data = e->end_timer.data = e;
    if (e->idle_exit_ms)
        (void)uv_timer_start(&e->idle_timer, on_idle_check, ENGINE_IDLE_CHECK_MS,
                             ENGINE_IDLE_CHECK_MS);
}

int engine_open(struct engine *e, uv_loop_t *loop, uint64_t idle_exit_ms, struct err *err)
{
    auto_free char *jobs_dir = path_of(PATH_STATE, "%s", "jobs");
    auto_free char *socket_path = path_engine_socket();
    *e = (struct engine){
        .loop = loop, .idle_exit_ms = idle_exit_ms, .idle_since_ms = clock_mono_ms()};
    e->server = server_new(&(struct server_options){.loop = loop,
                                                    .path = socket_path,
                                                    .tables = tables,
                                                    .owner = e,
                                                    .on_gone = on_gone,
                                                    .on_drain = on_drain},
                           err);
    if (!e->server)
        return -1;
    record_sweep();
    job_provision_init();
    e->jobs = jobs_new(&(struct jobs_options){.loop = loop,
                                              .dir = jobs_dir,
                                              .kinds = job_kinds,
                                              .owner = e,
                                              .on_change = on_job_change},
                       err);
    if (!e->jobs) {
        server_free(e->server);
        return -1;
    }
    e->host = host_new(loop, on_vm_event, e);
    e->vms = vms_new(e);
    e->sandbox = sandbox_state_new(e);
    e->sandbox_events = sandbox_events_new(e);
    e->logs = logs_new(e);
    e->state = state_new(e);
    watch_signals(e);
    jobs_load(e->jobs);
    reconcile_start(e, on_reconciled);
    return 0;
}
