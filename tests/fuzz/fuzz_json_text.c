/* Any JSON as text for a terminal: no byte that it acts on, and still the same JSON. */
#include "core/base/json_text.h"

#include "core/base/str.h"

#include <assert.h>
#include <string.h>

static void check(const cJSON *value, bool pretty)
{
    auto_buf struct buf text = {0}, again_text = {0};
    json_text(&text, value, pretty);
    for (size_t i = 0; i < text.len; i++)
        assert((unsigned char)text.data[i] >= 0x20 || (pretty && text.data[i] == '\n'));
    assert(!memchr(text.data, 0x7F, text.len));
    auto_buf struct buf clean = {0};
    if (!pretty) { /* the sanitiser finds nothing to do */
        str_sanitise(&clean, text.data, text.len);
        assert(clean.len == text.len);
    }
    auto_json cJSON *again = json_parse(text.data, text.len, NULL);
    assert(again);
    json_text(&again_text, again, pretty);
    assert(again_text.len == text.len && memcmp(again_text.data, text.data, text.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json cJSON *value = json_parse((const char *)data, size, NULL);
    if (!value)
        return 0;
    check(value, false);
    check(value, true);
    return 0;
}
