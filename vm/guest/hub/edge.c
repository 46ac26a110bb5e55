/* See edge.h: opens the parts in the order in which they need each other, and closes them again. */
#include "vm/guest/hub/edge_private.h"

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/uuid.h"
#include "core/io/http_server.h"
#include "vm/guest/hub/edge_auth.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_cloud.h"
#include "vm/guest/hub/edge_inputs.h"
#include "vm/guest/hub/edge_rest.h"
#include "vm/guest/hub/edge_router.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_self.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/edge_tls.h"
#include "vm/guest/hub/edge_twins.h"
#include "vm/guest/hub/edge_workload.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/outbox.h"

#define SPARE    256 /* connections besides those of clients: who is not let in yet, callers */
#define BODY_MAX (192U << 10) /* a method's payload at its largest, and what is around it */
#define ASK_MS   5000         /* for a request of the runtime, which is on this machine */

static const struct mqtt_head *const heads[] = {&edge_clients_head, NULL};

/* ---- what is on disk ---- */

static void say_set_aside(const char *what, const char *where)
{
    if (where[0])
        log_error("store", "%s was damaged, and begins anew; the damaged file is %s", what, where);
}

static int open_stores(struct edge *e, struct err *err)
{
    auto_free char *outbox = xasprintf("%s/outbox.db", e->settings->dir);
    auto_free char *store = xasprintf("%s/edge.db", e->settings->dir);

    if (file_mkdirs(e->settings->dir, 0700, err) < 0)
        return -1;
    file_sweep(e->settings->dir);
    if (outbox_open(outbox, NULL, &e->outbox, err) < 0 ||
        edge_store_open(store, &e->store, err) < 0)
        return -1;
    say_set_aside("the queue of messages", outbox_set_aside(e->outbox));
    say_set_aside("the store of sessions and twins", edge_store_set_aside(e->store));
    return 0;
}

/* ---- listeners ---- */

static int listen_all(struct edge *e, struct tls_server *tls, struct err *err)
{
    const struct edge_settings *s = e->settings;

    for (size_t i = 0; s->listen[i]; i++)
        if ((s->mqtt_listen_port &&
             mqtt_server_listen(e->mqtt, s->listen[i], s->mqtt_listen_port, tls, err) < 0) ||
            (s->https_listen_port &&
             http_server_listen_tls(e->https, s->listen[i], s->https_listen_port, tls, err) < 0))
            return -1;
    return 0;
}

static void on_tls(void *arg, struct tls_server *tls, const struct err *why)
{
    struct edge_whole *w = arg;
    struct edge *e = &w->edge;
    struct err err = {0};

    if (w->listens) {
        mqtt_server_set_tls(e->mqtt, tls);
        http_server_set_tls(e->https, tls);
        return;
    }
    if (!why && listen_all(e, tls, &err) < 0)
        why = &err;
    w->listens = !why;
    w->ready(w->arg, why);
}

static bool send_method(void *arg, const char *device, const char *module, const char *method,
                        const char *rid, const char *payload, size_t len)
{
    const struct edge *e = arg;

    return edge_clients_call(e->clients, device, module, method, rid, payload, len);
}

static int open_servers(struct edge *e, struct err *err)
{
    const struct edge_settings *s = e->settings;
    const struct http_limits https = {.body_max = BODY_MAX,
                                      .connections_max = s->max_clients + SPARE};
    const struct http_limits local = {.request_ms = ASK_MS};

    e->mqtt = mqtt_server_new(e->loop, s->max_clients + SPARE, heads, (void *const *)&e->clients,
                              edge_commit, e);
    e->https = http_server_new(e->loop, &https, edge_rest_handle, e);
    e->local = http_server_new(e->loop, &local, edge_local_handle, e);
    http_server_before_send(e->https, edge_commit, e);
    /* Addresses of a bridge that the container engine makes later are among them. */
    mqtt_server_set_free_bind(e->mqtt);
    http_server_set_free_bind(e->https);
    return http_server_listen_unix(e->local, s->socket, 0600, (uid_t)-1, (gid_t)-1, err);
}

/* ---- opening ---- */

/* Tells this start of the process from any other. */
static struct meters *open_metrics(const struct edge_settings *s)
{
    char instance[UUID_SIZE];

    uuid_make(instance);
    return edge_metrics_new(s->hub, s->device, instance);
}

static int open_parts(struct edge_whole *w, struct err *err)
{
    struct edge *e = &w->edge;

    if (open_stores(e, err) < 0)
        return -1;
    e->metrics = open_metrics(e->settings);
    e->workload = edge_workload_new(e->loop, e->settings->workload);
    if (!(e->scope = edge_scope_new(e, err)))
        return -1;
    e->auth = edge_auth_new(e);
    e->router = edge_router_new(e);
    e->inputs = edge_inputs_new(e);
    e->methods = methods_new(e->loop, send_method, e);
    e->clients = edge_clients_new(e);
    e->upstream = edge_upstream_new(e, &edge_cloud_events, e);
    e->twins = edge_twins_new(e);
    e->self = edge_self_new(e);
    if (open_servers(e, err) < 0)
        return -1;
    w->tls = edge_tls_new(e, on_tls, w);
    edge_turn_begin(w);
    return 0;
}

int edge_open(uv_loop_t *loop, const struct edge_settings *settings, edge_ready_fn ready, void *arg,
              struct edge **ret, struct err *err)
{
    struct edge_whole *w = xcalloc(1, sizeof(*w));

    w->edge.loop = loop;
    w->edge.settings = settings;
    w->ready = ready;
    w->arg = arg;
    if (open_parts(w, err) < 0) {
        edge_close(&w->edge);
        return -1;
    }
    *ret = &w->edge;
    return 0;
}

/* Clients go first: what becomes of them is told to the cloud, and written down. */
void edge_close(struct edge *e)
{
    struct edge_whole *w = (struct edge_whole *)e;

    if (!e)
        return;
    http_server_free(e->local);
    http_server_free(e->https);
    mqtt_server_free(e->mqtt);
    methods_free(e->methods);
    edge_self_free(e->self);
    edge_twins_free(e->twins);
    edge_upstream_free(e->upstream);
    edge_inputs_free(e->inputs);
    edge_clients_free(e->clients);
    edge_router_free(e->router);
    edge_auth_free(e->auth);
    edge_scope_free(e->scope);
    edge_tls_free(w->tls);
    edge_workload_free(e->workload);
    edge_store_close(e->store);
    outbox_close(e->outbox);
    meters_free(e->metrics);
    edge_turn_end(w);
}
