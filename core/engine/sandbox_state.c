/* See sandbox_state.h. */
#include "core/engine/sandbox_state.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "provision/sandbox.h"

#include <sys/syscall.h>
#include <unistd.h>

struct sandbox_state {
    struct engine *engine;
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

void sandbox_state_free(struct sandbox_state *s)
{
    if (!s)
        return;
    unwatch(s);
    free(s);
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

static void sandbox_look(struct sandbox_state *s)
{
    auto_sandbox_record struct sandbox_record r = {0};
    unwatch(s);
    s->status = (struct sandbox_status){.light = LIGHT_OFF};
    if (sandbox_load(&r, NULL) == 0 && sandbox_alive(&r)) {
        s->status.light = LIGHT_OK;
        STR_SET(s->status.host, r.host);
        STR_SET(s->status.ca_file, r.ca_file);
        s->status.mqtt_port = r.mqtt_port;
        s->status.https_port = r.https_port;
        s->status.registry_port = r.registry_port;
        watch(s, r.pid);
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
