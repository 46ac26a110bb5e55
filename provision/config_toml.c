/* See config_toml.h. Basic strings only: everything that TOML wants escaped is, so that no value
 * can end its string or begin a line of its own. */
#include "provision/config_toml.h"

#include "core/base/str.h"

#include <string.h>

static void string_point(struct buf *out, const char *at, size_t len, uint32_t point)
{
    static const struct {
        char plain, escaped;
    } shorts[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\t', 't'},
                  {'\n', 'n'}, {'\f', 'f'},  {'\r', 'r'}};
    for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
        if (point == (uint32_t)shorts[i].plain) {
            buf_putc(out, '\\');
            buf_putc(out, shorts[i].escaped);
            return;
        }
    }
    if (point < 0x20 || point == 0x7f)
        buf_printf(out, "\\u%04X", (unsigned)point);
    else
        buf_append(out, at, len);
}

int config_toml_string(const char *text, size_t len, struct buf *out, struct err *err)
{
    uint32_t point;
    size_t n;
    for (size_t at = 0; at < len; at += n) {
        n = str_utf8_decode(text + at, len - at, &point);
        if (!n)
            return err_set(err, ERR_INVALID, "byte %zu is not text (UTF-8)", at + 1);
    }
    buf_putc(out, '"');
    for (size_t at = 0; at < len; at += n) {
        n = str_utf8_decode(text + at, len - at, &point);
        string_point(out, text + at, n, point);
    }
    buf_putc(out, '"');
    return 0;
}

int config_toml_write(const struct config_toml *config, struct buf *out, struct err *err)
{
    buf_puts(out, "# Written by berth; its next provisioning replaces this file.\n");
    if (config->trust_bundle) {
        auto_buf struct buf uri = {0};
        buf_printf(&uri, "file://%s", config->trust_bundle);
        buf_puts(out, "trust_bundle_cert = ");
        if (config_toml_string(uri.data, uri.len, out, err) < 0)
            return err_wrap(err, "trust bundle");
        buf_putc(out, '\n');
    }
    buf_puts(out, "\n[provisioning]\nsource = \"manual\"\nconnection_string = ");
    const char *text = config->connection_string;
    if (config_toml_string(text, strlen(text), out, err) < 0)
        return err_wrap(err, "connection string");
    buf_putc(out, '\n');
    return 0;
}
