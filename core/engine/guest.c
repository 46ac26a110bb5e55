/* The session to a guest and its life: connect, come back, fill in the view. See guest.h. */
#include "core/engine/guest_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define GUEST_LOGIN_MS   20000
#define GUEST_AGAIN_MS   500
#define GUEST_AGAIN_MAX  5000  /* back-off's end */
#define GUEST_REFUSED_MS 15000 /* a wrong key does not become right by trying */
#define GUEST_PATIENT    240 /* tries at the short interval: a guest that boots answers soon after */

static void guest_connect(struct guest *g);

/* ---- the session ---- */

static void on_again(uv_timer_t *timer)
{
    guest_connect(timer->data);
}

static uint64_t guest_pause(const struct guest *g)
{
    if (g->why.kind == ERR_AUTH)
        return GUEST_REFUSED_MS;
    if (g->tries < GUEST_PATIENT && g->state == GUEST_STATE_STARTING)
        return GUEST_AGAIN_MS;
    uint64_t pause = (uint64_t)GUEST_AGAIN_MS << (g->tries < 4 ? g->tries : 4);
    return pause < GUEST_AGAIN_MAX ? pause : GUEST_AGAIN_MAX;
}

static void guest_show_state(struct guest *g)
{
    static const enum vm_state states[] = {
        [GUEST_STATE_STARTING] = VM_STATE_STARTING,
        [GUEST_STATE_READY] = VM_STATE_RUNNING,
        [GUEST_STATE_SILENT] = VM_STATE_SILENT,
    };
    g->view.state = states[g->state];
    /* While it boots, "nothing listens yet" is no reason to show; a wrong identity is. */
    bool say = g->state == GUEST_STATE_SILENT ||
               (g->state == GUEST_STATE_STARTING && g->why.kind == ERR_AUTH);
    STR_SET(g->view.reason, say ? g->why.msg : "");
}

static void on_remote_ready(void *arg)
{
    struct guest *g = arg;
    g->state = GUEST_STATE_READY;
    g->tries = 0;
    g->why = (struct err){0};
    g->view.seen_ms = clock_wall_ms();
    guest_show_state(g);
    guest_changed(g);
    if (!g->freed)
        guest_poll(g);
}

static void on_remote_end(void *arg, const struct err *why)
{
    struct guest *g = arg;
    remote_free(steal(g->remote));
    guest_round_cancel(g);
    if (g->state == GUEST_STATE_READY) {
        log_warn("guest", "%s:%u: %s", g->host, g->port, why->msg);
        g->state = GUEST_STATE_SILENT;
    } else if (why->kind == ERR_AUTH && g->why.kind != ERR_AUTH) {
        log_warn("guest", "%s:%u: %s", g->host, g->port, why->msg);
    }
    g->why = *why;
    uv_timer_start(&g->again, on_again, guest_pause(g), 0);
    g->tries++;
    guest_show_state(g);
    guest_changed(g);
}

static const struct remote_events remote_handlers = {
    .on_ready = on_remote_ready,
    .on_end = on_remote_end,
};

static void guest_connect(struct guest *g)
{
    struct remote_target target = {
        .host = g->host,
        .port = g->port,
        .user = g->user,
        .key_file = g->key_file,
        .host_key = g->host_key,
        .timeout_ms = GUEST_LOGIN_MS,
    };
    g->remote = remote_connect(g->loop, &target, &remote_handlers, g);
}

/* ---- the view ---- */

enum guest_state guest_state(const struct guest *g)
{
    return g->state;
}

void guest_changed(struct guest *g)
{
    /* Padding may differ: then the owner is told once too often. */
    bool same =
        memcmp(&g->view, &g->told, sizeof(g->view)) == 0; /* NOLINT(bugprone-suspicious-*) */
    if (same)
        return;
    g->told = g->view;
    if (g->events->on_change)
        g->events->on_change(g->arg);
}

void guest_fill(const struct guest *g, struct vm_status *v)
{
    const struct vm_status *from = &g->view;
    v->state = from->state;
    STR_SET(v->reason, from->reason);
    v->seen_ms = from->seen_ms;
    v->cpu_percent = from->cpu_percent;
    v->memory_used = from->memory_used;
    v->memory_total = from->memory_total;
    v->disk_used = from->disk_used;
    v->disk_total = from->disk_total;
    v->runtime = from->runtime;
    STR_SET(v->runtime_version, from->runtime_version);
    STR_SET(v->runtime_reason, from->runtime_reason);
    STR_SET(v->device_id, from->device_id);
    STR_SET(v->hub, from->hub);
    v->cloud = from->cloud;
    v->cloud_since_ms = from->cloud_since_ms;
    STR_SET(v->cloud_reason, from->cloud_reason);
    memcpy(v->modules, from->modules, sizeof(v->modules));
    v->n_modules = from->n_modules;
}

/* ---- life ---- */

struct guest *guest_new(uv_loop_t *loop, const struct guest_target *target,
                        const struct guest_events *events, void *arg)
{
    struct guest *g = xcalloc(1, sizeof(*g));
    g->loop = loop;
    g->host = xstrdup(target->host);
    g->port = target->port;
    g->key_file = xstrdup(target->key_file);
    g->host_key = xstrdup(target->host_key);
    g->user = xstrdup(target->user ? target->user : "berth");
    const char *root = target->root ? target->root : "";
    g->mgmt = xasprintf("%s%s", root, GUEST_MGMT_SOCKET);
    g->docker = xasprintf("%s%s", root, GUEST_DOCKER_SOCKET);
    g->admin = xasprintf("%s%s", root, GUEST_ADMIN_SOCKET);
    g->events = events;
    g->arg = arg;
    g->view.cpu_percent = -1;
    (void)uv_timer_init(loop, &g->again);
    (void)uv_timer_init(loop, &g->poll);
    g->again.data = g->poll.data = g;
    g->handles = 2;
    guest_show_state(g);
    g->told = g->view;
    guest_connect(g);
    return g;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct guest *g = handle->data;
    if (--g->handles)
        return;
    free(g->host);
    free(g->key_file);
    free(g->host_key);
    free(g->user);
    free(g->mgmt);
    free(g->docker);
    free(g->admin);
    free(g->calls);
    free(g);
}

void guest_free(struct guest *g)
{
    if (!g || g->freed)
        return;
    g->freed = true;
    guest_round_cancel(g);
    guest_calls_end(g);
    remote_free(steal(g->remote));
    uv_close((uv_handle_t *)&g->again, on_handle_closed);
    uv_close((uv_handle_t *)&g->poll, on_handle_closed);
}
