/* See hub_rest.h. Each call carries a token of its own, good for a few minutes. */
#include "provision/hub_rest.h"

#include "core/azure/connstr.h"
#include "core/azure/sas.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/io/http.h"
#include "provision/hub_body.h"
#include "provision/hub_read.h"

#include <string.h>

#define HUB_API      "api-version=2021-04-12"
#define DPS_API      "api-version=2021-10-01"
#define REST_TOKEN_S 300
#define REST_CALL_MS 15000
#define REST_HEADERS 6
#define PAGE_MAX     1024

struct hub_rest {
    struct http *http;
    struct http_fetch *fetch;
    struct connstr hub, dps; /* DPS is empty where there is none */
    char *ca_file;
    char *connect_to; /* where the hub really listens */
    char page[PAGE_MAX];
    hub_rest_fn answer;
    void *answer_arg;

    /* hub_rest_device() and its kin */
    char device_id[SANDBOX_ID_MAX];
    bool existed; /* the PUT was refused since the device is there: it is read instead */
    hub_rest_device_fn device_done;
    hub_rest_done_fn done;
    hub_rest_count_fn count_done;
    void *arg;
};

/* ---- life ---- */

static int parse_service(const struct secret *text, struct connstr *ret, struct err *err)
{
    auto_connstr struct connstr c = {0};
    if (connstr_parse(text->data, text->len, &c, err) < 0)
        return -1;
    if (!c.host[0] || !c.key_name[0] || !c.key.len)
        return err_set(err, ERR_PROTOCOL,
                       "the sandbox's record holds no service connection string");
    *ret = c;
    c = (struct connstr){0};
    return 0;
}

static int choose_hub(struct hub_rest *h, const struct sandbox_record *record, const char *hub,
                      struct err *err)
{
    for (size_t i = 0; hub && i < record->n_hubs; i++)
        if (str_eq(record->hubs[i], hub)) {
            STR_SET(h->hub.host, hub);
            return 0;
        }
    if (!hub)
        return 0;
    char shown[SANDBOX_ID_MAX];
    str_sanitise_to(shown, sizeof(shown), hub);
    err_set(err, ERR_NOT_FOUND, "the sandbox has no hub \"%s\"", shown);
    return err_hint(err, "`berth sandbox show` lists its hubs");
}

struct hub_rest *hub_rest_new(uv_loop_t *loop, const struct sandbox_record *record, const char *hub,
                              struct err *err)
{
    struct hub_rest *h = xcalloc(1, sizeof(*h));
    h->http = http_new(loop);
    h->ca_file = xstrdup(record->ca_file);
    h->connect_to = xasprintf("127.0.0.1:%u", record->https_port);
    if (parse_service(&record->service, &h->hub, err) == 0 &&
        (!record->dps.len || parse_service(&record->dps, &h->dps, err) == 0) &&
        choose_hub(h, record, hub, err) == 0)
        return h;
    hub_rest_free(h);
    return NULL;
}

void hub_rest_free(struct hub_rest *h)
{
    if (!h)
        return;
    http_free(h->http);
    connstr_done(&h->hub);
    connstr_done(&h->dps);
    free(h->ca_file);
    free(h->connect_to);
    free(h);
}

const char *hub_rest_host(const struct hub_rest *h)
{
    return h->hub.host;
}

const char *hub_rest_page(const struct hub_rest *h)
{
    return h->page;
}

char *hub_rest_path(const char *const *parts)
{
    struct buf out = {0};
    for (size_t i = 0; parts[i]; i++) {
        if (i)
            buf_putc(&out, '/');
        percent_encode(parts[i], strlen(parts[i]), &out);
    }
    return buf_steal(&out);
}

/* ---- one request ---- */

static void on_page(void *arg, const char *value)
{
    struct hub_rest *h = arg;
    if (!str_copy(h->page, sizeof(h->page), value))
        h->page[0] = '\0'; /* nothing of ours is that long */
}

/* The request did not get through: not a word about what was asked for. */
static void explain_transport(const struct err *err, struct err *ret)
{
    *ret = *err;
    if (ret->kind == ERR_INVALID) /* the URL is ours and good: the answer was not HTTP */
        ret->kind = ERR_PROTOCOL;
    err_wrap(ret, "ask the sandbox");
    err_hint(ret, "is it well? Its log: sandbox/hub.log in the state folder (berth info)");
}

static void on_fetched(void *arg, int status, const struct buf *body, const struct err *err)
{
    struct hub_rest *h = arg;
    struct err why;
    h->fetch = NULL;
    if (err)
        explain_transport(err, &why);
    if (err || hub_read_status(status, buf_str(body), body->len, &why) < 0)
        err = &why;
    hub_rest_fn answer = h->answer;
    answer(h->answer_arg, buf_str(body), body->len, err);
}

static void add_header(char **headers, size_t *n, const char *name, const char *value)
{
    headers[(*n)++] = xasprintf("%s: %s", name, value);
}

static void send_to(struct hub_rest *h, const struct connstr *service, const char *token,
                    const struct hub_rest_request *r)
{
    char *headers[REST_HEADERS + 1] = {0};
    char etag[80], page_size[16];
    size_t n = 0;
    auto_free char *url =
        xasprintf("https://%s/%s?%s%s%s", service->host, r->path, r->query ? r->query : "",
                  r->query ? "&" : "", r->dps ? DPS_API : HUB_API);
    add_header(headers, &n, "Authorization", token);
    add_header(headers, &n, "Content-Type", "application/json");
    (void)str_format(etag, sizeof(etag), "\"%s\"", r->if_match ? r->if_match : "");
    if (r->if_match)
        add_header(headers, &n, "If-Match", str_eq(r->if_match, HUB_REST_ANY) ? "*" : etag);
    if (r->page && r->page[0])
        add_header(headers, &n, "x-ms-continuation", r->page);
    (void)str_format(page_size, sizeof(page_size), "%u", r->page_size);
    if (r->page_size)
        add_header(headers, &n, "x-ms-max-item-count", page_size);
    const struct http_options options = {
        .method = r->method,
        .url = url,
        .headers = (const char *const *)headers,
        .body = r->body,
        .body_len = r->len,
        .ca_file = h->ca_file,
        .connect_to = h->connect_to,
        .timeout_ms = r->timeout_ms ? r->timeout_ms : REST_CALL_MS,
        .body_max = r->body_max,
        .header = "x-ms-continuation",
        .on_header = on_page,
    };
    h->page[0] = '\0';
    h->fetch = http_fetch_start(h->http, &options, on_fetched, h);
    while (n)
        secret_free(headers[--n]);
}

void hub_rest_send(struct hub_rest *h, const struct hub_rest_request *r, hub_rest_fn done,
                   void *arg)
{
    const struct connstr *service = r->dps ? &h->dps : &h->hub;
    auto_secret struct secret token = {0};
    struct err err = {0};
    uint64_t expiry = clock_wall_ms() / 1000 + REST_TOKEN_S;
    h->answer = done;
    h->answer_arg = arg;
    if (!service->key.len) {
        err_set(&err, ERR_UNSUPPORTED, "the sandbox has no provisioning service");
        err_hint(&err, "it is of an older version: berth sandbox stop, then berth sandbox start");
    } else {
        (void)sas_make(service->host, service->key.data, expiry, service->key_name, &token, &err);
    }
    if (err.kind)
        done(arg, "", 0, &err);
    else
        send_to(h, service, token.data, r);
}

/* ---- a device ---- */

static void device_end(struct hub_rest *h, const char *connection_string, const struct err *err)
{
    hub_rest_device_fn done = h->device_done;
    h->device_done = NULL;
    done(h->arg, connection_string, err);
}

static void on_device(void *arg, const char *text, size_t len, const struct err *err)
{
    struct hub_rest *h = arg;
    auto_secret struct secret string = {0};
    struct err why;
    if (err && err->kind == ERR_EXISTS && !h->existed) {
        h->existed = true;
        auto_free char *path = hub_rest_path((const char *const[]){"devices", h->device_id, NULL});
        hub_rest_send(h, &(struct hub_rest_request){.method = "GET", .path = path}, on_device, h);
        return;
    }
    if (!err && hub_read_connection_string(text, len, h->hub.host, &string, &why) < 0)
        err = &why;
    device_end(h, err ? NULL : string.data, err);
}

void hub_rest_device(struct hub_rest *h, const char *device_id, hub_rest_device_fn done, void *arg)
{
    const struct hub_device_options options = {
        .id = device_id, .auth = SANDBOX_AUTH_SAS, .edge = true};
    auto_buf struct buf body = {0};
    auto_free char *path = hub_rest_path((const char *const[]){"devices", device_id, NULL});
    STR_SET(h->device_id, device_id);
    h->device_done = done;
    h->arg = arg;
    h->existed = false;
    hub_body_device(&options, &body);
    const struct hub_rest_request request = {
        .method = "PUT", .path = path, .body = body.data, .len = body.len};
    hub_rest_send(h, &request, on_device, h);
}

/* ---- how many ---- */

static void on_counted(void *arg, const char *text, size_t len, const struct err *err)
{
    struct hub_rest *h = arg;
    auto_json cJSON *root = err ? NULL : json_parse(text, len, NULL);
    uint64_t devices = json_u64(root, "totalDeviceCount", 0);
    h->count_done(h->arg, devices < UINT32_MAX ? (uint32_t)devices : UINT32_MAX, err);
}

void hub_rest_count(struct hub_rest *h, hub_rest_count_fn done, void *arg)
{
    h->count_done = done;
    h->arg = arg;
    hub_rest_send(h, &(struct hub_rest_request){.method = "GET", .path = "statistics/devices"},
                  on_counted, h);
}

/* ---- a deployment ---- */

static void on_deployed(void *arg, const char *text, size_t len, const struct err *err)
{
    struct hub_rest *h = arg;
    (void)text;
    (void)len;
    hub_rest_done_fn done = h->done;
    done(h->arg, err);
}

void hub_rest_deploy(struct hub_rest *h, const char *device_id, const char *manifest, size_t len,
                     hub_rest_done_fn done, void *arg)
{
    auto_free char *path = hub_rest_path(
        (const char *const[]){"devices", device_id, "applyConfigurationContent", NULL});
    h->done = done;
    h->arg = arg;
    const struct hub_rest_request request = {
        .method = "POST", .path = path, .body = manifest, .len = len};
    hub_rest_send(h, &request, on_deployed, h);
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
                          "\"routes\":{\"upstream\":\"FROM /messages/* INTO $upstream\"},"
                          "\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":7200}}}}}";
#undef SAMPLE_MODULE
}
