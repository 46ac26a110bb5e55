/* For tests of the edge hub's twins: a real store and loop, and around them a scripted cloud and
 * scripted clients, which the edge hub's functions of these names would be. One to a program. */
#ifndef BERTH_TESTS_EDGE_NEIGHBOURS_H
#define BERTH_TESTS_EDGE_NEIGHBOURS_H

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_config.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_self.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_twins.h"
#include "vm/guest/hub/edge_upstream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 10000

/* What the code under test asked of the cloud, in order. */
struct edge_upstream_call {
    struct edge_upstream_call *next;
    char *who;   /* "device/module" */
    char *patch; /* NULL: asks for the twin */
    edge_upstream_fn fn;
    void *arg;
};

static struct {
    struct edge edge;
    struct edge_settings settings;
    uv_loop_t loop;
    char dir[40], path[60];

    struct edge_upstream_call *calls;
    bool online, connected, full; /* FULL: the queue of messages */
    struct buf said;              /* to the clients, a line each */
    struct buf messages;          /* for the routes, a line each */
    struct buf configs;           /* that were put in force, a line each */
    struct edge_report_row {
        const char *module;
        bool connected;
        uint64_t connected_ms, disconnected_ms;
    } rows[400];
    size_t n_rows;
    int failures;
} world;

static inline void report(const char *name, bool ok)
{
    if (ok)
        printf("ok %s\n", name);
    else
        printf("not ok %s: said \"%s\", asks the cloud \"%s\"\n", name, buf_str(&world.said),
               !world.calls         ? "nothing"
               : world.calls->patch ? world.calls->patch
                                    : "for the twin");
    world.failures += !ok;
    (void)fflush(stdout);
}

/* ---- the cloud ---- */

static inline struct edge_upstream_call *add_call(const char *device, const char *module,
                                                  const char *patch, size_t len,
                                                  edge_upstream_fn fn, void *arg)
{
    struct edge_upstream_call *c = xcalloc(1, sizeof(*c)), **at = &world.calls;

    c->who = xasprintf("%s%s%s", device, module[0] ? "/" : "", module);
    c->patch = patch ? xstrndup(patch, len) : NULL;
    c->fn = fn;
    c->arg = arg;
    while (*at)
        at = &(*at)->next;
    *at = c;
    return c;
}

struct edge_upstream_call *edge_upstream_get_twin(struct edge_upstream *u, const char *device,
                                                  const char *module, edge_upstream_fn fn,
                                                  void *arg)
{
    (void)u;
    return add_call(device, module, NULL, 0, fn, arg);
}

struct edge_upstream_call *edge_upstream_report(struct edge_upstream *u, const char *device,
                                                const char *module, const char *patch, size_t len,
                                                edge_upstream_fn fn, void *arg)
{
    (void)u;
    return add_call(device, module, patch, len, fn, arg);
}

static inline void take_call(struct edge_upstream_call *c)
{
    struct edge_upstream_call **at = &world.calls;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c->who);
    free(c->patch);
    free(c);
}

void edge_upstream_cancel(struct edge_upstream_call *call)
{
    if (call)
        take_call(call);
}

bool edge_upstream_online(const struct edge_upstream *u, const char *device, const char *module)
{
    (void)u, (void)device, (void)module;
    return world.online;
}

void edge_upstream_client(struct edge_upstream *u, const char *device, const char *module,
                          bool present, unsigned subs, const char *model_id)
{
    (void)u, (void)device, (void)module, (void)present, (void)subs, (void)model_id;
}

/* Whether the oldest call is this one. PATCH NULL: a question. */
static inline bool is_call(const char *who, const char *patch)
{
    return world.calls && str_eq(world.calls->who, who) && str_eq(world.calls->patch, patch);
}

static inline size_t count_calls(void)
{
    size_t n = 0;

    for (const struct edge_upstream_call *c = world.calls; c; c = c->next)
        n++;
    return n;
}

/* The cloud answers the oldest call. */
static inline void answer(int status, uint64_t version, const char *body)
{
    struct edge_upstream_call *c = world.calls;
    edge_upstream_fn fn = c ? c->fn : NULL;
    void *arg = c ? c->arg : NULL;
    struct err err = {0};

    if (!fn) {
        report("there is a call to answer", false);
        return;
    }
    if (status >= 300)
        (void)err_set(&err, ERR_REMOTE, "the cloud answered %d", status);
    take_call(c);
    fn(arg, status, version, body, strlen(body), status >= 300 ? &err : NULL);
}

/* The cloud is gone: all calls fail. */
static inline void go_offline(void)
{
    struct err err = {.kind = ERR_UNREACHABLE, .msg = "the cloud cannot be reached"};

    world.online = false;
    for (size_t n = count_calls(); n > 0; n--) {
        struct edge_upstream_call *c = world.calls;
        edge_upstream_fn fn = c->fn;
        void *arg = c->arg;

        take_call(c);
        fn(arg, 0, 0, "", 0, &err);
    }
}

/* ---- clients and routes ---- */

void edge_clients_twin_reply(struct edge_clients *c, const char *device, const char *module,
                             const char *rid, int status, const uint64_t *version, const char *body,
                             size_t len)
{
    (void)c, (void)device, (void)module;
    buf_printf(&world.said, "%s:%d", rid, status);
    if (version)
        buf_printf(&world.said, ":%" PRIu64, *version);
    if (status == 200)
        buf_printf(&world.said, ":%.*s", (int)len, body);
    else if ((status == 204) != (len == 0)) /* a refusal is known by its body */
        buf_puts(&world.said, ":wrong body");
    buf_putc(&world.said, '\n');
}

void edge_clients_push_desired(struct edge_clients *c, const char *device, const char *module,
                               uint64_t version, const char *patch, size_t len)
{
    (void)c, (void)device, (void)module;
    buf_printf(&world.said, "desired:%" PRIu64 ":%.*s\n", version, (int)len, patch);
}

bool edge_clients_connected(const struct edge_clients *c, const char *device, const char *module)
{
    (void)c, (void)device, (void)module;
    return world.connected;
}

void edge_clients_each(const struct edge_clients *c,
                       void (*fn)(void *arg, const char *device, const char *module, bool connected,
                                  uint64_t connected_ms, uint64_t disconnected_ms),
                       void *arg)
{
    (void)c;
    for (size_t i = 0; i < world.n_rows; i++)
        fn(arg, "edge.1", world.rows[i].module, world.rows[i].connected, world.rows[i].connected_ms,
           world.rows[i].disconnected_ms);
}

int edge_router_take(struct edge_router *r, const struct edge_message *m, struct err *err)
{
    (void)r;
    if (world.full)
        return err_set(err, ERR_NO_SPACE, "no room for more messages");
    buf_printf(&world.messages, "%d %s %s %.*s %.*s\n", (int)m->kind, m->device, m->module,
               (int)m->bag_len, m->bag, (int)m->len, (const char *)m->body);
    return 0;
}

void edge_router_configure(struct edge_router *r, struct edge_config *config, const char *text,
                           size_t len)
{
    (void)r;
    buf_printf(&world.configs, "%.*s\n", (int)len, text);
    edge_config_free(config);
}

/* ---- the world ---- */

/* What the clients were told since the last call. */
static inline bool said(const char *text)
{
    bool same = str_eq(buf_str(&world.said), text);

    if (same)
        buf_clear(&world.said);
    return same;
}

static inline bool commit(void)
{
    return edge_store_commit(world.edge.store, NULL) == 0;
}

static inline void open_store(void)
{
    struct err err = {0};

    if (edge_store_open(world.path, &world.edge.store, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static inline void open_world(void)
{
    static char device[] = "edge.1";

    log_set_level(LOG_LEVEL_ERROR + 1);
    (void)uv_loop_init(&world.loop);
    world.settings.device = device;
    world.edge.loop = &world.loop;
    world.edge.settings = &world.settings;
    world.edge.metrics = edge_metrics_new("hub", device, "0");
    (void)str_format(world.dir, sizeof(world.dir), "/tmp/berth-edge-twins-XXXXXX");
    if (!mkdtemp(world.dir))
        abort();
    (void)str_format(world.path, sizeof(world.path), "%s/edge.db", world.dir);
    open_store();
    world.edge.twins = edge_twins_new(&world.edge);
    world.online = world.connected = true;
}

/* Runs the loop until DONE. */
static inline bool wait_until(bool (*done)(void))
{
    uint64_t end = clock_mono_ms() + DEADLINE_MS;

    while (!done() && clock_mono_ms() < end)
        (void)uv_run(&world.loop, UV_RUN_ONCE);
    return done();
}

static inline void close_world(void)
{
    edge_twins_free(world.edge.twins);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&world.loop);
    edge_store_close(world.edge.store);
    meters_free(world.edge.metrics);
    buf_done(&world.said);
    buf_done(&world.messages);
    buf_done(&world.configs);
    while (world.calls)
        take_call(world.calls);
    (void)file_remove_tree(world.dir, NULL);
}

#endif
