/* See event_json.h. */
#include "vm/guest/hub/event_json.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/hub/topic.h"

/* The short names of a property bag, and what a consumer reads. */
static const struct {
    const char *wire, *name;
} system_names[] = {
    {"$.mid", "message-id"},
    {"$.cid", "correlation-id"},
    {"$.uid", "user-id"},
    {"$.to", "to"},
    {"$.ct", "content-type"},
    {"$.ce", "content-encoding"},
    {"$.exp", "absolute-expiry-time"},
    {"$.on", "iothub-outputname"},
    {"$.ctime", "iothub-creation-time-utc"},
    {"$.schema", "iothub-message-schema"},
    {"$.ifid", "iothub-interface-id"},
    {"$.sub", "dt-subject"},
};

struct parts {
    cJSON *application, *system;
};

static void set(cJSON *to, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(to, name); /* what came last counts */
    json_add_str(to, name, value);
}

static bool property_add(void *arg, const char *key, const char *value)
{
    struct parts *parts = arg;

    if (!value)
        value = "";
    for (size_t i = 0; i < ARRAY_LEN(system_names); i++)
        if (str_eq(key, system_names[i].wire)) {
            set(parts->system, system_names[i].name, value);
            return true;
        }
    /* A name of the hub's own that is not known here is still not the application's. */
    set(str_starts(key, "$.") ? parts->system : parts->application, key, value);
    return true;
}

cJSON *event_json(const struct event *event)
{
    cJSON *out = cJSON_CreateObject();
    struct parts parts;
    auto_buf struct buf body = {0};
    char when[CLOCK_TEXT_MAX];

    clock_format(when, sizeof(when), event->at_ms);
    json_add_u64(out, "sequence", event->seq);
    json_add_str(out, "enqueuedTimeUtc", when);
    json_add_str(out, "deviceId", event->device);
    if (event->module[0])
        json_add_str(out, "moduleId", event->module);
    parts.application = json_add_obj(out, "properties");
    parts.system = json_add_obj(out, "systemProperties");
    (void)topic_bag_each(event->bag, event->bag_len, property_add, &parts);
    if (event->retain)
        set(parts.application, "mqtt-retain", "true");
    if (event->will)
        set(parts.application, "iothub-MessageType", "Will");
    /* The hub's word is the last: nobody sends in another's name. */
    set(parts.system, "iothub-connection-device-id", event->device);
    if (event->module[0])
        set(parts.system, "iothub-connection-module-id", event->module);
    set(parts.system, "iothub-connection-auth-method", event->method);
    set(parts.system, "iothub-connection-auth-generation-id", event->generation);
    set(parts.system, "iothub-enqueuedtime", when);
    set(parts.system, "iothub-message-source", "Telemetry");
    if (event->model_id[0])
        set(parts.system, "dt-dataschema", event->model_id);
    base64_encode(event->payload, event->len, &body);
    json_add_str(out, "bodyBase64", buf_str(&body));
    return out;
}
