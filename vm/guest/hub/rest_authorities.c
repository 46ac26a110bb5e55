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

static cJSON *show(const struct tls_cert_info *info)
{
    cJSON *out = cJSON_CreateObject();
    char when[CLOCK_TEXT_MAX];

    json_add_str(out, "thumbprint", info->sha256);
    json_add_str(out, "subject", info->subject);
    clock_format(when, sizeof(when), info->not_before_ms);
    json_add_str(out, "notBefore", when);
    clock_format(when, sizeof(when), info->not_after_ms);
    json_add_str(out, "notAfter", when);
    return out;
}

static void list_add(void *arg, const struct tls_cert_info *info)
{
    json_push(arg, show(info));
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
static void authority_add(struct rest *r)
{
    struct tls_cert_info info;
    struct err err = {0};
    const char *pem;

    if (json_need_str(r->body, "certificate", &pem, &err) < 0 ||
        auth_authority_add(r->hub->store, pem, strlen(pem), &info, &err) < 0) {
        fail(r, &err);
        return;
    }
    auto_json cJSON *out = show(&info);
    rest_reply_json(r->x, 200, out);
}

static void authority_remove(struct rest *r)
{
    struct err err = {0};

    if (auth_authority_remove(r->hub->store, r->segments[2], &err) < 0)
        fail(r, &err);
    else
        http_reply(r->x, 204, NULL, NULL, 0);
}

static const struct rest_route routes[] = {
    {"GET", "sandbox/authorities", RIGHT_REGISTRY_READ, false, authorities_list},
    {"POST", "sandbox/authorities", RIGHT_REGISTRY_WRITE, true, authority_add},
    {"DELETE", "sandbox/authorities/*", RIGHT_REGISTRY_WRITE, false, authority_remove},
};

const struct rest_table authority_routes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = fail};
