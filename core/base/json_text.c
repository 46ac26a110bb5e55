/* See json_text.h. The depth is json_parse()'s, which bounds the recursion. */
#include "core/base/json_text.h"

#include "core/base/str.h"

#include <inttypes.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD stands for bytes that are no UTF-8 */

static void put_escape(struct buf *out, uint32_t point)
{
    if (point < 0x10000) {
        buf_printf(out, "\\u%04" PRIx32, point);
        return;
    }
    point -= 0x10000;
    buf_printf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xD800 + (point >> 10),
               0xDC00 + (point & 0x3FF));
}

/* Whether the sanitiser lets the character pass as it is. */
static bool is_harmless(const char *data, size_t len)
{
    auto_buf struct buf clean = {0};
    str_sanitise(&clean, data, len);
    return clean.len == len && memcmp(clean.data, data, len) == 0;
}

static void put_char(struct buf *out, const char *data, size_t len, uint32_t point)
{
    static const char short_names[] = "btn\0fr"; /* of the characters from 8 on */
    if (point == '"' || point == '\\')
        buf_printf(out, "\\%c", (char)point);
    else if (point >= '\b' && point <= '\r' && short_names[point - '\b'])
        buf_printf(out, "\\%c", short_names[point - '\b']);
    else if (point != '\t' && is_harmless(data, len))
        buf_append(out, data, len);
    else
        put_escape(out, point);
}

static void put_string(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    buf_putc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = i;
        while (plain < len && text[plain] >= 0x20 && text[plain] < 0x7F && text[plain] != '"' &&
               text[plain] != '\\')
            plain++;
        buf_append(out, text + i, plain - i);
        i = plain;
        if (i == len)
            break;
        uint32_t point = 0;
        size_t n = str_utf8_decode(text + i, len - i, &point);
        if (n)
            put_char(out, text + i, n, point);
        else
            buf_puts(out, REPLACEMENT);
        i += n ? n : 1;
    }
    buf_putc(out, '"');
}

static void put_break(struct buf *out, bool pretty, size_t level)
{
    if (!pretty)
        return;
    buf_putc(out, '\n');
    for (size_t i = 0; i < level; i++)
        buf_puts(out, "  ");
}

static void put_value(struct buf *out, const cJSON *value, bool pretty, size_t level)
{
    bool object = cJSON_IsObject(value);
    if (cJSON_IsString(value)) {
        put_string(out, value->valuestring);
        return;
    }
    if (!object && !cJSON_IsArray(value)) {
        json_print(out, value); /* a number or a word */
        return;
    }
    buf_putc(out, object ? '{' : '[');
    const cJSON *child = NULL;
    cJSON_ArrayForEach(child, value)
    {
        put_break(out, pretty, level + 1);
        if (object) {
            put_string(out, child->string);
            buf_puts(out, pretty ? ": " : ":");
        }
        put_value(out, child, pretty, level + 1);
        if (child->next)
            buf_putc(out, ',');
    }
    if (value->child)
        put_break(out, pretty, level);
    buf_putc(out, object ? '}' : ']');
}

void json_text(struct buf *out, const cJSON *value, bool pretty)
{
    put_value(out, value, pretty, 0);
}
