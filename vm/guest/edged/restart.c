/* See restart.h. */
#include "vm/guest/edged/restart.h"

uint64_t restart_delay_ms(uint32_t count)
{
    uint64_t delay = RESTART_UNIT_MS;
    for (uint32_t i = 0; i < count && delay < RESTART_LIMIT_MS; i++)
        delay *= 2;
    return delay < RESTART_LIMIT_MS ? delay : RESTART_LIMIT_MS;
}

bool restart_waits(uint64_t retry_ms, uint64_t now_ms)
{
    return retry_ms > now_ms && retry_ms - now_ms <= RESTART_LIMIT_MS;
}

/* DELAY_MS after it ended. An end in the future is one before the clock was set back: nobody knows
 * how long ago, and a year is not to be waited for. While it is being stopped, the engine has no
 * end to tell yet. */
static uint64_t due_ms(const struct container *c, uint64_t delay_ms, uint64_t now_ms)
{
    uint64_t at = c->finished_ms ? c->finished_ms : c->started_ms;
    return at > now_ms ? now_ms : at + delay_ms;
}

static struct restart_verdict decide_running(const struct container *c,
                                             const struct restart_track *track, uint64_t now_ms)
{
    struct restart_verdict v = {.status = STATUS_RUNNING};
    if (track->count == 0)
        return v;
    v.steady = c->started_ms > now_ms || now_ms - c->started_ms > RESTART_STEADY_MS;
    v.at_ms = v.steady ? 0 : c->started_ms + RESTART_STEADY_MS + 1;
    return v;
}

struct restart_verdict restart_decide(const struct module_spec *spec, const struct container *c,
                                      const struct restart_track *track, uint64_t now_ms)
{
    struct restart_verdict v = {.status = container_status(c)};
    bool runs = v.status == STATUS_RUNNING;
    if (!spec->running) {
        v.step = runs ? RESTART_STEP_STOP : RESTART_STEP_NONE;
        return v;
    }
    if (runs)
        return decide_running(c, track, now_ms);
    if (v.status == STATUS_DEAD || v.status == STATUS_UNKNOWN)
        return v;

    bool ever = c->started_ms != 0;
    bool counted = spec->restart == RESTART_ALWAYS ||
                   (spec->restart != RESTART_NEVER && v.status == STATUS_FAILED);
    if (ever && counted) {
        v.status = track->count < RESTART_MAX ? STATUS_BACKOFF : STATUS_FAILED;
        if (v.status == STATUS_BACKOFF) {
            v.step = RESTART_STEP_AGAIN;
            v.at_ms = due_ms(c, restart_delay_ms(track->count), now_ms);
        }
        return v;
    }
    if (v.status == STATUS_STOPPED && (spec->restart != RESTART_NEVER || !ever)) {
        v.step = RESTART_STEP_START;
        v.at_ms = ever ? due_ms(c, RESTART_PAUSE_MS, now_ms) : 0;
    }
    return v;
}
