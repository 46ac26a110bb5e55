/* See state.h. */
#include "core/engine/state.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/engine/engine.h"
#include "core/engine/jobs.h"
#include "core/engine/sandbox_state.h"
#include "core/engine/server.h"
#include "core/engine/vms.h"
#include "core/rpc/model_json.h"

#include <string.h>

struct state {
    struct engine *engine;
    uv_timer_t timer;
    uint64_t sent_ms; /* monotonic */
    struct snapshot now;
    struct snapshot sent;
};

struct state *state_new(struct engine *e)
{
    struct state *s = xcalloc(1, sizeof(*s));
    s->engine = e;
    (void)uv_timer_init(e->loop, &s->timer);
    s->timer.data = s;
    return s;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void state_free(struct state *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* Cleared first, so that two snapshots with the same content are the same bytes. */
const struct snapshot *state_now(struct state *s)
{
    struct snapshot *now = &s->now;
    memset(now, 0, sizeof(*now));
    if (gethostname(now->host, sizeof(now->host) - 1) < 0)
        STR_SET(now->host, "localhost");
    STR_SET(now->engine_version, BERTH_VERSION);
    now->n_vms = vms_fill(s->engine->vms, now->vms, MODEL_VMS_MAX);
    now->n_jobs = jobs_list(s->engine->jobs, now->jobs, MODEL_JOBS_MAX);
    sandbox_state_fill(s->engine->sandbox, &now->sandbox);
    now->at_ms = clock_wall_ms();
    return now;
}

static void on_timer(uv_timer_t *timer)
{
    struct state *s = timer->data;
    (void)state_now(s);
    s->sent.at_ms = s->now.at_ms;
    /* Cleared before it is filled; a difference in padding would only send it once more. */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    if (memcmp(&s->now, &s->sent, sizeof(s->now)) == 0)
        return;
    s->sent = s->now;
    s->sent_ms = clock_mono_ms();
    server_send_snapshot(s->engine->server, model_json_snapshot(&s->now));
}

void state_touch(struct state *s)
{
    if (uv_is_active((uv_handle_t *)&s->timer) || uv_is_closing((uv_handle_t *)&s->timer))
        return;
    uint64_t now = clock_mono_ms();
    uint64_t at = s->sent_ms + STATE_INTERVAL_MS;
    (void)uv_timer_start(&s->timer, on_timer, s->sent_ms && at > now ? at - now : 0, 0);
}

void state_catch_up(struct state *s, uint64_t client)
{
    if (server_catch_up(s->engine->server, client))
        (void)server_notify(s->engine->server, client, "event.snapshot",
                            model_json_snapshot(state_now(s)));
}
