/* See topic.h. */
#include "vm/guest/hub/topic.h"

#include "core/base/percent.h"
#include "core/base/str.h"

#include <inttypes.h>
#include <string.h>

#define BAG_PROPERTY_MAX   8192 /* key and value */
#define BAG_PROPERTIES_MAX 500

bool topic_span_is(struct topic_span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Cuts PREFIX off; false where S does not start with it. */
static bool cut(struct topic_span *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->len < n || memcmp(s->at, prefix, n) != 0)
        return false;
    s->at += n;
    s->len -= n;
    return true;
}

/* Takes what stands before the next END (and END itself), or all the rest. */
static struct topic_span until(struct topic_span *s, char end)
{
    const char *at = s->len > 0 ? memchr(s->at, end, s->len) : NULL;
    struct topic_span part = {s->at, at ? (size_t)(at - s->at) : s->len};
    size_t skip = part.len + (at ? 1 : 0);

    s->at += skip;
    s->len -= skip;
    return part;
}

static bool to_text(struct topic_span s, char *to, size_t size)
{
    if (s.len >= size)
        return false;
    memcpy(to, s.at, s.len);
    to[s.len] = '\0';
    return true;
}

static bool to_number(struct topic_span s, uint64_t max, uint64_t *ret)
{
    char digits[24];

    return s.len > 0 && to_text(s, digits, sizeof(digits)) && str_to_u64(digits, max, ret);
}

/* ---- topics ---- */

/* "?$rid=...&$version=..." */
static bool parse_query(struct topic_span rest, struct topic *t)
{
    if (!cut(&rest, "?"))
        return false;
    while (rest.len > 0) {
        struct topic_span part = until(&rest, '&');

        if (cut(&part, "$rid=")) {
            t->rid = part;
        } else if (cut(&part, "$version=")) {
            t->has_version = true;
            if (!to_number(part, UINT32_MAX, &t->version))
                return false;
        }
    }
    return t->rid.len < TOPIC_RID_MAX;
}

static bool parse_status(struct topic_span *rest, struct topic *t)
{
    uint64_t status;

    if (!to_number(until(rest, '/'), 999999999, &status))
        return false;
    t->status = (unsigned)status;
    return true;
}

static bool parse_service(struct topic_span rest, struct topic *t)
{
    if (cut(&rest, "twin/GET/")) {
        t->kind = TOPIC_TWIN_GET;
    } else if (cut(&rest, "twin/PATCH/properties/reported/")) {
        t->kind = TOPIC_TWIN_REPORT;
    } else if (cut(&rest, "methods/res/")) {
        t->kind = TOPIC_METHOD_REPLY;
        if (!parse_status(&rest, t))
            return false;
    } else {
        return false;
    }
    return parse_query(rest, t) && t->rid.len > 0;
}

static bool parse_telemetry(struct topic_span rest, struct topic *t)
{
    t->kind = TOPIC_TELEMETRY;
    t->device = until(&rest, '/');
    if (cut(&rest, "modules/"))
        t->module = until(&rest, '/');
    if (!cut(&rest, "messages/events"))
        return false;
    if (rest.len > 0 && !cut(&rest, "/"))
        return false;
    (void)cut(&rest, "?");
    if (rest.len > 0 && rest.at[rest.len - 1] == '/')
        rest.len--;
    t->bag = rest;
    return topic_bag_each(rest.at, rest.len, NULL, NULL);
}

int topic_parse(const char *text, size_t len, struct topic *ret, struct err *err)
{
    struct topic_span rest = {text, len};
    struct topic t = {.device.at = "", .module.at = "", .bag.at = "", .rid.at = ""};
    bool known = cut(&rest, "$iothub/") ? parse_service(rest, &t)
                                        : cut(&rest, "devices/") && parse_telemetry(rest, &t);

    if (!known)
        return err_set(err, ERR_INVALID, "a hub has no such topic");
    *ret = t;
    return 0;
}

void topic_put_twin_reply(char *to, int status, struct topic_span rid, const uint64_t *version)
{
    if (version)
        (void)str_format(to, TOPIC_OUT_MAX, "$iothub/twin/res/%d/?$rid=%.*s&$version=%" PRIu64,
                         status, (int)rid.len, rid.at, *version);
    else
        (void)str_format(to, TOPIC_OUT_MAX, "$iothub/twin/res/%d/?$rid=%.*s", status, (int)rid.len,
                         rid.at);
}

void topic_put_desired(char *to, uint64_t version)
{
    (void)str_format(to, TOPIC_OUT_MAX, "$iothub/twin/PATCH/properties/desired/?$version=%" PRIu64,
                     version);
}

void topic_put_method(char *to, const char *method, const char *rid)
{
    (void)str_format(to, TOPIC_OUT_MAX, "$iothub/methods/POST/%s/?$rid=%s", method, rid);
}

/* The query of what a hub publishes. */
static bool parse_reply_query(struct topic_span rest, struct topic_reply *r, struct topic *t)
{
    if (!parse_query(rest, t))
        return false;
    r->rid = t->rid;
    r->version = t->version;
    return true;
}

static bool parse_service_reply(struct topic_span rest, struct topic_reply *r)
{
    struct topic t = {.rid.at = ""};

    if (cut(&rest, "twin/res/")) {
        r->kind = TOPIC_TWIN_REPLY;
        if (!parse_status(&rest, &t) || !parse_reply_query(rest, r, &t))
            return false;
        r->status = t.status;
        return r->rid.len > 0;
    }
    if (cut(&rest, "twin/PATCH/properties/desired/")) {
        r->kind = TOPIC_TWIN_DESIRED;
        return parse_reply_query(rest, r, &t) && t.has_version;
    }
    if (!cut(&rest, "methods/POST/"))
        return false;
    r->kind = TOPIC_METHOD;
    r->method = until(&rest, '/');
    return r->method.len > 0 && parse_reply_query(rest, r, &t) && r->rid.len > 0;
}

static bool parse_devicebound(struct topic_span rest, struct topic_reply *r)
{
    r->kind = TOPIC_DEVICEBOUND;
    r->device = until(&rest, '/');
    if (!cut(&rest, "messages/devicebound"))
        return false;
    if (rest.len > 0 && !cut(&rest, "/"))
        return false;
    r->bag = rest;
    return topic_bag_each(rest.at, rest.len, NULL, NULL);
}

int topic_parse_reply(const char *text, size_t len, struct topic_reply *ret, struct err *err)
{
    struct topic_span rest = {text, len};
    struct topic_reply r = {.rid.at = "", .method.at = "", .device.at = "", .bag.at = ""};
    bool known = cut(&rest, "$iothub/") ? parse_service_reply(rest, &r)
                                        : cut(&rest, "devices/") && parse_devicebound(rest, &r);

    if (!known)
        return err_set(err, ERR_PROTOCOL, "a hub does not publish to such a topic");
    *ret = r;
    return 0;
}

/* ---- filters ---- */

/* Whether FILTER, which must end with a multi-level wildcard, takes in everything below LEVELS. */
static bool takes_in(struct topic_span filter, const char *const levels[], size_t n)
{
    for (size_t i = 0;; i++) {
        struct topic_span level = until(&filter, '/');

        if (topic_span_is(level, "#"))
            return filter.len == 0 && i <= n;
        if (i == n || !(topic_span_is(level, "+") || topic_span_is(level, levels[i])))
            return false;
    }
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
    const char *const devicebound[] = {"devices", device, "messages", "devicebound"};
    const char *const inputs[] = {"devices", device, "modules", module, "inputs"};
    struct topic_span filter = {text, len};

    for (size_t i = 0; i < ARRAY_LEN(service); i++)
        if (topic_span_is(filter, service[i].filter))
            return service[i].sub;
    if (module[0])
        return takes_in(filter, inputs, ARRAY_LEN(inputs)) ? SUB_INPUTS : 0;
    return takes_in(filter, devicebound, ARRAY_LEN(devicebound)) ? SUB_DEVICEBOUND : 0;
}

/* ---- user names ---- */

/* The last segment of a user name: "?api-version=...&DeviceClientType=..." with or without the
 * question mark. */
static bool parse_user_properties(struct topic_span rest, struct topic_user *u)
{
    (void)cut(&rest, "?");
    while (rest.len > 0) {
        struct topic_span part = until(&rest, '&');

        if (cut(&part, "api-version=") &&
            !percent_decode(part.at, part.len, u->api_version, sizeof(u->api_version)))
            return false;
        if (cut(&part, "model-id=") &&
            !percent_decode(part.at, part.len, u->model_id, sizeof(u->model_id)))
            return false;
        if (cut(&part, "auth-chain=") &&
            !percent_decode(part.at, part.len, u->chain, sizeof(u->chain)))
            return false;
    }
    return u->api_version[0] != '\0';
}

int topic_parse_user(const char *text, size_t len, struct topic_user *ret, struct err *err)
{
    struct topic_span rest = {text, len};
    struct topic_user u = {0};
    struct topic_span host = until(&rest, '/');
    struct topic_span device = until(&rest, '/');
    struct topic_span third = until(&rest, '/');
    bool is_module = rest.len > 0;

    if (host.len == 0 || !to_text(host, u.host, sizeof(u.host)) ||
        !to_text(device, u.device, sizeof(u.device)) || !identity_id_valid(u.device))
        return err_set(err, ERR_INVALID, "the user name is not HOST/DEVICE/?api-version=...");
    if (is_module && (!to_text(third, u.module, sizeof(u.module)) || !identity_id_valid(u.module)))
        return err_set(err, ERR_INVALID,
                       "the user name is not HOST/DEVICE/MODULE/?api-version=...");
    if (!parse_user_properties(is_module ? rest : third, &u))
        return err_set(err, ERR_INVALID, "the user name has no api-version");
    *ret = u;
    return 0;
}

/* ---- property bags ---- */

/* Decoding never makes text longer. An escape must not bring in what MQTT keeps out of topics. */
static bool decode(struct topic_span s, char *to)
{
    return percent_decode(s.at, s.len, to, s.len + 1) && str_utf8_valid(to, strlen(to));
}

bool topic_bag_each(const char *bag, size_t len,
                    bool (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    struct topic_span rest = {bag, len};
    char text[BAG_PROPERTY_MAX + 2];
    unsigned n = 0;

    while (rest.len > 0) {
        struct topic_span part = until(&rest, '&');
        struct topic_span key = part, value = part;
        bool has_value = part.len > 0 && memchr(part.at, '=', part.len);

        if (part.len == 0)
            continue;
        if (part.len > BAG_PROPERTY_MAX || ++n > BAG_PROPERTIES_MAX)
            return false;
        if (has_value)
            key = until(&value, '=');
        else
            value.len = 0;

        char *decoded = text + key.len + 1;

        if (!decode(key, text) || !decode(value, decoded))
            return false;
        if (fn && !fn(arg, text, has_value ? decoded : NULL))
            return true;
    }
    return true;
}

/* ---- ids ---- */

bool identity_id_valid(const char *id)
{
    size_t len = strlen(id);

    if (len < 1 || len > 128)
        return false;
    for (; *id; id++)
        if (!((*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') ||
              (*id >= '0' && *id <= '9') || strchr("-.:+%_#*?!(),=@$'", *id)))
            return false;
    return true;
}
