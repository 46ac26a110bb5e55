/* See event_json.h. */
#include "tui/event_json.h"

#include "core/base/json.h"
#include "core/base/json_text.h"
#include "core/base/str.h"

#include <inttypes.h>
#include <string.h>

#define BASE64_SHOWN 64

static void put(struct buf *out, const char *text)
{
    str_sanitise(out, text, strlen(text));
}

/* The sender's own ones; "$." begins those of the protocol. */
static void put_properties(struct buf *out, const cJSON *bag)
{
    const char *between = "  ";
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, bag)
    {
        if (str_starts(item->string, "$."))
            continue;
        buf_puts(out, between);
        put(out, item->string);
        buf_putc(out, '=');
        put(out, cJSON_IsString(item) ? item->valuestring : "");
        between = " ";
    }
}

/* JSON on one line whatever it came on, other text as it is, of bytes the first as base64. */
static void put_body(struct buf *out, const cJSON *entry)
{
    const char *text = json_str(entry, "text", "");
    const char *base64 = json_str(entry, "bodyBase64", "");
    uint64_t size = json_u64(entry, "size", 0);
    auto_json cJSON *document = json_parse(text, strlen(text), NULL);
    if (document)
        json_text(out, document, false);
    else if (text[0])
        put(out, text);
    else if (!size)
        buf_puts(out, json_bool(entry, "cut", false) ? "(too long to be shown)"
                      : base64[0]                    ? "(unreadable)"
                                                     : "(empty)");
    else
        buf_printf(out, "(%" PRIu64 " bytes, as base64: %.*s%s)", size, BASE64_SHOWN, base64,
                   strlen(base64) > BASE64_SHOWN ? "..." : "");
}

void event_json_line(const cJSON *entry, struct buf *out)
{
    if (json_get(entry, "mark")) {
        put(out, json_str(entry, "text", ""));
        return;
    }
    put(out, json_str(entry, "deviceId", ""));
    if (json_get(entry, "moduleId")) {
        buf_putc(out, '/');
        put(out, json_str(entry, "moduleId", ""));
    }
    put_properties(out, json_get(entry, "properties"));
    buf_puts(out, "  ");
    put_body(out, entry);
}
