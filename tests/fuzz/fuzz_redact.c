/* Any bytes as a log, as JSON and as TOML on their way into a support bundle: in one piece and in
 * pieces they come out the same, and no device's key and no private key with its frame is left. */
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

/* Behind a key's name there is the mark, or nothing that could be a key. */
static void need_clean(const struct buf *out)
{
    static const char name[] = "SharedAccessKey=", mark[] = "REDACTED";
    const char *end = buf_str(out) + out->len;
    for (const char *at = buf_str(out);
         (at = memmem(at, (size_t)(end - at), name, strlen(name)));) {
        at += strlen(name);
        if (at < end && !strchr(" \t\r\n\f\v;&,\"'`<>()[]{}\\", *at) &&
            strncmp(at, mark, strlen(mark)) != 0)
            abort();
    }
    if (memmem(buf_str(out), out->len, "-----BEGIN PRIVATE KEY-----", 27))
        abort();
}

static void as_text(const char *text, size_t size)
{
    auto_buf struct buf whole = {0}, pieces = {0};
    size_t step = size ? 1 + (unsigned char)text[0] % 20 : 1;
    redact_text(text, size, &whole);
    struct redact *r = redact_new(append, &pieces);
    for (size_t at = 0; at < size; at += step)
        redact_feed(r, text + at, size - at < step ? size - at : step);
    redact_end(r);
    redact_free(r);
    need_same(&whole, &pieces);
    need_clean(&whole);
}

static void as_toml(const char *text, size_t size)
{
    auto_buf struct buf out = {0}, again = {0};
    if (redact_toml(text, size, &out, NULL) == 0 &&
        redact_toml(out.data, out.len, &again, NULL) < 0)
        abort(); /* it is a configuration still */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    as_text(text, size);
    as_toml(text, size);
    auto_json cJSON *json = json_parse(text, size, NULL);
    redact_json(json);
    auto_buf struct buf out = {0};
    if (json)
        json_print(&out, json);
    need_clean(&out);
    return 0;
}
