/* See edge_hub_private.h: the edge hub's child, from what has to be there before it starts to what
 * it leaves at its end. */
#include "vm/guest/edged/edge_hub_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/agent_log.h"
#include "vm/guest/edged/edge_hub_settings.h"

#include <unistd.h>

#define IDENTITY "$edgeHub"
#define GRACE_MS 10000

/* ------------------------------------------------------------------------------- the child */

void edge_hub_make_settings(const struct edge_hub *h, const struct module_spec *spec,
                            struct buf *out)
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

void edge_hub_end_child(struct edge_hub *h)
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
        edge_hub_save(h);
    edge_hub_tell(h, false, NULL);
    if (!h->again) {
        err_set(&err, ERR_CANCELLED, "it was stopped");
        edge_hub_tell(h, true, &err);
    }
    edge_hub_look_in(h, 0);
    h->c.changed(h->c.arg);
}

static int spawn(struct edge_hub *h, const struct module_spec *spec, struct err *err)
{
    static const struct child_service_events events = {on_line, on_ready, on_exit_status};
    const char *const argv[] = {h->c.program, "--role",         "edge",       "--dir", h->dir,
                                "--settings", h->settings_path, "--ready-fd", "3",     NULL};
    auto_wiped_buf struct buf text = {0};
    auto_free char *socket = xasprintf("%s/" EDGE_HUB_RUNTIME_SOCKET, h->dir);
    edge_hub_make_settings(h, spec, &text);
    if (file_mkdirs(h->dir, 0700, err) < 0 ||
        file_write(h->settings_path, text.data, text.len, 0600, err) < 0 ||
        workload_open_hub(h->c.workload, socket, err) < 0 ||
        /* Whose folder it is, before anything is kept in it. */
        edge_hub_state_write(h->state_path, &h->state, err) < 0)
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
    edge_hub_tell(h, true, err);
    edge_hub_look_in(h, delay);
    h->c.changed(h->c.arg);
}

static void start_now(struct edge_hub *h, const struct module_spec *spec)
{
    struct err err;
    struct module_track *t = &h->track;
    h->again = false;
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
    edge_hub_save(h);
    edge_hub_tell(h, true, NULL);
    edge_hub_look_in(h, 0);
    h->c.changed(h->c.arg);
}

static void on_identity(void *arg, const char *generation, const struct err *err)
{
    struct edge_hub *h = arg;
    const struct module_spec *spec = edge_hub_spec(h);
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
void edge_hub_start(struct edge_hub *h, const struct module_spec *spec, bool counted)
{
    struct err err;
    bool asked_for = h->again;
    h->again = false;
    if (counted) {
        h->track.restart.count++;
        h->track.restart.last_ms = clock_wall_ms();
    }
    if (!h->known) {
        if (edge_hub_take_folder(h, &err) < 0) {
            fail(h, &err);
            return;
        }
        h->again = h->again || asked_for;
        edge_hub_look_in(h, 0); /* unless it was asked for, it may not be to start at all */
        return;
    }
    if (!installed(h, &err) || edge_hub_clear(h, &err) < 0) {
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
