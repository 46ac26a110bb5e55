/* See rest.h: what the hub of an IoT Edge device asks for, to know who may connect to it: the
 * device itself, its modules, its children and theirs. Four calls of two generations. The caller
 * shows that it is the hub of that device; "authChain" shows on whose behalf it asks: names from
 * the target up to the caller, each a child of the next, or a module of it. */
#include "core/azure/sas.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/rest.h"

#include <string.h>

#define PAGE_MAX  100 /* devices, each with up to 50 modules */
#define CHAIN_MAX 10

static void fail(struct rest *r, const struct err *err)
{
    static const struct {
        enum err_kind kind;
        int status;
    } statuses[] = {{ERR_AUTH, 401},     {ERR_NOT_FOUND, 404},   {ERR_INVALID, 400},
                    {ERR_PROTOCOL, 400}, {ERR_UNSUPPORTED, 405}, {ERR_SYSTEM, 500}};
    auto_json cJSON *body = cJSON_CreateObject();
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(statuses) && statuses[i].kind != err->kind)
        i++;
    json_add_str(body, "ErrorMessage", err->msg);
    rest_reply_json(r->x, statuses[i].status, body);
}

/* ---- who asks, for whom ---- */

/* RET is the IoT Edge device whose hub calls. */
static int check_caller(struct rest *r, struct identity *ret, struct err *err)
{
    const char *token = http_exchange_header(r->x, "Authorization");
    const struct auth_proof proof = {
        .token = token, .len = token ? strlen(token) : 0, .tls = http_exchange_tls(r->x)};
    struct auth_grant grant;
    struct err why = {0};
    struct sas sas;

    if (store_identity_get(r->hub->store, REST_DEVICE(r), "", ret, &why) < 0 ||
        auth_client(&r->hub->auth, &proof, ret->hub[0] ? ret->hub : r->hub->hubs[0], REST_DEVICE(r),
                    REST_MODULE(r), &grant, &why) < 0)
        return err_set(err, ERR_AUTH, "%s", why.msg);
    /* A policy that may connect as any device does not thereby read keys. */
    if (token && sas_parse(token, strlen(token), &sas, NULL) == 0 && sas.policy[0])
        return err_set(err, ERR_AUTH, "a policy's token does not speak for an IoT Edge device");
    return ret->iot_edge ? 0 : err_set(err, ERR_AUTH, "%s is no IoT Edge device", ret->device);
}

static int wrong_chain(struct err *err)
{
    return err_set(err, ERR_AUTH, "authChain: does not lead from its first name to the caller");
}

/* NAME, "device" or "device/module", must be a child of ABOVE, or be or belong to it. RET: its
 * device. */
static int check_link(struct rest *r, const char *name, size_t len, const struct identity *above,
                      struct identity *ret, struct err *err)
{
    const char *slash = memchr(name, '/', len);
    size_t end = slash ? (size_t)(slash - name) : len;
    char device[IDENTITY_ID_MAX];

    if (end == 0 || end >= sizeof(device))
        return wrong_chain(err);
    (void)str_format(device, sizeof(device), "%.*s", (int)end, name);
    if (store_identity_get(r->hub->store, device, "", ret, NULL) < 0)
        return wrong_chain(err);
    return str_eq(device, above->device) || registry_is_child(ret, above) ? 0 : wrong_chain(err);
}

/* "target;...;caller". RET: the device of the first name. */
static int check_chain(struct rest *r, const char *chain, const struct identity *caller,
                       struct identity *ret, struct err *err)
{
    const char *begins[CHAIN_MAX + 1];
    size_t n = 0;

    begins[n++] = chain;
    for (const char *c = chain; *c; c++)
        if (*c == ';') {
            if (n == CHAIN_MAX)
                return wrong_chain(err);
            begins[n++] = c + 1;
        }
    begins[n] = chain + strlen(chain) + 1;
    if (!str_eq(begins[n - 1], caller->device))
        return wrong_chain(err);
    *ret = *caller;
    for (size_t i = n - 1; i-- > 0;) {
        auto_identity struct identity at = {0};

        if (check_link(r, begins[i], (size_t)(begins[i + 1] - begins[i]) - 1, ret, &at, err) < 0)
            return -1;
        *ret = at;
    }
    return 0;
}

/* ---- answers ---- */

struct answer {
    struct rest *r;
    cJSON *devices, *modules;
    char last[IDENTITY_ID_MAX]; /* of the children */
    size_t n;
};

static void add_module(void *arg, const struct identity *id)
{
    struct answer *a = arg;

    json_push(a->modules, registry_show(a->r->hub, id));
}

static void add_device(void *arg, const struct identity *id)
{
    struct answer *a = arg;

    json_push(a->devices, registry_show(a->r->hub, id));
    STR_SET(a->last, id->device);
    a->n++;
}

static int add_modules_of(struct answer *a, const char *device, struct err *err)
{
    return store_identity_each(a->r->hub->store, device, "", HUB_MODULES_MAX, add_module, a, err);
}

/* EDGE and its children with all of their modules; from the second page on the children behind
 * AFTER. RET_MORE: where the next page begins, or "". */
static int add_scope(struct answer *a, const struct identity *edge, const char *after, size_t max,
                     char ret_more[IDENTITY_ID_MAX], struct err *err)
{
    char scope[REGISTRY_SCOPE_MAX];

    registry_scope(edge, scope, sizeof(scope));
    if (!after[0])
        json_push(a->devices, registry_show(a->r->hub, edge));
    if (store_children_each(a->r->hub->store, scope, after, max, add_device, a, err) < 0)
        return -1;
    for (const cJSON *device = a->devices->child; device; device = device->next)
        if (add_modules_of(a, json_str(device, "deviceId", ""), err) < 0)
            return -1;
    (void)str_format(ret_more, IDENTITY_ID_MAX, "%s", a->n == max ? a->last : "");
    return 0;
}

/* One identity in the scope of EDGE; a module comes with its device. */
static int add_one(struct answer *a, const struct identity *edge, const char *device,
                   const char *module, struct err *err)
{
    auto_identity struct identity id = {0};
    auto_identity struct identity part = {0};

    if (store_identity_get(a->r->hub->store, device, "", &id, err) < 0)
        return -1;
    if (!str_eq(device, edge->device) && !registry_is_child(&id, edge))
        return err_set(err, ERR_NOT_FOUND, "%s is not in the scope of %s", device, edge->device);
    json_push(a->devices, registry_show(a->r->hub, &id));
    if (!module[0])
        return 0;
    if (store_identity_get(a->r->hub->store, device, module, &part, err) < 0)
        return -1;
    add_module(a, &part);
    return 0;
}

/* ---- the calls ---- */

/* Fills A; LINK: where the next page is, where there is one. */
typedef int (*scope_fn)(struct answer *a, struct buf *link, struct err *err);

/* Members that are not there are null: hubs insist on all three. */
static void answer(struct rest *r, scope_fn fn)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_buf struct buf link = {0};
    struct answer a = {.r = r};
    struct err err = {0};

    a.devices = json_add_array(body, "devices");
    a.modules = json_add_array(body, "modules");
    if (fn(&a, &link, &err) < 0) {
        fail(r, &err);
        return;
    }
    json_add_str_or_null(body, "continuationLink", buf_str(&link));
    rest_reply_json(r->x, 200, body);
}

static int target_scope(struct answer *a, struct buf *link, struct err *err)
{
    struct rest *r = a->r;
    auto_identity struct identity caller = {0};
    auto_identity struct identity target = {0};
    const char *chain = NULL;
    char next[IDENTITY_ID_MAX];
    uint64_t max = json_u64(r->body, "pageSize", PAGE_MAX);

    if (check_caller(r, &caller, err) < 0 || json_need_str(r->body, "authChain", &chain, err) < 0 ||
        check_chain(r, chain, &caller, &target, err) < 0)
        return -1;
    if (!target.iot_edge)
        return err_set(err, ERR_INVALID, "authChain: %s is no IoT Edge device", target.device);
    if (max == 0 || max > PAGE_MAX)
        max = PAGE_MAX;
    if (add_scope(a, &target, json_str(r->body, "continuationLink", ""), max, next, err) < 0)
        return -1;
    buf_puts(link, next);
    return 0;
}

static int on_behalf(struct answer *a, struct buf *link, struct err *err)
{
    struct rest *r = a->r;
    auto_identity struct identity caller = {0};
    auto_identity struct identity edge = {0};
    const char *chain = NULL, *device = NULL;

    (void)link;
    if (check_caller(r, &caller, err) < 0 || json_need_str(r->body, "authChain", &chain, err) < 0 ||
        json_need_str(r->body, "targetDeviceId", &device, err) < 0 ||
        check_chain(r, chain, &caller, &edge, err) < 0)
        return -1;
    return add_one(a, &edge, device, json_str(r->body, "targetModuleId", ""), err);
}

/* The older generation: only the caller's own scope; the link to the next page is a path. */
static int own_scope(struct answer *a, struct buf *link, struct err *err)
{
    struct rest *r = a->r;
    auto_identity struct identity caller = {0};
    char text[16] = "", after[IDENTITY_ID_MAX] = "", next[IDENTITY_ID_MAX];
    uint64_t max = PAGE_MAX;

    if (check_caller(r, &caller, err) < 0)
        return -1;
    if (http_exchange_query(r->x, "deviceCount", text, sizeof(text)) && text[0] &&
        (!str_to_u64(text, UINT32_MAX, &max) || max == 0))
        return err_set(err, ERR_INVALID, "deviceCount: must be a number of devices");
    if (max > PAGE_MAX)
        max = PAGE_MAX;
    (void)http_exchange_query(r->x, "continuationToken", after, sizeof(after));
    if (add_scope(a, &caller, after, max, next, err) < 0)
        return -1;
    if (!next[0])
        return 0;
    buf_puts(link, "/devices/");
    percent_encode(caller.device, strlen(caller.device), link);
    buf_printf(link, "/modules/%%24edgeHub/devicesAndModulesInDeviceScope?deviceCount=%u",
               (unsigned)max);
    buf_puts(link, "&continuationToken=");
    percent_encode(next, strlen(next), link);
    buf_puts(link, "&api-version=2018-08-30-preview");
    return 0;
}

static int own_one(struct answer *a, struct buf *link, struct err *err)
{
    struct rest *r = a->r;
    auto_identity struct identity caller = {0};
    char device[IDENTITY_ID_MAX] = "", module[IDENTITY_ID_MAX] = "";

    (void)link;
    if (check_caller(r, &caller, err) < 0)
        return -1;
    if (!http_exchange_query(r->x, "targetDeviceId", device, sizeof(device)) || !device[0])
        return err_set(err, ERR_INVALID, "targetDeviceId: is missing");
    (void)http_exchange_query(r->x, "targetModuleId", module, sizeof(module));
    return add_one(a, &caller, device, module, err);
}

static void get_target_scope(struct rest *r)
{
    answer(r, target_scope);
}

static void get_on_behalf(struct rest *r)
{
    answer(r, on_behalf);
}

static void get_own_scope(struct rest *r)
{
    answer(r, own_scope);
}

static void get_own_one(struct rest *r)
{
    answer(r, own_one);
}

static const struct rest_route routes[] = {
    {"POST", "devices/*/modules/$edgeHub/devicesAndModulesInTargetDeviceScope", 0, true,
     get_target_scope},
    {"POST", "devices/*/modules/$edgeHub/getDeviceAndModuleOnBehalfOf", 0, true, get_on_behalf},
    {"GET", "devices/*/modules/$edgeHub/devicesAndModulesInDeviceScope", 0, false, get_own_scope},
    {"GET", "devices/*/modules/$edgeHub/deviceAndModuleInDeviceScope", 0, false, get_own_one},
};

const struct rest_table rest_scopes = {.routes = routes, .n = ARRAY_LEN(routes), .fail = fail};
