/* Messages to devices over HTTPS. Azure sends them over AMQP alone and has only the purge here: the
 * rest is the sandbox's own, below /sandbox. */
#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/hub/c2d.h"
#include "vm/guest/hub/c2d_json.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/rest.h"

#define FEEDBACK_A_REPLY 200

/* POST sandbox/devices/D/messages/devicebound */
static void message_send(struct rest *r)
{
    const char *device = r->segments[2];
    auto_identity struct identity id = {0};
    auto_c2d_row struct c2d_row message = {0};
    auto_json cJSON *out = cJSON_CreateObject();
    struct err err = {0};

    if (registry_device(r->hub, r->hub_name, device, &id, &err) < 0 ||
        c2d_json_read(r->body, device, clock_wall_ms(), &message, &err) < 0 ||
        c2d_send(r->hub->c2d, &message, &err) < 0) {
        rest_fail(r, &err);
        return;
    }
    json_add_str(out, "messageId", message.message_id);
    rest_reply_json(r->x, 200, out);
}

/* DELETE devices/D/commands */
static void queue_purge(struct rest *r)
{
    auto_identity struct identity id = {0};
    auto_json cJSON *out = cJSON_CreateObject();
    struct err err = {0};
    uint64_t n = 0;

    if (store_identity_get(r->hub->store, REST_DEVICE(r), "", &id, &err) < 0 ||
        c2d_purge(r->hub->c2d, REST_DEVICE(r), &n, &err) < 0) {
        rest_fail(r, &err);
        return;
    }
    json_add_u64(out, "totalMessagesPurged", n);
    json_add_str(out, "deviceId", REST_DEVICE(r));
    json_add(out, "moduleId", cJSON_CreateNull());
    rest_reply_json(r->x, 200, out);
}

static void feedback_add(void *arg, const struct c2d_feedback *f)
{
    cJSON *out = cJSON_CreateObject();
    char when[CLOCK_TEXT_MAX];

    clock_format(when, sizeof(when), f->at_ms);
    json_add_u64(out, "sequence", f->seq);
    json_add_str(out, "enqueuedTimeUtc", when);
    json_add_str(out, "originalMessageId", f->message_id);
    json_add_str(out, "deviceId", f->device);
    json_add_str(out, "deviceGenerationId", f->generation);
    json_add_str(out, "statusCode", f->status);
    json_push(arg, out);
}

/* GET sandbox/feedback[?after=N] */
static void feedback_get(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateArray();
    struct err err = {0};
    char text[24];
    uint64_t after = 0;

    if (http_exchange_query(r->x, "after", text, sizeof(text)) &&
        !str_to_u64(text, UINT64_MAX / 2, &after)) {
        (void)err_set(&err, ERR_INVALID, "after: must be a sequence number");
        rest_fail(r, &err);
        return;
    }
    if (store_feedback_each(r->hub->store, after, FEEDBACK_A_REPLY, feedback_add, out, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_json(r->x, 200, out);
}

static const struct rest_route routes[] = {
    {"POST", "sandbox/devices/*/messages/devicebound", RIGHT_SERVICE, true, message_send},
    {"GET", "sandbox/feedback", RIGHT_SERVICE, false, feedback_get},
    {"DELETE", "devices/*/commands", RIGHT_SERVICE | RIGHT_REGISTRY_WRITE, false, queue_purge},
};

const struct rest_table message_routes = {
    .routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
