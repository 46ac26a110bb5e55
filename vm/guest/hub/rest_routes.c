/* See rest.h: direct methods. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/method_json.h"
#include "vm/guest/hub/rest.h"

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
        auto_json cJSON *out = method_json_answer(status, payload, len);

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

static int read_call(struct rest *r, struct method_call *call, struct buf *payload, struct err *err)
{
    auto_identity struct identity id = {0};

    call->device = REST_DEVICE(r);
    call->module = REST_MODULE(r);
    if (store_identity_get(r->hub->store, call->device, call->module, &id, err) < 0)
        return -1;
    return method_json_read(r->body, call, payload, err);
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
