/* See edge_hub.h. Like the agent: one look compares what is with what should be and takes one step;
 * each end, answer, change of the deployment and passed time leads to another look. */
#include "vm/guest/edged/edge_hub.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "core/io/child.h"
#include "vm/guest/edged/agent_log.h"
#include "vm/guest/edged/edge_hub_settings.h"
#include "vm/guest/edged/edge_hub_state.h"

#include <unistd.h>

#define IDENTITY "$edgeHub"
#define GRACE_MS 10000

struct wait {
    struct wait *next;
    bool start; /* for the next start; else for the end */
    edge_hub_fn fn;
    void *arg;
};

struct edge_hub {
    struct edge_hub_context c;
    bool began; /* the device is known */
    bool closed;
    uv_timer_t *timer; /* the next look */
    char *dir, *state_path, *settings_path;
    struct edge_hub_state state; /* its container: how the child is doing, in a container's words */
    struct module_track track;   /* busy: its identity is asked for */
    char hash[DEPLOYMENT_HASH_SIZE]; /* of the spec that the track is for */
    bool wanted;                     /* and its status */
    struct child_service *child;     /* NULL: none runs */
    struct buf settings;             /* it was started with */
    bool ending;                     /* it was told to end */
    bool again;                      /* to be started without being counted */
    struct workload_wait *admission;
    struct wait *waits;
};

static void on_timer(uv_timer_t *timer);

/* ------------------------------------------------------------------------------- small things */

static const struct module_spec *spec_of(const struct edge_hub *h)
{
    const struct deployment *d = agent_deployment(h->c.agent);
    return d ? d->hub : NULL;
}

static void look_in(struct edge_hub *h, uint64_t ms)
{
    (void)uv_timer_start(h->timer, on_timer, ms, 0);
}

static void look_at(struct edge_hub *h, uint64_t at_ms, uint64_t now_ms)
{
    look_in(h, at_ms > now_ms ? at_ms - now_ms : 0);
}

static void save(struct edge_hub *h)
{
    struct err err;
    h->state.restart = h->track.restart;
    if (edge_hub_state_write(h->state_path, &h->state, &err) < 0)
        log_error("module", EDGE_HUB_NAME ": its state could not be saved: %s", err.msg);
}

/* Those that wait for a start, or for the end. */
static void tell(struct edge_hub *h, bool start, const struct err *err)
{
    struct wait **at = &h->waits;
    while (*at) {
        struct wait *wait = *at;
        if (wait->start != start) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        wait->fn(wait->arg, err);
        free(wait);
    }
}

static void make_settings(const struct edge_hub *h, const struct module_spec *spec, struct buf *out)
{
    const struct edge_hub_facts facts = {
        .config = h->c.config,
        .device = &h->state.device,
        .spec = spec,
        .https_port = h->c.https_port,
        .dir = h->dir,
    };
    edge_hub_settings(&facts, out);
}

/* ------------------------------------------------------------------------------- the child */

static void end_child(struct edge_hub *h)
{
    if (h->ending)
        return;
    h->ending = true;
    STR_SET(h->track.activity, "stopping");
    child_service_end(h->child, GRACE_MS);
}

static void on_line(void *arg, const char *line)
{
    (void)arg;
    agent_log_hub(line);
}

static void on_ready(void *arg, const char *why_not)
{
    struct edge_hub *h = arg;
    STR_SET(h->track.problem, why_not);
    if (!h->ending)
        h->track.activity[0] = '\0';
    h->c.changed(h->c.arg);
}

static void on_exit_status(void *arg, int status)
{
    struct edge_hub *h = arg;
    struct err err;
    struct container *c = &h->state.container;
    if (h->ending)
        log_info("module", EDGE_HUB_NAME ": stopped");
    else
        log_warn("module", EDGE_HUB_NAME ": ended with exit code %d", status);
    child_service_free(steal(h->child));
    workload_admit_hub(h->c.workload, 0);
    h->ending = false;
    h->track.activity[0] = '\0';
    c->state = CONTAINER_EXITED;
    c->ended = true;
    c->exit_code = status;
    c->finished_ms = clock_wall_ms();
    c->pid = 0;
    if (!h->closed) /* else the next process is to find that it ran */
        save(h);
    tell(h, false, NULL);
    if (!h->again) {
        err_set(&err, ERR_CANCELLED, "it was stopped");
        tell(h, true, &err);
    }
    look_in(h, 0);
    h->c.changed(h->c.arg);
}

static int spawn(struct edge_hub *h, const struct module_spec *spec, struct err *err)
{
    static const struct child_service_events events = {on_line, on_ready, on_exit_status};
    const char *const argv[] = {h->c.program, "--role",         "edge",       "--dir", h->dir,
                                "--settings", h->settings_path, "--ready-fd", "3",     NULL};
    auto_wiped_buf struct buf text = {0};
    auto_free char *socket = xasprintf("%s/" EDGE_HUB_RUNTIME_SOCKET, h->dir);
    make_settings(h, spec, &text);
    if (file_mkdirs(h->dir, 0700, err) < 0 ||
        file_write(h->settings_path, text.data, text.len, 0600, err) < 0 ||
        workload_open_hub(h->c.workload, socket, err) < 0)
        return -1;
    h->child = child_service_start(h->c.loop, argv, &events, h, err);
    if (!h->child)
        return -1;
    buf_wipe(&h->settings);
    h->settings = text;
    text = (struct buf){0};
    h->state.container.pid = child_service_pid(h->child);
    h->state.pid_ticks = child_start_time(h->state.container.pid);
    workload_admit_hub(h->c.workload, h->state.container.pid);
    return 0;
}

/* ------------------------------------------------------------------------------- starting */

static void fail(struct edge_hub *h, const struct err *err)
{
    struct module_track *t = &h->track;
    uint64_t delay = restart_delay_ms(t->failures++);
    t->retry_ms = clock_wall_ms() + delay;
    STR_SET(t->problem, err->msg);
    log_warn("module", EDGE_HUB_NAME ": %s; next attempt in %llu s", err->msg,
             (unsigned long long)delay / 1000);
    tell(h, true, err);
    look_in(h, delay);
    h->c.changed(h->c.arg);
}

static void start_now(struct edge_hub *h, const struct module_spec *spec)
{
    struct err err;
    struct module_track *t = &h->track;
    if (spawn(h, spec, &err) < 0) {
        fail(h, &err);
        return;
    }
    log_info("module", EDGE_HUB_NAME ": started");
    h->state.container.state = CONTAINER_RUNNING;
    h->state.container.started_ms = clock_wall_ms();
    t->failures = 0;
    t->retry_ms = 0;
    t->problem[0] = '\0';
    STR_SET(t->activity, "starting");
    save(h);
    tell(h, true, NULL);
    look_in(h, 0);
    h->c.changed(h->c.arg);
}

static void on_identity(void *arg, const char *generation, const struct err *err)
{
    struct edge_hub *h = arg;
    const struct module_spec *spec = spec_of(h);
    (void)generation;
    h->admission = NULL;
    h->track.busy = false;
    h->track.activity[0] = '\0';
    if (err)
        fail(h, err);
    else if (spec && !h->closed)
        start_now(h, spec);
}

static bool installed(const struct edge_hub *h, struct err *err)
{
    if (access(h->c.program, X_OK) == 0)
        return true;
    err_set(err, ERR_NOT_FOUND, "the edge hub is not installed: there is no program %s",
            h->c.program);
    return false;
}

/* Its identity comes first: without one, nothing it says at the cloud would hold. */
static void start(struct edge_hub *h, const struct module_spec *spec, bool counted)
{
    struct err err;
    h->again = false;
    if (counted) {
        h->track.restart.count++;
        h->track.restart.last_ms = clock_wall_ms();
    }
    if (!installed(h, &err)) {
        fail(h, &err);
        return;
    }
    if (workload_generation(h->c.workload, IDENTITY)) {
        start_now(h, spec);
        return;
    }
    h->admission = workload_identify(h->c.workload, IDENTITY, on_identity, h, &err);
    h->track.busy = h->admission != NULL;
    if (!h->admission)
        fail(h, &err);
    else
        STR_SET(h->track.activity, "asking for its identity");
}

/* ------------------------------------------------------------------------------- looks */

/* A changed spec starts afresh, and its next attempt comes at once. */
static void take_spec(struct edge_hub *h, const struct module_spec *spec)
{
    bool known = h->hash[0] != '\0';
    const char *hash = spec ? spec->hash : "";
    bool wanted = spec && spec->running;
    if (str_eq(h->hash, hash) && h->wanted == wanted)
        return;
    STR_SET(h->hash, hash);
    h->wanted = wanted;
    h->again = wanted && (h->again || (known && (!h->child || h->ending)));
    h->track.failures = 0;
    h->track.retry_ms = 0;
    h->track.problem[0] = '\0';
    if (known) /* else it goes on from the file */
        h->track.restart = (struct restart_track){0};
}

static void look_at_child(struct edge_hub *h, const struct module_spec *spec, uint64_t now_ms)
{
    auto_wiped_buf struct buf text = {0};
    if (h->ending)
        return;
    if (!spec || !spec->running) {
        end_child(h);
        return;
    }
    make_settings(h, spec, &text);
    if (!str_eq(buf_str(&text), buf_str(&h->settings))) {
        log_info("module", EDGE_HUB_NAME ": its settings changed: restarting it");
        h->again = true;
        end_child(h);
        return;
    }
    struct restart_verdict v = restart_decide(spec, &h->state.container, &h->track.restart, now_ms);
    if (v.steady) {
        h->track.restart = (struct restart_track){0};
        save(h);
    }
    if (v.at_ms)
        look_at(h, v.at_ms, now_ms);
}

/* Where it is deployed again, that is a new one. */
static void forget(struct edge_hub *h)
{
    struct container *c = &h->state.container;
    if (c->state == CONTAINER_CREATED)
        return;
    c->state = CONTAINER_CREATED;
    c->started_ms = c->finished_ms = 0;
    c->ended = false;
    save(h);
}

static void look_for_child(struct edge_hub *h, const struct module_spec *spec, uint64_t now_ms)
{
    if (h->track.busy)
        return;
    if (!spec) {
        forget(h);
        return;
    }
    if (h->again) {
        start(h, spec, false);
        return;
    }
    if (h->track.retry_ms > now_ms) {
        look_at(h, h->track.retry_ms, now_ms);
        return;
    }
    struct restart_verdict v = restart_decide(spec, &h->state.container, &h->track.restart, now_ms);
    if (v.step == RESTART_STEP_NONE)
        return;
    if (v.at_ms > now_ms)
        look_at(h, v.at_ms, now_ms);
    else
        start(h, spec, v.step == RESTART_STEP_AGAIN);
}

void edge_hub_look(struct edge_hub *h)
{
    const struct module_spec *spec = spec_of(h);
    uint64_t now_ms = clock_wall_ms();
    if (!h->began || h->closed)
        return;
    take_spec(h, spec);
    if (h->child)
        look_at_child(h, spec, now_ms);
    else
        look_for_child(h, spec, now_ms);
}

static void on_timer(uv_timer_t *timer)
{
    edge_hub_look(timer->data);
}

/* ------------------------------------------------------------------------------- asked for */

bool edge_hub_act(struct edge_hub *h, enum edge_hub_act act, edge_hub_fn fn, void *arg)
{
    if (act == (h->child && !h->ending ? EDGE_HUB_START : EDGE_HUB_STOP))
        return false;
    struct wait *wait = xcalloc(1, sizeof(*wait));
    *wait = (struct wait){h->waits, act != EDGE_HUB_STOP, fn, arg};
    h->waits = wait;
    h->again = act != EDGE_HUB_STOP;
    if (h->child)
        end_child(h);
    else
        look_in(h, 0);
    h->c.changed(h->c.arg);
    return true;
}

bool edge_hub_view(const struct edge_hub *h, struct module_view *ret_view)
{
    const struct module_spec *spec = spec_of(h);
    bool ever = h->state.container.state != CONTAINER_CREATED;
    if (!spec)
        return false;
    *ret_view = (struct module_view){
        .name = spec->name, .spec = spec, .container = ever ? &h->state.container : NULL};
    module_view_fill(ret_view, &h->track);
    return true;
}

/* ------------------------------------------------------------------------------- life */

void edge_hub_begin(struct edge_hub *h, const struct device *device)
{
    struct err err;
    struct edge_hub_state *s = &h->state;
    if (edge_hub_state_read(h->state_path, s, &err) < 0)
        log_warn("module", EDGE_HUB_NAME ": what it was is not known: %s", err.msg);
    edge_hub_state_kill(s);
    if (*s->device.id &&
        !(str_eq(s->device.id, device->id) && str_eq(s->device.hub, device->hub))) {
        log_info("module", EDGE_HUB_NAME ": removing what it kept for device %s", s->device.id);
        *s = (struct edge_hub_state){.container.state = CONTAINER_CREATED};
        if (file_remove_tree(h->dir, &err) < 0)
            log_error("module", EDGE_HUB_NAME ": %s", err.msg);
    }
    s->device = *device;
    s->container.image = xasprintf("berth-hub:%s", BERTH_VERSION);
    s->container.labels = xstrdup("");
    s->container.pid = 0;
    h->track.restart = s->restart;
    h->again = s->container.state == CONTAINER_RUNNING; /* it ended with the former process */
    if (h->again) {
        s->container.state = CONTAINER_EXITED;
        s->container.exit_code = 0;
    }
    h->began = true;
    look_in(h, 0);
}

struct edge_hub *edge_hub_new(const struct edge_hub_context *context)
{
    struct edge_hub *h = xcalloc(1, sizeof(*h));
    h->c = *context;
    h->dir = xasprintf("%s/hub", context->state_dir);
    h->state_path = xasprintf("%s/runtime.json", h->dir);
    h->settings_path = xasprintf("%s/settings.json", h->dir);
    h->state.container.state = CONTAINER_CREATED;
    STR_SET(h->track.name, EDGE_HUB_NAME);
    h->timer = xcalloc(1, sizeof(*h->timer));
    (void)uv_timer_init(context->loop, h->timer);
    h->timer->data = h;
    return h;
}

bool edge_hub_running(const struct edge_hub *h)
{
    return h->child != NULL;
}

void edge_hub_close(struct edge_hub *h)
{
    h->closed = true;
    h->again = false;
    if (h->child)
        end_child(h);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void edge_hub_free(struct edge_hub *h)
{
    struct err err;
    if (!h)
        return;
    err_set(&err, ERR_CANCELLED, "the runtime ends");
    tell(h, true, &err);
    tell(h, false, &err);
    workload_cancel(h->admission);
    child_service_free(h->child);
    uv_close((uv_handle_t *)h->timer, on_closed);
    container_done(&h->state.container);
    buf_wipe(&h->settings);
    free(h->dir);
    free(h->state_path);
    free(h->settings_path);
    free(h);
}
