/* The files that config.toml names: read once, so that what is wrong with them is said at once and
 * not when they are needed. See config.h. */
#include "vm/guest/edged/config_read.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "core/io/tls.h"

#include <string.h>

#define KEY_FILE_MAX 4096

static int read_named(const char *key, const char *path, size_t max, struct buf *out,
                      struct err *err)
{
    if (file_read(path, max, out, err) < 0) {
        err_wrap(err, "%s", key);
        return err_hint(err, "put the file there, or correct the key");
    }
    return out->len ? 0 : err_set(err, ERR_INVALID, "%s: %s is empty", key, path);
}

/* Base64 where the bytes themselves are wanted: a random key never looks like that. */
static bool looks_like_base64(const struct buf *bytes)
{
    auto_wiped_buf struct buf decoded = {0};
    const char *text = buf_str(bytes);
    size_t len = bytes->len;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return (len < bytes->len || text[len - 1] == '=') && len >= 22 &&
           base64_decode(text, len, &decoded, NULL) == 0;
}

static int check_key(const char *key, const char *path, struct err *err)
{
    auto_wiped_buf struct buf bytes = {0};
    if (read_named(key, path, KEY_FILE_MAX, &bytes, err) < 0)
        return -1;
    if (!looks_like_base64(&bytes))
        return 0;
    err_set(err, ERR_INVALID, "%s: %s holds the key as base64 text, not its bytes", key, path);
    return err_hint(err, "decode it with base64 -d, or give the text as { value = \"...\" }");
}

static int check_pem(const char *key, const char *path, const char *what, struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    char mark[40];
    (void)str_format(mark, sizeof(mark), "%s-----", what);
    if (read_named(key, path, CONFIG_CERT_MAX, &text, err) < 0)
        return -1;
    if (strstr(buf_str(&text), "-----BEGIN ") && strstr(buf_str(&text), mark))
        return 0;
    return err_set(err, ERR_INVALID, "%s: %s holds no PEM block of a %s", key, path,
                   str_eq(what, "CERTIFICATE") ? "certificate" : "private key");
}

/* Whether the certificate can be shown: both readable, without a password, and of each other. */
static int check_pair(const char *cert, const char *key, struct err *err)
{
    struct tls_client *client = tls_client_new(NULL, err);
    int status = client ? tls_client_show(client, cert, key, err) : -1;
    tls_client_free(client);
    if (status < 0 && err)
        err->kind = ERR_INVALID;
    return status < 0 ? err_wrap(err, "identity_cert and identity_pk do not fit") : 0;
}

/* Where the configuration names no registration id, the certificate does. */
static int name_registration(struct config_provisioning *p, struct err *err)
{
    auto_buf struct buf text = {0};
    struct tls_cert_info info;
    if (p->method != CONFIG_DPS_X509 || p->registration_id[0])
        return 0;
    if (file_read(p->cert, CONFIG_CERT_MAX, &text, err) < 0 ||
        tls_cert_read(buf_str(&text), text.len, &info, err) < 0)
        return err_wrap(err, "identity_cert");
    if (!info.common_name[0]) {
        err_set(err, ERR_INVALID, "identity_cert: %s has no common name", p->cert);
        return err_hint(err, "give provisioning.attestation.registration_id");
    }
    STR_SET(p->registration_id, info.common_name);
    return 0;
}

static int check_payload(const char *path, struct err *err)
{
    auto_buf struct buf text = {0};
    if (read_named("provisioning.payload.uri", path, CONFIG_PAYLOAD_MAX, &text, err) < 0)
        return -1;
    auto_json cJSON *json = json_parse(text.data, text.len, err);
    if (json)
        return 0;
    if (err)
        err->kind = ERR_INVALID;
    return err_wrap(err, "provisioning.payload.uri: %s", path);
}

static int check_provisioning(struct config_provisioning *p, struct err *err)
{
    if (p->key_file[0] && check_key("the key's uri", p->key_file, err) < 0)
        return -1;
    if (p->cert[0] && (check_pem("identity_cert", p->cert, "CERTIFICATE", err) < 0 ||
                       check_pem("identity_pk", p->cert_key, "PRIVATE KEY", err) < 0 ||
                       check_pair(p->cert, p->cert_key, err) < 0 || name_registration(p, err) < 0))
        return -1;
    return p->payload[0] ? check_payload(p->payload, err) : 0;
}

int config_check_files(struct config *c, struct err *err)
{
    if (check_provisioning(&c->provisioning, err) < 0)
        return -1;
    if (c->trust_bundle[0] &&
        check_pem("trust_bundle_cert", c->trust_bundle, "CERTIFICATE", err) < 0)
        return -1;
    if (c->edge_ca.cert[0] && (check_pem("edge_ca.cert", c->edge_ca.cert, "CERTIFICATE", err) < 0 ||
                               check_pem("edge_ca.pk", c->edge_ca.key, "PRIVATE KEY", err) < 0))
        return -1;
    for (size_t i = 0; i < c->preloaded_keys.n; i++) {
        auto_wiped_buf struct buf bytes = {0};
        char key[80], name[64];
        str_sanitise_to(name, sizeof(name), c->preloaded_keys.at[i].name);
        (void)str_format(key, sizeof(key), "preloaded_keys.%s", name);
        if (read_named(key, c->preloaded_keys.at[i].value, CONFIG_CERT_MAX, &bytes, err) < 0)
            return -1;
    }
    return 0;
}
