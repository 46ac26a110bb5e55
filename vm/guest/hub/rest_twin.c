/* See rest.h: twins of devices and modules. */
#include "core/base/str.h"
#include "vm/guest/hub/rest.h"
#include "vm/guest/hub/twins.h"

static void twin_get(struct rest *r)
{
    auto_json cJSON *out = NULL;
    struct err err = {0};

    if (twins_show(r->hub, REST_DEVICE(r), REST_MODULE(r), &out, &err) < 0)
        rest_fail(r, &err);
    else
        rest_reply_tagged(r, out);
}

static void twin_change(struct rest *r, bool replace)
{
    const char *etag = r->if_match[0] && !str_eq(r->if_match, "*") ? r->if_match : NULL;
    struct err err = {0};

    if (twins_change(r->hub, REST_DEVICE(r), REST_MODULE(r), r->body, replace, etag, &err) < 0)
        rest_fail(r, &err);
    else
        twin_get(r);
}

static void twin_patch(struct rest *r)
{
    twin_change(r, false);
}

static void twin_put(struct rest *r)
{
    twin_change(r, true);
}

#define READ    RIGHT_REGISTRY_READ
#define SERVICE RIGHT_SERVICE

static const struct rest_route routes[] = {
    {"GET", "twins/*", SERVICE | READ, false, twin_get},
    {"PATCH", "twins/*", SERVICE, true, twin_patch},
    {"PUT", "twins/*", SERVICE, true, twin_put},
    {"GET", "twins/*/modules/*", SERVICE | READ, false, twin_get},
    {"PATCH", "twins/*/modules/*", SERVICE, true, twin_patch},
    {"PUT", "twins/*/modules/*", SERVICE, true, twin_put},
};

const struct rest_table rest_twins = {.routes = routes, .n = ARRAY_LEN(routes), .fail = rest_fail};
