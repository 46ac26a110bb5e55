/* Methods about the sandbox's devices. */
#include "core/engine/methods_sandbox.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/sandbox_call.h"
#include "core/rpc/model_sandbox.h"
#include "provision/hub_body.h"
#include "provision/hub_read.h"

#include <ctype.h>
#include <string.h>

#define LIST_BODY_MAX (4U << 20)

/* ---- list ---- */

struct list {
    struct sandbox_device *devices;
    size_t n, max;
    size_t next;  /* whose modules are to be counted next */
    size_t count; /* of how many edge devices yet */
    uint64_t total;
};

static void list_free(void *data)
{
    struct list *l = data;
    free(l->devices);
    free(l);
}

static void list_reply(struct sandbox_call *c)
{
    struct list *l = c->data;
    cJSON *result = cJSON_CreateObject();
    json_add_u64(result, "total", l->total > l->n ? l->total : l->n);
    cJSON *array = json_add_array(result, "devices");
    for (size_t i = 0; i < l->n; i++)
        json_push(array, model_json_device(&l->devices[i]));
    sandbox_call_reply(c, result);
}

static void count_next(struct sandbox_call *c);

static void on_modules_counted(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct list *l = c->data;
    size_t n = 0;
    if (!err && hub_read_count(text, len, &n, NULL) == 0)
        l->devices[l->next].modules = (int)n;
    else if (err && err->kind != ERR_NOT_FOUND)
        l->count = 0; /* a hub that stalls is not asked a thousand times more */
    l->next++;        /* one that was deleted in between stays uncounted */
    count_next(c);
}

static void count_next(struct sandbox_call *c)
{
    struct list *l = c->data;
    while (l->next < l->n && !l->devices[l->next].edge)
        l->next++;
    if (l->next == l->n || !l->count) {
        list_reply(c);
        return;
    }
    l->count--;
    auto_free char *path =
        hub_rest_path((const char *const[]){"devices", l->devices[l->next].id, "modules", NULL});
    sandbox_call_get(c, path, on_modules_counted);
}

static void on_total(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct list *l = c->data;
    auto_json cJSON *root = err ? NULL : json_parse(text, len, NULL);
    l->total = json_u64(root, "totalDeviceCount", 0);
    count_next(c);
}

static void on_list(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct list *l = c->data;
    struct err bad;
    if (!err && hub_read_devices(text, len, l->devices, l->max, &l->n, &bad) < 0)
        err = &bad;
    if (err)
        sandbox_call_fail(c, err);
    else if (l->n < l->max)
        count_next(c);
    else
        sandbox_call_get(c, "statistics/devices", on_total);
}

/* {max?, countModules?: of how many edge devices}: {devices: [...], total} */
void sandbox_device_list(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new(req, params, "device list");
    if (!c)
        return;
    struct list *l = xcalloc(1, sizeof(*l));
    l->max = json_u64(params, "max", SANDBOX_LIST_MAX);
    l->max = l->max && l->max < SANDBOX_LIST_MAX ? l->max : SANDBOX_LIST_MAX;
    l->devices = xcalloc(l->max, sizeof(*l->devices));
    l->count = json_u64(params, "countModules", 0);
    c->data = l;
    c->data_free = list_free;
    char query[16];
    (void)str_format(query, sizeof(query), "top=%zu", l->max);
    const struct hub_rest_request request = {
        .method = "GET", .path = "devices", .query = query, .body_max = LIST_BODY_MAX};
    sandbox_call_send(c, &request, on_list);
}

/* ---- one device ---- */

static void add_secret(cJSON *obj, const char *key, const struct secret *secret)
{
    json_add_str_or_null(obj, key, secret->data);
}

/* The device as JSON with its connection string, from the hub's answer. */
static int device_result(const struct sandbox_call *c, const char *text, size_t len, cJSON **ret,
                         struct err *err)
{
    struct sandbox_device d;
    auto_secret struct secret string = {0};
    struct err none;
    if (hub_read_device(text, len, &d, err) < 0)
        return -1;
    /* One that may not connect has none. */
    (void)hub_read_connection_string(text, len, hub_rest_host(c->rest), &string, &none);
    *ret = model_json_device(&d);
    add_secret(*ret, "connectionString", &string);
    return 0;
}

static void on_shown_modules(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct sandbox_device *modules = xcalloc(SANDBOX_LIST_MAX, sizeof(*modules));
    size_t n = 0;
    struct err bad;
    if (!err && hub_read_devices(text, len, modules, SANDBOX_LIST_MAX, &n, &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
    } else {
        cJSON_DeleteItemFromObjectCaseSensitive(c->result, "modules");
        json_add_u64(c->result, "modules", n);
        cJSON *list = json_add_array(c->result, "moduleList");
        for (size_t i = 0; i < n; i++)
            json_push(list, model_json_device(&modules[i]));
        sandbox_call_reply(c, steal(c->result));
    }
    free(modules);
}

static void on_shown(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct err bad;
    if (!err && device_result(c, text, len, &c->result, &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
    } else if (c->module[0]) {
        sandbox_call_reply(c, steal(c->result));
    } else {
        auto_free char *path = sandbox_call_path(c, "devices", "modules");
        sandbox_call_get(c, path, on_shown_modules);
    }
}

/* {deviceId, moduleId?}: the device, its connection string, moduleList */
void sandbox_device_show(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    auto_free char *path = sandbox_call_path(c, "devices", NULL);
    sandbox_call_get(c, path, on_shown);
}

/* ---- create ---- */

struct creation {
    enum sandbox_auth auth;
    bool edge;
    char thumbprint[SANDBOX_PRINT_MAX], thumbprint2[SANDBOX_PRINT_MAX];
    char parent[SANDBOX_ID_MAX], scope[256];
};

/* A fingerprint as tools print it ("AB:CD:...", "sha256 Fingerprint=AB:CD...") to plain hex. */
static int take_thumbprint(const cJSON *params, const char *key, char *to, struct err *err)
{
    const char *text = json_str(params, key, "");
    const char *sign = strrchr(text, '=');
    size_t n = 0;
    for (const char *p = sign ? sign + 1 : text; *p; p++) {
        if (*p == ':' || *p == ' ')
            continue;
        if (!isxdigit((unsigned char)*p) || n + 1 == SANDBOX_PRINT_MAX) {
            n = 1; /* no length of ours */
            break;
        }
        to[n++] = (char)toupper((unsigned char)*p);
    }
    to[n] = '\0';
    if (n == 0 || n == 40 || n == 64)
        return 0;
    err_set(err, ERR_INVALID, "%s: must be 40 (SHA-1) or 64 (SHA-256) hexadecimal digits", key);
    return err_hint(err, "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE prints it");
}

static int take_creation(const cJSON *params, struct creation *n, struct err *err)
{
    const char *auth = json_str(params, "auth", "sas");
    n->auth = sandbox_auth_parse(auth);
    n->edge = json_bool(params, "edge", false);
    if (n->auth == SANDBOX_AUTH_NONE || n->auth == SANDBOX_AUTH_TPM)
        return err_set(err, ERR_INVALID, "auth: must be sas, x509-self-signed or x509-ca");
    if (take_thumbprint(params, "thumbprint", n->thumbprint, err) < 0 ||
        take_thumbprint(params, "secondaryThumbprint", n->thumbprint2, err) < 0)
        return -1;
    if (!str_copy(n->parent, sizeof(n->parent), json_str(params, "parent", "")))
        return err_set(err, ERR_INVALID, "parent: longer than a name can be");
    bool needs = n->auth == SANDBOX_AUTH_X509_SELF_SIGNED;
    if (needs && !n->thumbprint[0]) {
        err_set(err, ERR_INVALID, "thumbprint: a self-signed certificate is known by it");
        return err_hint(err, "openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE prints it");
    }
    if (!needs && n->thumbprint[0])
        return err_set(err, ERR_INVALID, "thumbprint: goes with x509-self-signed only");
    return 0;
}

/* What is there under that name is only as good as what was asked for if it is of the same kind. */
static int check_existing(const struct sandbox_call *c, struct err *err)
{
    const struct creation *n = c->data;
    bool edge = json_bool(c->result, "edge", false);
    if (edge == n->edge && sandbox_auth_parse(json_str(c->result, "auth", "")) == n->auth)
        return 0;
    err_set(err, ERR_EXISTS, "there is a device \"%s\" already, %s one with %s", c->device,
            edge ? "an IoT Edge" : "an ordinary", json_str(c->result, "auth", "none"));
    return err_hint(err, "choose another name, or delete it: berth sandbox device delete");
}

static void on_existing(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct err bad;
    if (!err && (device_result(c, text, len, &c->result, &bad) < 0 || check_existing(c, &bad) < 0))
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
        return;
    }
    json_add_bool(c->result, "existed", true);
    sandbox_call_reply(c, steal(c->result));
}

static void on_created(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct err bad;
    if (err && err->kind == ERR_EXISTS) {
        auto_free char *path = sandbox_call_path(c, "devices", NULL);
        sandbox_call_get(c, path, on_existing);
        return;
    }
    if (!err && device_result(c, text, len, &c->result, &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
        return;
    }
    json_add_bool(c->result, "existed", false);
    sandbox_call_reply(c, steal(c->result));
}

static void create(struct sandbox_call *c)
{
    const struct creation *n = c->data;
    const struct hub_device_options options = {
        .id = c->device,
        .auth = n->auth,
        .edge = n->edge,
        .thumbprint = n->thumbprint[0] ? n->thumbprint : NULL,
        .thumbprint2 = n->thumbprint2[0] ? n->thumbprint2 : NULL,
        .parent_scope = n->scope[0] ? n->scope : NULL,
    };
    auto_buf struct buf body = {0};
    auto_free char *path = sandbox_call_path(c, "devices", NULL);
    hub_body_device(&options, &body);
    const struct hub_rest_request request = {
        .method = "PUT", .path = path, .body = body.data, .len = body.len};
    sandbox_call_send(c, &request, on_created);
}

static void on_parent(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct creation *n = c->data;
    struct err bad;
    if (err) {
        bad = *err;
        err_wrap(&bad, "parent");
        err = &bad;
    } else if (hub_read_scope(text, len, n->scope, &bad) < 0) {
        err = &bad;
    }
    if (err)
        sandbox_call_fail(c, err);
    else
        create(c);
}

/* {deviceId, edge?, auth?, thumbprint?, secondaryThumbprint?, parent?}: the device, its connection
 * string, whether it was there already */
void sandbox_device_create(struct request *req, const cJSON *params)
{
    struct err err = {0};
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    struct creation *n = xcalloc(1, sizeof(*n));
    c->data = n;
    c->data_free = free;
    if (take_creation(params, n, &err) < 0) {
        sandbox_call_fail(c, &err);
    } else if (n->parent[0]) {
        auto_free char *path = hub_rest_path((const char *const[]){"devices", n->parent, NULL});
        sandbox_call_get(c, path, on_parent);
    } else {
        create(c);
    }
}

/* ---- change and delete ---- */

static void on_read_for_status(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    const bool *enabled = c->data;
    auto_wiped_buf struct buf body = {0};
    char etag[64];
    struct err bad;
    if (!err && (hub_read_etag(text, len, etag, &bad) < 0 ||
                 hub_body_device_status(text, len, *enabled, &body, &bad) < 0))
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
        return;
    }
    auto_free char *path = sandbox_call_path(c, "devices", NULL);
    const struct hub_rest_request request = {
        .method = "PUT", .path = path, .if_match = etag, .body = body.data, .len = body.len};
    sandbox_call_send(c, &request, sandbox_call_done);
}

/* {deviceId, enabled} */
void sandbox_device_set(struct request *req, const cJSON *params)
{
    struct err err = {0};
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    bool *enabled = xcalloc(1, sizeof(*enabled));
    *enabled = json_bool(params, "enabled", false);
    c->data = enabled;
    c->data_free = free;
    if (!cJSON_IsBool(json_get(params, "enabled"))) {
        err_set(&err, ERR_INVALID, "\"enabled\" must be true or false");
        sandbox_call_fail(c, &err);
        return;
    }
    auto_free char *path = sandbox_call_path(c, "devices", NULL);
    sandbox_call_get(c, path, on_read_for_status);
}

/* {deviceId} */
void sandbox_device_delete(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    auto_free char *path = sandbox_call_path(c, "devices", NULL);
    const struct hub_rest_request request = {
        .method = "DELETE", .path = path, .if_match = HUB_REST_ANY};
    sandbox_call_send(c, &request, sandbox_call_done);
}
