/* See rest.h: devices, modules, and what is counted of them. */
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/rest.h"

#include <inttypes.h>

#define LIST_MAX 1000

/* The identity service of a device fails on a whole list where it does not know the type of one
 * authentication; what it knows for all certificates is "x509". */
static cJSON *show(const struct rest *r, const struct identity *id)
{
    cJSON *out = registry_show(r->hub, id);
    cJSON *auth = cJSON_GetObjectItemCaseSensitive(out, "authentication");

    if (!(r->rights & (RIGHT_REGISTRY_READ | RIGHT_REGISTRY_WRITE)) &&
        (id->auth == IDENTITY_SELF_SIGNED || id->auth == IDENTITY_CA))
        (void)cJSON_ReplaceItemInObjectCaseSensitive(auth, "type", cJSON_CreateString("x509"));
    return out;
}

static void reply_identity(struct rest *r, const struct identity *id)
{
    auto_json cJSON *out = show(r, id);

    rest_reply_tagged(r, out);
}

static void identity_get(struct rest *r)
{
    auto_identity struct identity id = {0};
    struct err err = {0};

    if (store_identity_get(r->hub->store, REST_DEVICE(r), REST_MODULE(r), &id, &err) < 0)
        rest_fail(r, &err);
    else
        reply_identity(r, &id);
}

static void identity_put(struct rest *r)
{
    auto_identity struct identity id = {0};
    struct err err = {0};
    struct registry_write w = {
        .hub_name = r->hub_name,
        .device = REST_DEVICE(r),
        .module = REST_MODULE(r),
        .body = r->body,
        .if_match = rest_if_match(r),
    };

    if (registry_write(r->hub, &w, &id, &err) < 0)
        rest_fail(r, &err);
    else
        reply_identity(r, &id);
}

static void identity_delete(struct rest *r)
{
    struct err err = {0};

    if (registry_delete(r->hub, REST_DEVICE(r), REST_MODULE(r), rest_if_match(r), &err) < 0)
        rest_fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

/* ---- lists ---- */

struct list {
    const struct rest *r;
    cJSON *array;
};

static void list_add(void *arg, const struct identity *id)
{
    struct list *l = arg;

    json_push(l->array, show(l->r, id));
}

static void devices_list(struct rest *r)
{
    auto_json cJSON *array = cJSON_CreateArray();
    struct list list = {.r = r, .array = array};
    struct err err = {0};
    uint64_t max;

    if (rest_top(r, LIST_MAX, &max, &err) < 0 ||
        store_hub_each(r->hub->store, rest_hub_key(r), "", max, list_add, &list, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_json(r->x, 200, array);
}

static void modules_list(struct rest *r)
{
    auto_identity struct identity id = {0};
    auto_json cJSON *array = cJSON_CreateArray();
    struct list list = {.r = r, .array = array};
    struct err err = {0};

    if (store_identity_get(r->hub->store, REST_DEVICE(r), "", &id, &err) < 0 ||
        store_identity_each(r->hub->store, REST_DEVICE(r), "", LIST_MAX, list_add, &list, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_json(r->x, 200, array);
}

static void devices_bulk(struct rest *r)
{
    auto_json cJSON *out = NULL;
    struct err err = {0};

    if (registry_bulk(r->hub, r->hub_name, r->body, &out, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_json(r->x, 200, out);
}

/* ---- statistics ---- */

static void device_statistics(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateObject();
    const char *key = rest_hub_key(r);
    uint64_t all = 0, disabled = 0;
    struct err err = {0};

    if (store_hub_count(r->hub->store, key, false, &all, &err) < 0 ||
        store_hub_count(r->hub->store, key, true, &disabled, &err) < 0) {
        rest_fail(r, &err);
        return;
    }
    json_add_u64(out, "totalDeviceCount", all);
    json_add_u64(out, "enabledDeviceCount", all - disabled);
    json_add_u64(out, "disabledDeviceCount", disabled);
    rest_reply_json(r->x, 200, out);
}

struct connected {
    const struct clients *clients;
    uint64_t n;
};

static void count_connected(void *arg, const struct identity *id)
{
    struct connected *c = arg;

    c->n += clients_connected(c->clients, id->device, "");
}

static void service_statistics(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateObject();
    struct connected c = {.clients = r->hub->clients};
    struct err err = {0};

    if (store_hub_each(r->hub->store, rest_hub_key(r), "", HUB_DEVICES_MAX, count_connected, &c,
                       &err) < 0) {
        rest_fail(r, &err);
        return;
    }
    json_add_u64(out, "connectedDeviceCount", c.n);
    rest_reply_json(r->x, 200, out);
}

#define READ    RIGHT_REGISTRY_READ
#define WRITE   RIGHT_REGISTRY_WRITE
#define SERVICE RIGHT_SERVICE
#define OWN     RIGHT_OWN

static const struct rest_route routes[] = {
    {"GET", "devices", READ, false, devices_list},
    {"POST", "devices", WRITE, false, devices_bulk},
    {"GET", "devices/*", READ, false, identity_get},
    {"PUT", "devices/*", WRITE, true, identity_put},
    {"DELETE", "devices/*", WRITE, false, identity_delete},
    {"GET", "devices/*/modules", READ | OWN, false, modules_list},
    {"GET", "devices/*/modules/*", READ | OWN, false, identity_get},
    {"PUT", "devices/*/modules/*", WRITE | OWN, true, identity_put},
    {"DELETE", "devices/*/modules/*", WRITE | OWN, false, identity_delete},
    {"GET", "statistics/devices", READ, false, device_statistics},
    {"GET", "statistics/service", SERVICE, false, service_statistics},
};

const struct rest_table rest_identities = {
    .routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
