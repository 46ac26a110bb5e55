/* See connstr.h. Parts are split on the first '=' only, since base64 keys end in '='; names are
 * matched as Azure's SDKs do, case-sensitive. */
#include "core/azure/connstr.h"

#include "core/base/str.h"
#include "core/io/base64.h"

#include <string.h>

/* IoT Hub takes device keys of 16 to 64 bytes. */
#define KEY_BYTES_MIN 16
#define KEY_BYTES_MAX 64

struct span {
    const char *at;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What a copy from a portal, a shell script or a text file leaves around the string. */
static struct span trimmed(const char *text, size_t len)
{
    struct span s = {text, len};
    bool again = true;

    if (s.len >= 3 && memcmp(s.at, "\xef\xbb\xbf", 3) == 0)
        s = (struct span){s.at + 3, s.len - 3};
    while (again) {
        again = false;
        while (s.len > 0 && is_blank(s.at[0]))
            s = (struct span){s.at + 1, s.len - 1};
        while (s.len > 0 && is_blank(s.at[s.len - 1]))
            s.len--;
        if (s.len >= 2 && (s.at[0] == '"' || s.at[0] == '\'') && s.at[s.len - 1] == s.at[0]) {
            s = (struct span){s.at + 1, s.len - 2};
            again = true;
        }
    }
    return s;
}

static bool span_is(struct span s, const char *name)
{
    return s.len == strlen(name) && memcmp(s.at, name, s.len) == 0;
}

static int copy_part(char *to, size_t size, struct span value, const char *name, struct err *err)
{
    if (value.len >= size)
        return err_set(err, ERR_INVALID, "%s is too long: %zu characters, at most %zu", name,
                       value.len, size - 1);
    memcpy(to, value.at, value.len);
    to[value.len] = '\0';
    return 0;
}

static int parse_host(struct span value, struct connstr *c, struct err *err)
{
    const char *colon = memchr(value.at, ':', value.len);
    uint64_t port = 0;

    if (colon) {
        char digits[8] = "";
        size_t n = (size_t)(value.at + value.len - colon) - 1;

        if (n < sizeof(digits))
            memcpy(digits, colon + 1, n);
        if (n >= sizeof(digits) || !str_to_u64(digits, UINT16_MAX, &port) || port == 0)
            return err_set(err, ERR_INVALID, "HostName has a port that is not 1 to 65535");
        value.len = (size_t)(colon - value.at);
    }
    if (copy_part(c->host, sizeof(c->host), value, "HostName", err) < 0)
        return -1;
    c->port = (uint16_t)port;
    return 0;
}

static int parse_part(struct span name, struct span value, struct connstr *c, struct err *err)
{
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {
        {"DeviceId", c->device_id, sizeof(c->device_id)},
        {"ModuleId", c->module_id, sizeof(c->module_id)},
        {"SharedAccessKeyName", c->key_name, sizeof(c->key_name)},
        {"GatewayHostName", c->gateway, sizeof(c->gateway)},
    };

    if (span_is(name, "HostName"))
        return parse_host(value, c, err);
    if (span_is(name, "SharedAccessKey")) {
        if (value.len > 0)
            secret_set(&c->key, value.at, value.len);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (span_is(name, texts[i].name))
            return copy_part(texts[i].to, texts[i].size, value, texts[i].name, err);
    return 0;
}

int connstr_parse(const char *text, size_t len, struct connstr *ret, struct err *err)
{
    auto_connstr struct connstr c = {0};
    struct span rest = trimmed(text, len);

    if (rest.len > CONNSTR_MAX)
        return err_set(err, ERR_INVALID, "too long for a connection string: %zu characters",
                       rest.len);
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)rest.at[i] < 0x20 || (unsigned char)rest.at[i] >= 0x7f) {
            (void)err_set(err, ERR_INVALID, "character %zu is not plain text", i + 1);
            return err_hint(err, "Copy the connection string again, as one line");
        }
    while (rest.len > 0) {
        const char *semicolon = memchr(rest.at, ';', rest.len);
        struct span part = {rest.at, semicolon ? (size_t)(semicolon - rest.at) : rest.len};
        const char *equals = memchr(part.at, '=', part.len);

        rest.at += part.len + (semicolon ? 1 : 0);
        rest.len -= part.len + (semicolon ? 1 : 0);
        if (!equals)
            continue;

        struct span name = {part.at, (size_t)(equals - part.at)};
        struct span value = {equals + 1, part.len - name.len - 1};

        if (parse_part(name, value, &c, err) < 0)
            return -1;
    }
    *ret = c;
    c = (struct connstr){0};
    return 0;
}

void connstr_done(struct connstr *c)
{
    secret_wipe(&c->key);
    *c = (struct connstr){0};
}

static int check_key(const struct secret *key, struct err *err)
{
    auto_wiped_buf struct buf bytes = {0};

    if (base64_decode(key->data, key->len, &bytes, NULL) < 0 && key->len % 4 == 0) {
        (void)err_set(err, ERR_INVALID, "SharedAccessKey is not valid base64");
        return err_hint(err,
                        "Copy it again. A key has only letters, digits, + and /, and = at its end");
    }
    if (key->len % 4 != 0) {
        size_t more = 4 - key->len % 4;

        (void)err_set(err, ERR_INVALID, "SharedAccessKey has %zu characters, %s short", key->len,
                      more == 1   ? "one"
                      : more == 2 ? "two"
                                  : "three");
        return err_hint(err,
                        "Copy it again, to its end. Keys usually have 44 characters and end in =");
    }
    if (bytes.len < KEY_BYTES_MIN || bytes.len > KEY_BYTES_MAX) {
        (void)err_set(err, ERR_INVALID,
                      "SharedAccessKey holds %zu bytes, a device key has %d to %d", bytes.len,
                      KEY_BYTES_MIN, KEY_BYTES_MAX);
        return err_hint(err, "Copy it again. Keys usually have 44 characters and end in =");
    }
    return 0;
}

static int missing_part(struct err *err, const char *name)
{
    (void)err_set(err, ERR_INVALID, "%s is missing from the connection string", name);
    return err_hint(err, "It looks like HostName=...;DeviceId=...;SharedAccessKey=...");
}

int connstr_check_device(const struct connstr *c, struct err *err)
{
    bool nothing =
        !c->host[0] && !c->device_id[0] && !c->key.len && !c->key_name[0] && !c->module_id[0];

    if (nothing) {
        (void)err_set(err, ERR_INVALID, "there is no connection string here");
        return err_hint(err, "It looks like HostName=...;DeviceId=...;SharedAccessKey=...");
    }
    if (c->key_name[0]) {
        char policy[80];

        str_sanitise_to(policy, sizeof(policy), c->key_name);
        (void)err_set(err, ERR_INVALID, "this is a hub's own string (policy %s), not a device's",
                      policy);
        return err_hint(
            err, "It gives rights over every device. Ask for the DEVICE connection string of "
                 "this one device");
    }
    if (c->module_id[0]) {
        char module[80];

        str_sanitise_to(module, sizeof(module), c->module_id);
        (void)err_set(err, ERR_INVALID, "this is the string of a module (%s), not of a device",
                      module);
        return err_hint(err,
                        "Ask for the connection string of the device itself, without ModuleId");
    }
    if (!c->host[0])
        return missing_part(err, "HostName");
    if (!c->device_id[0])
        return missing_part(err, "DeviceId");
    if (!c->key.len)
        return missing_part(err, "SharedAccessKey");
    return check_key(&c->key, err);
}
