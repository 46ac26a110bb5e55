/* See edge_upstream.h: the table of connections, and what is done for all of them. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/tls_stream.h"
#include "core/io/websocket_stream.h"
#include "vm/guest/hub/edge_upstream_private.h"

#define TOKEN_S        3600
#define WEBSOCKET_PATH "/$iothub/websocket"
#define SPREAD_MS      100 /* between attempts that could all be made at once */

static size_t bucket_of(const char *device, const char *module)
{
    return str_hash(str_hash(STR_HASH, device), module) % EDGE_LINK_BUCKETS;
}

static struct edge_link *find(const struct edge_upstream *u, const char *device, const char *module)
{
    struct edge_link *l = u->buckets[bucket_of(device, module)];

    while (l && !(str_eq(l->device, device) && str_eq(l->module, module)))
        l = l->chain;
    return l;
}

struct edge_link *edge_upstream_link(struct edge_upstream *u, const char *device,
                                     const char *module)
{
    struct edge_link *l = find(u, device, module);
    struct edge_link **bucket = &u->buckets[bucket_of(device, module)];

    if (l)
        return l;
    if (u->n_links == u->cap_links) {
        u->cap_links = u->cap_links ? u->cap_links * 2 : 16;
        u->links = xreallocarray(u->links, u->cap_links, sizeof(*u->links));
    }
    l = edge_link_new(u, device, module);
    l->chain = *bucket;
    *bucket = l;
    u->links[u->n_links++] = l;
    return l;
}

struct dialer *edge_upstream_dialer(struct edge_upstream *u, struct err *err)
{
    const struct edge_settings *s = u->edge->settings;

    if (!u->tls)
        u->tls = dialer_tls_new(u->edge->loop, s->ca_file, s->proxy, err);
    if (!u->tls || !s->websocket)
        return u->tls;
    if (!u->websocket)
        u->websocket = dialer_websocket_new(u->tls, WEBSOCKET_PATH, "mqtt");
    return u->websocket;
}

void edge_upstream_wake(struct edge_upstream *u, bool refused)
{
    uint64_t pause = SPREAD_MS;

    for (size_t i = 0; i < u->n_links; i++) {
        struct edge_link *l = u->links[i];

        if (l->step != LINK_PAUSE || (l->refused && !refused))
            continue;
        edge_link_retry(l, pause);
        pause += SPREAD_MS;
    }
}

/* A token that was made while the clock was wrong is refused; the next one will do. */
static void on_clock_set(void *arg)
{
    edge_upstream_wake(arg, true);
}

/* ---- the turn's end ---- */

static void begin(void *arg, const struct edge_endpoint *e)
{
    struct edge_upstream *u = arg;

    if (e->kind == EDGE_TO_UPSTREAM)
        edge_upstream_queued(u, e);
}

static void on_turn(uv_timer_t *timer)
{
    struct edge_upstream *u = timer->data;

    if (!u->begun) {
        u->begun = true;
        edge_router_each(u->edge->router, begin, u);
    }
    edge_calls_turn(u);
    if (u->taken)
        (void)edge_commit(u->edge); /* edge_upstream_committed() says how it went */
}

void edge_upstream_turn(struct edge_upstream *u)
{
    (void)uv_timer_start(&u->turn, on_turn, 0, 0);
}

/* ---- what others say ---- */

void edge_upstream_client(struct edge_upstream *u, const char *device, const char *module,
                          bool present, unsigned subs, const char *model_id)
{
    struct edge_link *l = edge_upstream_link(u, device, module);

    if (model_id && !str_eq(model_id, l->model)) {
        free(l->model);
        l->model = xstrdup(model_id);
    }
    bool came = present && !l->present;

    l->present = present;
    l->subs = present ? subs : 0;
    if (came)
        edge_link_needed(l);
    edge_link_subscribe(l);
    edge_link_settle(l);
}

void edge_upstream_queued(struct edge_upstream *u, const struct edge_endpoint *e)
{
    struct edge_link *l = edge_upstream_link(u, e->device, e->module);

    l->endpoint = e;
    if (l->step == LINK_REST && edge_link_queued(l))
        edge_link_needed(l);
    edge_link_pump(l);
}

void edge_upstream_committed(struct edge_upstream *u, bool ok)
{
    if (!u->taken)
        return;
    u->taken = false;
    for (size_t i = 0; i < u->n_links; i++) {
        struct edge_link *l = u->links[i];

        for (unsigned n = 0; ok && n < l->n_taken; n++)
            mqtt_client_took(l->mqtt, l->taken[n]);
        if (l->n_taken == 0)
            continue;
        l->n_taken = 0;
        edge_link_settle(l);
    }
}

bool edge_upstream_online(const struct edge_upstream *u, const char *device, const char *module)
{
    const struct edge_link *l = find(u, device, module);

    return l && l->online;
}

/* ---- life ---- */

struct edge_upstream *edge_upstream_new(struct edge *edge,
                                        const struct edge_upstream_events *events, void *arg)
{
    struct edge_upstream *u = xcalloc(1, sizeof(*u));

    u->edge = edge;
    u->events = events;
    u->arg = arg;
    u->token_s = TOKEN_S;
    (void)uv_timer_init(edge->loop, &u->turn);
    (void)uv_timer_init(edge->loop, &u->deadline);
    u->turn.data = u->deadline.data = u;
    u->clock = clock_watch_new(edge->loop, on_clock_set, u);
    u->timers = 2;
    edge_upstream_turn(u);
    return u;
}

static void on_closed(uv_handle_t *handle)
{
    struct edge_upstream *u = handle->data;

    if (--u->timers == 0)
        free(u);
}

void edge_upstream_free(struct edge_upstream *u)
{
    if (!u)
        return;
    edge_calls_free(u);
    for (size_t i = 0; i < u->n_links; i++)
        edge_link_free(u->links[i]);
    free(u->links);
    dialer_websocket_free(u->websocket);
    dialer_tls_free(u->tls);
    clock_watch_free(u->clock);
    uv_close((uv_handle_t *)&u->turn, on_closed);
    uv_close((uv_handle_t *)&u->deadline, on_closed);
}
