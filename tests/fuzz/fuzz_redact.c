/* Any bytes as a log, as JSON and as TOML on their way into a support bundle: in one piece and in
 * pieces they come out the same, and what was redacted once stays as it is. */
#include "vm/guest/iotedge/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append(void *arg, const char *data, size_t len)
{
    buf_append(arg, data, len);
}

static void need_same(const struct buf *a, const struct buf *b)
{
    if (a->len != b->len || memcmp(buf_str(a), buf_str(b), a->len) != 0)
        abort();
}

static void as_text(const char *text, size_t size)
{
    auto_buf struct buf whole = {0}, pieces = {0}, again = {0};
    size_t step = size ? 1 + (unsigned char)text[0] % 20 : 1;
    redact_text(text, size, &whole);
    struct redact *r = redact_new(append, &pieces);
    for (size_t at = 0; at < size; at += step)
        redact_feed(r, text + at, size - at < step ? size - at : step);
    redact_end(r);
    redact_free(r);
    need_same(&whole, &pieces);
    redact_text(buf_str(&whole), whole.len, &again);
    need_same(&whole, &again);
}

static void as_toml(const char *text, size_t size)
{
    auto_buf struct buf out = {0}, again = {0};
    if (redact_toml(text, size, &out, NULL) < 0)
        return;
    if (redact_toml(buf_str(&out), out.len, &again, NULL) == 0)
        need_same(&out, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    as_text(text, size);
    as_toml(text, size);
    auto_json cJSON *json = json_parse(text, size, NULL);
    redact_json(json);
    return 0;
}
