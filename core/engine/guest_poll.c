/* The rounds of polling a guest: see guest_private.h. A round never overlaps the next one; the
 * pause is counted from its end, so a slow guest is asked less often, not all the time. */
#include "core/engine/guest_private.h"

#include "core/azure/cloud_error.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdio.h>
#include <string.h>

#define POLL_WATCHED_MS 2000
#define POLL_ALONE_MS   15000

static void round_figures(struct guest *g);

/* ---- the schedule ---- */

static void on_poll(uv_timer_t *timer)
{
    guest_round_start(timer->data);
}

static void round_end(struct guest *g)
{
    g->round.running = false;
    uv_update_time(g->loop);
    uv_timer_start(&g->poll, on_poll, g->watched ? POLL_WATCHED_MS : POLL_ALONE_MS, 0);
    guest_changed(g);
    if (!g->freed && g->events->on_sample)
        g->events->on_sample(g->arg);
}

void guest_poll(struct guest *g)
{
    if (!g->round.running && g->state == GUEST_STATE_READY)
        uv_timer_start(&g->poll, on_poll, 0, 0);
}

void guest_watched(struct guest *g, bool watched)
{
    if (watched && !g->watched)
        guest_poll(g);
    g->watched = watched;
}

void guest_round_cancel(struct guest *g)
{
    struct guest_round *round = &g->round;
    for (size_t i = 0; i < ARRAY_LEN(round->calls); i++)
        http_call_cancel(steal(round->calls[i]));
    http_call_cancel(steal(round->stats));
    guest_call_cancel(steal(round->admin));
    round->running = false;
    uv_timer_stop(&g->poll);
}

/* ---- modules from round to round ---- */

static struct guest_module_memory *module_memory(struct guest *g, const char *name)
{
    for (size_t i = 0; i < g->n_memory; i++)
        if (str_eq(g->memory[i].name, name))
            return &g->memory[i];
    return NULL;
}

/* Modules that are new get a place, those that are gone lose theirs; a new start time is a restart.
 */
static void modules_remember(struct guest *g)
{
    struct guest_module_memory next[MODEL_MODULES_MAX] = {0};
    for (size_t i = 0; i < g->view.n_modules; i++) {
        struct module_status *m = &g->view.modules[i];
        const struct guest_module_memory *old = module_memory(g, m->name);
        next[i] = old ? *old : (struct guest_module_memory){.cpu_percent = -1};
        STR_SET(next[i].name, m->name);
        if (m->started_ms && m->started_ms != next[i].started_ms) {
            next[i].restarts += next[i].started_ms != 0;
            next[i].started_ms = m->started_ms;
            next[i].stats = (struct guest_stats){0};
        }
        m->restarts = next[i].restarts;
        if (m->state == MODULE_STATE_RUNNING) {
            m->cpu_percent = next[i].cpu_percent;
            m->memory = next[i].stats.memory;
        }
    }
    memcpy(g->memory, next, g->view.n_modules * sizeof(*next));
    g->n_memory = g->view.n_modules;
}

static void on_stats(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct guest *g = arg;
    g->round.stats = NULL;
    struct module_status *m = &g->view.modules[g->round.next];
    struct guest_module_memory *memory = &g->memory[g->round.next];
    struct guest_stats stats;
    if (!err && status == 200 && guest_read_stats(buf_str(body), body->len, &stats, NULL) == 0) {
        memory->cpu_percent = guest_stats_cpu(&memory->stats, &stats);
        memory->stats = stats;
        m->cpu_percent = memory->cpu_percent;
        m->memory = stats.memory;
    }
    g->round.next++;
    round_figures(g);
}

/* What the built-in runtime itself is made of has none. */
static bool has_container(const struct module_status *m)
{
    return !(m->system && str_starts(m->image, "berth-"));
}

/* The figures of the next module that has a running container; ends the round after the last one.
 */
static void round_figures(struct guest *g)
{
    struct guest_round *round = &g->round;
    while (round->next < g->view.n_modules &&
           (g->view.modules[round->next].state != MODULE_STATE_RUNNING ||
            !has_container(&g->view.modules[round->next])))
        round->next++;
    if (round->next == g->view.n_modules) {
        round_end(g);
        return;
    }
    auto_buf struct buf target = {0};
    buf_puts(&target, "/v1.41/containers/");
    guest_url_segment(&target, g->view.modules[round->next].name);
    buf_puts(&target, "/stats?stream=false&one-shot=true");
    struct http_request request = {
        .method = "GET", .target = buf_str(&target), .timeout_ms = GUEST_CALL_MS};
    round->stats =
        http_call_start(remote_dialer(g->remote), g->loop, g->docker, &request, NULL, on_stats, g);
}

/* ---- the runtime ---- */

/* The runtime's socket is not there: is it not set up, or does it not run? */
static void on_why(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct guest *g = arg;
    (void)text;
    g->round.admin = NULL;
    char configured[8] = "", state[32] = "";
    if (!err) {
        guest_read_key(buf_str(body), "configured", configured, sizeof(configured));
        guest_read_key(buf_str(body), "runtime", state, sizeof(state));
    }
    struct vm_status *v = &g->view;
    v->runtime_reason[0] = '\0';
    if (err) { /* no answer is not the answer "no" */
        v->runtime = RUNTIME_STATE_UNKNOWN;
        v->cloud = CLOUD_STATE_UNKNOWN;
    } else if (!str_eq(configured, "yes")) {
        v->runtime = RUNTIME_STATE_UNPROVISIONED;
        v->cloud = CLOUD_STATE_NONE;
        v->device_id[0] = v->hub[0] = v->cloud_reason[0] = '\0';
    } else if (str_eq(state, "failed") || str_eq(state, "inactive")) {
        v->runtime = RUNTIME_STATE_FAILED;
        v->cloud = CLOUD_STATE_UNKNOWN;
        (void)str_format(v->runtime_reason, sizeof(v->runtime_reason),
                         "the runtime's service is %s in the VM", state);
    } else {
        v->runtime = RUNTIME_STATE_STARTING;
        v->cloud = CLOUD_STATE_UNKNOWN;
    }
    v->n_modules = 0;
    round_end(g);
}

static void round_next(struct guest *g)
{
    struct guest_round *round = &g->round;
    if (--round->waiting)
        return;
    if (round->runtime_err.kind == ERR_NONE) {
        g->view.runtime = RUNTIME_STATE_RUNNING;
        g->view.runtime_reason[0] = '\0';
        round->next = 0;
        round_figures(g);
        return;
    }
    if (round->runtime_err.kind == ERR_UNREACHABLE) {
        round->admin = guest_admin(g, "info", NULL, 0, GUEST_CALL_MS, on_why, g, NULL);
        if (round->admin)
            return;
    }
    g->view.runtime = RUNTIME_STATE_FAILED;
    STR_SET(g->view.runtime_reason, round->runtime_err.msg);
    round_end(g);
}

/* Takes the answer apart with the caller's words, or notes why there is none. */
static bool answered(int status, const struct err *err, struct err *why)
{
    if (err)
        *why = *err;
    else if (status != 200)
        err_set(why, ERR_REMOTE, "the runtime answers %d", status);
    else
        return true;
    return false;
}

static void on_modules(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct guest *g = arg;
    g->round.calls[0] = NULL;
    if (answered(status, err, &g->round.runtime_err) &&
        guest_read_modules(buf_str(body), body->len, g->view.modules, MODEL_MODULES_MAX,
                           &g->view.n_modules, &g->round.runtime_err) == 0) {
        g->view.seen_ms = clock_wall_ms();
        modules_remember(g);
    }
    round_next(g);
}

static void on_info(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct guest *g = arg;
    struct guest_info info;
    struct err why;
    g->round.calls[1] = NULL;
    if (answered(status, err, &why) &&
        guest_read_info(buf_str(body), body->len, &info, &why) == 0) {
        struct vm_status *v = &g->view;
        STR_SET(v->runtime_version, info.version);
        STR_SET(v->device_id, info.device_id);
        STR_SET(v->hub, info.hub);
        v->cloud = info.cloud;
        v->cloud_since_ms = info.cloud_since_ms;
        v->cloud_reason[0] = '\0';
        if (info.cloud != CLOUD_STATE_CONNECTED && info.cloud_error[0]) {
            const struct cloud_error *known = cloud_error_find(info.cloud_error);
            if (known)
                (void)str_format(v->cloud_reason, sizeof(v->cloud_reason), "%s (%s)",
                                 known->meaning, info.cloud_error);
            else
                STR_SET(v->cloud_reason, info.cloud_error);
        }
    }
    round_next(g);
}

static void on_resources(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct guest *g = arg;
    struct guest_resources res;
    struct err why;
    g->round.calls[2] = NULL;
    if (answered(status, err, &why) &&
        guest_read_resources(buf_str(body), body->len, &res, &why) == 0) {
        g->view.cpu_percent = res.cpu_percent;
        g->view.memory_used = res.memory_used;
        g->view.memory_total = res.memory_total;
        g->view.disk_used = res.disk_used;
        g->view.disk_total = res.disk_total;
    }
    round_next(g);
}

void guest_round_start(struct guest *g)
{
    static const struct {
        const char *target;
        http_done_fn done;
    } questions[] = {
        {"/modules?" GUEST_API, on_modules},
        {"/systeminfo?" GUEST_API, on_info},
        {"/systeminfo/resources?" GUEST_API, on_resources},
    };
    struct guest_round *round = &g->round;
    if (round->running || g->state != GUEST_STATE_READY)
        return;
    *round = (struct guest_round){.running = true, .waiting = ARRAY_LEN(questions)};
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct http_request request = {
            .method = "GET", .target = questions[i].target, .timeout_ms = GUEST_CALL_MS};
        round->calls[i] = http_call_start(remote_dialer(g->remote), g->loop, g->mgmt, &request,
                                          NULL, questions[i].done, g);
    }
}
