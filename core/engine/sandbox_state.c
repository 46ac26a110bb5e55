/* See sandbox_state.h. */
#include "core/engine/sandbox_state.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/server.h"
#include "provision/hub_rest.h"
#include "provision/sandbox.h"

#include <sys/syscall.h>
#include <unistd.h>

#define COUNT_MS 10000 /* devices are counted this often, while somebody looks */
#define FIRST_MS 500   /* until they have been counted once */

struct sandbox_state {
    struct engine *engine;
    uv_timer_t count_timer;
    struct hub_rest *rest; /* a count under way */
    struct sandbox_status status;
    uv_poll_t *watch; /* on the process; NULL: not watched */
    int pidfd;
    bool busy;
};

static void sandbox_look(struct sandbox_state *s);

struct sandbox_state *sandbox_state_new(struct engine *e)
{
    struct sandbox_state *s = xcalloc(1, sizeof(*s));
    s->engine = e;
    s->pidfd = -1;
    (void)uv_timer_init(e->loop, &s->count_timer);
    s->count_timer.data = s;
    uv_unref((uv_handle_t *)&s->count_timer);
    sandbox_look(s);
    return s;
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle);
}

static void unwatch(struct sandbox_state *s)
{
    if (!s->watch)
        return;
    (void)uv_poll_stop(s->watch);
    uv_close((uv_handle_t *)steal(s->watch), on_watch_closed);
    (void)close(s->pidfd);
    s->pidfd = -1;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sandbox_state_free(struct sandbox_state *s)
{
    if (!s)
        return;
    unwatch(s);
    hub_rest_free(s->rest);
    uv_close((uv_handle_t *)&s->count_timer, on_timer_closed);
}

static void on_process_ended(uv_poll_t *poll, int status, int events)
{
    struct sandbox_state *s = poll->data;
    (void)status;
    (void)events;
    bool expected = s->busy;
    sandbox_look(s);
    if (expected || s->status.light == LIGHT_OK)
        return;
    log_warn("sandbox", "berth-hub ended by itself");
    s->status.light = LIGHT_BAD;
    STR_SET(s->status.reason,
            "it ended by itself; see sandbox/hub.log in the state folder, and start it again");
    engine_touch(s->engine);
}

static void watch(struct sandbox_state *s, pid_t pid)
{
    s->pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    if (s->pidfd < 0)
        return;
    s->watch = xcalloc(1, sizeof(*s->watch));
    (void)uv_poll_init(s->engine->loop, s->watch, s->pidfd);
    s->watch->data = s;
    (void)uv_poll_start(s->watch, UV_READABLE, on_process_ended);
    uv_unref((uv_handle_t *)s->watch);
}

/* ---- how many devices ---- */

static void on_counted(void *arg, uint32_t devices, const struct err *err)
{
    struct sandbox_state *s = arg;
    if (!err)
        uv_timer_set_repeat(&s->count_timer, COUNT_MS);
    if (!err && s->status.light == LIGHT_OK && s->status.devices != devices) {
        s->status.devices = devices;
        engine_touch(s->engine);
    }
    hub_rest_free(steal(s->rest));
}

static void on_count_timer(uv_timer_t *timer)
{
    struct sandbox_state *s = timer->data;
    auto_sandbox_record struct sandbox_record r = {0};
    if (s->rest || s->status.light != LIGHT_OK || !s->engine->server ||
        !server_clients(s->engine->server))
        return;
    if (sandbox_load(&r, NULL) == 0)
        s->rest = hub_rest_new(s->engine->loop, &r, NULL, NULL);
    if (s->rest)
        hub_rest_count(s->rest, on_counted, s);
}

static void sandbox_look(struct sandbox_state *s)
{
    auto_sandbox_record struct sandbox_record r = {0};
    unwatch(s);
    (void)uv_timer_stop(&s->count_timer);
    s->status = (struct sandbox_status){.light = LIGHT_OFF};
    if (sandbox_load(&r, NULL) == 0 && sandbox_alive(&r)) {
        s->status.light = LIGHT_OK;
        STR_SET(s->status.host, r.host);
        s->status.n_hubs = r.n_hubs < MODEL_HUBS_MAX ? r.n_hubs : MODEL_HUBS_MAX;
        for (size_t i = 0; i < s->status.n_hubs; i++)
            STR_SET(s->status.hubs[i].host, r.hubs[i]);
        STR_SET(s->status.ca_file, r.ca_file);
        STR_SET(s->status.dps_host, r.dps_host);
        STR_SET(s->status.id_scope, r.id_scope);
        s->status.mqtt_port = r.mqtt_port;
        s->status.https_port = r.https_port;
        s->status.registry_port = r.registry_port;
        watch(s, r.pid);
        (void)uv_timer_start(&s->count_timer, on_count_timer, 0, FIRST_MS);
    }
    engine_touch(s->engine);
}

void sandbox_state_busy(struct sandbox_state *s, bool busy)
{
    s->busy = busy;
    if (!busy)
        sandbox_look(s);
    engine_touch(s->engine);
}

void sandbox_state_fill(const struct sandbox_state *s, struct sandbox_status *ret)
{
    *ret = s->status;
    if (s->busy)
        ret->light = LIGHT_BUSY;
}
