/* See hub_event.h. */
#include "provision/hub_event.h"

#include "core/base/clock.h"
#include "core/base/json.h"

static size_t take_properties(const cJSON *bag, struct hub_event *e)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, bag)
    {
        if (e->n_properties == HUB_EVENT_PROPERTIES_MAX)
            break;
        if (cJSON_IsString(item))
            e->properties[e->n_properties++] =
                (struct hub_property){item->string, item->valuestring};
    }
    return e->n_properties;
}

static bool take_event(const cJSON *json, struct hub_event *e)
{
    *e = (struct hub_event){
        .sequence = json_u64(json, "sequence", 0),
        .device = json_str(json, "deviceId", ""),
        .module = json_str(json, "moduleId", ""),
        .body_base64 = json_str(json, "bodyBase64", ""),
    };
    (void)clock_parse(json_str(json, "enqueuedTimeUtc", ""), &e->at_ms);
    e->n_own = take_properties(json_get(json, "properties"), e);
    (void)take_properties(json_get(json, "systemProperties"), e);
    return e->sequence > 0;
}

int hub_read_events(const char *text, size_t len, void (*fn)(void *arg, const struct hub_event *e),
                    void *arg, uint64_t *ret_last, struct err *err)
{
    auto_json cJSON *root = json_parse(text, len, err);
    const cJSON *events = NULL, *item = NULL;
    struct hub_event e;
    uint64_t last = 0;
    if (!root || json_need_u64(root, "last", UINT64_MAX, &last, err) < 0 ||
        json_need_array(root, "events", &events, err) < 0) {
        if (err)
            err->kind = ERR_PROTOCOL;
        return err_wrap(err, "the hub's answer");
    }
    cJSON_ArrayForEach(item, events)
    {
        if (take_event(item, &e))
            fn(arg, &e);
    }
    *ret_last = last;
    return 0;
}
