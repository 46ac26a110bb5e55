/* See topic.h. */
#include "vm/guest/hub/topic.h"

#include "core/azure/percent.h"
#include "core/base/str.h"

#include <string.h>

#define BAG_TEXT_MAX 8192

struct span {
    const char *at;
    size_t len;
};

static bool is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Cuts PREFIX off; false where S does not start with it. */
static bool cut(struct span *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->len < n || memcmp(s->at, prefix, n) != 0)
        return false;
    s->at += n;
    s->len -= n;
    return true;
}

/* Takes what stands before the next END (and END itself), or all the rest. */
static struct span until(struct span *s, char end)
{
    const char *at = memchr(s->at, end, s->len);
    struct span part = {s->at, at ? (size_t)(at - s->at) : s->len};
    size_t skip = part.len + (at ? 1 : 0);

    s->at += skip;
    s->len -= skip;
    return part;
}

static bool to_text(struct span s, char *to, size_t size)
{
    if (s.len >= size)
        return false;
    memcpy(to, s.at, s.len);
    to[s.len] = '\0';
    return true;
}

static bool to_number(struct span s, uint64_t max, uint64_t *ret)
{
    char digits[24];

    return s.len > 0 && to_text(s, digits, sizeof(digits)) && str_to_u64(digits, max, ret);
}

/* "?$rid=...&$version=..." */
static bool parse_query(struct span rest, struct topic *t)
{
    if (!cut(&rest, "?"))
        return false;
    while (rest.len > 0) {
        struct span part = until(&rest, '&');

        if (cut(&part, "$rid=")) {
            if (!to_text(part, t->rid, sizeof(t->rid)))
                return false;
        } else if (cut(&part, "$version=")) {
            t->has_version = true;
            if (!to_number(part, UINT32_MAX, &t->version))
                return false;
        }
    }
    return true;
}

static bool parse_service(struct span rest, struct topic *t)
{
    uint64_t status;

    if (cut(&rest, "twin/GET/")) {
        t->kind = TOPIC_TWIN_GET;
    } else if (cut(&rest, "twin/PATCH/properties/reported/")) {
        t->kind = TOPIC_TWIN_REPORT;
    } else if (cut(&rest, "methods/res/")) {
        t->kind = TOPIC_METHOD_REPLY;
        if (!to_number(until(&rest, '/'), 999999999, &status))
            return false;
        t->status = (unsigned)status;
    } else {
        return false;
    }
    return parse_query(rest, t) && t->rid[0];
}

static bool parse_telemetry(struct span rest, struct topic *t)
{
    t->kind = TOPIC_TELEMETRY;
    if (!to_text(until(&rest, '/'), t->device, sizeof(t->device)))
        return false;
    if (cut(&rest, "modules/") && !to_text(until(&rest, '/'), t->module, sizeof(t->module)))
        return false;
    if (!cut(&rest, "messages/events"))
        return false;
    if (rest.len > 0 && !cut(&rest, "/"))
        return false;
    (void)cut(&rest, "?");
    if (rest.len > 0 && rest.at[rest.len - 1] == '/')
        rest.len--;
    t->bag = rest.at;
    t->bag_len = rest.len;
    return topic_bag_each(rest.at, rest.len, NULL, NULL);
}

int topic_parse(const char *text, size_t len, struct topic *ret, struct err *err)
{
    struct span rest = {text, len};
    struct topic t = {0};
    bool known = cut(&rest, "$iothub/") ? parse_service(rest, &t)
                                        : cut(&rest, "devices/") && parse_telemetry(rest, &t);

    if (!known)
        return err_set(err, ERR_INVALID, "a hub has no such topic");
    *ret = t;
    return 0;
}

unsigned topic_filter(const char *text, size_t len, const char *device, const char *module)
{
    static const struct {
        const char *filter;
        unsigned sub;
    } service[] = {
        {"$iothub/twin/res/#", SUB_TWIN_REPLY},
        {"$iothub/twin/PATCH/properties/desired/#", SUB_TWIN_DESIRED},
        {"$iothub/methods/POST/#", SUB_METHODS},
    };
    struct span rest = {text, len};

    for (size_t i = 0; i < ARRAY_LEN(service); i++)
        if (is(rest, service[i].filter))
            return service[i].sub;
    if (!cut(&rest, "devices/") || !cut(&rest, device) || !cut(&rest, "/"))
        return 0;
    if (!module[0])
        return is(rest, "messages/devicebound/#") ? SUB_DEVICEBOUND : 0;
    if (!cut(&rest, "modules/") || !cut(&rest, module) || !cut(&rest, "/"))
        return 0;
    return is(rest, "#") || is(rest, "inputs/#") ? SUB_INPUTS : 0;
}

/* The last segment of a user name: "?api-version=...&DeviceClientType=..." with or without the
 * question mark. */
static bool parse_user_properties(struct span rest, struct topic_user *u)
{
    (void)cut(&rest, "?");
    while (rest.len > 0) {
        struct span part = until(&rest, '&');

        if (cut(&part, "api-version=") &&
            !percent_decode(part.at, part.len, u->api_version, sizeof(u->api_version)))
            return false;
    }
    return u->api_version[0] != '\0';
}

int topic_parse_user(const char *text, size_t len, struct topic_user *ret, struct err *err)
{
    struct span rest = {text, len};
    struct topic_user u = {0};
    struct span host = until(&rest, '/');
    struct span device = until(&rest, '/');
    struct span third = until(&rest, '/');
    bool is_module = rest.len > 0;

    if (host.len == 0 || !to_text(device, u.device, sizeof(u.device)) ||
        !identity_id_valid(u.device))
        return err_set(err, ERR_INVALID, "the user name is not HOST/DEVICE/?api-version=...");
    if (is_module && (!to_text(third, u.module, sizeof(u.module)) || !identity_id_valid(u.module)))
        return err_set(err, ERR_INVALID,
                       "the user name is not HOST/DEVICE/MODULE/?api-version=...");
    if (!parse_user_properties(is_module ? rest : third, &u))
        return err_set(err, ERR_INVALID, "the user name has no api-version");
    *ret = u;
    return 0;
}

bool topic_bag_each(const char *bag, size_t len,
                    bool (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    struct span rest = {bag, len};

    while (rest.len > 0) {
        struct span part = until(&rest, '&');
        bool has_value = memchr(part.at, '=', part.len) != NULL;
        struct span key = until(&part, '=');
        auto_buf struct buf both = {0};

        if (key.len == 0 && !has_value)
            continue;
        if (key.len + part.len > BAG_TEXT_MAX)
            return false;

        /* Decoding never makes text longer. */
        char *name = buf_reserve(&both, key.len + part.len + 2);
        char *value = name + key.len + 1;

        if (!percent_decode(key.at, key.len, name, key.len + 1) ||
            !percent_decode(part.at, part.len, value, part.len + 1))
            return false;
        if (fn && !fn(arg, name, has_value ? value : NULL))
            return true;
    }
    return true;
}

bool identity_id_valid(const char *id)
{
    size_t len = strlen(id);

    if (len < 1 || len > 128)
        return false;
    for (; *id; id++)
        if (!((*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') ||
              (*id >= '0' && *id <= '9') || strchr("-.+%_#*?!(),:=@$'", *id)))
            return false;
    return true;
}
