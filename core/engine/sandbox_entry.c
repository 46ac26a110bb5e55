/* See sandbox_entry.h. */
#include "core/engine/sandbox_entry.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <string.h>

#define BODY_MAX     (384U << 10) /* of base64: 288 KiB, more than a hub accepts */
#define TEXT_MAX     (16U << 10)  /* each byte can take six on the wire */
#define PROPERTY_MAX 512
#define BAG_MAX      (16U << 10) /* of all properties */

/* The first bytes of TEXT, at most MAX, cut between two characters. Heap string. */
static char *head_of(const char *text, size_t len, size_t max, bool *cut)
{
    if (len <= max)
        return xstrndup(text, len);
    *cut = true;
    while (max && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return xstrndup(text, max);
}

static bool is_text(const char *data, size_t len)
{
    uint32_t point;
    for (size_t at = 0, n; at < len; at += n) {
        n = str_utf8_decode(data + at, len - at, &point);
        if (!n || !point)
            return false;
    }
    return true;
}

static void add_bag(cJSON *entry, const char *key, const struct hub_property *list, size_t n,
                    bool *cut)
{
    cJSON *bag = json_add_obj(entry, key);
    size_t left = BAG_MAX;
    for (size_t i = 0; i < n; i++) {
        auto_free char *name = head_of(list[i].key, strlen(list[i].key), PROPERTY_MAX, cut);
        auto_free char *value = head_of(list[i].value, strlen(list[i].value), PROPERTY_MAX, cut);
        size_t size = strlen(name) + strlen(value);
        if (size > left) {
            *cut = true;
            return;
        }
        left -= size;
        json_add_str(bag, name, value);
    }
}

static void add_body(cJSON *entry, const char *base64, bool *cut)
{
    auto_buf struct buf body = {0};
    size_t len = strlen(base64);
    if (len > BODY_MAX) {
        *cut = true;
        return;
    }
    json_add_str(entry, "bodyBase64", base64);
    if (base64_decode(base64, len, &body, NULL) < 0)
        return;
    json_add_u64(entry, "size", body.len);
    if (!is_text(buf_str(&body), body.len))
        return;
    auto_free char *text = head_of(buf_str(&body), body.len, TEXT_MAX, cut);
    json_add_str(entry, "text", text);
}

cJSON *sandbox_entry_json(const struct hub_event *event)
{
    cJSON *entry = cJSON_CreateObject();
    bool cut = false;
    auto_free char *device = head_of(event->device, strlen(event->device), PROPERTY_MAX, &cut);
    auto_free char *module = head_of(event->module, strlen(event->module), PROPERTY_MAX, &cut);
    json_add_u64(entry, "sequence", event->sequence);
    json_add_u64(entry, "at", event->at_ms);
    json_add_str(entry, "deviceId", device);
    if (module[0])
        json_add_str(entry, "moduleId", module);
    add_bag(entry, "properties", event->properties, event->n_own, &cut);
    add_bag(entry, "systemProperties", event->properties + event->n_own,
            event->n_properties - event->n_own, &cut);
    add_body(entry, event->body_base64, &cut);
    if (cut)
        json_add_bool(entry, "cut", true);
    return entry;
}

cJSON *sandbox_entry_mark(const char *mark, const char *text)
{
    cJSON *entry = cJSON_CreateObject();
    json_add_str(entry, "mark", mark);
    json_add_str(entry, "text", text);
    return entry;
}
