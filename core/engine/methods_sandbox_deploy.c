/* Methods about deployments in the sandbox: to one device, and to all that fit. */
#include "core/engine/methods_sandbox.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/sandbox_call.h"
#include "core/rpc/model_sandbox.h"
#include "provision/hub_body.h"
#include "provision/hub_read.h"

#include <limits.h>

#define LIST_BODY_MAX (4U << 20)

/* {deviceId, manifest} */
void sandbox_deploy(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const cJSON *manifest = NULL;
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    if (json_need_obj(params, "manifest", &manifest, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    auto_buf struct buf text = {0};
    json_print(&text, manifest);
    auto_free char *path = sandbox_call_path(c, "devices", "applyConfigurationContent");
    const struct hub_rest_request request = {
        .method = "POST", .path = path, .body = text.data, .len = text.len};
    sandbox_call_send(c, &request, sandbox_call_done);
}

/* ---- configurations ---- */

static void on_configurations(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct sandbox_configuration *list = xcalloc(SANDBOX_LIST_MAX, sizeof(*list));
    size_t n = 0;
    struct err bad;
    if (!err && hub_read_configurations(text, len, list, SANDBOX_LIST_MAX, &n, &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
    } else {
        cJSON *result = cJSON_CreateObject();
        cJSON *array = json_add_array(result, "configurations");
        for (size_t i = 0; i < n; i++)
            json_push(array, model_json_configuration(&list[i]));
        sandbox_call_reply(c, result);
    }
    free(list);
}

/* {configurations: [...]} */
void sandbox_configuration_list(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new(req, params, "configuration list");
    if (!c)
        return;
    const struct hub_rest_request request = {
        .method = "GET", .path = "configurations", .query = "top=100", .body_max = LIST_BODY_MAX};
    sandbox_call_send(c, &request, on_configurations);
}

struct application {
    struct buf body;
    char id[SANDBOX_ID_MAX];
    bool replaces; /* there is one of that name */
};

static void application_free(void *data)
{
    struct application *a = data;
    buf_done(&a->body);
    free(a);
}

static void apply(struct sandbox_call *c);

static void on_applied(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct application *a = c->data;
    (void)text;
    (void)len;
    if (err && err->kind == ERR_EXISTS && !a->replaces) {
        a->replaces = true;
        apply(c);
    } else if (err) {
        sandbox_call_fail(c, err);
    } else {
        cJSON *result = cJSON_CreateObject();
        json_add_str(result, "id", a->id);
        json_add_bool(result, "replaced", a->replaces);
        sandbox_call_reply(c, result);
    }
}

static void apply(struct sandbox_call *c)
{
    const struct application *a = c->data;
    auto_free char *path = hub_rest_path((const char *const[]){"configurations", a->id, NULL});
    const struct hub_rest_request request = {.method = "PUT",
                                             .path = path,
                                             .if_match = a->replaces ? HUB_REST_ANY : NULL,
                                             .body = a->body.data,
                                             .len = a->body.len};
    sandbox_call_send(c, &request, on_applied);
}

/* {configuration, id?, targetCondition?, priority?}: {id, replaced} */
void sandbox_configuration_apply(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const cJSON *document = NULL;
    uint64_t number = 0;
    struct sandbox_call *c = sandbox_call_new(req, params, "configuration list");
    if (!c)
        return;
    struct application *a = xcalloc(1, sizeof(*a));
    auto_buf struct buf text = {0};
    c->data = a;
    c->data_free = application_free;
    bool ranked = json_get(params, "priority") != NULL;
    if (json_need_obj(params, "configuration", &document, &err) < 0 ||
        (ranked && json_need_u64(params, "priority", INT_MAX, &number, &err) < 0)) {
        sandbox_call_fail(c, &err);
        return;
    }
    const int priority = (int)number;
    const struct hub_configuration_options options = {.id = json_str(params, "id", NULL),
                                                      .target =
                                                          json_str(params, "targetCondition", NULL),
                                                      .priority = ranked ? &priority : NULL};
    json_print(&text, document);
    if (hub_body_configuration(text.data, text.len, &options, a->id, &a->body, &err) < 0)
        sandbox_call_fail(c, &err);
    else
        apply(c);
}

/* {id} */
void sandbox_configuration_delete(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *id = NULL;
    struct sandbox_call *c = sandbox_call_new(req, params, "configuration list");
    if (!c)
        return;
    if (json_need_str(params, "id", &id, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    auto_free char *path = hub_rest_path((const char *const[]){"configurations", id, NULL});
    const struct hub_rest_request request = {
        .method = "DELETE", .path = path, .if_match = HUB_REST_ANY};
    sandbox_call_send(c, &request, sandbox_call_done);
}
