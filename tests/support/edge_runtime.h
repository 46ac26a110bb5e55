/* For tests of the edge hub: the runtime's socket, in the same process and on the test's own loop.
 * It signs for the modules that it was told of, certifies, and can be out of order. */
#ifndef BERTH_TESTS_EDGE_RUNTIME_H
#define BERTH_TESTS_EDGE_RUNTIME_H

#include "core/azure/derive.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/http_server.h"
#include "core/io/tls_cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edge_runtime {
    struct http_server *server;
    char path[100];
    const char *modules[8];       /* of this device, NULL-terminated */
    const char *ca_cert, *ca_key; /* files; NULL: it certifies nobody and has no trust bundle */
    const char *answer;           /* to everything; NULL: the right one */
    int status;                   /* of ANSWER */
    bool hangs;                   /* it takes requests and says nothing */
    unsigned asked, signed_for;   /* requests; those for a signature that it gave */
};

/* The key of a module, as the cloud is to know it: base64 of 32 bytes. */
static inline void edge_runtime_key(const char *module, bool secondary, char to[64])
{
    unsigned char bytes[DERIVE_BYTES];
    auto_buf struct buf text = {0};

    (void)derive_hmac(secondary ? "second" : "first", secondary ? 6 : 5, module, strlen(module),
                      bytes, NULL);
    base64_encode(bytes, sizeof(bytes), &text);
    (void)snprintf(to, 64, "%s", text.data);
}

static inline void edge_runtime_say(struct http_exchange *x, int status, cJSON *take_json)
{
    auto_buf struct buf text = {0};

    json_print(&text, take_json);
    cJSON_Delete(take_json);
    http_reply(x, status, "application/json", text.data, text.len);
}

static inline void edge_runtime_sign(struct edge_runtime *r, struct http_exchange *x,
                                     const char *module, const cJSON *body)
{
    const char *data = json_str(body, "data", "");
    cJSON *out = cJSON_CreateObject();
    unsigned char digest[DERIVE_BYTES];
    auto_buf struct buf key = {0}, text = {0}, hmac = {0};
    char base64[64];

    edge_runtime_key(module, str_eq(json_str(body, "keyId", ""), "secondary"), base64);
    if (base64_decode(base64, strlen(base64), &key, NULL) < 0 ||
        base64_decode(data, strlen(data), &text, NULL) < 0 ||
        derive_hmac(key.data, key.len, buf_str(&text), text.len, digest, NULL) < 0)
        abort();
    base64_encode(digest, sizeof(digest), &hmac);
    json_add_str(out, "digest", hmac.data);
    r->signed_for++;
    edge_runtime_say(x, 200, out);
}

static inline void edge_runtime_certify(const struct edge_runtime *r, struct http_exchange *x,
                                        const cJSON *body)
{
    const char *name = json_str(body, "commonName", "");
    const char *const names[] = {name, NULL};
    const struct tls_cert_order order = {.use = TLS_CERT_SERVER,
                                         .common_name = name,
                                         .names = names,
                                         .days = 30,
                                         .ca_cert_file = r->ca_cert,
                                         .ca_key_file = r->ca_key};
    auto_buf struct buf cert = {0}, key = {0};
    cJSON *out = cJSON_CreateObject(), *private_key = json_add_obj(out, "privateKey");
    char until[CLOCK_TEXT_MAX];

    if (tls_cert_issue(&order, &cert, &key, NULL) < 0)
        abort();
    clock_format(until, sizeof(until), clock_wall_ms() + 30ULL * 86400 * 1000);
    json_add_str(private_key, "type", "key");
    json_add_str(private_key, "bytes", key.data);
    json_add_str(out, "certificate", cert.data);
    json_add_str(out, "expiration", until);
    edge_runtime_say(x, 201, out);
}

static inline void edge_runtime_trust(const struct edge_runtime *r, struct http_exchange *x)
{
    auto_buf struct buf pem = {0};
    cJSON *out = cJSON_CreateObject();

    if (file_read(r->ca_cert, 65536, &pem, NULL) < 0)
        abort();
    json_add_str(out, "certificate", pem.data);
    edge_runtime_say(x, 200, out);
}

static inline void edge_runtime_on_request(struct http_exchange *x, void *arg)
{
    struct edge_runtime *r = arg;
    size_t len = 0, i = 0;
    const char *data = http_exchange_body(x, &len);
    auto_json cJSON *body = len ? json_parse(data, len, NULL) : NULL;
    const char *path = http_exchange_path(x);
    const char *name = str_starts(path, "/modules/") ? path + 9 : "";
    char module[200];

    r->asked++;
    if (r->hangs)
        return;
    while (percent_decode(name, strcspn(name, "/"), module, sizeof(module)) && r->modules[i] &&
           !str_eq(r->modules[i], module))
        i++;
    if (r->answer)
        http_reply(x, r->status, "application/json", r->answer, strlen(r->answer));
    else if (str_eq(path, "/trust-bundle") && r->ca_cert)
        edge_runtime_trust(r, x);
    else if (str_ends(path, "/certificate/server") && r->ca_cert)
        edge_runtime_certify(r, x, body);
    else if (str_ends(path, "/sign") && r->modules[i])
        edge_runtime_sign(r, x, module, body);
    else
        http_reply_message(x, 404, "no such module");
}

/* On the socket NAME in the folder DIR. */
static inline void edge_runtime_start(struct edge_runtime *r, uv_loop_t *loop, const char *dir,
                                      const char *name)
{
    struct err err = {0};

    (void)snprintf(r->path, sizeof(r->path), "%s/%s", dir, name);
    r->server = http_server_new(loop, &(struct http_limits){0}, edge_runtime_on_request, r);
    if (http_server_listen_unix(r->server, r->path, 0600, (uid_t)-1, (gid_t)-1, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        abort();
    }
}

static inline void edge_runtime_stop(struct edge_runtime *r)
{
    http_server_free(r->server);
    r->server = NULL;
}

#endif
