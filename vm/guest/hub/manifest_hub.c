/* See manifest.h: what $edgeHub is told about routes and the messages that it keeps. */
#include "core/base/str.h"
#include "vm/guest/hub/manifest_private.h"
#include "vm/guest/hub/route.h"

#include <string.h>

#define SECONDS_MAX  4294967295.0
#define BYTES_MAX    9007199254740992.0
#define PRIORITY_MAX 9

/* An empty one switches a route off in place. */
static int check_route_text(const struct at *route, struct err *err)
{
    auto_route struct route *compiled = NULL;
    struct err why = {0};

    if (!cJSON_IsString(route->json))
        return at_wrong(route, "must be a route (text or an object)", err);

    const char *text = route->json->valuestring;

    if (text[0] && route_compile(text, strlen(text), &compiled, &why) < 0)
        return at_wrong(route, why.msg, err);
    return 0;
}

static int check_route_object(const struct at *route, struct err *err)
{
    struct at text = at_member(route, "route");
    struct at priority = at_member(route, "priority");
    struct at ttl = at_member(route, "timeToLiveSecs");

    if (at_need_text(&text, err) < 0 || check_route_text(&text, err) < 0)
        return -1;
    return at_whole_within(&priority, PRIORITY_MAX, err) < 0
               ? -1
               : at_whole_within(&ttl, SECONDS_MAX, err);
}

int manifest_check_hub_route(const struct at *route, const char *name, bool objects,
                             struct err *err)
{
    if (!name[0] || strpbrk(name, ".$# "))
        return at_wrong(route, "a route's name has no dot, $, # or space", err);
    if (!cJSON_IsObject(route->json))
        return check_route_text(route, err);
    if (!objects)
        return at_wrong(route, "must be text where schemaVersion is 1.0", err);
    return check_route_object(route, err);
}

static int check_routes(const struct at *desired, bool objects, struct err *err)
{
    struct at routes = at_member(desired, "routes");

    if (!routes.json)
        return 0;
    if (at_need_object(&routes, err) < 0)
        return -1;
    for (const cJSON *item = routes.json->child; item; item = item->next) {
        struct at route = at_member(&routes, item->string);

        if (manifest_check_hub_route(&route, item->string, objects, err) < 0)
            return -1;
    }
    return 0;
}

static int check_store(const struct at *desired, bool needed, struct err *err)
{
    struct at store = at_member(desired, "storeAndForwardConfiguration");
    struct at ttl, limits, bytes;

    if (!store.json && !needed)
        return 0;
    if (at_need_object(&store, err) < 0)
        return -1;
    ttl = at_member(&store, "timeToLiveSecs"); /* negative: for ever */
    if (ttl.json && !cJSON_IsNumber(ttl.json))
        return at_wrong(&ttl, "must be a number of seconds", err);
    limits = at_member(&store, "storeLimits");
    if (!limits.json)
        return 0;
    bytes = at_member(&limits, "maxBytes");
    return at_need_object(&limits, err) < 0 ? -1 : at_whole_within(&bytes, BYTES_MAX, err);
}

int manifest_check_hub(const struct at *desired, struct err *err)
{
    unsigned minor;

    if (at_need_schema(desired, 3, &minor, err) < 0)
        return -1;
    return check_routes(desired, minor > 0, err) < 0 ? -1 : check_store(desired, minor > 0, err);
}
