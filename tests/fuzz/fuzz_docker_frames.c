/* The same bytes in one piece and in pieces of a size taken from the first byte: payloads and
 * outcome must be the same, and no payload longer than what went in. */
#include "core/base/buf.h"
#include "logs/docker_frames.h"

#include <string.h>

static void record(void *arg, uint8_t stream, bool first, const char *data, size_t len)
{
    if (first)
        buf_printf(arg, "|%u:", stream);
    buf_append(arg, data, len);
}

static int run(enum docker_mode mode, const uint8_t *data, size_t size, size_t chunk,
               struct buf *out)
{
    struct docker_frames f;
    int result = 0;
    docker_frames_init(&f, mode, record, out);
    for (size_t at = 0; at < size && result == 0; at += chunk)
        result = docker_frames_feed(&f, data + at, at + chunk > size ? size - at : chunk, NULL);
    return result == 0 ? docker_frames_end(&f, NULL) : result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum docker_mode mode = data[0] & 1 ? DOCKER_MODE_DETECT : DOCKER_MODE_FRAMED;
    size_t chunk = 1 + (data[0] >> 1) % 20;
    auto_buf struct buf whole = {0};
    auto_buf struct buf pieces = {0};
    int one = run(mode, data + 1, size - 1, size, &whole);
    int two = run(mode, data + 1, size - 1, chunk, &pieces);
    if (one != two || whole.len != pieces.len ||
        memcmp(buf_str(&whole), buf_str(&pieces), whole.len) != 0)
        abort();
    return 0;
}
