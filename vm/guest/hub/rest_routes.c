/* See rest.h: direct methods and events. */
#include "core/azure/base64.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/events.h"
#include "vm/guest/hub/methods.h"
#include "vm/guest/hub/rest.h"

#include <inttypes.h>
#include <string.h>

#define EVENTS_A_REPLY       200
#define EVENTS_BYTES_A_REPLY (1U << 20)

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

/* ------------------------------------------------------------------------------------------ events
 */

struct event_list {
    cJSON *array;
    size_t n, bytes;
};

static bool bag_add(void *arg, const char *key, const char *value)
{
    json_add_str(arg, key, value ? value : "");
    return true;
}

static bool event_add(void *arg, const struct event *event)
{
    struct event_list *list = arg;
    cJSON *out = cJSON_CreateObject();
    char when[CLOCK_TEXT_MAX];
    auto_buf struct buf body = {0};

    clock_format(when, sizeof(when), event->at_ms);
    base64_encode(event->payload, event->len, &body);
    json_add_u64(out, "sequence", event->seq);
    json_add_str(out, "enqueuedTimeUtc", when);
    json_add_str(out, "deviceId", event->device);
    if (event->module[0])
        json_add_str(out, "moduleId", event->module);
    cJSON *properties = json_add_obj(out, "properties");
    (void)topic_bag_each(event->bag, event->bag_len, bag_add, properties);
    if (event->will)
        json_add_str(properties, "iothub-MessageType", "Will");
    json_add_str(out, "bodyBase64", buf_str(&body));
    json_push(list->array, out);
    list->bytes += event->len + event->bag_len;
    return ++list->n < EVENTS_A_REPLY && list->bytes < EVENTS_BYTES_A_REPLY;
}

/* Not of Azure, where telemetry is read over AMQP from an Event Hub. */
static void events_get(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateObject();
    struct event_list list = {.array = json_add_array(out, "events")};
    struct err err = {0};
    char text[24];
    uint64_t after = 0;

    if (http_exchange_query(r->x, "after", text, sizeof(text)) &&
        !str_to_u64(text, UINT64_MAX / 2, &after)) {
        (void)err_set(&err, ERR_INVALID, "after: must be a sequence number");
        rest_fail(r, &err);
        return;
    }
    json_add_u64(out, "last", events_last(r->hub->events));
    events_each(r->hub->events, after, event_add, &list);
    rest_reply_json(r->x, 200, out);
}

/* ------------------------------------------------------------------------------------------ table
 */

#define SERVICE RIGHT_SERVICE

static const struct rest_route routes[] = {
    {"POST", "twins/*/methods", SERVICE, true, method_invoke},
    {"POST", "twins/*/modules/*/methods", SERVICE, true, method_invoke},
    {"GET", "sandbox/events", SERVICE, false, events_get},
};

const struct rest_table hub_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
