/* See rest.h. Paths are split before they are decoded, so that an encoded slash stays part of a
 * name. */
#include "vm/guest/hub/rest.h"

#include "core/azure/percent.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "vm/guest/hub/dps.h"

#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

static const struct {
    enum err_kind kind;
    int status;
    const char *device_word, *module_word;
    unsigned code, module_code;
} errors[] = {
    {ERR_INVALID, 400, "ArgumentInvalid", "ArgumentInvalid", 400004, 400004},
    {ERR_PROTOCOL, 400, "IotHubFormatError", "IotHubFormatError", 400006, 400006},
    {ERR_AUTH, 401, "IotHubUnauthorizedAccess", "IotHubUnauthorizedAccess", 401002, 401002},
    {ERR_NO_SPACE, 403, "IotHubQuotaExceeded", "IotHubQuotaExceeded", 403002, 403002},
    {ERR_NOT_FOUND, 404, "DeviceNotFound", "ModuleNotFound", 404001, 404010},
    {ERR_UNREACHABLE, 404, "DeviceNotOnline", "DeviceNotOnline", 404103, 404103},
    {ERR_UNSUPPORTED, 405, "MethodNotAllowed", "MethodNotAllowed", 405001, 405001},
    {ERR_EXISTS, 409, "DeviceAlreadyExists", "ModuleAlreadyExistsOnDevice", 409001, 409301},
    {ERR_BUSY, 412, "PreconditionFailed", "PreconditionFailed", 412001, 412001},
    {ERR_TIMEOUT, 504, "GatewayTimeout", "GatewayTimeout", 504101, 504101},
    {ERR_SYSTEM, 500, "ServerError", "ServerError", 500001, 500001}, /* last: all others */
};

static const struct rest_table *const tables[] = {&hub_routes, &message_routes, &event_routes,
                                                  &authority_routes, &dps_routes};

void rest_reply_json(struct http_exchange *x, int status, const cJSON *body)
{
    auto_wiped_buf struct buf text = {0}; /* it may hold keys */

    json_print(&text, body);
    http_reply(x, status, "application/json; charset=utf-8", text.data, text.len);
}

/* Both forms that are in the field at once: "Message" with its code word for Node and identityd,
 * "errorCode" for newer clients. */
void rest_reply_err(struct http_exchange *x, bool module, const struct err *err)
{
    auto_json cJSON *body = cJSON_CreateObject();
    char text[700], when[CLOCK_TEXT_MAX], tracking[40];
    uint64_t random[2] = {0};
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(errors) && errors[i].kind != err->kind)
        i++;
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) < 0)
        random[0] = clock_mono_ms(); /* it only has to tell one answer from another */
    (void)str_format(tracking, sizeof(tracking), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    clock_format(when, sizeof(when), clock_wall_ms());
    (void)str_format(text, sizeof(text), "ErrorCode:%s;%s",
                     module ? errors[i].module_word : errors[i].device_word, err->msg);
    json_add_str(body, "Message", text);
    (void)str_format(text, sizeof(text), "Tracking ID:%s-G:0-TimeStamp:%s", tracking, when);
    json_add_str(body, "ExceptionMessage", text);
    json_add_u64(body, "errorCode", module ? errors[i].module_code : errors[i].code);
    json_add_str(body, "trackingId", tracking);
    json_add_str(body, "message", err->msg);
    json_add_str(body, "timestampUtc", when);
    rest_reply_json(x, errors[i].status, body);
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

/* "\"*\"", "*" and "\"etag\"" are all seen. */
static void read_if_match(struct rest *r)
{
    const char *text = http_exchange_header(r->x, "If-Match");
    size_t len;

    if (!text)
        return;
    text += strspn(text, "\"");
    len = strcspn(text, "\"");
    if (len >= sizeof(r->if_match))
        len = 0; /* fits no etag of ours */
    memcpy(r->if_match, text, len);
    r->if_match[len] = '\0';
    if (len == 0)
        STR_SET(r->if_match, "?");
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
        !(route = find_route(&r, &table, &err)) || check_rights(&r, route, &err) < 0) {
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
    if (read_body(&r, route, &body, &err) < 0)
        table->fail(&r, &err);
    else
        route->handle(&r);
}
