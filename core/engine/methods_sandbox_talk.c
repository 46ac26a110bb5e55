/* Methods that talk to the sandbox's devices: messages, methods, twins, queries, events. */
#include "core/engine/methods_sandbox.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/sandbox_call.h"
#include "core/engine/sandbox_events.h"
#include "provision/hub_body.h"
#include "provision/hub_read.h"

#define MESSAGE_MAX     (64UL << 10) /* as IoT Hub's */
#define METHOD_MS       30000        /* a device has so long, unless told otherwise */
#define ANSWER_EXTRA_MS 15000        /* what the hub may need besides */
#define QUERY_ROWS      1000
#define QUERY_BODY_MAX  (2U << 20)
#define QUERY_PAGE      100
#define QUERY_PAGES     20

/* ---- a message to a device ---- */

static void on_sent(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    char id[SANDBOX_ID_MAX] = "";
    struct err bad;
    if (!err && hub_read_message_id(text, len, id, sizeof(id), &bad) < 0)
        err = &bad;
    if (err) {
        sandbox_call_fail(c, err);
        return;
    }
    cJSON *result = cJSON_CreateObject();
    json_add_str_or_null(result, "messageId", id);
    sandbox_call_reply(c, result);
}

/* {deviceId, body, messageId?, ack?, properties?}: {messageId} */
void sandbox_send(struct request *req, const cJSON *params)
{
    static const char *const copied[] = {"body", "messageId", "ack", "properties"};
    struct err err = {0};
    const char *body = NULL;
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    auto_json cJSON *message = cJSON_CreateObject();
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        if (json_get(params, copied[i]))
            json_add(message, copied[i], cJSON_Duplicate(json_get(params, copied[i]), true));
    auto_buf struct buf text = {0};
    json_print(&text, message);
    if (json_need_str(params, "body", &body, &err) == 0 && text.len > 2 * MESSAGE_MAX)
        err_set(&err, ERR_INVALID, "the message is larger than %lu KiB", MESSAGE_MAX / 1024);
    if (err.kind) {
        sandbox_call_fail(c, &err);
        return;
    }
    auto_free char *path = hub_rest_path(
        (const char *const[]){"sandbox", "devices", c->device, "messages", "devicebound", NULL});
    const struct hub_rest_request request = {
        .method = "POST", .path = path, .body = text.data, .len = text.len};
    sandbox_call_send(c, &request, on_sent);
}

/* ---- a method ---- */

/* The hub's answer as it is: it is the device's own JSON. */
static void on_document(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct err bad;
    cJSON *document = err ? NULL : json_parse(text, len, &bad);
    if (document)
        sandbox_call_reply(c, document);
    else
        sandbox_call_fail(c, err ? err : &bad);
}

/* {deviceId, moduleId?, method, payload?, timeoutS?}: {status, payload} */
void sandbox_invoke(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *name = NULL;
    uint64_t seconds = METHOD_MS / 1000;
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    if (json_need_str(params, "method", &name, &err) < 0 ||
        (json_get(params, "timeoutS") &&
         json_need_u64(params, "timeoutS", 300, &seconds, &err) < 0)) {
        sandbox_call_fail(c, &err);
        return;
    }
    auto_json cJSON *call = cJSON_CreateObject();
    json_add_str(call, "methodName", name);
    json_add_u64(call, "responseTimeoutInSeconds", seconds);
    json_add_u64(call, "connectTimeoutInSeconds", 0);
    if (json_get(params, "payload"))
        json_add(call, "payload", cJSON_Duplicate(json_get(params, "payload"), true));
    auto_buf struct buf body = {0};
    json_print(&body, call);
    auto_free char *path = sandbox_call_path(c, "twins", "methods");
    const struct hub_rest_request request = {.method = "POST",
                                             .path = path,
                                             .body = body.data,
                                             .len = body.len,
                                             .timeout_ms = seconds * 1000 + ANSWER_EXTRA_MS};
    sandbox_call_send(c, &request, on_document);
}

/* ---- twins ---- */

/* {deviceId, moduleId?}: the twin */
void sandbox_twin_get(struct request *req, const cJSON *params)
{
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    auto_free char *path = sandbox_call_path(c, "twins", NULL);
    sandbox_call_get(c, path, on_document);
}

/* {deviceId, moduleId?, patch, etag?}: the twin as it is then */
void sandbox_twin_set(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const cJSON *patch = NULL;
    char etag[64] = "";
    auto_buf struct buf text = {0}, body = {0};
    struct sandbox_call *c = sandbox_call_new_on_device(req, params);
    if (!c)
        return;
    if (json_need_obj(params, "patch", &patch, &err) == 0) {
        json_print(&text, patch);
        (void)hub_body_twin(text.data, text.len, etag, &body, &err);
    }
    if (!err.kind && !str_copy(etag, sizeof(etag), json_str(params, "etag", etag)))
        err_set(&err, ERR_INVALID, "etag: too long");
    if (err.kind) {
        sandbox_call_fail(c, &err);
        return;
    }
    auto_free char *path = sandbox_call_path(c, "twins", NULL);
    const struct hub_rest_request request = {.method = "PATCH",
                                             .path = path,
                                             .if_match = etag[0] ? etag : HUB_REST_ANY,
                                             .body = body.data,
                                             .len = body.len};
    sandbox_call_send(c, &request, on_document);
}

/* ---- query ---- */

struct query {
    struct buf body;
    cJSON *rows;
    size_t n, pages;
};

static void query_free(void *data)
{
    struct query *q = data;
    buf_done(&q->body);
    cJSON_Delete(q->rows);
    free(q);
}

static void query_ask(struct sandbox_call *c, const char *page);

static void query_end(struct sandbox_call *c, bool more)
{
    struct query *q = c->data;
    cJSON *result = cJSON_CreateObject();
    json_add(result, "items", steal(q->rows));
    json_add_bool(result, "more", more);
    sandbox_call_reply(c, result);
}

static void on_rows(void *arg, const char *text, size_t len, const struct err *err)
{
    struct sandbox_call *c = arg;
    struct query *q = c->data;
    struct err bad = {0};
    auto_json cJSON *page = err ? NULL : json_parse(text, len, &bad);
    if (page && !cJSON_IsArray(page))
        err_set(&bad, ERR_PROTOCOL, "the hub's answer is no list");
    if (!page || bad.kind) {
        sandbox_call_fail(c, err ? err : &bad);
        return;
    }
    while (page->child && q->n < QUERY_ROWS) {
        json_push(q->rows, cJSON_DetachItemViaPointer(page, page->child));
        q->n++;
    }
    auto_free char *next = xstrdup(hub_rest_page(c->rest));
    if (!next[0] || page->child || q->n >= QUERY_ROWS || ++q->pages == QUERY_PAGES)
        query_end(c, next[0] || page->child);
    else
        query_ask(c, next);
}

static void query_ask(struct sandbox_call *c, const char *page)
{
    const struct query *q = c->data;
    const struct hub_rest_request request = {.method = "POST",
                                             .path = "devices/query",
                                             .page = page,
                                             .page_size = QUERY_PAGE,
                                             .body = q->body.data,
                                             .len = q->body.len,
                                             .body_max = QUERY_BODY_MAX};
    sandbox_call_send(c, &request, on_rows);
}

/* {query}: {items: [...], more} */
void sandbox_query(struct request *req, const cJSON *params)
{
    struct err err = {0};
    const char *text = NULL;
    struct sandbox_call *c = sandbox_call_new(req, params, "");
    if (!c)
        return;
    if (json_need_str(params, "query", &text, &err) < 0) {
        sandbox_call_fail(c, &err);
        return;
    }
    struct query *q = xcalloc(1, sizeof(*q));
    auto_json cJSON *body = cJSON_CreateObject();
    json_add_str(body, "query", text);
    json_print(&q->body, body);
    q->rows = cJSON_CreateArray();
    c->data = q;
    c->data_free = query_free;
    query_ask(c, NULL);
}

/* ---- events ---- */

/* {deviceId?, tail?, follow}: {stream}; then event.sandbox */
void sandbox_events_follow(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    char stream[SANDBOX_STREAM_MAX];
    const struct sandbox_events_request request = {
        .client = req->client,
        .device = json_str(params, "deviceId", ""),
        .tail = json_u64(params, "tail", UINT64_MAX),
        .follow = json_bool(params, "follow", false),
    };
    if (sandbox_events_open(e->sandbox_events, &request, stream, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    cJSON *result = cJSON_CreateObject();
    json_add_str(result, "stream", stream);
    request_reply(req, result);
}

/* {stream} */
void sandbox_events_stop(struct request *req, const cJSON *params)
{
    struct engine *e = req->owner;
    struct err err = {0};
    const char *stream = NULL;
    if (json_need_str(params, "stream", &stream, &err) < 0) {
        request_fail(req, &err);
        return;
    }
    sandbox_events_close(e->sandbox_events, req->client, stream);
    request_reply_empty(req);
}
