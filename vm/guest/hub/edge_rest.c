/* See edge_rest.h: what clients may ask over HTTPS. */
#include "vm/guest/hub/edge_rest.h"

#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_auth.h"
#include "vm/guest/hub/edge_clients.h"
#include "vm/guest/hub/edge_methods.h"
#include "vm/guest/hub/method_json.h"
#include "vm/guest/hub/mqtt_conn.h"

#include <string.h>

/* A direct method that a module calls: first it is checked who that is, then the target is asked.
 */
struct edge_rest_call {
    struct edge *edge;
    struct http_exchange *x;
    struct edge_auth_wait *wait;
    uint64_t id; /* of the method on its way; 0: it is not yet */
    uint64_t began_ms;
    char device[IDENTITY_ID_MAX], module[IDENTITY_ID_MAX]; /* the target */
    char caller[IDENTITY_ID_MAX];                          /* a module of this device */
};

/* ---- answers ---- */

static void reply_err(struct http_exchange *x, const struct err *err)
{
    static const struct {
        enum err_kind kind;
        int status;
    } statuses[] = {
        {ERR_INVALID, 400}, {ERR_PROTOCOL, 400},    {ERR_AUTH, 401}, {ERR_NOT_FOUND, 404},
        {ERR_TIMEOUT, 504}, {ERR_UNREACHABLE, 503}, {ERR_BUSY, 429}, {ERR_UNSUPPORTED, 405},
        {ERR_REMOTE, 502},  {ERR_SYSTEM, 500},
    };
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(statuses) && statuses[i].kind != err->kind)
        i++;
    http_reply_message(x, statuses[i].status, "%s", err->msg);
}

/* The exchange is answered; nobody tells CALL of its end any more. */
static void fail(struct edge_rest_call *call, const struct err *err)
{
    if (err->kind == ERR_AUTH)
        log_info("rest", "refused %s: %s", http_exchange_peer(call->x), err->msg);
    reply_err(call->x, err);
    free(call);
}

static void on_done(void *arg, unsigned status, const char *payload, size_t len,
                    const struct err *err)
{
    struct edge_rest_call *call = arg;
    auto_json cJSON *answer = NULL;
    auto_buf struct buf text = {0};
    char from[EDGE_METRICS_ID_MAX];

    if (err) {
        fail(call, err);
        return;
    }
    edge_metrics_id(from, call->edge->settings->device, call->caller);
    edge_methods_count(call->edge, from, call->device, call->module, call->began_ms);
    answer = method_json_answer(status, payload, len);
    json_print(&text, answer);
    http_reply(call->x, 200, "application/json", text.data, text.len);
    free(call);
}

/* ---- the call ---- */

static void on_caller_gone(void *arg)
{
    struct edge_rest_call *call = arg;

    edge_auth_cancel(call->wait);
    if (call->id)
        methods_cancel(call->edge->methods, call->id);
    free(call);
}

static int read_body(struct http_exchange *x, cJSON **ret, struct err *err)
{
    size_t len;
    const char *body = http_exchange_body(x, &len);

    if (!(*ret = json_parse(body, len, err)))
        return -1;
    return cJSON_IsObject(*ret) ? 0 : err_set(err, ERR_INVALID, "the body must be a JSON object");
}

static void on_checked(void *arg, uint64_t expiry_s, const struct err *refusal)
{
    struct edge_rest_call *call = arg;
    struct method_call method = {.device = call->device, .module = call->module};
    auto_json cJSON *body = NULL;
    auto_buf struct buf payload = {0};
    struct err err = {0};
    uint64_t id, hold_ms;

    (void)expiry_s;
    call->wait = NULL;
    if (refusal) {
        fail(call, refusal);
    } else if (read_body(call->x, &body, &err) < 0 ||
               method_json_read(body, &method, &payload, &err) < 0) {
        fail(call, &err);
    } else {
        hold_ms = edge_clients_hold_ms(call->edge->clients, call->device, call->module);
        if (method.connect_ms < hold_ms)
            method.connect_ms = hold_ms;
        if ((id = methods_start(call->edge->methods, &method, on_done, call)))
            call->id = id; /* else it is over already */
    }
}

/* "DEVICE/MODULE" of who calls; only modules of this device may. */
static int read_caller(struct edge_rest_call *call, struct err *err)
{
    const char *text = http_exchange_header(call->x, "x-ms-edge-moduleId");
    const char *slash = text ? strchr(text, '/') : NULL;
    const char *device = call->edge->settings->device;

    if (!slash || !str_copy(call->caller, sizeof(call->caller), slash + 1) ||
        !identity_id_valid(call->caller))
        return err_set(err, ERR_INVALID, "x-ms-edge-moduleId: must be DEVICE/MODULE");
    if ((size_t)(slash - text) != strlen(device) || memcmp(text, device, strlen(device)) != 0)
        return err_set(err, ERR_AUTH, "only modules of this device may call");
    return 0;
}

/* Begins the check of the caller's own token. */
static int check_caller(struct edge_rest_call *call, struct err *err)
{
    const char *token = http_exchange_header(call->x, "Authorization");
    struct sas sas;

    if (!token)
        return err_set(err, ERR_AUTH, "the request has no Authorization");
    if (sas_parse(token, strlen(token), &sas, err) < 0)
        return err_set(err, ERR_AUTH, "the token is malformed");
    sas.resource[strcspn(sas.resource, "/")] = '\0';

    const struct edge_claim claim = {.hub = sas.resource,
                                     .device = call->edge->settings->device,
                                     .module = call->caller,
                                     .token = token,
                                     .len = strlen(token)};

    call->wait = edge_auth_check(call->edge->auth, &claim, on_checked, call);
    return 0;
}

static void begin_call(struct edge_rest_call *call)
{
    struct err err = {0};

    call->began_ms = clock_mono_ms();
    if (!str_eq(http_exchange_method(call->x), "POST"))
        (void)err_set(&err, ERR_UNSUPPORTED, "only POST is possible here");
    else if (read_caller(call, &err) == 0 && check_caller(call, &err) == 0) {
        http_exchange_on_close(call->x, on_caller_gone, call);
        return;
    }
    fail(call, &err);
}

/* ---- paths ---- */

/* Takes the next segment of the raw path; false where there is none, or none that can be an id. */
static bool take_segment(const char **path, char *to, size_t size)
{
    size_t len;

    if (**path != '/')
        return false;
    len = strcspn(++*path, "/");
    if (!percent_decode(*path, len, to, size) || !identity_id_valid(to))
        return false;
    *path += len;
    return true;
}

/* "/twins/D/methods" or "/twins/D/modules/M/methods" */
static bool read_target(const char *path, struct edge_rest_call *call)
{
    char word[IDENTITY_ID_MAX];

    if (!take_segment(&path, word, sizeof(word)) || !str_eq(word, "twins") ||
        !take_segment(&path, call->device, sizeof(call->device)) ||
        !take_segment(&path, word, sizeof(word)))
        return false;
    if (str_eq(word, "modules") && (!take_segment(&path, call->module, sizeof(call->module)) ||
                                    !take_segment(&path, word, sizeof(word))))
        return false;
    return str_eq(word, "methods") && !*path;
}

void edge_rest_handle(struct http_exchange *x, void *arg)
{
    struct edge *edge = arg;
    struct edge_rest_call *call;
    struct err err = {0};

    if (mqtt_server_wants(x)) {
        if (mqtt_server_websocket(edge->mqtt, x, &err) < 0)
            http_reply_message(x, 400, "%s", err.msg);
        return;
    }
    call = xcalloc(1, sizeof(*call));
    call->edge = edge;
    call->x = x;
    if (read_target(http_exchange_path(x), call)) {
        begin_call(call);
        return;
    }
    (void)err_set(&err, ERR_NOT_FOUND, "an edge hub has no such address");
    fail(call, &err);
}
