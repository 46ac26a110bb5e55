/* For tests: an edge hub of one's own, and the runtime that it asks for signatures and its
 * certificate, from a script: a process with the modules' keys. The hub serves under the name that
 * hub_link.h looks for. */
#ifndef BERTH_TESTS_EDGE_RUNTIME_H
#define BERTH_TESTS_EDGE_RUNTIME_H

#include "core/azure/derive.h"
#include "core/base/percent.h"
#include "core/io/base64.h"
#include "core/io/http_server.h"
#include "core/io/tls_cert.h"
#include "tests/hub_client.h"
#include "vm/guest/hub/edge_store.h"
#include "vm/guest/hub/topic.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <uv.h>

#define EDGE_DEVICE "edge1"

struct test_edge {
    struct test_hub link; /* its folder, with ca.pem, and its ports */
    const char *modules[64];
    char keys[64][128];
    size_t n_modules;
    unsigned max_clients;
    pid_t runtime;
    unsigned certs; /* that its runtime has made */
};

/* ---- the runtime ---- */

static inline const char *runtime_key(const struct test_edge *e, const char *module, size_t len)
{
    for (size_t i = 0; i < e->n_modules; i++)
        if (strlen(e->modules[i]) == len && memcmp(e->modules[i], module, len) == 0)
            return e->keys[i];
    return NULL;
}

static inline void runtime_reply(struct http_exchange *x, int status, const cJSON *out)
{
    auto_buf struct buf text = {0};

    json_print(&text, out);
    http_reply(x, status, "application/json", text.data, text.len);
}

static inline void runtime_sign(struct http_exchange *x, const char *key, const cJSON *body)
{
    auto_json cJSON *out = cJSON_CreateObject();
    auto_buf struct buf raw = {0};
    auto_buf struct buf data = {0};
    auto_buf struct buf digest = {0};
    const char *text = json_str(body, "data", "");
    unsigned char hmac[DERIVE_BYTES];

    if (!key || base64_decode(key, strlen(key), &raw, NULL) < 0 ||
        base64_decode(text, strlen(text), &data, NULL) < 0 ||
        derive_hmac(raw.data, raw.len, data.data, data.len, hmac, NULL) < 0) {
        http_reply_message(x, 404, "no such module");
        return;
    }
    base64_encode(hmac, sizeof(hmac), &digest);
    json_add_str(out, "digest", digest.data);
    runtime_reply(x, 200, out);
}

/* The first one is to be renewed soon. */
static inline void runtime_certify(struct http_exchange *x, struct test_edge *e, const cJSON *body)
{
    uint64_t life_ms = e->certs++ == 0 ? 2000 : 2ULL * 24 * 3600 * 1000;
    auto_json cJSON *out = cJSON_CreateObject();
    auto_buf struct buf cert = {0};
    auto_buf struct buf key = {0};
    const char *names[] = {json_str(body, "commonName", ""), NULL};
    char ca[100], ca_key[100], until[CLOCK_TEXT_MAX];
    struct tls_cert_order order = {.use = TLS_CERT_SERVER,
                                   .common_name = names[0],
                                   .names = names,
                                   .days = 2,
                                   .ca_cert_file = ca,
                                   .ca_key_file = ca_key};
    struct err err = {0};

    snprintf(ca, sizeof(ca), "%s/ca.pem", e->link.dir);
    snprintf(ca_key, sizeof(ca_key), "%s/ca.key", e->link.dir);
    if (tls_cert_issue(&order, &cert, &key, &err) < 0) {
        http_reply_message(x, 500, "%s", err.msg);
        return;
    }
    clock_format(until, sizeof(until), clock_wall_ms() + life_ms);
    json_add_str(json_add_obj(out, "privateKey"), "bytes", key.data);
    json_add_str(out, "certificate", cert.data);
    json_add_str(out, "expiration", until);
    runtime_reply(x, 201, out);
}

static inline void runtime_trust(struct http_exchange *x, const struct test_edge *e)
{
    auto_json cJSON *out = cJSON_CreateObject();
    auto_buf struct buf pem = {0};
    char path[100];

    snprintf(path, sizeof(path), "%s/ca.pem", e->link.dir);
    (void)file_read(path, 65536, &pem, NULL);
    json_add_str(out, "certificate", buf_str(&pem));
    runtime_reply(x, 200, out);
}

static inline void runtime_on_request(struct http_exchange *x, void *arg)
{
    struct test_edge *e = arg;
    const char *path = http_exchange_path(x);
    const char *module = str_starts(path, "/modules/") ? path + strlen("/modules/") : "";
    size_t len = 0, n = strcspn(module, "/");
    const char *data = http_exchange_body(x, &len);
    auto_json cJSON *body = json_parse(len ? data : "{}", len ? len : 2, NULL);
    char name[IDENTITY_ID_MAX];

    if (!percent_decode(module, n, name, sizeof(name)))
        name[0] = '\0';
    if (str_ends(path, "/sign"))
        runtime_sign(x, runtime_key(e, name, strlen(name)), body);
    else if (str_ends(path, "/certificate/server") && str_eq(name, "$edgeHub"))
        runtime_certify(x, e, body);
    else if (str_eq(path, "/trust-bundle"))
        runtime_trust(x, e);
    else
        http_reply_message(x, 404, "not here");
}

/* Returns once it listens. */
static inline void runtime_start(struct test_edge *e)
{
    char path[100], word = 0;
    int ready[2];

    if (pipe(ready) < 0)
        abort();
    e->runtime = fork();
    if (e->runtime == 0) {
        uv_loop_t *loop = uv_default_loop();
        struct http_server *s =
            http_server_new(loop, &(struct http_limits){0}, runtime_on_request, e);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(path, sizeof(path), "%s/workload.sock", e->link.dir);
        if (http_server_listen_unix(s, path, 0600, (uid_t)-1, (gid_t)-1, NULL) < 0)
            _exit(1);
        (void)!write(ready[1], "r", 1);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        _exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &word, 1) != 1)
        abort();
    close(ready[0]);
}

static inline void runtime_end(struct test_edge *e)
{
    kill(e->runtime, SIGKILL);
    waitpid(e->runtime, NULL, 0);
}

/* ---- the edge hub ---- */

/* Gives MODULE of the edge device an identity in the CLOUD where it has none, and the runtime its
 * key. */
static inline void edge_add_module(struct test_edge *e, const struct test_hub *cloud,
                                   const char *module)
{
    auto_json cJSON *out = NULL;
    char target[200];

    snprintf(target, sizeof(target), "/devices/" EDGE_DEVICE "/modules/%s%s",
             module[0] == '$' ? "%24" : "", module + (module[0] == '$'));
    if (module[0] != '$')
        (void)rest(cloud, NULL, "PUT", target, NULL, "{}", NULL);
    (void)rest(cloud, NULL, "GET", target, NULL, NULL, &out);
    snprintf(e->keys[e->n_modules], sizeof(e->keys[0]), "%s",
             json_str(json_get(json_get(out, "authentication"), "symmetricKey"), "primaryKey", ""));
    e->modules[e->n_modules++] = module;
}

static inline const char *edge_key(const struct test_edge *e, const char *module)
{
    return runtime_key(e, module, strlen(module));
}

static inline void edge_write_settings(const struct test_edge *e, const struct test_hub *cloud)
{
    auto_json cJSON *s = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    char path[100], ca[100];

    snprintf(ca, sizeof(ca), "%s/ca.pem", cloud->dir);
    json_add_str(s, "hub", "localhost");
    json_add_u64(s, "mqttPort", cloud->mqtt_port);
    json_add_u64(s, "httpsPort", cloud->https_port);
    json_add_str(s, "device", EDGE_DEVICE);
    json_add_str(s, "hostname", HUB_HOST);
    json_add_str(s, "caFile", ca);
    snprintf(path, sizeof(path), "%s/workload.sock", e->link.dir);
    json_add_str(s, "workload", path);
    json_push(json_add_array(s, "listen"), cJSON_CreateString("127.0.0.1"));
    json_add_u64(s, "mqttListenPort", e->link.mqtt_port);
    json_add_u64(s, "httpsListenPort", e->link.https_port);
    snprintf(path, sizeof(path), "%s/hub.sock", e->link.dir);
    json_add_str(s, "socket", path);
    json_add_u64(s, "maxClients", e->max_clients);
    json_print(&text, s);
    snprintf(path, sizeof(path), "%s/settings.json", e->link.dir);
    if (file_write(path, text.data, text.len, 0600, NULL) < 0)
        abort();
}

/* Its folder with an authority; the cloud must be there, and have the edge device. */
static inline void edge_new(struct test_edge *e, const struct test_hub *cloud)
{
    char ca[100], key[100];

    hub_new(&e->link);
    snprintf(ca, sizeof(ca), "%s/ca.pem", e->link.dir);
    snprintf(key, sizeof(key), "%s/ca.key", e->link.dir);
    if (tls_cert_make_ca(ca, key, "test edge CA", 2, NULL) < 0)
        abort();
    edge_add_module(e, cloud, "$edgeHub");
}

/* A configuration as a twin brought it in an earlier life. */
static inline bool edge_keep_config(const struct test_edge *e, const char *config)
{
    struct edge_store *store = NULL;
    char path[100];
    bool ok;

    snprintf(path, sizeof(path), "%s/data", e->link.dir);
    if (file_mkdirs(path, 0700, NULL) < 0)
        return false;
    snprintf(path, sizeof(path), "%s/data/edge.db", e->link.dir);
    ok = edge_store_open(path, &store, NULL) == 0 &&
         edge_store_text_put(store, "config", config, strlen(config), NULL) == 0 &&
         edge_store_commit(store, NULL) == 0;
    edge_store_close(store);
    return ok;
}

static inline bool edge_start(struct test_edge *e)
{
    char dir[100], settings[100], log[100];
    const char *const args[] = {"--role", "edge",  "--dir", dir, "--settings",
                                settings, "--log", log,     NULL};

    snprintf(dir, sizeof(dir), "%s/data", e->link.dir);
    snprintf(settings, sizeof(settings), "%s/settings.json", e->link.dir);
    snprintf(log, sizeof(log), "%s.log", e->link.dir);
    return program_start(args, &e->link.pid, e->link.line, sizeof(e->link.line));
}

/* GET on the runtime's socket: all of the answer. */
static inline void edge_ask(const struct test_edge *e, const char *path, struct buf *ret)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto_buf struct buf request = {0};
    ssize_t n;

    buf_clear(ret);
    snprintf(to.sun_path, sizeof(to.sun_path), "%s/hub.sock", e->link.dir);
    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        write(fd, request.data, request.len) < 0)
        return;
    while ((n = read(fd, buf_reserve(ret, 65536), 65536)) > 0)
        buf_commit(ret, (size_t)n);
}

/* Waits until the answer has TEXT in it; what it was at last is in RET. */
static inline bool edge_comes_to(const struct test_edge *e, const char *path, const char *text,
                                 struct buf *ret)
{
    uint64_t end = clock_mono_ms() + HUB_WAIT_S * 1000;

    do {
        edge_ask(e, path, ret);
        if (strstr(buf_str(ret), text))
            return true;
        (void)poll(NULL, 0, 20);
    } while (clock_mono_ms() < end);
    return false;
}

#endif
