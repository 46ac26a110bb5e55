/* See api.h. */
#include "vm/guest/edged/api.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>
#include <strings.h>

static const char *const versions[] = {
    [API_2018_06_28] = "2018-06-28",     [API_2019_01_30] = "2019-01-30",
    [API_2019_10_22] = "2019-10-22",     [API_2019_11_05] = "2019-11-05",
    [API_2020_07_07] = "2020-07-07",     [API_2021_12_07] = "2021-12-07",
    [API_2022_08_03] = API_VERSION_TEXT,
};
_Static_assert(ARRAY_LEN(versions) == API_VERSION_COUNT, "a text for each version");

/* ------------------------------------------------------------------------------- routing */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one part of a path. False where it is malformed, too long or empty. */
static bool decode(const char *from, size_t len, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)from[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(from[i + 1]) : -1;
            int low = i + 2 < len ? hex(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c < 0x20 || n + 1 >= size)
            return false;
        to[n++] = (char)c;
    }
    to[n] = '\0';
    return n > 0;
}

static bool same_part(const char *pattern, size_t pattern_len, const char *part, size_t len)
{
    if (pattern_len != len)
        return false;
    bool any_case = len > 0 && pattern[0] >= 'A' && pattern[0] <= 'Z';
    return (any_case ? strncasecmp(pattern, part, len) : strncmp(pattern, part, len)) == 0;
}

static bool matches(const char *pattern, const char *path, struct api_names *names)
{
    *names = (struct api_names){0};
    for (size_t n = 0;;) {
        size_t want = strcspn(pattern + 1, "/"), have = strcspn(path + 1, "/");
        bool name = pattern[1] == '*' && n < API_NAMES_MAX;
        if (name ? !decode(path + 1, have, names->at[n], sizeof(names->at[n]))
                 : !same_part(pattern + 1, want, path + 1, have))
            return false;
        n += name;
        pattern += 1 + want;
        path += 1 + have;
        if (!*pattern || !*path)
            return !*pattern && !*path;
    }
}

/* The index of the api-version that was asked for; -1: answered. */
static int check_version(struct http_exchange *x)
{
    char version[32], shown[32];
    if (!http_exchange_query(x, "api-version", version, sizeof(version))) {
        http_reply_message(x, 400, "api-version not specified");
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (str_eq(version, versions[i]))
            return (int)i;
    str_sanitise_to(shown, sizeof(shown), version);
    http_reply_message(x, 400, "invalid api-version \"%s\"", shown);
    return -1;
}

const void *api_find(struct http_exchange *x, const void *table, size_t n, size_t size,
                     struct api_names *ret_names)
{
    bool known = false;
    const char *path = http_exchange_path(x), *method = http_exchange_method(x);
    int version = check_version(x);
    if (version < 0)
        return NULL;
    for (size_t i = 0; *path == '/' && i < n; i++) {
        const struct api_route *route = (const void *)((const char *)table + i * size);
        if ((unsigned)version < route->version || !matches(route->path, path, ret_names))
            continue;
        known = true;
        if (str_eq(method, route->method))
            return route;
    }
    if (known)
        http_reply_message(x, 400, "method not allowed");
    else
        http_reply_message(x, 404, "not found");
    return NULL;
}

/* ------------------------------------------------------------------------------- JSON */

/* Parameters of the type do not matter. */
static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t len = strcspn(type, "; \t");
    return len == strlen(json) && strncasecmp(type, json, len) == 0;
}

bool api_body(struct http_exchange *x, cJSON **ret)
{
    size_t len = 0;
    struct err err;
    const char *body = http_exchange_body(x, &len);
    const char *type = http_exchange_header(x, "content-type");
    *ret = NULL;
    if (!len || (type && !is_json(type)))
        return true;
    *ret = json_parse(body, len, &err);
    if (*ret)
        return true;
    http_reply_message(x, 422, "the body is not JSON: %s", err.msg);
    return false;
}

void api_reply(struct http_exchange *x, int status, const cJSON *json)
{
    auto_wiped_buf struct buf text = {0}; /* keys travel in some */
    json_print(&text, json);
    http_reply(x, status, "application/json", text.data, text.len);
}
