/* The authorities of device certificates over HTTPS: below /sandbox, since Azure has them in its
 * resource manager and not at the hub. */
#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/guest/hub/rest.h"

#include <string.h>

static void fail(struct rest *r, const struct err *err)
{
    rest_reply_err(r->x, false, err);
}

static cJSON *show(const char *name, const struct tls_cert_info *info)
{
    cJSON *out = cJSON_CreateObject();
    char when[CLOCK_TEXT_MAX];

    json_add_str(out, "name", name);
    json_add_str(out, "subject", info->subject);
    json_add_str(out, "thumbprint", info->sha1);
    clock_format(when, sizeof(when), info->not_before_ms);
    json_add_str(out, "created", when);
    clock_format(when, sizeof(when), info->not_after_ms);
    json_add_str(out, "expiry", when);
    json_add_bool(out, "isVerified", true);
    return out;
}

static void list_add(void *arg, const char *name, const struct tls_cert_info *info)
{
    json_push(arg, show(name, info));
}

static void authorities_list(struct rest *r)
{
    auto_json cJSON *out = cJSON_CreateArray();
    struct err err = {0};

    if (auth_authority_each(r->hub->store, list_add, out, &err) < 0)
        fail(r, &err);
    else
        rest_reply_json(r->x, 200, out);
}

/* {"certificate": PEM} */
static void authority_put(struct rest *r)
{
    struct tls_cert_info info;
    struct err err = {0};
    const char *pem;

    if (json_need_str(r->body, "certificate", &pem, &err) < 0 ||
        auth_authority_add(r->hub->store, r->segments[2], pem, strlen(pem), &info, &err) < 0) {
        fail(r, &err);
        return;
    }
    auto_json cJSON *out = show(r->segments[2], &info);
    rest_reply_json(r->x, 200, out);
}

static void authority_delete(struct rest *r)
{
    struct err err = {0};

    if (auth_authority_remove(r->hub->store, r->segments[2], &err) < 0)
        fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

static const struct rest_route routes[] = {
    {"GET", "sandbox/authorities", RIGHT_REGISTRY_READ, false, authorities_list},
    {"PUT", "sandbox/authorities/*", RIGHT_REGISTRY_WRITE, true, authority_put},
    {"DELETE", "sandbox/authorities/*", RIGHT_REGISTRY_WRITE, false, authority_delete},
};

const struct rest_table authority_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = fail};
