/* See plan.h. */
#include "vm/guest/edged/plan.h"

#include "core/base/str.h"

static const char *const kind_names[] = {
    [PLAN_REMOVE] = "remove", [PLAN_STOP] = "stop",   [PLAN_CREATE] = "create",
    [PLAN_UPDATE] = "update", [PLAN_START] = "start", [PLAN_RESTART] = "restart",
};
_Static_assert(ARRAY_LEN(kind_names) == PLAN_KIND_COUNT, "a name for each kind");

const char *plan_kind_name(enum plan_kind kind)
{
    return (unsigned)kind < PLAN_KIND_COUNT ? kind_names[kind] : "?";
}

struct module_track *plan_track(struct module_track *tracks, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(tracks[i].name, name))
            return &tracks[i];
    return NULL;
}

static const struct container *find_container(const struct container *containers, size_t n,
                                              const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(containers[i].name, name))
            return &containers[i];
    return NULL;
}

static void wake_at(struct plan *plan, uint64_t at_ms)
{
    if (at_ms && (!plan->wake_ms || at_ms < plan->wake_ms))
        plan->wake_ms = at_ms;
}

static void add(struct plan *plan, enum plan_kind kind, const char *name, uint32_t order)
{
    if (plan->n == PLAN_TRACKS_MAX)
        return; /* the rest comes with the next pass */
    struct plan_item *item = &plan->items[plan->n++];
    item->kind = kind;
    item->order = order;
    STR_SET(item->name, name);
}

/* True where nothing may be done to the module now. */
static bool held(struct plan *plan, const struct module_track *track, uint64_t now_ms)
{
    if (!track)
        return false;
    if (track->busy || track->holds)
        return true;
    if (!restart_waits(track->retry_ms, now_ms))
        return false;
    wake_at(plan, track->retry_ms);
    return true;
}

static void plan_state(struct plan *plan, const struct module_spec *spec, const struct container *c,
                       struct module_track *track, uint64_t now_ms)
{
    static const struct restart_track none = {0};
    static const enum plan_kind kinds[] = {
        [RESTART_STEP_START] = PLAN_START,
        [RESTART_STEP_AGAIN] = PLAN_RESTART,
        [RESTART_STEP_STOP] = PLAN_STOP,
    };
    struct restart_verdict v = restart_decide(spec, c, track ? &track->restart : &none, now_ms);
    if (v.steady && track)
        track->restart = none;
    if (v.at_ms > now_ms)
        wake_at(plan, v.at_ms);
    else if (v.step != RESTART_STEP_NONE)
        add(plan, kinds[v.step], spec->name, spec->startup_order);
}

static void plan_module(struct plan *plan, const struct module_spec *spec,
                        const struct container *c, struct module_track *track, uint64_t now_ms)
{
    if (held(plan, track, now_ms))
        return;
    if (!c)
        add(plan, PLAN_CREATE, spec->name, spec->startup_order);
    else if (!str_eq(c->hash, spec->hash))
        add(plan, PLAN_UPDATE, spec->name, spec->startup_order);
    else if (c->state == CONTAINER_DEAD)
        add(plan, PLAN_REMOVE, spec->name, spec->startup_order);
    else
        plan_state(plan, spec, c, track, now_ms);
}

void plan_make(const struct deployment *d, const struct container *containers, size_t n_containers,
               struct module_track *tracks, size_t n_tracks, uint64_t now_ms, struct plan *ret)
{
    ret->n = 0;
    ret->wake_ms = 0;
    for (size_t i = 0; i < n_containers; i++) {
        const struct container *c = &containers[i];
        if (c->owned && !deployment_find(d, c->name) &&
            !held(ret, plan_track(tracks, n_tracks, c->name), now_ms))
            add(ret, PLAN_REMOVE, c->name, 0);
    }
    for (size_t i = 0; i < d->n_modules; i++) {
        const struct module_spec *spec = &d->modules[i];
        plan_module(ret, spec, find_container(containers, n_containers, spec->name),
                    plan_track(tracks, n_tracks, spec->name), now_ms);
    }
}
