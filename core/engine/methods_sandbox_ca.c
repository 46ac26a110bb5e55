/* Methods about the certificate authorities whose device certificates the sandbox accepts. */
#include "core/engine/methods_sandbox.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/engine/sandbox_call.h"
#include "core/rpc/model_sandbox.h"
#include "provision/hub_body.h"
#include "provision/hub_read.h"

static void on_authorities(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct sandbox_authority *list = xcalloc(SANDBOX_LIST_MAX, sizeof(*list));
    size_t n = 0;
    struct err bad;
    if (!err && hub_read_authorities(text, len, list, SANDBOX_LIST_MAX, &n, &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
    } else {
        cJSON *result = cJSON_CreateObject();
        cJSON *array = json_add_array(result, "authorities");
        for (size_t i = 0; i < n; i++)
            json_push(array, model_json_authority(&list[i]));
        sandbox_call_reply(c, result);
    }
    free(list);
}

/* {authorities: [...]} */
void sandbox_ca_list(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new(req, params, "ca list");
    if (c)
        sandbox_call_get(c, "sandbox/authorities", on_authorities);
}

static void on_added(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct sandbox_authority a;
    struct err bad;
    if (!err && hub_read_authority(text, len, &a, &bad) < 0)
        err = &bad;
    if (err)
        sandbox_call_fail(c, err);
    else
        sandbox_call_reply(c, model_json_authority(&a));
}

/* {certificate: PEM}: the authority */
void sandbox_ca_add(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *pem = NULL;
    auto_buf struct buf body = {0};
    struct sandbox_call *c = sandbox_call_new(req, params, "ca list");
    if (!c)
        return;
    if (json_need_str(params, "certificate", &pem, &err) < 0 ||
        hub_body_authority(pem, &body, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    const struct hub_rest_request request = {
        .method = "POST", .path = "sandbox/authorities", .body = body.data, .len = body.len};
    sandbox_call_send(c, &request, on_added);
}

/* {thumbprint} */
void sandbox_ca_remove(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *thumbprint = NULL;
    struct sandbox_call *c = sandbox_call_new(req, params, "ca list");
    if (!c)
        return;
    if (json_need_str(params, "thumbprint", &thumbprint, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    auto_free char *path =
        hub_rest_path((const char *const[]){"sandbox", "authorities", thumbprint, NULL});
    sandbox_call_send(c, &(struct hub_rest_request){.method = "DELETE", .path = path},
                      sandbox_call_done);
}
