/* See edge_clients.h: the list of identities, and what the rest of the hub asks of them or has
 * sent. */
#include "vm/guest/hub/edge_clients_private.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_scope.h"
#include "vm/guest/hub/edge_self.h"
#include "vm/guest/hub/edge_upstream.h"

#include <string.h>

/* ---- the list ---- */

static int compare(const struct edge_client *client, const char *device, const char *module)
{
    int by_device = strcmp(client->device, device);

    return by_device ? by_device : strcmp(client->module, module);
}

/* Where it is, or would be. */
static size_t place_of(const struct edge_clients *c, const char *device, const char *module)
{
    size_t from = 0, to = c->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (compare(c->all[middle], device, module) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct edge_client *find(const struct edge_clients *c, const char *device,
                                const char *module)
{
    size_t at = place_of(c, device, module);

    return at < c->n && compare(c->all[at], device, module) == 0 ? c->all[at] : NULL;
}

struct edge_client *edge_clients_need(struct edge_clients *c, const char *device,
                                      const char *module)
{
    struct edge_client *client = find(c, device, module);
    size_t at = place_of(c, device, module);
    size_t device_size = strlen(device) + 1, module_size = strlen(module) + 1;

    if (client)
        return client;
    client = xcalloc(1, sizeof(*client) + device_size + module_size);
    memcpy(client->names, device, device_size);
    memcpy(client->names + device_size, module, module_size);
    client->device = client->names;
    client->module = client->names + device_size;
    client->clients = c;
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->all = xreallocarray(c->all, c->cap, sizeof(struct edge_client *));
    }
    memmove(c->all + at + 1, c->all + at, (c->n - at) * sizeof(struct edge_client *));
    c->all[at] = client;
    c->n++;
    return client;
}

static void client_free(struct edge_client *client)
{
    will_free(client->will);
    free(client->model_id);
    free(client);
}

static void forget(struct edge_clients *c, size_t at)
{
    client_free(c->all[at]);
    c->n--;
    memmove(c->all + at, c->all + at + 1, (c->n - at) * sizeof(struct edge_client *));
}

/* ---- life ---- */

static void count_connected(const struct edge_clients *c)
{
    meter_set(edge_metrics_series(c->edge->metrics, EDGE_CONNECTED_CLIENTS, NULL), c->connected);
}

struct edge_clients *edge_clients_new(struct edge *edge)
{
    struct edge_clients *c = xcalloc(1, sizeof(*c));

    c->edge = edge;
    (void)uv_timer_init(edge->loop, &c->held);
    c->held.data = c;
    count_connected(c);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_clients_free(struct edge_clients *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        client_free(c->all[i]);
    free(c->all);
    uv_close((uv_handle_t *)&c->held, on_closed);
}

/* ---- what all that happens has in common ---- */

void edge_client_say(const struct edge_client *c, const char *what, const char *why)
{
    log_info("mqtt", "%s%s%s %s%s", c->device, c->module[0] ? "/" : "", c->module, what, why);
}

void edge_clients_count(struct edge_clients *c, enum edge_metric metric, const char *device,
                        const char *module, const char *reason)
{
    char id[EDGE_METRICS_ID_MAX];
    const char *const labels[] = {id, reason};

    edge_metrics_id(id, device, module);
    meter_add(edge_metrics_series(c->edge->metrics, metric, labels), 1);
}

void edge_clients_changed(struct edge_clients *c)
{
    count_connected(c);
    edge_self_clients_changed(c->edge->self);
}

void edge_client_tell_upstream(const struct edge_client *c)
{
    edge_upstream_client(c->clients->edge->upstream, c->device, c->module, c->conn != NULL,
                         c->conn ? c->subs : 0, c->model_id ? c->model_id : "");
}

/* ---- what others ask ---- */

bool edge_clients_connected(const struct edge_clients *c, const char *device, const char *module)
{
    const struct edge_client *client = find(c, device, module);

    return client && client->conn;
}

void edge_clients_each(const struct edge_clients *c,
                       void (*fn)(void *arg, const char *device, const char *module, bool connected,
                                  uint64_t connected_ms, uint64_t disconnected_ms),
                       void *arg)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct edge_client *client = c->all[i];

        fn(arg, client->device, client->module, client->conn != NULL, client->connected_ms,
           client->disconnected_ms);
    }
}

/* ---- what others send ---- */

/* The one that is there and asked for it, or NULL. */
static struct edge_client *find_subscriber(const struct edge_clients *c, const char *device,
                                           const char *module, unsigned sub)
{
    struct edge_client *client = find(c, device, module);

    return client && client->conn && (client->subs & ~client->held & sub) ? client : NULL;
}

uint64_t edge_clients_hold_ms(const struct edge_clients *c, const char *device, const char *module)
{
    const struct edge_client *client = find(c, device, module);

    return client && client->conn && (client->held & SUB_METHODS) ? HELD_MS : 0;
}

void edge_clients_twin_reply(struct edge_clients *c, const char *device, const char *module,
                             const char *rid, int status, const uint64_t *version, const char *body,
                             size_t len)
{
    struct edge_client *client = find_subscriber(c, device, module, SUB_TWIN_REPLY);
    char topic[TOPIC_OUT_MAX];

    if (!client)
        return;
    topic_put_twin_reply(topic, status, (struct topic_span){rid, strlen(rid)}, version);
    (void)mqtt_conn_publish(client->conn, topic, body, len, 0);
}

void edge_clients_push_desired(struct edge_clients *c, const char *device, const char *module,
                               uint64_t version, const char *patch, size_t len)
{
    struct edge_client *client = find_subscriber(c, device, module, SUB_TWIN_DESIRED);
    char topic[TOPIC_OUT_MAX];

    if (!client)
        return;
    topic_put_desired(topic, version);
    (void)mqtt_conn_publish(client->conn, topic, patch, len, 0);
}

bool edge_clients_call(struct edge_clients *c, const char *device, const char *module,
                       const char *method, const char *rid, const char *payload, size_t len)
{
    struct edge_client *client = find_subscriber(c, device, module, SUB_METHODS);
    char topic[TOPIC_OUT_MAX];

    if (!client)
        return false;
    topic_put_method(topic, method, rid);
    (void)mqtt_conn_publish(client->conn, topic, payload, len, 0);
    return true;
}

void edge_clients_drop(struct edge_clients *c, const char *device, const char *module,
                       const char *why)
{
    for (size_t i = place_of(c, device, module ? module : ""); i < c->n;) {
        struct edge_client *client = c->all[i];

        if (!str_eq(client->device, device) || (module && !str_eq(client->module, module)))
            break;
        if (client->conn)
            mqtt_conn_end(client->conn, why);
        if (edge_scope_find(c->edge->scope, client->device, client->module))
            i++;
        else
            forget(c, i);
    }
}
