/* See workload_private.h: what the workload API answers. What passes through here is wiped. */
#include "vm/guest/edged/workload_private.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/edged/identity.h"
#include "vm/guest/edged/workload_body.h"

#include <string.h>

static void refuse(struct http_exchange *x, const struct err *err)
{
    static const struct {
        enum err_kind kind;
        int status;
    } statuses[] = {{ERR_INVALID, 400}, {ERR_NOT_FOUND, 404}, {ERR_PROTOCOL, 422}};
    int status = 500;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].kind == err->kind)
            status = statuses[i].status;
    if (status == 500)
        log_error("workload", "%s", err->msg);
    http_reply_message(x, status, "%s", err->msg);
}

/* {KEY: base64 of BYTES} */
static void reply_bytes(struct http_exchange *x, const char *key, const void *bytes, size_t len)
{
    auto_wiped_buf struct buf text = {0};
    auto_json cJSON *json = cJSON_CreateObject();
    base64_encode(bytes, len, &text);
    json_add_str(json, key, buf_str(&text));
    api_reply(x, 200, json);
}

/* ------------------------------------------------------------------------------- signatures */

/* The generation is the hub's last word, not the path's: a module whose container is older than its
 * identity still gets signatures that hold. */
static int sign(const struct workload *w, const char *module, const char *which,
                const struct buf *data, unsigned char ret[32], struct err *err)
{
    struct keys_handle handle;
    const struct identity *identities = cloud_identity(w->c.cloud);
    const char *generation = identities ? identity_generation(identities, module) : NULL;
    if (!generation || !keys_module(&handle, module, generation, which))
        return err_set(err, ERR_NOT_FOUND, "the hub has not confirmed an identity of this module");
    return keys_sign(w->c.keys, &handle, buf_str(data), data->len, ret, err);
}

static void answer_sign(const struct workload *w, struct http_exchange *x, const char *module,
                        const char *which, const cJSON *body)
{
    auto_wiped_buf struct buf data = {0};
    unsigned char digest[32];
    struct err err;
    if (workload_body_bytes(body, "data", &data, &err) < 0 ||
        sign(w, module, which, &data, digest, &err) < 0) {
        refuse(x, &err);
        return;
    }
    reply_bytes(x, "digest", digest, sizeof(digest));
    explicit_bzero(digest, sizeof(digest));
}

/* Whatever keyId says: so does Microsoft's daemon. */
void workload_sign(struct workload *w, struct http_exchange *x, const struct api_names *names,
                   const cJSON *body)
{
    answer_sign(w, x, names->at[0], "primary", body);
}

void workload_hub_sign(struct workload *w, struct http_exchange *x, const struct api_names *names,
                       const cJSON *body)
{
    const char *which = json_str(body, "keyId", "primary");
    if (str_eq(which, "primary") || str_eq(which, "secondary"))
        answer_sign(w, x, names->at[0], which, body);
    else
        http_reply_message(x, 400, "keyId: must be primary or secondary");
}

/* ------------------------------------------------------------------------------- encryption */

typedef int (*cipher_fn)(const struct keys *k, const struct keys_aead *a, const void *data,
                         size_t len, struct buf *out, struct err *err);

static int apply_cipher(const struct workload *w, const struct api_names *names, const cJSON *body,
                        const char *from, cipher_fn fn, struct buf *out, struct err *err)
{
    auto_wiped_buf struct buf data = {0}, iv = {0};
    auto_buf struct buf aad = {0};
    if (workload_body_bytes(body, from, &data, err) < 0 ||
        workload_body_bytes(body, "initializationVector", &iv, err) < 0 ||
        keys_create(w->c.keys, KEYS_ENCRYPTION, err) < 0)
        return -1;
    buf_puts(&aad, names->at[0]);
    buf_puts(&aad, names->at[1]);
    const struct keys_aead aead = {.id = KEYS_ENCRYPTION,
                                   .iv = buf_str(&iv),
                                   .iv_len = iv.len,
                                   .aad = buf_str(&aad),
                                   .aad_len = aad.len};
    return fn(w->c.keys, &aead, buf_str(&data), data.len, out, err);
}

void workload_encrypt(struct workload *w, struct http_exchange *x, const struct api_names *names,
                      const cJSON *body)
{
    auto_wiped_buf struct buf out = {0};
    struct err err;
    if (apply_cipher(w, names, body, "plaintext", keys_encrypt, &out, &err) < 0)
        refuse(x, &err);
    else
        reply_bytes(x, "ciphertext", buf_str(&out), out.len);
}

void workload_decrypt(struct workload *w, struct http_exchange *x, const struct api_names *names,
                      const cJSON *body)
{
    auto_wiped_buf struct buf out = {0};
    struct err err;
    if (apply_cipher(w, names, body, "ciphertext", keys_decrypt, &out, &err) < 0)
        refuse(x, &err);
    else
        reply_bytes(x, "plaintext", buf_str(&out), out.len);
}

/* ------------------------------------------------------------------------------- certificates */

static void issue(const struct workload *w, struct http_exchange *x,
                  const struct certs_order *order)
{
    auto_certs_pair struct certs_pair pair = {0};
    struct err err;
    char until[CLOCK_TEXT_MAX];
    if (certs_issue(w->c.certs, order, &pair, &err) < 0) {
        refuse(x, &err);
        return;
    }
    auto_json cJSON *json = cJSON_CreateObject();
    cJSON *key = json_add_obj(json, "privateKey");
    json_add_str(key, "type", "key");
    json_add_str(key, "bytes", buf_str(&pair.key));
    json_add_str(json, "certificate", buf_str(&pair.cert));
    clock_format(until, sizeof(until), pair.until_ms);
    json_add_str(json, "expiration", until);
    log_info("workload", "%s: a %s certificate until %s", order->module,
             order->server ? "server" : "identity", until);
    api_reply(x, 201, json);
}

void workload_server_cert(struct workload *w, struct http_exchange *x,
                          const struct api_names *names, const cJSON *body)
{
    struct certs_order order = {.server = true, .module = names->at[0]};
    struct err err;
    if (workload_body_text(body, "commonName", &order.common_name, &err) < 0)
        refuse(x, &err);
    else
        issue(w, x, &order);
}

/* For itself, and as this device only. */
void workload_hub_cert(struct workload *w, struct http_exchange *x, const struct api_names *names,
                       const cJSON *body)
{
    if (!str_eq(names->at[0], "$edgeHub"))
        http_reply_message(x, 403, "forbidden");
    else if (!str_eq(json_str(body, "commonName", ""), w->c.config->hostname))
        http_reply_message(x, 400, "commonName: must be %s", w->c.config->hostname);
    else
        workload_server_cert(w, x, names, body);
}

void workload_identity_cert(struct workload *w, struct http_exchange *x,
                            const struct api_names *names, const cJSON *body)
{
    (void)body;
    issue(w, x, &(struct certs_order){.module = names->at[0]});
}

/* ------------------------------------------------------------------------------- for all */

static void reply_bundle(struct http_exchange *x, const char *text)
{
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "certificate", text);
    api_reply(x, 200, json);
}

void workload_trust(struct workload *w, struct http_exchange *x, const struct api_names *names,
                    const cJSON *body)
{
    auto_buf struct buf text = {0};
    struct err err;
    (void)names, (void)body;
    if (certs_trust_bundle(w->c.certs, &text, &err) < 0)
        refuse(x, &err);
    else
        reply_bundle(x, buf_str(&text));
}

/* Manifests are not signed here: there is nothing to trust. */
void workload_manifest_trust(struct workload *w, struct http_exchange *x,
                             const struct api_names *names, const cJSON *body)
{
    (void)w, (void)names, (void)body;
    reply_bundle(x, "");
}

void workload_modules(struct workload *w, struct http_exchange *x, const struct api_names *names,
                      const cJSON *body)
{
    (void)names, (void)body;
    w->c.list(w->c.arg, x);
}
