/* See rest.h. Paths are split before they are decoded, so that an encoded slash stays part of a
 * name. */
#include "vm/guest/hub/rest.h"

#include "core/base/log.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/hub/dps.h"
#include "vm/guest/hub/registry.h"

#include <inttypes.h>
#include <string.h>

#define REPLY_MAX (7U << 20) /* a little below what breaks a connection */

static const struct rest_table *const tables[] = {
    &rest_identities, &rest_twins,     &rest_configurations, &rest_queries,     &rest_scopes,
    &hub_routes,      &message_routes, &event_routes,        &authority_routes, &dps_routes,
};

void rest_reply_json(struct http_exchange *x, int status, const cJSON *body)
{
    auto_wiped_buf struct buf text = {0}; /* it may hold keys */

    json_print(&text, body);
    if (text.len > REPLY_MAX) {
        struct err err = {0};

        (void)err_set(&err, ERR_INVALID, "the answer would be larger than %u MB; ask for less",
                      REPLY_MAX >> 20);
        rest_reply_err(x, REST_OF_DEVICE, &err);
        return;
    }
    http_reply(x, status, "application/json; charset=utf-8", text.data, text.len);
}

void rest_reply_tagged(struct rest *r, const cJSON *body)
{
    char quoted[32];

    (void)str_format(quoted, sizeof(quoted), "\"%s\"", json_str(body, "etag", ""));
    http_reply_header(r->x, "ETag", quoted);
    rest_reply_json(r->x, 200, body);
}

const char *rest_hub_key(const struct rest *r)
{
    return registry_hub_key(r->hub, r->hub_name);
}

const char *rest_if_match(const struct rest *r)
{
    return r->if_match[0] ? r->if_match : NULL;
}

int rest_top(const struct rest *r, uint64_t max, uint64_t *ret, struct err *err)
{
    char text[16];

    *ret = max;
    if (!http_exchange_query(r->x, "top", text, sizeof(text)))
        return 0;
    return str_to_u64(text, max, ret) && *ret > 0
               ? 0
               : err_set(err, ERR_INVALID, "top: must be 1 to %" PRIu64, max);
}

/* ------------------------------------------------------------------------------------------
 * routing */

static int split_path(const char *path, struct rest *r, struct err *err)
{
    while (*path == '/') {
        size_t len = strcspn(++path, "/");

        if (len == 0 && !path[0])
            break; /* a slash at the end */
        if (r->n_segments == REST_SEGMENTS_MAX ||
            !percent_decode(path, len, r->segments[r->n_segments], IDENTITY_ID_MAX))
            return err_set(err, ERR_INVALID, "the path is malformed");
        r->n_segments++;
        path += len;
    }
    return 0;
}

static bool route_fits(const struct rest_route *route, const struct rest *r)
{
    const char *at = route->path;

    for (size_t i = 0; i < r->n_segments; i++) {
        size_t len = strcspn(at, "/");

        if (len == 0 || !((len == 1 && at[0] == '*') ||
                          (strlen(r->segments[i]) == len && memcmp(at, r->segments[i], len) == 0)))
            return false;
        at += len + (at[len] == '/');
    }
    return r->n_segments > 0 && *at == '\0';
}

/* The decoded path, as a token's resource names it. */
static void target_of(const struct rest *r, char *to, size_t size)
{
    to[0] = '\0';
    for (size_t i = 0; i < r->n_segments; i++) {
        size_t len = strlen(to);

        (void)str_format(to + len, size - len, "/%s", r->segments[i]);
    }
}

/* RET_TABLE: whose errors fit, also where there is no such route. */
static const struct rest_route *find_route(struct rest *r, const struct rest_table **ret_table,
                                           struct err *err)
{
    const char *method = http_exchange_method(r->x);
    bool path_known = false;

    *ret_table = tables[0];
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct rest_route *route = &tables[t]->routes[i];

            if (!route_fits(route, r))
                continue;
            *ret_table = tables[t];
            if (str_eq(route->method, method))
                return route;
            path_known = true;
        }
    if (path_known)
        (void)err_set(err, ERR_UNSUPPORTED, "%s is not possible here", method);
    else
        (void)err_set(err, ERR_INVALID, "the sandbox has no such address");
    return NULL;
}

static int check_rights(struct rest *r, const struct rest_route *route, struct err *err)
{
    char target[(REST_SEGMENTS_MAX + 1) * IDENTITY_ID_MAX];
    const char *token = http_exchange_header(r->x, "Authorization");
    const struct auth_proof proof = {
        .token = token, .len = token ? strlen(token) : 0, .tls = http_exchange_tls(r->x)};
    struct auth_caller caller;

    if (!route->rights)
        return 0;
    target_of(r, target, sizeof(target));
    if (auth_service(&r->hub->auth, &proof, target, &caller, err) < 0)
        return -1;
    r->rights = caller.rights;
    STR_SET(r->hub_name, caller.hub);
    if (!(r->rights & route->rights))
        return err_set(err, ERR_AUTH, "the token's policy does not have this right");
    return 0;
}

/* A device of another hub is not there for the caller; its name is taken all the same, which who
 * creates a device is told by the registry. */
static int check_hub(const struct rest *r, const struct rest_route *route, struct err *err)
{
    auto_identity struct identity id = {0};
    bool named =
        r->n_segments > 1 && (str_eq(r->segments[0], "devices") || str_eq(r->segments[0], "twins"));
    bool creates = r->n_segments == 2 && str_eq(http_exchange_method(r->x), "PUT") &&
                   str_eq(r->segments[0], "devices");

    if (!route->rights || !named || creates ||
        store_identity_get(r->hub->store, REST_DEVICE(r), "", &id, NULL) < 0 ||
        str_eq(id.hub, rest_hub_key(r)))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "no device %s", REST_DEVICE(r));
}

static int read_body(struct rest *r, const struct rest_route *route, cJSON **ret, struct err *err)
{
    size_t len;
    const char *data = http_exchange_body(r->x, &len);

    if (len > 0 && !(*ret = json_parse(data, len, err)))
        return -1;
    if (route->needs_body && !cJSON_IsObject(*ret))
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    r->body = *ret;
    return 0;
}

/* "\"*\"", "*", "\"etag\"" and "W/\"etag\"" are all seen. */
static void read_if_match(struct rest *r)
{
    const char *text = http_exchange_header(r->x, "If-Match");
    size_t len;

    if (!text)
        return;
    if (str_starts(text, "W/"))
        text += 2;
    text += strspn(text, "\"");
    len = strcspn(text, "\"");
    if (len >= sizeof(r->if_match))
        len = 0; /* fits no etag of ours */
    memcpy(r->if_match, text, len);
    r->if_match[len] = '\0';
    if (len == 0)
        STR_SET(r->if_match, "?");
}

/* The server below lets a little more through, so that clients get an answer in their form. */
static bool too_large(const struct rest *r)
{
    size_t len;

    (void)http_exchange_body(r->x, &len);
    return len > REST_BODY_MAX;
}

void rest_handle(struct http_exchange *x, void *arg)
{
    struct rest r = {.hub = arg, .x = x};
    auto_json cJSON *body = NULL;
    struct err err = {0};
    char version[64];
    const struct rest_table *table = tables[0];
    const struct rest_route *route = NULL;

    if (split_path(http_exchange_path(x), &r, &err) < 0 ||
        !(route = find_route(&r, &table, &err)) || check_rights(&r, route, &err) < 0 ||
        check_hub(&r, route, &err) < 0) {
        if (err.kind == ERR_AUTH)
            log_info("rest", "refused %s: %s", http_exchange_peer(x), err.msg);
        table->fail(&r, &err);
        return;
    }
    if (!http_exchange_query(x, "api-version", version, sizeof(version)) || !version[0]) {
        (void)err_set(&err, ERR_INVALID, "the request has no api-version");
        table->fail(&r, &err);
        return;
    }
    read_if_match(&r);
    if (too_large(&r)) {
        (void)err_set(&err, ERR_INVALID, "the body is larger than %u KB", REST_BODY_MAX / 1024);
        rest_reply_too_large(x, &err);
    } else if (read_body(&r, route, &body, &err) < 0) {
        table->fail(&r, &err);
    } else {
        route->handle(&r);
    }
}
