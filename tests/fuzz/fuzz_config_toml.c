/* A value in config.toml, read back by the rules of TOML's basic strings: it is the same bytes, and
 * it is one line. */
#include "provision/config_toml.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const char *p, const char *end, struct buf *out)
{
    static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    while (p < end) {
        assert((unsigned char)*p >= 0x20 && *p != 0x7f && *p != '"');
        if (*p != '\\') {
            buf_putc(out, *p++);
            continue;
        }
        p++;
        if (*p == 'u') {
            char hex[5] = {p[1], p[2], p[3], p[4], 0};
            buf_putc(out, (char)strtoul(hex, NULL, 16)); /* only below 0x80 are escaped */
            p += 5;
        } else {
            const char *name = strchr(names, *p++);
            assert(name);
            buf_putc(out, values[name - names]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf quoted = {0}, back = {0};
    if (config_toml_string((const char *)data, size, &quoted, NULL) < 0) {
        assert(!quoted.len);
        return 0;
    }
    assert(quoted.len >= 2 && quoted.data[0] == '"' && quoted.data[quoted.len - 1] == '"');
    read_back(quoted.data + 1, quoted.data + quoted.len - 1, &back);
    assert(back.len == size && (!size || memcmp(back.data, data, size) == 0));
    return 0;
}
