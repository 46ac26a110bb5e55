/* See hub_rest.h. Each call carries a token of its own, good for a few minutes. */
#include "provision/hub_rest.h"

#include "core/azure/connstr.h"
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http.h"

#include <string.h>

#define REST_API     "api-version=2021-04-12"
#define REST_TOKEN_S 300
#define REST_CALL_MS 15000
#define REST_MESSAGE 300

struct hub_rest {
    struct http *http;
    struct http_fetch *fetch;
    struct connstr service;
    char *ca_file;
    char *connect_to; /* where the hub really listens */
    char device_id[130];
    bool existed; /* the PUT was refused since the device is there: it is read instead */
    hub_rest_device_fn device_done;
    hub_rest_done_fn done;
    hub_rest_count_fn count_done;
    void *arg;
};

struct hub_rest *hub_rest_new(uv_loop_t *loop, const struct sandbox_record *record, struct err *err)
{
    struct connstr service = {0};
    if (connstr_parse(record->service.data, record->service.len, &service, err) < 0)
        return NULL;
    if (!service.host[0] || !service.key_name[0] || !service.key.len) {
        connstr_done(&service);
        err_set(err, ERR_PROTOCOL, "the sandbox's record holds no service connection string");
        return NULL;
    }
    struct hub_rest *h = xcalloc(1, sizeof(*h));
    h->service = service;
    h->http = http_new(loop);
    h->ca_file = xstrdup(record->ca_file);
    h->connect_to = xasprintf("127.0.0.1:%u", record->https_port);
    return h;
}

void hub_rest_free(struct hub_rest *h)
{
    if (!h)
        return;
    http_free(h->http);
    connstr_done(&h->service);
    free(h->ca_file);
    free(h->connect_to);
    free(h);
}

/* ---- one request ---- */

/* ERR NULL where the status is a good one. */
static const struct err *rest_judge(int status, const struct buf *body, const struct err *err,
                                    struct err *room)
{
    if (err || (status >= 200 && status < 300))
        return err;
    auto_json cJSON *root = json_parse(buf_str(body), body->len, NULL);
    char said[REST_MESSAGE];
    const char *message = json_str(root, "Message", json_str(root, "message", ""));
    str_sanitise_to(said, sizeof(said), message);
    enum err_kind kind = status == 401 || status == 403   ? ERR_AUTH
                         : status == 404                  ? ERR_NOT_FOUND
                         : status == 400 || status == 413 ? ERR_INVALID
                                                          : ERR_REMOTE;
    err_set(room, kind, "the hub answered %d%s%s", status, said[0] ? ": " : "", said);
    return room;
}

static int rest_send(struct hub_rest *h, const char *method, const char *path, const char *body,
                     size_t len, http_fetch_fn done, struct err *err)
{
    auto_secret struct secret token = {0};
    uint64_t expiry = clock_wall_ms() / 1000 + REST_TOKEN_S;
    if (sas_make(h->service.host, h->service.key.data, expiry, h->service.key_name, &token, err) <
        0)
        return -1;
    auto_free char *url = xasprintf("https://%s/%s?" REST_API, h->service.host, path);
    char *authorization = xasprintf("Authorization: %s", token.data);
    const char *headers[] = {authorization, "Content-Type: application/json", NULL};
    struct http_options options = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = body,
        .body_len = len,
        .ca_file = h->ca_file,
        .connect_to = h->connect_to,
        .timeout_ms = REST_CALL_MS,
    };
    h->fetch = http_fetch_start(h->http, &options, done, h);
    secret_free(authorization);
    return 0;
}

/* Device ids hold characters that a path must not; "devices/ID" or "devices/ID/LEAF". */
static char *rest_path(const char *device_id, const char *leaf)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    struct buf out = {0};
    buf_puts(&out, "devices/");
    for (const char *p = device_id; *p; p++) {
        if (strchr(plain, *p))
            buf_putc(&out, *p);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*p);
    }
    buf_puts(&out, leaf);
    return buf_steal(&out);
}

/* ---- a device ---- */

static void device_end(struct hub_rest *h, const char *connection_string, const struct err *err)
{
    hub_rest_device_fn done = h->device_done;
    h->device_done = NULL;
    done(h->arg, connection_string, err);
}

static void on_device(void *arg, int status, const struct buf *body, const struct err *err);

static void device_get(struct hub_rest *h)
{
    struct err err;
    auto_free char *path = rest_path(h->device_id, "");
    h->existed = true;
    if (rest_send(h, "GET", path, NULL, 0, on_device, &err) < 0)
        device_end(h, NULL, &err);
}

static void on_device(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct hub_rest *h = arg;
    struct err room;
    h->fetch = NULL;
    if (!err && status == 409 && !h->existed) {
        device_get(h);
        return;
    }
    err = rest_judge(status, body, err, &room);
    auto_json cJSON *root = err ? NULL : json_parse(buf_str(body), body->len, &room);
    const cJSON *keys = json_get(json_get(root, "authentication"), "symmetricKey");
    const char *key = json_str(keys, "primaryKey", "");
    if (!err && !key[0]) {
        err_set(&room, ERR_UNSUPPORTED, "the device %s has no symmetric key", h->device_id);
        err = &room;
    }
    if (err) {
        device_end(h, NULL, err);
        return;
    }
    char *text =
        xasprintf("HostName=%s;DeviceId=%s;SharedAccessKey=%s", h->service.host, h->device_id, key);
    cJSON *primary = cJSON_GetObjectItemCaseSensitive(keys, "primaryKey");
    device_end(h, text, NULL);
    secret_free(text);
    if (primary && primary->valuestring)
        explicit_bzero(primary->valuestring, strlen(primary->valuestring));
}

void hub_rest_device(struct hub_rest *h, const char *device_id, hub_rest_device_fn done, void *arg)
{
    STR_SET(h->device_id, device_id);
    h->device_done = done;
    h->arg = arg;
    h->existed = false;

    auto_json cJSON *root = cJSON_CreateObject();
    json_add_str(root, "deviceId", device_id);
    json_add_bool(json_add_obj(root, "capabilities"), "iotEdge", true);
    json_add_str(json_add_obj(root, "authentication"), "type", "sas");
    json_add_str(root, "status", "enabled");
    auto_buf struct buf body = {0};
    json_print(&body, root);

    struct err err;
    auto_free char *path = rest_path(device_id, "");
    if (rest_send(h, "PUT", path, body.data, body.len, on_device, &err) < 0)
        device_end(h, NULL, &err);
}

/* ---- how many ---- */

static void on_counted(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct hub_rest *h = arg;
    struct err room;
    h->fetch = NULL;
    const struct err *why = rest_judge(status, body, err, &room);
    auto_json cJSON *root = why ? NULL : json_parse(buf_str(body), body->len, NULL);
    uint64_t devices = json_u64(root, "totalDeviceCount", 0);
    h->count_done(h->arg, devices < UINT32_MAX ? (uint32_t)devices : UINT32_MAX, why);
}

void hub_rest_count(struct hub_rest *h, hub_rest_count_fn done, void *arg)
{
    struct err err;
    h->count_done = done;
    h->arg = arg;
    if (rest_send(h, "GET", "statistics/devices", NULL, 0, on_counted, &err) < 0)
        done(arg, 0, &err);
}

/* ---- a deployment ---- */

static void on_deployed(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct hub_rest *h = arg;
    struct err room;
    h->fetch = NULL;
    hub_rest_done_fn done = h->done;
    done(h->arg, rest_judge(status, body, err, &room));
}

void hub_rest_deploy(struct hub_rest *h, const char *device_id, const char *manifest, size_t len,
                     hub_rest_done_fn done, void *arg)
{
    struct err err;
    auto_free char *path = rest_path(device_id, "/applyConfigurationContent");
    h->done = done;
    h->arg = arg;
    if (rest_send(h, "POST", path, manifest, len, on_deployed, &err) < 0)
        done(arg, &err);
}

const char *hub_rest_sample_manifest(void)
{
#define SAMPLE_MODULE(name)                                                                  \
    "\"" name "\":{\"type\":\"docker\",\"status\":\"running\",\"restartPolicy\":\"always\"," \
    "\"settings\":{\"image\":\"" SANDBOX_SAMPLE_IMAGE "\",\"createOptions\":\"{}\"}}"
    return "{\"modulesContent\":{\"$edgeAgent\":{\"properties.desired\":{\"schemaVersion\":\"1.1\","
           "\"runtime\":{\"type\":\"docker\",\"settings\":{\"minDockerVersion\":\"v1.25\"}},"
           "\"systemModules\":{"
           "\"edgeAgent\":{\"type\":\"docker\",\"settings\":{\"image\":"
           "\"mcr.microsoft.com/azureiotedge-agent:1.5\",\"createOptions\":\"{}\"}},"
           "\"edgeHub\":{\"type\":\"docker\",\"status\":\"running\",\"restartPolicy\":\"always\","
           "\"settings\":{\"image\":\"mcr.microsoft.com/azureiotedge-hub:1.5\","
           "\"createOptions\":\"{}\"}}},"
           "\"modules\":{" SAMPLE_MODULE("sensor1") "," SAMPLE_MODULE(
               "sensor2") "}}},"
                          "\"$edgeHub\":{\"properties.desired\":{\"schemaVersion\":\"1.1\","
                          "\"routes\":{},"
                          "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}}}}";
#undef SAMPLE_MODULE
}
