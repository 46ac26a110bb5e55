/* See config.h. One table lists the keys; each row says what the value must be and where it goes.
 */
#include "vm/guest/edged/config.h"

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "core/base/toml.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config_key {
    const char *path; /* parts divided by '.' */
    enum toml_type type;
    int (*take)(struct config *c, const struct toml *value, struct err *err);
};

/* ------------------------------------------------------------------------------- values */

/* Copies text into a field; too long or with a NUL inside is refused rather than cut. */
static int copy_text(char *to, size_t size, const struct toml *value, struct err *err)
{
    if (value->len == 0)
        return err_set(err, ERR_INVALID, "is empty");
    if (value->len >= size || strlen(value->text) != value->len)
        return err_set(err, ERR_INVALID, "is too long or holds a NUL");
    (void)str_copy(to, size, value->text);
    return 0;
}

/* "SCHEME:///path" to the path. */
static int copy_path(char *to, size_t size, const char *scheme, const struct toml *value,
                     struct err *err)
{
    if (!str_starts(value->text, scheme) || value->text[strlen(scheme)] != '/')
        return err_set(err, ERR_INVALID, "must begin with %s/", scheme);
    if (copy_text(to, size, value, err) < 0)
        return -1;
    memmove(to, to + strlen(scheme), strlen(to + strlen(scheme)) + 1);
    return 0;
}

static int take_source(struct config *c, const struct toml *value, struct err *err)
{
    (void)c;
    if (str_eq(value->text, "manual"))
        return 0;
    if (str_eq(value->text, "dps") || str_eq(value->text, "none")) {
        err_set(err, ERR_UNSUPPORTED, "\"%s\" is not supported by the built-in runtime",
                value->text);
        return err_hint(err, "use source = \"manual\" with a connection string");
    }
    return err_set(err, ERR_INVALID, "must be \"manual\", \"dps\" or \"none\"");
}

static int take_connection_string(struct config *c, const struct toml *value, struct err *err)
{
    struct connstr hub = {0};
    if (connstr_parse(value->text, value->len, &hub, err) < 0)
        return -1;
    if (connstr_check_device(&hub, err) < 0) {
        connstr_done(&hub);
        return -1;
    }
    connstr_done(&c->hub);
    c->hub = hub;
    return 0;
}

static int take_iothub_hostname(struct config *c, const struct toml *value, struct err *err)
{
    (void)c, (void)value;
    err_set(err, ERR_UNSUPPORTED, "is not supported by the built-in runtime");
    return err_hint(err, "give the device's connection string instead");
}

static int take_hostname(struct config *c, const struct toml *value, struct err *err)
{
    return copy_text(c->hostname, sizeof(c->hostname), value, err);
}

static int take_parent(struct config *c, const struct toml *value, struct err *err)
{
    (void)c, (void)value;
    return err_set(err, ERR_UNSUPPORTED,
                   "nested devices are not supported by the built-in runtime");
}

static int take_trust_bundle(struct config *c, const struct toml *value, struct err *err)
{
    return copy_path(c->trust_bundle, sizeof(c->trust_bundle), "file://", value, err);
}

static int take_proxy(struct config *c, const struct toml *value, struct err *err)
{
    return copy_text(c->proxy, sizeof(c->proxy), value, err);
}

static int take_elevated(struct config *c, const struct toml *value, struct err *err)
{
    (void)err;
    c->elevated = value->integer;
    return 0;
}

static int take_engine(struct config *c, const struct toml *value, struct err *err)
{
    return copy_path(c->engine_socket, sizeof(c->engine_socket), "unix://", value, err);
}

static int take_network(struct config *c, const struct toml *value, struct err *err)
{
    if (value->type == TOML_TABLE) {
        value = toml_get(value, "name");
        if (!value || value->type != TOML_STRING)
            return err_set(err, ERR_INVALID, "needs a name");
    }
    return copy_text(c->network, sizeof(c->network), value, err);
}

static int take_timeout(struct config *c, const struct toml *value, struct err *err)
{
    (void)c;
    return value->integer >= 70 ? 0 : err_set(err, ERR_INVALID, "must be 70 or more");
}

static int take_reprovisioning(struct config *c, const struct toml *value, struct err *err)
{
    (void)c;
    if (str_eq(value->text, "Dynamic") || str_eq(value->text, "AlwaysOnStartup") ||
        str_eq(value->text, "OnErrorOnly"))
        return 0;
    return err_set(err, ERR_INVALID, "must be Dynamic, AlwaysOnStartup or OnErrorOnly");
}

#define ANY_TYPE TOML_TYPE_COUNT

static const struct config_key keys[] = {
    {"provisioning.source", TOML_STRING, take_source},
    {"provisioning.connection_string", TOML_STRING, take_connection_string},
    {"provisioning.iothub_hostname", TOML_STRING, take_iothub_hostname},
    {"hostname", TOML_STRING, take_hostname},
    {"parent_hostname", TOML_STRING, take_parent},
    {"trust_bundle_cert", TOML_STRING, take_trust_bundle},
    {"allow_elevated_docker_permissions", TOML_BOOL, take_elevated},
    {"auto_reprovisioning_mode", TOML_STRING, take_reprovisioning},
    {"cloud_timeout_sec", TOML_INTEGER, take_timeout},
    {"agent.env.https_proxy", TOML_STRING, take_proxy},
    {"moby_runtime.uri", TOML_STRING, take_engine},
    {"moby_runtime.network", ANY_TYPE, take_network},
};

/* ------------------------------------------------------------------------------- the file */

static const struct toml *find(const struct toml *root, const char *path)
{
    char part[64];
    const struct toml *at = root;
    while (at) {
        const char *dot = strchr(path, '.');
        if (!dot)
            return toml_get(at, path);
        (void)str_format(part, sizeof(part), "%.*s", (int)(dot - path), path);
        at = toml_get(at, part);
        path = dot + 1;
    }
    return NULL;
}

static int take_key(struct config *c, const struct config_key *key, const struct toml *value,
                    struct err *err)
{
    bool fits = key->type == ANY_TYPE ? value->type == TOML_STRING || value->type == TOML_TABLE
                                      : value->type == key->type;
    if (!fits)
        return err_set(err, ERR_INVALID, "line %u: %s must be %s", value->line, key->path,
                       toml_type_name(key->type == ANY_TYPE ? TOML_STRING : key->type));
    if (key->take(c, value, err) < 0)
        return err_wrap(err, "line %u: %s", value->line, key->path);
    return 0;
}

static int check_complete(const struct config *c, const struct toml *root, struct err *err)
{
    if (!toml_get(root, "provisioning")) {
        err_set(err, ERR_INVALID, "section [provisioning] is missing");
        return err_hint(err, "add [provisioning] with source = \"manual\" and a connection_string");
    }
    if (!find(root, "provisioning.source"))
        return err_set(err, ERR_INVALID, "provisioning.source is missing");
    if (!c->hub.host[0])
        return err_set(err, ERR_INVALID, "provisioning.connection_string is missing");
    return 0;
}

int config_parse(const char *text, size_t len, struct config *ret, struct err *err)
{
    auto_config struct config c = {.elevated = true};
    STR_SET(c.network, CONFIG_NETWORK_DEFAULT);
    if (gethostname(c.hostname, sizeof(c.hostname) - 1) < 0)
        STR_SET(c.hostname, "localhost");

    auto_toml struct toml *root = toml_parse(text, len, err);
    if (!root)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct toml *value = find(root, keys[i].path);
        if (value && take_key(&c, &keys[i], value, err) < 0)
            return -1;
    }
    if (check_complete(&c, root, err) < 0)
        return -1;
    *ret = c;
    c = (struct config){0};
    return 0;
}

int config_load(const char *path, struct config *ret, struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    auto_config struct config c = {0};
    if (file_read(path, TOML_TEXT_MAX, &text, err) < 0)
        return -1;
    if (config_parse(buf_str(&text), text.len, &c, err) < 0)
        return err_wrap(err, "%s", path);
    if (c.trust_bundle[0] && access(c.trust_bundle, R_OK) < 0) {
        err_set(err, ERR_NOT_FOUND, "%s: trust_bundle_cert: %s cannot be read", path,
                c.trust_bundle);
        return err_hint(err, "put the CA's certificate there, or take the key out");
    }
    *ret = c;
    c = (struct config){0};
    return 0;
}

void config_done(struct config *c)
{
    connstr_done(&c->hub);
    explicit_bzero(c, sizeof(*c));
}
