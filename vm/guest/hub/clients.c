/* See clients.h: the table of identities, and what the rest of the hub asks of it or has sent. */
#include "vm/guest/hub/clients_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define BUCKETS_MIN 256

/* ---- table ---- */

static size_t bucket_of(const struct clients *c, const char *device)
{
    return str_hash(STR_HASH, device) & (c->n_buckets - 1);
}

static struct client *find(const struct clients *c, const char *device, const char *module)
{
    struct client *client = c->buckets[bucket_of(c, device)];

    while (client && !(str_eq(client->device, device) && str_eq(client->module, module)))
        client = client->next;
    return client;
}

static void insert(struct clients *c, struct client *client)
{
    struct client **at = &c->buckets[bucket_of(c, client->device)];

    client->next = *at;
    *at = client;
}

static void grow(struct clients *c)
{
    struct client **old = c->buckets;
    size_t n_old = c->n_buckets;

    c->n_buckets *= 2;
    c->buckets = xcalloc(c->n_buckets, sizeof(struct client *));
    for (size_t i = 0; i < n_old; i++)
        for (struct client *client = old[i], *next; client; client = next) {
            next = client->next;
            insert(c, client);
        }
    free(old);
}

struct client *clients_need(struct clients *c, const char *device, const char *module)
{
    struct client *client = find(c, device, module);
    size_t device_size = strlen(device) + 1, module_size = strlen(module) + 1;

    if (client)
        return client;
    client = xcalloc(1, sizeof(*client) + device_size + module_size);
    memcpy(client->names, device, device_size);
    memcpy(client->names + device_size, module, module_size);
    client->device = client->names;
    client->module = client->names + device_size;
    client->clients = c;
    if (++c->n > c->n_buckets)
        grow(c);
    insert(c, client);
    return client;
}

static void client_free(struct client *client)
{
    will_free(client->will);
    free(client->model_id);
    free(client->via);
    free(client);
}

/* ---- life ---- */

struct clients *clients_new(struct hub *hub)
{
    struct clients *c = xcalloc(1, sizeof(*c));

    c->hub = hub;
    c->n_buckets = BUCKETS_MIN;
    c->buckets = xcalloc(c->n_buckets, sizeof(struct client *));
    return c;
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_buckets; i++)
        for (struct client *client = c->buckets[i], *next; client; client = next) {
            next = client->next;
            client_free(client);
        }
    free(c->buckets);
    free(c);
}

/* ---- what others ask ---- */

bool clients_connected(const struct clients *c, const char *device, const char *module)
{
    const struct client *client = find(c, device, module);

    return client && client->conn;
}

void clients_state(const struct clients *c, const char *device, const char *module,
                   struct client_state *ret)
{
    const struct client *client = find(c, device, module);

    *ret = (struct client_state){.model_id = ""};
    if (!module[0])
        (void)store_c2d_count(c->hub->store, device, &ret->c2d_count, NULL);
    if (!client)
        return;
    ret->connected = client->conn != NULL;
    ret->state_ms = client->state_ms;
    ret->activity_ms = client->activity_ms;
    if (client->model_id)
        ret->model_id = client->model_id;
}

struct c2d_link *clients_link(const struct clients *c, const char *device)
{
    struct client *client = find(c, device, "");

    return client ? &client->c2d : NULL;
}

/* ---- what others send ---- */

void clients_push_desired(struct clients *c, const char *device, const char *module,
                          uint64_t version, const char *patch, size_t len)
{
    struct client *client = find(c, device, module);
    char topic[TOPIC_OUT_MAX];

    if (!client || !client->conn || !(client->subs & SUB_TWIN_DESIRED))
        return;
    topic_put_desired(topic, version);
    (void)mqtt_conn_publish(client->conn, topic, patch, len, 0);
}

bool clients_call(struct clients *c, const char *device, const char *module, const char *method,
                  const char *rid, const char *payload, size_t len)
{
    struct client *client = find(c, device, module);
    char topic[TOPIC_OUT_MAX];

    if (!client || !client->conn || !(client->subs & SUB_METHODS))
        return false;
    topic_put_method(topic, method, rid);
    (void)mqtt_conn_publish(client->conn, topic, payload, len, 0);
    return true;
}

/* Ends its connection; forgets it where its identity is gone. */
static void drop(struct clients *c, struct client *client, const char *why)
{
    struct client **at = &c->buckets[bucket_of(c, client->device)];
    auto_identity struct identity id = {0};
    struct err err = {0};

    if (client->conn)
        mqtt_conn_end(client->conn, why);
    if (store_identity_get(c->hub->store, client->device, client->module, &id, &err) == 0 ||
        err.kind != ERR_NOT_FOUND)
        return;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    c->n--;
    client_free(client);
}

void clients_drop(struct clients *c, const char *device, const char *module)
{
    const char *why =
        module ? "its identity was changed or removed" : "its device was changed or removed";

    for (struct client *client = c->buckets[bucket_of(c, device)], *next; client; client = next) {
        next = client->next;
        if (str_eq(client->device, device) && (!module || str_eq(client->module, module)))
            drop(c, client, why);
    }
}

void clients_drop_behalf(struct clients *c, const char *edge)
{
    for (size_t i = 0; i < c->n_buckets; i++)
        for (struct client *client = c->buckets[i], *next; client; client = next) {
            next = client->next;
            if (client->conn && str_eq(client->via, edge))
                drop(c, client, "its edge hub was changed or removed");
        }
}
