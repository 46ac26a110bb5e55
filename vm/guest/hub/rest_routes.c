/* The addresses of the service API, one handler each; see rest.h. What they do is in registry.c,
 * twins.c and methods.c. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/rest.h"
#include "vm/guest/hub/twins.h"

#include <inttypes.h>
#include <string.h>

#define LIST_MAX 1000

static void fail(struct rest *r, const struct err *err)
{
    rest_reply_err(r->x, REST_MODULE(r)[0] != '\0', err);
}

static const char *if_match(const struct rest *r)
{
    return r->if_match[0] ? r->if_match : NULL;
}

/* With its etag as a header, too. */
static void reply_tagged(struct rest *r, const cJSON *body)
{
    char quoted[32];

    (void)str_format(quoted, sizeof(quoted), "\"%s\"", json_str(body, "etag", ""));
    http_reply_header(r->x, "ETag", quoted);
    rest_reply_json(r->x, 200, body);
}

/* ------------------------------------------------------------------------------------------
 * identities */

static void identity_get(struct rest *r)
{
    auto_identity struct identity id = {0};
    struct err err = {0};

    if (store_identity_get(r->hub->store, REST_DEVICE(r), REST_MODULE(r), &id, &err) < 0) {
        fail(r, &err);
        return;
    }
    auto_json cJSON *out = registry_show(r->hub, &id);
    reply_tagged(r, out);
}

static void identity_put(struct rest *r)
{
    auto_identity struct identity id = {0};
    struct err err = {0};
    const char *name = REST_MODULE(r)[0] ? REST_MODULE(r) : REST_DEVICE(r);
    int status = 0;

    if (!identity_id_valid(name))
        status = err_set(&err, ERR_INVALID,
                         "the name has a character that ids do not allow, or is too long");
    if (status < 0 ||
        registry_put(r->hub, REST_DEVICE(r), REST_MODULE(r), r->body, if_match(r), &id, &err) < 0) {
        fail(r, &err);
        return;
    }
    auto_json cJSON *out = registry_show(r->hub, &id);
    reply_tagged(r, out);
}

static void identity_delete(struct rest *r)
{
    struct err err = {0};

    if (registry_delete(r->hub, REST_DEVICE(r), REST_MODULE(r), if_match(r), &err) < 0)
        fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

struct list {
    struct hub *hub;
    cJSON *array;
};

static void list_add(void *arg, const struct identity *id)
{
    struct list *l = arg;

    json_push(l->array, registry_show(l->hub, id));
}

static void list_reply(struct rest *r, const char *device)
{
    auto_json cJSON *array = cJSON_CreateArray();
    struct list list = {.hub = r->hub, .array = array};
    struct err err = {0};
    char top[16];
    uint64_t max = LIST_MAX;

    if (http_exchange_query(r->x, "top", top, sizeof(top)) &&
        (!str_to_u64(top, LIST_MAX, &max) || max == 0)) {
        (void)err_set(&err, ERR_INVALID, "top: must be 1 to %d", LIST_MAX);
        fail(r, &err);
        return;
    }
    if (store_identity_each(r->hub->store, device, "", max, list_add, &list, &err) < 0)
        fail(r, &err);
    else
        rest_reply_json(r->x, 200, array);
}

static void devices_list(struct rest *r)
{
    list_reply(r, NULL);
}

static void modules_list(struct rest *r)
{
    auto_identity struct identity id = {0};
    struct err err = {0};

    if (store_identity_get(r->hub->store, REST_DEVICE(r), "", &id, &err) < 0)
        fail(r, &err);
    else
        list_reply(r, REST_DEVICE(r));
}

static void deploy(struct rest *r)
{
    struct err err = {0};

    if (registry_deploy(r->hub, REST_DEVICE(r), r->body, &err) < 0)
        fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

static void device_statistics(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateObject();
    uint64_t all = 0, disabled = 0;
    struct err err = {0};

    if (store_identity_count(r->hub->store, NULL, false, &all, &err) < 0 ||
        store_identity_count(r->hub->store, NULL, true, &disabled, &err) < 0) {
        fail(r, &err);
        return;
    }
    json_add_u64(out, "totalDeviceCount", all);
    json_add_u64(out, "enabledDeviceCount", all - disabled);
    json_add_u64(out, "disabledDeviceCount", disabled);
    rest_reply_json(r->x, 200, out);
}

static void service_statistics(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateObject();

    json_add_u64(out, "connectedDeviceCount", clients_count(r->hub->clients));
    rest_reply_json(r->x, 200, out);
}

/* ------------------------------------------------------------------------------------------ twins
 */

static void twin_get(struct rest *r)
{
    auto_json cJSON *out = NULL;
    struct err err = {0};

    if (twins_show(r->hub, REST_DEVICE(r), REST_MODULE(r), &out, &err) < 0)
        fail(r, &err);
    else
        reply_tagged(r, out);
}

static void twin_change(struct rest *r, bool replace)
{
    const char *etag = r->if_match[0] && !str_eq(r->if_match, "*") ? r->if_match : NULL;
    struct err err = {0};

    if (twins_change(r->hub, REST_DEVICE(r), REST_MODULE(r), r->body, replace, etag, &err) < 0)
        fail(r, &err);
    else
        twin_get(r);
}

static void twin_patch(struct rest *r)
{
    twin_change(r, false);
}

static void twin_put(struct rest *r)
{
    twin_change(r, true);
}

/* ------------------------------------------------------------------------------------------
 * methods */

/* A REST call that waits for a device. */
struct invocation {
    struct hub *hub;
    struct http_exchange *x;
    uint64_t id;
};

static void on_method_done(void *arg, unsigned status, const char *payload, size_t len,
                           const struct err *err)
{
    struct invocation *inv = arg;

    if (err) {
        struct err shown = *err;

        if (err->kind == ERR_NOT_FOUND)
            shown.kind = ERR_UNREACHABLE;
        rest_reply_err(inv->x, false, &shown);
    } else {
        auto_json cJSON *out = cJSON_CreateObject();
        cJSON *value = len > 0 ? json_parse(payload, len, NULL) : NULL;

        json_add_u64(out, "status", status);
        json_add(out, "payload", value ? value : cJSON_CreateNull());
        rest_reply_json(inv->x, 200, out);
    }
    free(inv);
}

static void on_caller_gone(void *arg)
{
    struct invocation *inv = arg;

    methods_cancel(inv->hub->methods, inv->id);
    free(inv);
}

static int read_seconds(const cJSON *body, const char *name, uint64_t fallback, uint64_t min,
                        uint64_t *ret_ms, struct err *err)
{
    uint64_t seconds = fallback;

    if (json_get(body, name) &&
        (json_need_u64(body, name, 300, &seconds, NULL) < 0 || seconds < min))
        return err_set(err, ERR_INVALID, "%s: must be %" PRIu64 " to 300", name, min);
    *ret_ms = seconds * 1000;
    return 0;
}

static int read_call(struct rest *r, struct method_call *call, struct buf *payload, struct err *err)
{
    auto_identity struct identity id = {0};

    call->device = REST_DEVICE(r);
    call->module = REST_MODULE(r);
    if (store_identity_get(r->hub->store, call->device, call->module, &id, err) < 0 ||
        json_need_str(r->body, "methodName", &call->name, err) < 0 ||
        read_seconds(r->body, "responseTimeoutInSeconds", 30, 5, &call->response_ms, err) < 0 ||
        read_seconds(r->body, "connectTimeoutInSeconds", 0, 0, &call->connect_ms, err) < 0)
        return -1;
    if (!call->name[0] || strlen(call->name) > 100 || strpbrk(call->name, "/#+"))
        return err_set(err, ERR_INVALID, "methodName: must have 1 to 100 characters without / # +");
    if (json_get(r->body, "payload"))
        json_print(payload, json_get(r->body, "payload"));
    if (payload->len > METHOD_PAYLOAD_MAX)
        return err_set(err, ERR_INVALID, "payload: more than %u KB", METHOD_PAYLOAD_MAX / 1024);
    call->payload = buf_str(payload);
    call->len = payload->len;
    return 0;
}

static void method_invoke(struct rest *r)
{
    auto_buf struct buf payload = {0};
    struct method_call call = {0};
    struct err err = {0};

    if (read_call(r, &call, &payload, &err) < 0) {
        fail(r, &err);
        return;
    }

    struct invocation *inv = xcalloc(1, sizeof(*inv));
    struct methods *methods = r->hub->methods;

    inv->hub = r->hub;
    inv->x = r->x;
    /* The caller may go at any later time; if the call ends at once, both are gone here. */
    http_exchange_on_close(r->x, on_caller_gone, inv);
    uint64_t id = methods_start(methods, &call, on_method_done, inv);
    if (id)
        inv->id = id;
}

/* ------------------------------------------------------------------------------------------ table
 */

#define READ    RIGHT_REGISTRY_READ
#define WRITE   RIGHT_REGISTRY_WRITE
#define SERVICE RIGHT_SERVICE
#define OWN     RIGHT_OWN

static const struct rest_route routes[] = {
    {"GET", "devices", READ, false, devices_list},
    {"GET", "devices/*", READ, false, identity_get},
    {"PUT", "devices/*", WRITE, true, identity_put},
    {"DELETE", "devices/*", WRITE, false, identity_delete},
    {"GET", "devices/*/modules", READ | OWN, false, modules_list},
    {"GET", "devices/*/modules/*", READ | OWN, false, identity_get},
    {"PUT", "devices/*/modules/*", WRITE | OWN, true, identity_put},
    {"DELETE", "devices/*/modules/*", WRITE | OWN, false, identity_delete},
    {"POST", "devices/*/applyConfigurationContent", WRITE, true, deploy},
    {"GET", "twins/*", SERVICE | READ, false, twin_get},
    {"PATCH", "twins/*", SERVICE, true, twin_patch},
    {"PUT", "twins/*", SERVICE, true, twin_put},
    {"POST", "twins/*/methods", SERVICE, true, method_invoke},
    {"GET", "twins/*/modules/*", SERVICE | READ, false, twin_get},
    {"PATCH", "twins/*/modules/*", SERVICE, true, twin_patch},
    {"PUT", "twins/*/modules/*", SERVICE, true, twin_put},
    {"POST", "twins/*/modules/*/methods", SERVICE, true, method_invoke},
    {"GET", "statistics/devices", READ, false, device_statistics},
    {"GET", "statistics/service", SERVICE, false, service_statistics},
};

const struct rest_table hub_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = fail};
