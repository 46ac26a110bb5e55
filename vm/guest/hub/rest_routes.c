/* See rest.h: direct methods. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/rest.h"

#include <inttypes.h>
#include <string.h>

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
        if (err->kind == ERR_BUSY)
            rest_reply_throttled(inv->x, &shown);
        else
            rest_reply_err(inv->x, REST_OF_DEVICE, &shown);
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
        rest_fail(r, &err);
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

#define SERVICE RIGHT_SERVICE

static const struct rest_route routes[] = {
    {"POST", "twins/*/methods", SERVICE, true, method_invoke},
    {"POST", "twins/*/modules/*/methods", SERVICE, true, method_invoke},
};

const struct rest_table hub_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
