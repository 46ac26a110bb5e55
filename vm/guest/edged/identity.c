/* See identity.h. A question is a few calls of the hub's REST: get, perhaps create, perhaps update
 * with the module's keys. One call at a time, each with a limit, repeated where it may help. */
#include "vm/guest/edged/identity.h"

#include "core/azure/clock_hint.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/io/http_client.h"
#include "vm/guest/edged/identity_cache.h"

#include <ctype.h>
#include <string.h>

#define API_VERSION   "2017-11-08-preview"
#define MANAGED_BY    "IotEdge" /* whoever looks at the cloud sees whose the identity is */
#define RETRY_MS      3000
#define QUESTIONS_MAX 128

enum call_kind { CALL_GET, CALL_CREATE, CALL_UPDATE, CALL_DELETE };

static const struct {
    const char *method;
    bool body;
    bool if_match; /* unquoted, as the service wants it */
} calls[] = {
    [CALL_GET] = {"GET", false, false},
    [CALL_CREATE] = {"PUT", true, false},
    [CALL_UPDATE] = {"PUT", true, true},
    [CALL_DELETE] = {"DELETE", false, true},
};

struct question {
    struct question *next;
    enum identity_act act;
    char *module; /* NULL: all of them */
    identity_fn fn;
    void *arg;
};

struct identity {
    uv_loop_t *loop;
    struct identity_options o;
    struct identity_cache *cache;
    char *host_port;
    char *host_header;
    char *resource; /* of the device's tokens */
    struct question *first, **last;
    size_t n;
    uv_timer_t *timer; /* the next question, or the next attempt */

    /* The question under way: the first. */
    bool busy;
    struct dialer *dialer; /* in use while there are questions */
    enum call_kind kind;
    unsigned failures;
    char generation[IDENTITY_GENERATION_MAX];
    struct secret token; /* empty: not made yet, or none is needed */
    struct credential_wait *wait;
    struct http_call *call;
};

static void do_call(struct identity *id, enum call_kind kind);
static void on_timer(uv_timer_t *timer);

/* ------------------------------------------------------------------------------- answers */

static void question_free(struct question *q)
{
    free(q->module);
    free(q);
}

static void look_for_work(struct identity *id)
{
    if (!id->busy && id->first)
        (void)uv_timer_start(id->timer, on_timer, 0, 0);
}

static struct question *take_first(struct identity *id)
{
    struct question *q = id->first;
    id->first = q->next;
    if (!id->first)
        id->last = &id->first;
    id->n--;
    id->busy = false;
    secret_wipe(&id->token);
    if (!id->first && id->dialer) {
        id->dialer = NULL;
        credential_unuse(id->o.credential);
    }
    return q;
}

static void end(struct identity *id, const char *generation, const struct err *err)
{
    struct question *q = take_first(id);
    q->fn(q->arg, generation, err);
    question_free(q);
    look_for_work(id);
}

/* The hub confirmed it. */
static void settled(struct identity *id, const char *generation)
{
    struct err err;
    if (identity_cache_set(id->cache, id->first->module, generation, &err) < 0)
        log_warn("identity", "%s", err.msg);
    end(id, generation ? generation : "", NULL);
}

/* Where the hub cannot be asked, what was known before will do until it can. */
static void failed(struct identity *id, const struct err *err)
{
    bool passing = err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT;
    const char *known = identity_generation(id, id->first->module);
    if (passing && id->failures++ < id->o.config->cloud_retries) {
        (void)uv_timer_start(id->timer, on_timer, RETRY_MS, 0);
    } else if (passing && known && id->first->act != IDENTITY_DELETE) {
        log_info("identity", "%s; going on with the identity known before", err->msg);
        end(id, known, NULL);
    } else {
        end(id, NULL, err);
    }
}

static void refused(struct identity *id, int status, const struct buf *body)
{
    struct err err;
    char text[200], date[64];
    const char *device = id->o.device->id, *hub = id->o.device->hub;
    const char *module = id->first->module ? id->first->module : "";
    auto_json cJSON *json = body->len ? json_parse(body->data, body->len, NULL) : NULL;
    str_sanitise_to(text, sizeof(text), json_str(json, "Message", json_str(json, "message", "")));
    if (status == 403 && id->kind == CALL_CREATE && strstr(text, "QuotaExceeded")) {
        err_set(&err, ERR_REMOTE, "%s lets device %s have no further module", hub, device);
        err_hint(&err, "a device has at most 50, $edgeAgent and $edgeHub among them");
    } else if (status == 401 || status == 403) {
        err_set(&err, ERR_REMOTE, "%s refused the %s of device %s", hub,
                credential_word(id->o.credential), device);
        err_hint(&err, "is it that of this device, and is the clock right?");
        if (http_call_header(id->call, "Date", date, sizeof(date)))
            clock_hint_answer(date, &err);
    } else if (status == 404 && (id->kind != CALL_GET || str_starts(module, "$"))) {
        err_set(&err, ERR_NOT_FOUND, "%s knows no IoT Edge device %s", hub, device);
        err_hint(&err, "create the device with IoT Edge enabled");
    } else if (status == 404) {
        err_set(&err, ERR_NOT_FOUND, "%s knows no module %s of device %s", hub, module, device);
    } else {
        bool passing = status >= 500 || status == 429;
        err_set(&err, passing ? ERR_UNREACHABLE : ERR_REMOTE, "%s answered %d %s", hub, status,
                text);
    }
    id->call = NULL;
    credential_explain(id->o.credential, &err);
    failed(id, &err);
}

/* ------------------------------------------------------------------------------- keys */

static int module_key(const struct identity *id, const char *which, struct secret *ret,
                      struct err *err)
{
    struct keys_handle handle;
    if (!keys_module(&handle, id->first->module, id->generation, which))
        return err_set(err, ERR_PROTOCOL, "the module's name and generation are too long");
    return keys_export(id->o.keys, &handle, ret, err);
}

/* Whether the hub has the key already. */
static bool same_key(const struct identity *id, const cJSON *module)
{
    auto_secret struct secret ours = {0};
    const cJSON *theirs = json_get(json_get(module, "authentication"), "symmetricKey");
    return module_key(id, "primary", &ours, NULL) == 0 &&
           str_eq(json_str(theirs, "primaryKey", ""), ours.data);
}

static int put_body(const struct identity *id, struct buf *out, struct err *err)
{
    auto_secret struct secret primary = {0}, secondary = {0};
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "moduleId", id->first->module);
    json_add_str(json, "deviceId", id->o.device->id);
    if (!str_starts(id->first->module, "$"))
        json_add_str(json, "managedBy", MANAGED_BY);
    if (id->kind == CALL_UPDATE) {
        if (module_key(id, "primary", &primary, err) < 0 ||
            module_key(id, "secondary", &secondary, err) < 0)
            return -1;
        cJSON *authentication = json_add_obj(json, "authentication");
        json_add_str(authentication, "type", "sas");
        cJSON *keys = json_add_obj(authentication, "symmetricKey");
        json_add_str(keys, "primaryKey", primary.data);
        json_add_str(keys, "secondaryKey", secondary.data);
    }
    json_print(out, json);
    return 0;
}

/* ------------------------------------------------------------------------------- hub's answers */

static void take_module(struct identity *id, const cJSON *json)
{
    struct err err;
    const char *generation = json_str(json, "generationId", "");
    if (!*generation || !str_copy(id->generation, sizeof(id->generation), generation)) {
        err_set(&err, ERR_PROTOCOL, "the hub's answer about %s has no usable generationId",
                id->first->module);
        end(id, NULL, &err);
    } else if (id->kind == CALL_UPDATE || same_key(id, json)) {
        if (id->kind == CALL_UPDATE)
            log_info("identity", "the hub took the key of %s", id->first->module);
        settled(id, id->generation);
    } else {
        do_call(id, CALL_UPDATE);
    }
}

static void take_answer(struct identity *id, const struct buf *body)
{
    struct err err;
    id->failures = 0;
    if (id->kind == CALL_DELETE) {
        settled(id, NULL);
        return;
    }
    auto_json cJSON *json = json_parse(buf_str(body), body->len, &err);
    if (!json) {
        err_wrap(&err, "the hub's answer");
        end(id, NULL, &err);
    } else {
        take_module(id, json);
    }
}

/* People want to read why, not which call it was. */
static void strip_call(struct err *err)
{
    const char *end = strstr(err->msg, ": ");
    if (end && strstr(err->msg, " /devices/"))
        memmove(err->msg, end + 2, strlen(end + 2) + 1);
}

static void on_answer(void *arg, int status, const struct buf *body, const struct err *error)
{
    struct identity *id = arg;
    if (error) {
        struct err err = *error;
        id->call = NULL;
        strip_call(&err);
        clock_hint_tls(&err);
        credential_explain(id->o.credential, &err);
        failed(id, &err);
    } else if (status == 404 && id->kind == CALL_GET && id->first->act == IDENTITY_CREATE) {
        id->call = NULL;
        do_call(id, CALL_CREATE);
    } else if (status / 100 == 2 || (status == 404 && id->kind == CALL_DELETE)) {
        id->call = NULL;
        take_answer(id, body);
    } else {
        refused(id, status, body);
    }
}

/* ------------------------------------------------------------------------------- calls */

/* Ids keep everything but what a URL cannot carry: so does Azure's identity service. */
static void put_id(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~!$'()*,:=@", *c))
            buf_putc(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

static void put_target(const struct identity *id, struct buf *out)
{
    buf_puts(out, "/devices/");
    put_id(out, id->o.device->id);
    buf_puts(out, "/modules");
    if (id->first->module) {
        buf_putc(out, '/');
        put_id(out, id->first->module);
    }
    buf_puts(out, "?api-version=" API_VERSION);
}

static void send_call(struct identity *id)
{
    struct err err;
    auto_wiped_buf struct buf body = {0}, authorization = {0};
    auto_buf struct buf target = {0};
    bool has_body = calls[id->kind].body;
    if (!id->dialer)
        id->dialer = credential_use(id->o.credential, &err);
    if (!id->dialer || (has_body && put_body(id, &body, &err) < 0)) {
        end(id, NULL, &err);
        return;
    }
    put_target(id, &target);
    buf_puts(&authorization, "Authorization: ");
    buf_append(&authorization, id->token.data, id->token.len);
    const char *headers[4] = {id->host_header};
    size_t n = 1;
    if (id->token.len)
        headers[n++] = buf_str(&authorization);
    if (calls[id->kind].if_match)
        headers[n++] = "If-Match: *";
    const struct http_request request = {.method = calls[id->kind].method,
                                         .target = buf_str(&target),
                                         .content_type = has_body ? "application/json" : NULL,
                                         .body = body.data,
                                         .body_len = body.len,
                                         .headers = headers,
                                         .timeout_ms = id->o.config->cloud_timeout_s * 1000};
    id->call = http_call_start(id->dialer, id->loop, id->host_port, &request, NULL, on_answer, id);
}

static void on_token(void *arg, const struct secret *token, const struct err *err)
{
    struct identity *id = arg;
    id->wait = NULL;
    if (err) {
        end(id, NULL, err);
        return;
    }
    if (token)
        secret_set(&id->token, token->data, token->len);
    send_call(id);
}

static void do_call(struct identity *id, enum call_kind kind)
{
    id->kind = kind;
    if (id->token.len)
        send_call(id);
    else
        id->wait = credential_token(id->o.credential, id->resource, on_token, id);
}

/* The first question's turn, or another attempt at its call. */
static void on_timer(uv_timer_t *timer)
{
    struct identity *id = timer->data;
    const struct question *q = id->first;
    if (id->busy) {
        do_call(id, id->kind);
        return;
    }
    const char *known = q->module ? identity_generation(id, q->module) : NULL;
    id->busy = true;
    id->failures = 0;
    if (q->act == IDENTITY_DELETE)
        do_call(id, CALL_DELETE);
    else if (known && id->o.config->prefer_cache)
        end(id, known, NULL);
    else
        do_call(id, CALL_GET);
}

/* ------------------------------------------------------------------------------- life */

static int enqueue(struct identity *id, const struct question *question, const char *module,
                   struct err *err)
{
    if (id->n == QUESTIONS_MAX)
        return err_set(err, ERR_BUSY, "too many questions about identities wait");
    struct question *q = xcalloc(1, sizeof(*q));
    *q = *question;
    q->module = module ? xstrdup(module) : NULL;
    *id->last = q;
    id->last = &q->next;
    id->n++;
    look_for_work(id);
    return 0;
}

int identity_ask(struct identity *id, enum identity_act act, const char *module, identity_fn fn,
                 void *arg, struct err *err)
{
    return enqueue(id, &(struct question){.act = act, .fn = fn, .arg = arg}, module, err);
}

const char *identity_generation(const struct identity *id, const char *module)
{
    return module ? identity_cache_get(id->cache, module) : NULL;
}

const char *identity_known(const struct identity *id, size_t at)
{
    return identity_cache_at(id->cache, at);
}

struct identity *identity_new(uv_loop_t *loop, const struct identity_options *o, struct err *err)
{
    struct err cache_err = {0};
    if (keys_create(o->keys, KEYS_MASTER, err) < 0)
        return NULL;
    struct identity *id = xcalloc(1, sizeof(*id));
    id->loop = loop;
    id->o = *o;
    id->last = &id->first;
    id->host_port = xasprintf("%s:%u", o->device->hub, o->https_port);
    id->host_header = xasprintf("Host: %s", o->device->hub);
    id->resource = xasprintf("%s/devices/%s", o->device->hub, o->device->id);
    id->cache = identity_cache_load(o->state_dir, o->device, &cache_err);
    if (cache_err.kind != ERR_NONE)
        log_warn("identity", "what was known before is not used: %s", cache_err.msg);
    id->timer = xcalloc(1, sizeof(*id->timer));
    (void)uv_timer_init(loop, id->timer);
    id->timer->data = id;
    return id;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void identity_free(struct identity *id)
{
    if (!id)
        return;
    credential_cancel(id->wait);
    http_call_cancel(id->call);
    while (id->first)
        question_free(take_first(id));
    secret_wipe(&id->token);
    identity_cache_free(id->cache);
    uv_close((uv_handle_t *)id->timer, on_closed);
    free(id->host_port);
    free(id->host_header);
    free(id->resource);
    free(id);
}
