/* [provisioning] of config.toml: six methods, one table of keys each. See config.h. */
#include "vm/guest/edged/config_read.h"

#include "core/azure/connstr.h"
#include "core/azure/dps_answer.h"
#include "core/base/str.h"
#include "core/io/base64.h"

#include <ctype.h>
#include <string.h>

#define KEY_BYTES_MIN 16 /* what IoT Hub takes for a key */
#define KEY_BYTES_MAX 64
#define PREFIX        "provisioning"

static const char *const method_names[] = {
    [CONFIG_CONNECTION_STRING] = "manual.device_connection_string",
    [CONFIG_MANUAL_KEY] = "manual.symmetric_key",
    [CONFIG_MANUAL_X509] = "manual.x509",
    [CONFIG_DPS_KEY] = "dps.symmetric_key",
    [CONFIG_DPS_X509] = "dps.x509",
    [CONFIG_DPS_TPM] = "dps.tpm",
};
_Static_assert(ARRAY_LEN(method_names) == CONFIG_METHOD_COUNT, "a name for each method");

const char *config_method_name(enum config_method method)
{
    return (unsigned)method < CONFIG_METHOD_COUNT ? method_names[method] : "";
}

/* ------------------------------------------------------------------------------- values */

static int take_key_bytes(struct config_provisioning *p, const char *text, size_t len,
                          struct err *err)
{
    auto_wiped_buf struct buf bytes = {0};
    if (base64_decode(text, len, &bytes, err) < 0)
        return err_hint(err, "copy the key again; the value of a key is base64");
    if (bytes.len < KEY_BYTES_MIN || bytes.len > KEY_BYTES_MAX)
        return err_set(err, ERR_INVALID, "holds %zu bytes, a key has %d to %d", bytes.len,
                       KEY_BYTES_MIN, KEY_BYTES_MAX);
    secret_set(&p->key, bytes.data, bytes.len);
    return 0;
}

static int take_connection_string(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    auto_connstr struct connstr hub = {0};
    if (config_need(value, TOML_STRING, err) < 0 ||
        connstr_parse(value->text, value->len, &hub, err) < 0 ||
        connstr_check_device(&hub, err) < 0)
        return -1;
    STR_SET(p->hub, hub.host);
    STR_SET(p->device_id, hub.device_id);
    p->port = hub.port;
    return take_key_bytes(p, hub.key.data, hub.key.len, err);
}

static int take_hub(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (!dps_split_host(value->text, p->hub, sizeof(p->hub), &p->port))
        return err_set(err, ERR_INVALID, "must be a host name, such as NAME.azure-devices.net");
    return 0;
}

/* ALSO: what an id may hold besides letters and digits. */
static int take_id(char *to, size_t size, size_t max, const char *also, const struct toml *value,
                   struct err *err)
{
    if (config_copy_text(to, size, value, err) < 0)
        return -1;
    if (value->len > max)
        return err_set(err, ERR_INVALID, "is longer than %zu characters", max);
    for (const char *c = to; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(also, *c))
            return err_set(err, ERR_INVALID, "holds a character that is not allowed (the %zu.)",
                           (size_t)(c - to) + 1);
    return 0;
}

static int take_device_id(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    return take_id(p->device_id, sizeof(p->device_id), 128, "-.+%_#*?!(),:=@$'", value, err);
}

static int take_registration_id(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    return take_id(p->registration_id, sizeof(p->registration_id), 128, "-._:", value, err);
}

static int take_id_scope(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    return take_id(p->id_scope, sizeof(p->id_scope), sizeof(p->id_scope) - 1, "", value, err);
}

/* Whatever path the URL has, the service's own take its place. */
static int take_endpoint(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    char url[300], host[254];
    uint16_t port = 0;
    if (config_copy_text(url, sizeof(url), value, err) < 0)
        return -1;
    if (!str_starts(url, "https://")) {
        err_set(err, ERR_INVALID, "must begin with https://");
        return err_hint(err, "usually https://global.azure-devices-provisioning.net");
    }
    char *name = url + strlen("https://");
    name[strcspn(name, "/?#")] = '\0';
    if (!dps_split_host(name, host, sizeof(host), &port))
        return err_set(err, ERR_INVALID, "holds no host name");
    (void)str_format(p->dps, sizeof(p->dps), "%s:%u", host, port ? port : 443U);
    return 0;
}

/* { value = "BASE64" } or { uri = "file:///..." } */
static int take_symmetric_key(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    const struct toml *text = toml_get(value, "value"), *uri = toml_get(value, "uri");
    if (config_need(value, TOML_TABLE, err) < 0)
        return -1;
    if (text && text->type == TOML_STRING)
        return take_key_bytes(p, text->text, text->len, err);
    if (uri)
        return config_copy_file(p->key_file, sizeof(p->key_file), uri, err);
    return err_set(err, ERR_INVALID, "must be { value = \"BASE64\" } or { uri = \"file:///...\" }");
}

static int take_cert(void *base, const struct toml *value, struct err *err)
{
    struct config_provisioning *p = base;
    if (value->type == TOML_TABLE) {
        err_set(err, ERR_UNSUPPORTED,
                "certificates issued on request are not supported by the built-in runtime");
        return err_hint(err, "give identity_cert and identity_pk as file:///...");
    }
    return config_copy_file(p->cert, sizeof(p->cert), value, err);
}

/* ------------------------------------------------------------------------------- methods */

#define FIELD(field) CONFIG_FIELD(struct config_provisioning, field)

#define TAKE(name, fn)                                                       \
    {                                                                        \
        .path = (name), .kind = CONFIG_OTHER, .required = true, .take = (fn) \
    }

static const struct config_key connection_string_keys[] = {
    TAKE("connection_string", take_connection_string),
};
static const struct config_key manual_key_keys[] = {
    TAKE("iothub_hostname", take_hub),
    TAKE("device_id", take_device_id),
    TAKE("authentication.device_id_pk", take_symmetric_key),
};
static const struct config_key manual_x509_keys[] = {
    TAKE("iothub_hostname", take_hub),
    TAKE("device_id", take_device_id),
    TAKE("authentication.identity_cert", take_cert),
    {"authentication.identity_pk", CONFIG_FILE, true, FIELD(cert_key)},
};
static const struct config_key dps_key_keys[] = {
    TAKE("global_endpoint", take_endpoint),
    TAKE("id_scope", take_id_scope),
    TAKE("attestation.registration_id", take_registration_id),
    TAKE("attestation.symmetric_key", take_symmetric_key),
    {"payload.uri", CONFIG_FILE, false, FIELD(payload)},
};
static const struct config_key dps_x509_keys[] = {
    TAKE("global_endpoint", take_endpoint),
    TAKE("id_scope", take_id_scope),
    {"attestation.registration_id", CONFIG_OTHER, false, .take = take_registration_id},
    TAKE("attestation.identity_cert", take_cert),
    {"attestation.identity_pk", CONFIG_FILE, true, FIELD(cert_key)},
    {"payload.uri", CONFIG_FILE, false, FIELD(payload)},
};
static const struct config_key dps_tpm_keys[] = {
    TAKE("global_endpoint", take_endpoint),
    TAKE("id_scope", take_id_scope),
    TAKE("attestation.registration_id", take_registration_id),
    {"payload.uri", CONFIG_FILE, false, FIELD(payload)},
};

static const struct method {
    const char *source;
    const char *section; /* where `method` stands; NULL: there is none */
    const char *word;
    const struct config_key *keys;
    size_t n_keys;
} methods[] = {
#define KEYS(keys) (keys), ARRAY_LEN(keys)
    [CONFIG_CONNECTION_STRING] = {"manual", NULL, NULL, KEYS(connection_string_keys)},
    [CONFIG_MANUAL_KEY] = {"manual", "authentication", "sas", KEYS(manual_key_keys)},
    [CONFIG_MANUAL_X509] = {"manual", "authentication", "x509", KEYS(manual_x509_keys)},
    [CONFIG_DPS_KEY] = {"dps", "attestation", "symmetric_key", KEYS(dps_key_keys)},
    [CONFIG_DPS_X509] = {"dps", "attestation", "x509", KEYS(dps_x509_keys)},
    [CONFIG_DPS_TPM] = {"dps", "attestation", "tpm", KEYS(dps_tpm_keys)},
};
_Static_assert(ARRAY_LEN(methods) == CONFIG_METHOD_COUNT, "keys for each method");

/* The method that SOURCE and the word in its section name. */
static int find_method(const struct toml *table, const char *source, enum config_method *ret,
                       struct err *err)
{
    const char *section = str_eq(source, "dps") ? "attestation" : "authentication";
    const struct toml *inner = toml_get(table, section), *word = toml_get(inner, "method");
    auto_buf struct buf known = {0};
    if (!word)
        return err_set(err, ERR_INVALID, "line %u: " PREFIX ".%s.method is missing",
                       inner ? inner->line : table->line, section);
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (!methods[i].word || !str_eq(methods[i].source, source))
            continue;
        if (word->type == TOML_STRING && str_eq(word->text, methods[i].word)) {
            *ret = (enum config_method)i;
            return 0;
        }
        buf_printf(&known, "%s\"%s\"", known.len ? ", " : "", methods[i].word);
    }
    return err_set(err, ERR_INVALID, "line %u: " PREFIX ".%s.method must be one of %s", word->line,
                   section, buf_str(&known));
}

static int need_source(const struct toml *table, const char **ret, struct err *err)
{
    const struct toml *source = toml_get(table, "source");
    if (!source)
        return err_set(err, ERR_INVALID, "line %u: " PREFIX ".source is missing", table->line);
    if (source->type != TOML_STRING)
        return err_set(err, ERR_INVALID, "line %u: " PREFIX ".source must be a string",
                       source->line);
    *ret = source->text;
    if (str_eq(*ret, "manual") || str_eq(*ret, "dps"))
        return 0;
    if (!str_eq(*ret, "none"))
        return err_set(err, ERR_INVALID,
                       "line %u: " PREFIX ".source must be \"manual\", \"dps\" or \"none\"",
                       source->line);
    err_set(err, ERR_UNSUPPORTED,
            "line %u: " PREFIX ".source: \"none\" is not supported by the built-in runtime",
            source->line);
    return err_hint(err, "the device must belong to a hub: use \"manual\" or \"dps\"");
}

static int check_nesting(const struct toml *root, struct err *err)
{
    static const char *const names[] = {"parent_hostname", "local_gateway_hostname"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct toml *parent = toml_get(root, names[i]);
        if (parent)
            return err_set(err, ERR_UNSUPPORTED,
                           "line %u: %s: nested devices are not supported by the built-in runtime",
                           parent->line, names[i]);
    }
    return 0;
}

int config_take_provisioning(struct config *c, const struct toml *root, struct err *err)
{
    const struct toml *table = toml_get(root, PREFIX);
    const char *source = NULL;
    enum config_method method = CONFIG_CONNECTION_STRING;
    if (!table) {
        err_set(err, ERR_INVALID, "section [" PREFIX "] is missing");
        return err_hint(err, "add [" PREFIX "] with source = \"manual\" and a connection_string");
    }
    if (check_nesting(root, err) < 0 || need_source(table, &source, err) < 0)
        return -1;
    if (str_eq(source, "manual") && !toml_get(table, "connection_string") &&
        !toml_get(table, "iothub_hostname") && !toml_get(table, "authentication"))
        return err_set(err, ERR_INVALID, "line %u: " PREFIX ".connection_string is missing",
                       table->line);
    if ((str_eq(source, "dps") || !toml_get(table, "connection_string")) &&
        find_method(table, source, &method, err) < 0)
        return -1;
    c->provisioning.method = method;
    if (config_take(&c->provisioning, methods[method].keys, methods[method].n_keys, table, PREFIX,
                    err) < 0)
        return -1;
    if (c->provisioning.key_file[0])
        config_pairs_add(&c->preloaded_keys, "device-id", c->provisioning.key_file);
    return 0;
}
