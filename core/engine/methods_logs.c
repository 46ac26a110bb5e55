/* Methods about logs. */
#include "core/engine/methods.h"

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/logs.h"

static void call_logs_follow(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    struct logs_request request = {.client = req->client,
                                   .follow = json_bool(params, "follow", false)};
    uint64_t stream = 0;
    request.vm = json_str(params, "vm", "");
    request.tail = json_u64(params, "tail", UINT64_MAX);
    if (json_need_str(params, "module", &request.module, &err) < 0 ||
        logs_follow(e->logs, &request, &stream, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    char id[24];
    cJSON *result = cJSON_CreateObject();
    (void)str_format(id, sizeof(id), "%llu", (unsigned long long)stream);
    json_add_str(result, "stream", id);
    request_reply(req, result);
}

static void call_logs_stop(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *id = NULL;
    uint64_t stream = 0;
    if (json_need_str(params, "stream", &id, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    if (str_to_u64(id, UINT64_MAX, &stream))
        logs_stop(e->logs, req->client, stream);
    request_reply_empty(req);
}

const struct rpc_method methods_logs[] = {
    {"logs.follow", call_logs_follow},
    {"logs.stop", call_logs_stop},
    {NULL, NULL},
};
