/* See edge_hub.h. Like the agent: one look compares what is with what should be and takes one step;
 * each end, answer, change of the deployment and passed time leads to another look. */
#include "vm/guest/edged/edge_hub_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"

static void on_timer(uv_timer_t *timer);

/* ------------------------------------------------------------------------------- small things */

const struct module_spec *edge_hub_spec(const struct edge_hub *h)
{
    const struct deployment *d = agent_deployment(h->c.agent);
    return d ? d->hub : NULL;
}

void edge_hub_look_in(struct edge_hub *h, uint64_t ms)
{
    (void)uv_timer_start(h->timer, on_timer, ms, 0);
}

static void look_at(struct edge_hub *h, uint64_t at_ms, uint64_t now_ms)
{
    edge_hub_look_in(h, at_ms > now_ms ? at_ms - now_ms : 0);
}

void edge_hub_save(struct edge_hub *h)
{
    struct err err;
    h->state.restart = h->track.restart;
    if (edge_hub_state_write(h->state_path, &h->state, &err) < 0)
        log_error("module", EDGE_HUB_NAME ": its state could not be saved: %s", err.msg);
}

/* Another device's messages must not go out as this one's: as long as they are here, no hub starts.
 */
int edge_hub_clear(struct edge_hub *h, struct err *err)
{
    if (h->foreign && file_remove_tree(h->dir, err) < 0)
        return err_wrap(err, "what it kept for another device is still here");
    h->foreign = false;
    return 0;
}

/* Those that wait for a start, or for the end. */
void edge_hub_tell(struct edge_hub *h, bool start, const struct err *err)
{
    struct edge_hub_wait **at = &h->waits;
    while (*at) {
        struct edge_hub_wait *wait = *at;
        if (wait->start != start) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        wait->fn(wait->arg, err);
        free(wait);
    }
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
        edge_hub_end_child(h);
        return;
    }
    edge_hub_make_settings(h, spec, &text);
    if (!str_eq(buf_str(&text), buf_str(&h->settings))) {
        log_info("module", EDGE_HUB_NAME ": its settings changed: restarting it");
        h->again = true;
        edge_hub_end_child(h);
        return;
    }
    struct restart_verdict v = restart_decide(spec, &h->state.container, &h->track.restart, now_ms);
    if (v.steady) {
        h->track.restart = (struct restart_track){0};
        edge_hub_save(h);
    }
    if (v.at_ms)
        look_at(h, v.at_ms, now_ms);
}

/* Where it is deployed again, that is a new one. */
static void forget(struct edge_hub *h)
{
    struct err err;
    struct container *c = &h->state.container;
    h->again = false;
    err_set(&err, ERR_CANCELLED, "it is not deployed any more");
    edge_hub_tell(h, true, &err);
    if (c->state == CONTAINER_CREATED)
        return;
    c->state = CONTAINER_CREATED;
    c->started_ms = c->finished_ms = 0;
    c->ended = false;
    edge_hub_save(h);
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
        edge_hub_start(h, spec, false);
        return;
    }
    if (restart_waits(h->track.retry_ms, now_ms)) {
        look_at(h, h->track.retry_ms, now_ms);
        return;
    }
    struct restart_verdict v = restart_decide(spec, &h->state.container, &h->track.restart, now_ms);
    if (v.step == RESTART_STEP_NONE)
        return;
    if (v.at_ms > now_ms)
        look_at(h, v.at_ms, now_ms);
    else
        edge_hub_start(h, spec, v.step == RESTART_STEP_AGAIN);
}

void edge_hub_look(struct edge_hub *h)
{
    const struct module_spec *spec = edge_hub_spec(h);
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
    struct edge_hub_wait *wait = xcalloc(1, sizeof(*wait));
    *wait = (struct edge_hub_wait){h->waits, act != EDGE_HUB_STOP, fn, arg};
    h->waits = wait;
    h->again = act != EDGE_HUB_STOP;
    if (h->child)
        edge_hub_end_child(h);
    else
        edge_hub_look_in(h, 0);
    h->c.changed(h->c.arg);
    return true;
}

bool edge_hub_view(const struct edge_hub *h, struct module_view *ret_view)
{
    const struct module_spec *spec = edge_hub_spec(h);
    bool ever = h->state.container.state != CONTAINER_CREATED;
    if (!spec)
        return false;
    *ret_view = (struct module_view){
        .name = spec->name, .spec = spec, .container = ever ? &h->state.container : NULL};
    module_view_fill(ret_view, &h->track);
    return true;
}

/* ------------------------------------------------------------------------------- life */

/* What was read is gone on from. */
static void go_on(struct edge_hub *h)
{
    struct edge_hub_state *s = &h->state;
    s->container.image = xasprintf("berth-hub:%s", BERTH_VERSION);
    s->container.labels = xstrdup("");
    s->container.pid = 0;
    h->track.restart = s->restart;
    h->again = s->container.state == CONTAINER_RUNNING; /* it ended with the former process */
    if (h->again) {
        s->container.state = CONTAINER_EXITED;
        s->container.exit_code = 0;
    }
}

/* A folder that nobody can say whose it is stays, and no hub is started in it. */
int edge_hub_take_folder(struct edge_hub *h, struct err *err)
{
    struct edge_hub_state *s = &h->state;
    const struct device *device = h->device;
    struct err why;
    if (edge_hub_state_read(h->state_path, s, &why) < 0) {
        if (why.kind != ERR_PROTOCOL) {
            *err = why;
            return err_wrap(err, "whose messages it keeps cannot be found out");
        }
        log_warn("module", EDGE_HUB_NAME ": what it was is not known: %s", why.msg);
    }
    h->known = true;
    edge_hub_state_kill(s);
    if (!(str_eq(s->device.id, device->id) && str_eq(s->device.hub, device->hub))) {
        h->foreign = file_exists(h->dir);
        if (h->foreign)
            log_info("module", EDGE_HUB_NAME ": removing what it kept for %s%s",
                     *s->device.id ? "device " : "nobody knows whom", s->device.id);
        *s = (struct edge_hub_state){.container.state = CONTAINER_CREATED};
        if (edge_hub_clear(h, &why) < 0)
            log_error("module", EDGE_HUB_NAME ": %s", why.msg);
    }
    s->device = *device;
    go_on(h);
    return 0;
}

void edge_hub_begin(struct edge_hub *h, const struct device *device)
{
    struct err err;
    h->device = device;
    if (edge_hub_take_folder(h, &err) < 0)
        log_error("module", EDGE_HUB_NAME ": %s", err.msg);
    h->began = true;
    edge_hub_look_in(h, 0);
}

struct edge_hub *edge_hub_new(const struct edge_hub_context *context)
{
    struct edge_hub *h = xcalloc(1, sizeof(*h));
    log_keep_apart(EDGE_HUB_NAME); /* what agent_log.h takes from it */
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
        edge_hub_end_child(h);
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
    edge_hub_tell(h, true, &err);
    edge_hub_tell(h, false, &err);
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
