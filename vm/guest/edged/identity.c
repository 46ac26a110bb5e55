/* See identity.h. */
#include "vm/guest/edged/identity.h"

#include "core/azure/derive.h"
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_client.h"
#include "core/io/tls_stream.h"

#include <ctype.h>
#include <string.h>

#define MODULE         "$edgeAgent"
#define API_VERSION    "2017-11-08-preview"
#define TOKEN_S        300
#define TIMEOUT_MS     30000
#define KEY_FILE_MAX   256
#define GENERATION_MAX 128

struct identity {
    uv_loop_t *loop;
    const struct config *config;
    struct dialer *dialer;
    struct http_call *call;
    struct secret master;
    struct secret key; /* of the generation below */
    char *target;      /* "/devices/D/modules/$edgeAgent?api-version=..." */
    char *host_port;
    char *cache_path;
    char generation[GENERATION_MAX];
    identity_fn fn;
    void *arg;
};

/* ------------------------------------------------------------------------------- disk */

static int load_master(struct identity *id, const char *state_dir, struct err *err)
{
    auto_free char *path = xasprintf("%s/master.key", state_dir);
    auto_wiped_buf struct buf text = {0};
    if (file_exists(path)) {
        if (file_read(path, KEY_FILE_MAX, &text, err) < 0)
            return -1;
        if (text.len != 44)
            return err_set(err, ERR_INVALID, "%s holds no key", path);
        secret_set(&id->master, text.data, text.len);
        return 0;
    }
    derive_random(&id->master);
    return file_write(path, id->master.data, id->master.len, 0600, err);
}

/* "HOST DEVICE GENERATION": what was last seen. */
static void load_generation(struct identity *id)
{
    auto_buf struct buf text = {0};
    auto_free char *prefix = xasprintf("%s %s ", id->config->hub.host, id->config->hub.device_id);
    if (file_exists(id->cache_path) && file_read(id->cache_path, 2048, &text, NULL) == 0 &&
        str_starts(buf_str(&text), prefix))
        STR_SET(id->generation, str_trim(text.data + strlen(prefix)));
}

static void save_generation(const struct identity *id)
{
    struct err err;
    auto_free char *text =
        xasprintf("%s %s %s\n", id->config->hub.host, id->config->hub.device_id, id->generation);
    if (file_write(id->cache_path, text, strlen(text), 0600, &err) < 0)
        log_warn("identity", "%s", err.msg);
}

static int module_key(const struct identity *id, const char *which, struct secret *ret,
                      struct err *err)
{
    auto_free char *text = xasprintf(MODULE ":%s:%s", id->generation, which);
    return derive_key(id->master.data, text, ret, err);
}

/* ------------------------------------------------------------------------------- answers */

/* Asking is rare: what TLS needs for it is not kept in between. */
static void answer(struct identity *id, const struct secret *key, const struct err *err)
{
    dialer_tls_free(steal(id->dialer));
    id->fn(id->arg, key, err);
}

static void give(struct identity *id)
{
    struct err err;
    if (module_key(id, "primary", &id->key, &err) < 0)
        answer(id, NULL, &err);
    else
        answer(id, &id->key, NULL);
}

/* The hub could not be asked. What was known before will do until it can. */
static void cannot_ask(struct identity *id, const struct err *why)
{
    /* people want to read why, not which call it was */
    struct err copy = *why;
    const struct err *err = &copy;
    const char *call_end = strstr(copy.msg, MODULE ": ");
    if (call_end)
        memmove(copy.msg, call_end + strlen(MODULE ": "),
                strlen(call_end + strlen(MODULE ": ")) + 1);
    if (id->generation[0] && err->kind != ERR_AUTH) {
        log_info("identity", "%s; going on with the identity known before", err->msg);
        give(id);
    } else {
        answer(id, NULL, err);
    }
}

static void refused(struct identity *id, int status, const struct buf *body)
{
    struct err err;
    char text[200];
    auto_json cJSON *json = body->len ? json_parse(body->data, body->len, NULL) : NULL;
    str_sanitise_to(text, sizeof(text), json_str(json, "Message", json_str(json, "message", "")));
    const char *device = id->config->hub.device_id, *host = id->config->hub.host;
    if (status == 401 || status == 403) {
        err_set(&err, ERR_REMOTE, "%s refused the key of device %s", host, device);
        err_hint(&err, "is the connection string current, and is the clock right?");
    } else if (status == 404) {
        err_set(&err, ERR_NOT_FOUND, "%s knows no IoT Edge device %s", host, device);
        err_hint(&err, "create the device with IoT Edge enabled");
    } else if (status >= 500 || status == 429) {
        err_set(&err, ERR_UNREACHABLE, "%s answered %d %s", host, status, text);
        cannot_ask(id, &err);
        return;
    } else {
        err_set(&err, ERR_REMOTE, "%s answered %d %s", host, status, text);
    }
    answer(id, NULL, &err);
}

/* ------------------------------------------------------------------------------- calls */

static int call(struct identity *id, const char *method, const cJSON *json, http_done_fn done,
                struct err *err)
{
    auto_secret struct secret token = {0};
    auto_wiped_buf struct buf body = {0}, authorization = {0};
    auto_free char *resource =
        xasprintf("%s/devices/%s", id->config->hub.host, id->config->hub.device_id);
    auto_free char *host = xasprintf("Host: %s", id->config->hub.host);
    if (!id->dialer) {
        id->dialer = dialer_tls_new(id->loop, id->config->trust_bundle, id->config->proxy, err);
        if (!id->dialer)
            return -1;
    }
    if (sas_make(resource, id->config->hub.key.data, clock_wall_ms() / 1000 + TOKEN_S, NULL, &token,
                 err) < 0)
        return -1;
    buf_puts(&authorization, "Authorization: ");
    buf_append(&authorization, token.data, token.len);
    const char *const headers[] = {buf_str(&authorization), host, json ? "If-Match: *" : NULL,
                                   NULL};
    if (json)
        json_print(&body, json);
    const struct http_request request = {.method = method,
                                         .target = id->target,
                                         .content_type = json ? "application/json" : NULL,
                                         .body = body.data,
                                         .body_len = body.len,
                                         .headers = headers,
                                         .timeout_ms = TIMEOUT_MS};
    id->call = http_call_start(id->dialer, id->loop, id->host_port, &request, NULL, done, id);
    return 0;
}

static void on_put(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct identity *id = arg;
    id->call = NULL;
    if (err) {
        cannot_ask(id, err);
    } else if (status != 200) {
        refused(id, status, body);
    } else {
        log_info("identity", "the hub took the key of " MODULE);
        save_generation(id);
        give(id);
    }
}

static void put_keys(struct identity *id)
{
    struct err err;
    auto_secret struct secret primary = {0}, secondary = {0};
    if (module_key(id, "primary", &primary, &err) < 0 ||
        module_key(id, "secondary", &secondary, &err) < 0) {
        answer(id, NULL, &err);
        return;
    }
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "moduleId", MODULE);
    json_add_str(json, "deviceId", id->config->hub.device_id);
    cJSON *authentication = json_add_obj(json, "authentication");
    json_add_str(authentication, "type", "sas");
    cJSON *keys = json_add_obj(authentication, "symmetricKey");
    json_add_str(keys, "primaryKey", primary.data);
    json_add_str(keys, "secondaryKey", secondary.data);
    if (call(id, "PUT", json, on_put, &err) < 0)
        answer(id, NULL, &err);
}

static void on_module(struct identity *id, const struct buf *body)
{
    struct err err;
    auto_json cJSON *json = json_parse(buf_str(body), body->len, &err);
    const char *generation = "";
    if (!json || json_need_str(json, "generationId", &generation, &err) < 0) {
        err_wrap(&err, "the hub's answer about " MODULE);
        answer(id, NULL, &err);
        return;
    }
    STR_SET(id->generation, generation);
    const cJSON *keys = json_get(json_get(json, "authentication"), "symmetricKey");
    auto_secret struct secret primary = {0};
    if (module_key(id, "primary", &primary, NULL) == 0 &&
        str_eq(json_str(keys, "primaryKey", ""), primary.data)) {
        save_generation(id);
        give(id);
    } else {
        put_keys(id);
    }
}

static void on_get(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct identity *id = arg;
    id->call = NULL;
    if (err)
        cannot_ask(id, err);
    else if (status != 200)
        refused(id, status, body);
    else
        on_module(id, body);
}

void identity_get(struct identity *id)
{
    struct err err;
    if (!id->call && call(id, "GET", NULL, on_get, &err) < 0)
        answer(id, NULL, &err);
}

/* ------------------------------------------------------------------------------- life */

/* Device ids keep everything but what a URL cannot carry. */
static void encode_id(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~!$'()*,:=@", *c))
            buf_putc(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

struct identity *identity_new(uv_loop_t *loop, const struct config *config, uint16_t https_port,
                              const char *state_dir, identity_fn fn, void *arg, struct err *err)
{
    struct identity *id = xcalloc(1, sizeof(*id));
    auto_buf struct buf target = {0};
    id->loop = loop;
    id->config = config;
    id->fn = fn;
    id->arg = arg;
    buf_puts(&target, "/devices/");
    encode_id(&target, config->hub.device_id);
    buf_puts(&target, "/modules/" MODULE "?api-version=" API_VERSION);
    id->target = buf_steal(&target);
    id->host_port = xasprintf("%s:%u", config->hub.host, https_port);
    id->cache_path = xasprintf("%s/identity", state_dir);
    if (load_master(id, state_dir, err) < 0) {
        identity_free(id);
        return NULL;
    }
    load_generation(id);
    return id;
}

void identity_free(struct identity *id)
{
    if (!id)
        return;
    http_call_cancel(id->call);
    dialer_tls_free(id->dialer);
    secret_wipe(&id->master);
    secret_wipe(&id->key);
    free(id->target);
    free(id->host_port);
    free(id->cache_path);
    free(id);
}
