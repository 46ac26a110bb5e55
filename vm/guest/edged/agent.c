/* See agent.h. One pass looks at everything and starts what can be started now; each end of an
 * operation, each change of a container and each new deployment leads to another pass. Nothing
 * polls: a timer only serves the times that the plan names. */
#include "vm/guest/edged/agent.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/agent_metrics.h"
#include "vm/guest/edged/agent_state.h"
#include "vm/guest/edged/operation.h"
#include "vm/guest/edged/twin.h"

#include <string.h>

#define SAVE_AGAIN_MS 10000

struct agent {
    uv_loop_t *loop;
    struct docker *docker;
    struct workload *workload;
    struct meters *meters;
    const struct config *config;
    const struct device *device; /* NULL: not known yet */
    struct containers *containers;
    uv_timer_t *timer; /* the next pass */
    char *state_path;
    void (*changed)(void *arg);
    void *arg;

    cJSON *desired; /* of the deployment that is in force */
    cJSON *waiting; /* until the former device's containers are gone */
    bool purging;   /* them */
    bool unsaved;   /* the disk is full, or worse */
    struct deployment deployment;
    bool deployed;
    uint64_t deploying_ms; /* monotonic: since when what was deployed is made so; 0: it is */
    uint64_t seen_version;
    enum deployment_code code; /* of what was last seen; DEPLOYMENT_OK: it is in force */
    char problem[400];
    char summary[400]; /* of modules whose operations fail */

    struct module_track tracks[PLAN_TRACKS_MAX];
    size_t n_tracks;
    struct operation *ops[PLAN_TRACKS_MAX]; /* at most one for a track */
    size_t n_ops;
    struct plan plan;
};

static void on_pass(uv_timer_t *timer);

/* ------------------------------------------------------------------------------- tracks */

static struct module_track *track_of(struct agent *a, const char *name)
{
    struct module_track *track = plan_track(a->tracks, a->n_tracks, name);
    if (track)
        return track;
    if (a->n_tracks == PLAN_TRACKS_MAX)
        return NULL;
    track = &a->tracks[a->n_tracks++];
    *track = (struct module_track){0};
    STR_SET(track->name, name);
    return track;
}

static void summarise(struct agent *a)
{
    auto_buf struct buf text = {0};
    for (size_t i = 0; i < a->n_tracks; i++)
        if (a->tracks[i].problem[0])
            buf_printf(&text, "%s%s: %s", text.len ? "; " : "", a->tracks[i].name,
                       a->tracks[i].problem);
    (void)str_copy(a->summary, sizeof(a->summary), buf_str(&text));
}

/* Modules that are neither deployed nor there are forgotten. */
static void forget_gone(struct agent *a)
{
    for (size_t i = a->n_tracks; i-- > 0;) {
        const struct module_track *t = &a->tracks[i];
        if (!t->busy && !t->holds && !deployment_find(&a->deployment, t->name) &&
            !containers_find(a->containers, t->name))
            a->tracks[i] = a->tracks[--a->n_tracks];
    }
    summarise(a);
}

static void save(struct agent *a)
{
    struct err err;
    bool failed =
        agent_state_write(a->state_path, a->device, a->desired, a->tracks, a->n_tracks, &err) < 0;
    if (failed && !a->unsaved)
        log_error("agent", "the state could not be saved: %s", err.msg);
    else if (a->unsaved && !failed)
        log_info("agent", "the state is saved again");
    a->unsaved = failed;
}

/* ------------------------------------------------------------------------------- passes */

static void pass_in(struct agent *a, uint64_t ms)
{
    (void)uv_timer_start(a->timer, on_pass, ms, 0);
}

static void on_step(void *arg, const char *name, const char *activity)
{
    struct agent *a = arg;
    struct module_track *track = plan_track(a->tracks, a->n_tracks, name);
    log_info("module", "%s: %s", name, activity);
    if (track)
        STR_SET(track->activity, activity);
    a->changed(a->arg);
}

static void on_command(void *arg, const char *name, const char *command, uint64_t ms)
{
    struct agent *a = arg;
    const struct module_spec *spec = deployment_find(&a->deployment, name);
    agent_metrics_command(a->meters, name, spec && spec->version ? spec->version : "", command, ms);
}

static void remove_operation(struct agent *a, struct operation *op)
{
    for (size_t i = 0; i < a->n_ops; i++) {
        if (a->ops[i] != op)
            continue;
        a->ops[i] = a->ops[--a->n_ops];
        break;
    }
    struct module_track *track = plan_track(a->tracks, a->n_tracks, operation_name(op));
    if (track) {
        track->busy = false;
        track->activity[0] = '\0';
    }
    containers_look(a->containers, operation_name(op)); /* leads to a pass */
    operation_free(op);
}

static void on_end(void *arg, struct operation *op, const struct err *err)
{
    struct agent *a = arg;
    struct module_track *track = plan_track(a->tracks, a->n_tracks, operation_name(op));
    if (track && err) {
        uint64_t delay = restart_delay_ms(track->failures++);
        track->retry_ms = clock_wall_ms() + delay;
        STR_SET(track->problem, err->msg);
        log_warn("module", "%s: %s; next attempt in %llu s", track->name, err->msg,
                 (unsigned long long)delay / 1000);
    } else if (track) {
        track->failures = 0;
        track->retry_ms = 0;
        track->problem[0] = '\0';
        log_info("module", "%s: %s done", track->name, plan_kind_name(operation_kind(op)));
    }
    summarise(a);
    remove_operation(a, op);
    a->changed(a->arg);
}

static void begin(struct agent *a, const struct plan_item *item)
{
    static const struct operation_events events = {
        .on_step = on_step, .on_command = on_command, .on_end = on_end};
    struct module_track *track = track_of(a, item->name);
    if (!track)
        return;
    const struct operation_tools tools = {a->loop, a->docker, a->workload};
    auto_free char *folder = workload_folder(a->workload, item->name);
    const struct create_context context = {
        .device_id = a->device->id,
        .hub = a->device->hub,
        .hostname = a->config->hostname,
        .network = a->config->network,
        .network_options = a->config->network_options,
        .log_options = a->deployment.log_options,
        .workload_folder = folder,
        .elevated = a->config->elevated,
    };
    track->busy = true;
    if (item->kind == PLAN_RESTART) {
        track->restart.count++;
        track->restart.last_ms = clock_wall_ms();
        save(a);
    }
    a->ops[a->n_ops++] = operation_start(&tools, item, deployment_find(&a->deployment, item->name),
                                         &a->deployment, &context, &events, a);
}

/* Whether something that was to be attempted before ORDER is still under way. */
static bool earlier_busy(const struct agent *a, uint32_t order)
{
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct module_spec *spec = deployment_find(&a->deployment, operation_name(a->ops[i]));
        if ((spec ? spec->startup_order : 0) < order)
            return true;
    }
    return false;
}

/* Nothing of the former device is left: from now on the state is this one's. */
static void end_purge(struct agent *a)
{
    auto_json cJSON *waiting = steal(a->waiting);
    log_info("agent", "the former device's modules are gone");
    a->purging = a->deployed = false;
    save(a);
    if (waiting)
        agent_desire(a, waiting);
}

/* Nothing is left to do, and nothing failed. */
static void count_deployment(struct agent *a)
{
    uint64_t now_ms = clock_mono_ms();
    if (!a->deploying_ms || a->plan.n || a->n_ops || a->summary[0])
        return;
    meter_observe(agent_metrics_of(a->meters, AGENT_DEPLOYMENT_TIME, NULL),
                  (double)(now_ms - a->deploying_ms) / 1000, now_ms);
    a->deploying_ms = 0;
}

static bool is_wanted(const void *arg, const char *name)
{
    const struct agent *a = arg;
    return deployment_find(&a->deployment, name) || containers_find(a->containers, name);
}

static void on_pass(uv_timer_t *timer)
{
    struct agent *a = timer->data;
    size_t n = 0;
    const struct container *list = containers_list(a->containers, &n);
    if (!a->deployed || !containers_ready(a->containers))
        return;
    if (a->purging && !n && !a->n_ops) {
        end_purge(a);
        return;
    }
    forget_gone(a);
    if (a->unsaved)
        save(a);
    uint64_t now_ms = clock_wall_ms();
    plan_make(&a->deployment, list, n, a->tracks, a->n_tracks, now_ms, &a->plan);

    for (size_t i = 0; i < a->plan.n; i++) {
        const struct plan_item *item = &a->plan.items[i];
        if (!containers_looking(a->containers, item->name) && !earlier_busy(a, item->order) &&
            operation_room(a->ops, a->n_ops, item->kind,
                           deployment_find(&a->deployment, item->name)))
            begin(a, item);
    }
    count_deployment(a);
    if (!a->n_ops && !a->purging)
        workload_drop_identities(a->workload, is_wanted, a);
    uint64_t wake_ms = a->plan.wake_ms;
    if (a->unsaved && (!wake_ms || wake_ms > now_ms + SAVE_AGAIN_MS))
        wake_ms = now_ms + SAVE_AGAIN_MS;
    if (wake_ms)
        pass_in(a, wake_ms > now_ms ? wake_ms - now_ms : 0);
}

static void on_containers(void *arg)
{
    struct agent *a = arg;
    pass_in(a, 0);
    a->changed(a->arg);
}

void agent_hold(struct agent *a, const char *name)
{
    struct module_track *track = track_of(a, name);
    if (track)
        track->holds++;
}

void agent_release(struct agent *a, const char *name)
{
    struct module_track *track = plan_track(a->tracks, a->n_tracks, name);
    if (track && track->holds)
        track->holds--;
    containers_look(a->containers, name); /* leads to a pass */
}

/* ------------------------------------------------------------------------------- deployment */

/* A changed module starts afresh, and every module's next attempt comes at once. */
static void reset_tracks(struct agent *a, const struct deployment *next)
{
    for (size_t i = 0; i < a->n_tracks; i++) {
        struct module_track *t = &a->tracks[i];
        const struct module_spec *was = deployment_find(&a->deployment, t->name);
        const struct module_spec *is = deployment_find(next, t->name);
        t->failures = 0;
        t->retry_ms = 0;
        t->problem[0] = '\0';
        if (was && (!is || !str_eq(was->hash, is->hash) || was->running != is->running))
            t->restart = (struct restart_track){0};
    }
}

/* Pulls of what is no longer wanted. */
static void cancel_outdated(struct agent *a)
{
    for (size_t i = a->n_ops; i-- > 0;) {
        struct operation *op = a->ops[i];
        const struct module_spec *spec = deployment_find(&a->deployment, operation_name(op));
        if (operation_pulling(op) && (!spec || !str_eq(spec->hash, operation_hash(op))))
            remove_operation(a, op);
    }
}

/* False where it is refused. */
static bool adopt(struct agent *a, const cJSON *desired)
{
    struct deployment next = {0};
    struct err err = {0};
    if (deployment_parse(desired, &next, &a->code, &err) < 0) {
        STR_SET(a->problem, err.msg);
        log_warn("agent", "deployment %llu: %s", (unsigned long long)a->seen_version, err.msg);
        return false;
    }
    a->code = DEPLOYMENT_OK;
    a->problem[0] = '\0';
    reset_tracks(a, &next);
    deployment_done(&a->deployment);
    a->deployment = next;
    a->deployed = true;
    cJSON_Delete(a->desired);
    a->desired = cJSON_Duplicate(desired, true);
    return true;
}

void agent_desire(struct agent *a, const cJSON *desired)
{
    a->seen_version = json_u64(desired, "$version", 0);
    if (a->purging) {
        cJSON_Delete(a->waiting);
        a->waiting = cJSON_Duplicate(desired, true);
        return;
    }
    if (a->deployed && a->code == DEPLOYMENT_OK && cJSON_Compare(a->desired, desired, true))
        return;
    if (adopt(a, desired)) {
        log_info("agent", "deployment %llu with %zu modules", (unsigned long long)a->seen_version,
                 a->deployment.n_modules);
        save(a);
        cancel_outdated(a);
        a->deploying_ms = clock_mono_ms();
        pass_in(a, 0);
    }
    a->changed(a->arg);
}

void agent_use_workload(struct agent *a, struct workload *workload)
{
    a->workload = workload;
}

void agent_use_meters(struct agent *a, struct meters *meters)
{
    a->meters = meters;
}

void agent_begin(struct agent *a, const struct device *device)
{
    struct err err;
    auto_json cJSON *desired = NULL;
    a->device = device;
    if (agent_state_read(a->state_path, device, &a->purging, &desired, a->tracks, PLAN_TRACKS_MAX,
                         &a->n_tracks, &err) < 0) {
        log_warn("agent", "the state is not used: %s", err.msg);
        return;
    }
    if (a->purging) {
        log_info("agent", "removing the modules of the device that this machine was before");
        a->deployed = true; /* with no module in it */
        pass_in(a, 0);
    }
    if (!desired)
        return;
    a->seen_version = json_u64(desired, "$version", 0);
    if (adopt(a, desired)) {
        log_info("agent", "going on with deployment %llu", (unsigned long long)a->seen_version);
        pass_in(a, 0);
    }
}

/* ------------------------------------------------------------------------------- life */

struct agent *agent_new(uv_loop_t *loop, struct docker *docker, const struct config *config,
                        const char *state_dir, void (*changed)(void *arg), void *arg)
{
    struct agent *a = xcalloc(1, sizeof(*a));
    a->loop = loop;
    a->docker = docker;
    a->config = config;
    a->changed = changed;
    a->arg = arg;
    a->code = DEPLOYMENT_NOT_RUNNING;
    a->state_path = xasprintf("%s/agent.json", state_dir);
    a->timer = xcalloc(1, sizeof(*a->timer));
    (void)uv_timer_init(loop, a->timer);
    a->timer->data = a;
    a->containers = containers_new(loop, docker, on_containers, a);
    return a;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_ops; i++)
        operation_free(a->ops[i]);
    containers_free(a->containers);
    deployment_done(&a->deployment);
    cJSON_Delete(a->desired);
    cJSON_Delete(a->waiting);
    free(a->state_path);
    uv_close((uv_handle_t *)a->timer, on_closed);
    free(a);
}

/* ------------------------------------------------------------------------------- views */

static struct module_view view_of(const struct agent *a, const char *name,
                                  const struct module_spec *spec, const struct container *c)
{
    struct module_view v = {.name = name, .spec = spec, .container = c};
    const struct module_track *track = NULL;
    for (size_t i = 0; i < a->n_tracks; i++)
        if (str_eq(a->tracks[i].name, name))
            track = &a->tracks[i];
    module_view_fill(&v, track);
    return v;
}

size_t agent_modules(const struct agent *a, struct module_view *views, size_t max)
{
    size_t n = 0, n_containers = 0;
    const struct container *list = containers_list(a->containers, &n_containers);
    for (size_t i = 0; i < a->deployment.n_modules && n < max; i++) {
        const struct module_spec *spec = &a->deployment.modules[i];
        views[n++] = view_of(a, spec->name, spec, containers_find(a->containers, spec->name));
    }
    for (size_t i = 0; i < n_containers && n < max; i++)
        if (!deployment_find(&a->deployment, list[i].name))
            views[n++] = view_of(a, list[i].name, NULL, &list[i]);
    return n;
}

bool agent_module(const struct agent *a, const char *name, struct module_view *ret_view)
{
    const struct module_spec *spec = deployment_find(&a->deployment, name);
    const struct container *c = containers_find(a->containers, name);
    if (!spec && !c)
        return false;
    *ret_view = view_of(a, spec ? spec->name : c->name, spec, c);
    return true;
}

const struct deployment *agent_deployment(const struct agent *a)
{
    return a->deployed && !a->purging ? &a->deployment : NULL;
}

enum deployment_code agent_status(const struct agent *a, uint64_t *ret_version,
                                  const char **ret_text)
{
    *ret_version = a->seen_version;
    *ret_text = a->problem;
    if (a->code != DEPLOYMENT_OK)
        return a->code;
    *ret_text = a->summary;
    return a->summary[0] ? DEPLOYMENT_FAILED : DEPLOYMENT_OK;
}

const struct containers *agent_containers(const struct agent *a)
{
    return a->containers;
}
