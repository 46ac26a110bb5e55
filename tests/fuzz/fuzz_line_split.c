/* The same bytes in one piece and in small pieces give the same lines, each bounded, terminated and
 * free of control bytes. */
#include "core/base/buf.h"
#include "core/base/str.h"
#include "logs/line_split.h"

#include <inttypes.h>
#include <string.h>

static void record(void *arg, const struct log_entry *e)
{
    if (e->len > LINE_SPLIT_KEEP || e->text[e->len] != '\0')
        abort();
    for (size_t i = 0; i < e->len;) {
        uint32_t point = 0;
        size_t n = str_utf8_decode(e->text + i, e->len - i, &point);
        if (!n || point < 0x20 || (point >= 0x7F && point < 0xA0))
            abort();
        i += n;
    }
    buf_printf(arg, "%" PRIu64 " %u %" PRIu64 " %d %s\n", e->seq, e->stream, e->at_ms, e->cut,
               e->text);
}

static void run(bool timestamps, const uint8_t *data, size_t size, size_t chunk, struct buf *out)
{
    struct line_split_options options = {.timestamps = timestamps};
    auto_line_split struct line_split *s = line_split_new(&options, record, out);
    for (size_t at = 0; at < size; at += chunk)
        line_split_feed(s, 1, at == 0, (const char *)data + at,
                        at + chunk > size ? size - at : chunk);
    line_split_end(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    auto_buf struct buf whole = {0};
    auto_buf struct buf pieces = {0};
    run(data[0] & 1, data + 1, size - 1, size, &whole);
    run(data[0] & 1, data + 1, size - 1, 1 + (data[0] >> 1), &pieces);
    if (whole.len != pieces.len || memcmp(buf_str(&whole), buf_str(&pieces), whole.len) != 0)
        abort();
    return 0;
}
