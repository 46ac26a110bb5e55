/* See connstr_view.h. */
#include "tui/connstr_view.h"

#include "core/base/str.h"

#include <string.h>

/* Value of KEY= in the ';'-separated text; false where it is not there. */
static bool find_part(const char *text, size_t len, const char *key, const char **ret,
                      size_t *ret_len)
{
    size_t key_len = strlen(key);
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, ';', (size_t)(end - text));
        size_t part = (size_t)((stop ? stop : end) - text);
        if (part > key_len && !strncasecmp(text, key, key_len) && text[key_len] == '=') {
            *ret = text + key_len + 1;
            *ret_len = part - key_len - 1;
            return true;
        }
        text += part + 1;
    }
    return false;
}

static void say(struct connstr_view *v, enum connstr_part part, enum light light, const char *text,
                size_t len)
{
    char copy[128];
    size_t n = len < sizeof(copy) - 1 ? len : sizeof(copy) - 1;
    memcpy(copy, text, n);
    copy[n] = '\0';
    v->parts[part].light = light;
    str_sanitise_to(v->parts[part].text, sizeof(v->parts[part].text), copy);
    v->good = v->good && light == LIGHT_OK;
}

#define SAY(v, part, light, text) say(v, part, light, text, strlen(text))

static bool is_base64(const char *s, size_t len)
{
    size_t pad = 0;
    for (size_t i = 0; i < len; i++) {
        bool letter = (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') ||
                      (s[i] >= '0' && s[i] <= '9') || s[i] == '+' || s[i] == '/';
        if (s[i] == '=')
            pad++;
        else if (!letter || pad)
            return false;
    }
    return len && len % 4 == 0 && pad <= 2;
}

static void look_at_key(struct connstr_view *v, const char *value, size_t len)
{
    char text[140];
    if (is_base64(value, len)) {
        size_t bytes = len / 4 * 3 - (value[len - 1] == '=') - (value[len - 2] == '=');
        (void)str_format(text, sizeof(text), "%zu characters, valid base64 (%zu bytes)", len,
                         bytes);
        SAY(v, CONNSTR_KEY, LIGHT_OK, text);
    } else if (len % 4) {
        (void)str_format(text, sizeof(text),
                         "%zu characters: the copy lost some (usually 44, ending in \"=\")", len);
        SAY(v, CONNSTR_KEY, LIGHT_BAD, text);
    } else {
        SAY(v, CONNSTR_KEY, LIGHT_BAD, "holds characters that a key cannot have; copy it again");
    }
}

static void look_at_kind(struct connstr_view *v, const char *text, size_t len)
{
    const char *value = NULL;
    size_t value_len = 0;
    if (find_part(text, len, "SharedAccessKeyName", &value, &value_len))
        SAY(v, CONNSTR_KIND, LIGHT_BAD, "this opens the whole hub; use the device's own string");
    else if (find_part(text, len, "ModuleId", &value, &value_len))
        SAY(v, CONNSTR_KIND, LIGHT_BAD, "this belongs to one module; use the device's own string");
    else
        SAY(v, CONNSTR_KIND, LIGHT_OK, "a device's connection string");
}

void connstr_view_parse(const char *text, size_t len, struct connstr_view *ret)
{
    static const char *const labels[] = {"HostName", "DeviceId", "SharedAccessKey", "Kind"};
    const char *value = NULL;
    size_t value_len = 0;
    memset(ret, 0, sizeof(*ret));
    ret->good = len > 0;
    for (size_t i = 0; i < CONNSTR_PARTS; i++) {
        ret->parts[i].label = labels[i];
        ret->parts[i].light = LIGHT_TODO;
    }
    if (!len)
        return;
    if (find_part(text, len, "HostName", &value, &value_len) && value_len)
        say(ret, CONNSTR_HOST, LIGHT_OK, value, value_len);
    else
        SAY(ret, CONNSTR_HOST, LIGHT_BAD, "missing: the string begins with HostName=...");
    if (find_part(text, len, "DeviceId", &value, &value_len) && value_len)
        say(ret, CONNSTR_DEVICE, LIGHT_OK, value, value_len);
    else
        SAY(ret, CONNSTR_DEVICE, LIGHT_BAD, "missing: is this a device's connection string?");
    if (find_part(text, len, "SharedAccessKey", &value, &value_len) && value_len)
        look_at_key(ret, value, value_len);
    else
        SAY(ret, CONNSTR_KEY, LIGHT_BAD, "missing: the end of the string may have been cut off");
    look_at_kind(ret, text, len);
}
