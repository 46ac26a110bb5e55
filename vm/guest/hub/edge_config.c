/* See edge_config.h. */
#include "vm/guest/hub/edge_config.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINOR_MAX      3
#define TTL_MAX        INT32_MAX  /* of the hub */
#define ROUTE_TTL_MAX  UINT32_MAX /* of a route */
#define MAX_BYTES_MAX  (1ULL << 53)
#define PRIORITY_UNSET 2000000000 /* what Microsoft's hub writes for a route without a priority */

struct edge_config *edge_config_default(void)
{
    struct edge_config *c = xcalloc(1, sizeof(*c));

    c->ttl_s = EDGE_CONFIG_NEVER;
    (void)route_table_add(&c->routes, "route", "FROM /* INTO $upstream", ROUTE_PRIORITY_LAST, 0,
                          NULL);
    return c;
}

void edge_config_free(struct edge_config *c)
{
    if (!c)
        return;
    route_table_done(&c->routes);
    free(c);
}

/* ---- members ---- */

/* A whole number from MIN to MAX at KEY of OBJ. Missing or null: RET stays as it is. */
static int read_number(const cJSON *obj, const char *key, double min, double max, double *ret,
                       struct err *err)
{
    const cJSON *item = json_get(obj, key);

    if (!item || cJSON_IsNull(item))
        return 0;
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble) ||
        item->valuedouble < min || item->valuedouble > max)
        return err_set(err, ERR_INVALID, "%s must be a whole number from %.0f to %.0f", key, min,
                       max);
    *ret = item->valuedouble;
    return 0;
}

/* "1.1" or "1.1.0" */
static int parse_version(struct edge_config *c, const cJSON *desired, unsigned *ret_minor,
                         struct err *err)
{
    const char *text = json_str(desired, "schemaVersion", NULL);
    char version[16], shown[40], *rest = version, *part;
    uint64_t numbers[4] = {0};
    size_t n = 0;

    if (!text)
        return err_set(err, ERR_INVALID, "schemaVersion is missing or not a text");
    str_sanitise_to(shown, sizeof(shown), text);

    bool ok = str_copy(version, sizeof(version), text);

    for (; ok && (part = strsep(&rest, ".")); n++)
        ok = n < ARRAY_LEN(numbers) && str_to_u64(part, INT32_MAX, &numbers[n]);
    if (!ok || n < 2 || numbers[0] != 1 || numbers[1] > MINOR_MAX)
        return err_set(err, ERR_INVALID,
                       "schemaVersion %s is not one that this hub knows: 1.0 to 1.%d", shown,
                       MINOR_MAX);
    STR_SET(c->schema_version, text);
    *ret_minor = (unsigned)numbers[1];
    return 0;
}

/* ---- routes ---- */

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* {"route": ..., "priority": ..., "timeToLiveSecs": ...} */
static int read_route_object(struct edge_config *c, const cJSON *item, struct err *err)
{
    const char *text = json_str(item, "route", NULL);
    double priority = PRIORITY_UNSET, ttl = 0;
    const cJSON *given = json_get(item, "priority");

    if (!text)
        return err_set(err, ERR_INVALID, "its text, \"route\", is missing");
    if (is_blank(text))
        return 0;
    if (!(cJSON_IsNumber(given) && given->valuedouble == PRIORITY_UNSET) &&
        read_number(item, "priority", 0, ROUTE_PRIORITY_LAST - 1, &priority, err) < 0)
        return -1;
    if (read_number(item, "timeToLiveSecs", 0, ROUTE_TTL_MAX, &ttl, err) < 0)
        return -1;
    return route_table_add(&c->routes, item->string, text,
                           priority == PRIORITY_UNSET ? ROUTE_PRIORITY_LAST : (unsigned)priority,
                           (uint32_t)ttl, err);
}

static int read_route_value(struct edge_config *c, const cJSON *item, bool objects, struct err *err)
{
    if (cJSON_IsNull(item))
        return 0;
    if (cJSON_IsString(item)) {
        if (is_blank(item->valuestring)) /* switched off in place */
            return 0;
        return route_table_add(&c->routes, item->string, item->valuestring, ROUTE_PRIORITY_LAST, 0,
                               err);
    }
    if (!cJSON_IsObject(item))
        return err_set(err, ERR_INVALID, "must be a text or an object");
    if (!objects)
        return err_set(err, ERR_INVALID, "schemaVersion 1.0 knows routes as texts only; write 1.1");
    return read_route_object(c, item, err);
}

static int read_route(struct edge_config *c, const cJSON *item, bool objects, struct err *err)
{
    const char *name = item->string;
    char shown[80];

    str_sanitise_to(shown, sizeof(shown), name);
    if (!name[0] || name[strcspn(name, ".$# ")] != '\0')
        return err_set(err, ERR_INVALID,
                       "route \"%s\": a name must not be empty nor have . $ # or a space in it",
                       shown);
    for (size_t i = 0; i < c->routes.n_rules; i++)
        if (str_eq(c->routes.rules[i].name, name))
            return err_set(err, ERR_INVALID, "route %s is there twice", shown);
    if (read_route_value(c, item, objects, err) < 0)
        return err_wrap(err, "route %s", shown);
    return 0;
}

static int read_routes(struct edge_config *c, const cJSON *desired, unsigned minor, struct err *err)
{
    const cJSON *routes = json_get(desired, "routes");

    if (!routes || cJSON_IsNull(routes)) {
        if (minor == 0)
            return 0;
        return err_set(err, ERR_INVALID, "routes are missing; write {} for none");
    }
    if (!cJSON_IsObject(routes))
        return err_set(err, ERR_INVALID, "routes must be an object");
    for (const cJSON *item = routes->child; item; item = item->next)
        if (read_route(c, item, minor > 0, err) < 0)
            return -1;
    return 0;
}

/* ---- store and forward ---- */

static int read_store(struct edge_config *c, const cJSON *desired, unsigned minor, struct err *err)
{
    const cJSON *store = json_get(desired, "storeAndForwardConfiguration");
    const cJSON *limits = json_get(store, "storeLimits");
    double ttl = EDGE_CONFIG_NEVER, bytes = 0;

    if (!store || cJSON_IsNull(store)) {
        if (minor == 0)
            return 0;
        return err_set(err, ERR_INVALID, "storeAndForwardConfiguration is missing");
    }
    if (!cJSON_IsObject(store))
        return err_set(err, ERR_INVALID, "storeAndForwardConfiguration must be an object");
    if (read_number(store, "timeToLiveSecs", -TTL_MAX, TTL_MAX, &ttl, err) < 0)
        return err_wrap(err, "storeAndForwardConfiguration");
    if (limits && !cJSON_IsNull(limits) && !cJSON_IsObject(limits))
        return err_set(err, ERR_INVALID,
                       "storeAndForwardConfiguration: storeLimits must be an object");
    if (read_number(limits, "maxBytes", 0, (double)MAX_BYTES_MAX, &bytes, err) < 0)
        return err_wrap(err, "storeAndForwardConfiguration: storeLimits");
    c->ttl_s = ttl < 0 ? EDGE_CONFIG_NEVER : (int64_t)ttl;
    c->max_bytes = (uint64_t)bytes;
    return 0;
}

int edge_config_parse(const cJSON *desired, struct edge_config **ret, struct err *err)
{
    auto_edge_config struct edge_config *c = xcalloc(1, sizeof(*c));
    unsigned minor = 0;

    c->ttl_s = EDGE_CONFIG_NEVER;
    if (!cJSON_IsObject(desired))
        return err_set(err, ERR_INVALID, "the desired properties are not an object");
    if (parse_version(c, desired, &minor, err) < 0 || read_routes(c, desired, minor, err) < 0 ||
        read_store(c, desired, minor, err) < 0)
        return -1;
    *ret = steal(c);
    return 0;
}

int64_t edge_config_ttl(const struct edge_config *c, const struct route_target *target)
{
    return target->ttl_s > 0 ? (int64_t)target->ttl_s : c->ttl_s;
}

/* ---- differences ---- */

static const struct route_rule *find_rule(const struct route_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_rules; i++)
        if (str_eq(t->rules[i].name, name))
            return &t->rules[i];
    return NULL;
}

static bool has_endpoint(const struct route_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_endpoints; i++)
        if (str_eq(t->endpoints[i], name))
            return true;
    return false;
}

static bool is_same(const struct route_rule *a, const struct route_rule *b)
{
    return str_eq(a->text, b->text) && a->priority == b->priority && a->ttl_s == b->ttl_s;
}

void edge_config_diff(const struct edge_config *old, const struct edge_config *new,
                      void (*fn)(void *arg, enum edge_change change, const char *name), void *arg)
{
    const struct route_table *before = &old->routes, *after = &new->routes;

    for (size_t i = 0; i < before->n_rules; i++)
        if (!find_rule(after, before->rules[i].name))
            fn(arg, EDGE_ROUTE_REMOVED, before->rules[i].name);
    for (size_t i = 0; i < after->n_rules; i++) {
        const struct route_rule *was = find_rule(before, after->rules[i].name);

        if (!was)
            fn(arg, EDGE_ROUTE_ADDED, after->rules[i].name);
        else if (!is_same(was, &after->rules[i]))
            fn(arg, EDGE_ROUTE_CHANGED, after->rules[i].name);
    }
    for (size_t i = 0; i < before->n_endpoints; i++)
        if (!has_endpoint(after, before->endpoints[i]))
            fn(arg, EDGE_ENDPOINT_REMOVED, before->endpoints[i]);
    for (size_t i = 0; i < after->n_endpoints; i++)
        if (!has_endpoint(before, after->endpoints[i]))
            fn(arg, EDGE_ENDPOINT_ADDED, after->endpoints[i]);
    if (old->ttl_s != new->ttl_s)
        fn(arg, EDGE_TTL_CHANGED, "");
    if (old->max_bytes != new->max_bytes)
        fn(arg, EDGE_MAX_BYTES_CHANGED, "");
}
