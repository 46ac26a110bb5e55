/* The sections of config.toml about the runtime: agent, certificates, engine, sockets, images. See
 * config.h. */
#include "vm/guest/edged/config_read.h"

#include "core/base/json.h"
#include "core/base/str.h"
#include "vm/guest/edged/duration.h"

#include <string.h>
#include <strings.h>

#define DAY_S    86400
#define DAYS_MAX 36500

#define METRICS_EVERY_MIN_S 10U

#define FIELD(field) CONFIG_FIELD(struct config, field)

/* ------------------------------------------------------------------------------- words */

/* One of WORDS (ends with NULL); its number. */
static int take_word(const struct toml *value, const char *const *words, int *ret, struct err *err)
{
    auto_buf struct buf known = {0};
    for (int i = 0; words[i]; i++) {
        if (value->type == TOML_STRING && str_eq(value->text, words[i])) {
            *ret = i;
            return 0;
        }
        buf_printf(&known, "%s\"%s\"", i ? ", " : "", words[i]);
    }
    return err_set(err, ERR_INVALID, "must be one of %s", buf_str(&known));
}

static int take_reprovisioning(void *base, const struct toml *value, struct err *err)
{
    static const char *const words[] = {[CONFIG_DYNAMIC] = "Dynamic",
                                        [CONFIG_ALWAYS_ON_STARTUP] = "AlwaysOnStartup",
                                        [CONFIG_ON_ERROR_ONLY] = "OnErrorOnly",
                                        [CONFIG_REPROVISIONING_COUNT] = NULL};
    struct config *c = base;
    int word = 0;
    if (take_word(value, words, &word, err) < 0)
        return -1;
    c->reprovisioning = (enum config_reprovisioning)word;
    return 0;
}

static int check_pull_policy(void *base, const struct toml *value, struct err *err)
{
    static const char *const words[] = {"on-create", "never", NULL};
    int word = 0;
    (void)base;
    return take_word(value, words, &word, err);
}

static int check_agent_type(void *base, const struct toml *value, struct err *err)
{
    static const char *const words[] = {"docker", NULL};
    int word = 0;
    (void)base;
    return take_word(value, words, &word, err);
}

/* The string "infinite" or a number. */
static int check_max_retries(void *base, const struct toml *value, struct err *err)
{
    (void)base;
    if ((value->type == TOML_STRING && str_eq(value->text, "infinite")) ||
        (value->type == TOML_INTEGER && value->integer >= 0))
        return 0;
    return err_set(err, ERR_INVALID, "must be \"infinite\" or a whole number");
}

static int check_table(void *base, const struct toml *value, struct err *err)
{
    (void)base;
    return config_need(value, TOML_TABLE, err);
}

/* ------------------------------------------------------------------------------- agent */

bool config_wants_websocket(const char *word)
{
    return strcasecmp(word, "MqttWs") == 0 || strcasecmp(word, "AmqpWs") == 0;
}

static int take_env(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    struct config_pairs env = {0};
    int status = config_take_pairs(&env, value, NULL, err);
    for (size_t i = 0; i < env.n && status == 0; i++) {
        const struct config_pair *pair = &env.at[i];
        if (str_eq(pair->name, "https_proxy") && !str_copy(c->proxy, sizeof(c->proxy), pair->value))
            status = err_set(err, ERR_INVALID, "https_proxy is too long");
        if (str_eq(pair->name, "UpstreamProtocol"))
            c->websocket = config_wants_websocket(pair->value);
        if (str_eq(pair->name, "RuntimeLogLevel"))
            STR_SET(c->log_level, pair->value);
        if (str_eq(pair->name, "MetricsEnabled"))
            c->metrics = strcasecmp(pair->value, "false") != 0;
        if (str_eq(pair->name, "PerformanceMetricsUpdateFrequency") &&
            (!duration_timespan(pair->value, &c->metrics_every_s) ||
             c->metrics_every_s < METRICS_EVERY_MIN_S))
            status = err_set(err, ERR_INVALID,
                             "PerformanceMetricsUpdateFrequency must be like \"00:05:00\" "
                             "(hours, minutes, seconds), %u seconds at least",
                             METRICS_EVERY_MIN_S);
    }
    config_pairs_done(&env);
    return status;
}

/* ------------------------------------------------------------------------------- keys */

static int take_preloaded_keys(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    return config_take_pairs(&c->preloaded_keys, value, config_copy_file, err);
}

static int take_master_key(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    char path[CONFIG_PATH_MAX];
    if (config_copy_text(path, sizeof(path), value, err) < 0)
        return -1;
    config_pairs_add(&c->preloaded_keys, "iotedge_master_encryption_id", path);
    return 0;
}

static int check_aziot_keys(void *base, const struct toml *value, struct err *err)
{
    (void)base;
    if (config_need(value, TOML_TABLE, err) < 0)
        return -1;
    for (size_t i = 0; i < value->n_children; i++) {
        const struct toml *item = value->children[i];
        if (str_starts(item->key, "pkcs11_"))
            return err_set(err, ERR_UNSUPPORTED,
                           "PKCS#11 (line %u) is not supported by the built-in runtime",
                           item->line);
    }
    return 0;
}

static int take_password(struct secret *to, const struct toml *value, struct err *err)
{
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (value->len > 64 || strlen(value->text) != value->len)
        return err_set(err, ERR_INVALID, "is too long or holds a NUL");
    if (value->len)
        secret_set(to, value->text, value->len);
    return 0;
}

static int take_endorsement(void *base, const struct toml *value, struct err *err)
{
    return take_password(&((struct config_tpm *)base)->endorsement, value, err);
}

static int take_owner(void *base, const struct toml *value, struct err *err)
{
    return take_password(&((struct config_tpm *)base)->owner, value, err);
}

/* ------------------------------------------------------------------------------- edge CA */

/* "80%" or a duration. */
static int take_span(struct config_span *to, const struct toml *value, struct err *err)
{
    char text[64];
    uint64_t number = 0;
    if (config_copy_text(text, sizeof(text), value, err) < 0)
        return -1;
    size_t len = strlen(text);
    if (text[len - 1] == '%') {
        text[len - 1] = '\0';
        if (!str_to_u64(text, 99, &number) || number == 0)
            return err_set(err, ERR_INVALID, "must be 1%% to 99%%");
        *to = (struct config_span){.percent = (uint32_t)number};
        return 0;
    }
    if (!duration_parse(text, &number) || number == 0)
        return err_set(err, ERR_INVALID,
                       "must be a share such as \"80%%\" or a time such as \"10 days\"");
    *to = (struct config_span){.seconds = number};
    return 0;
}

static int take_threshold(void *base, const struct toml *value, struct err *err)
{
    return take_span(&((struct config_edge_ca *)base)->threshold, value, err);
}

static int take_retry(void *base, const struct toml *value, struct err *err)
{
    return take_span(&((struct config_edge_ca *)base)->retry, value, err);
}

static int check_rotate(void *base, const struct toml *value, struct err *err)
{
    (void)base;
    if (config_need(value, TOML_BOOL, err) < 0)
        return -1;
    return value->integer
               ? 0
               : err_set(err, ERR_INVALID,
                         "must be true: an authority made here gets a new key each time");
}

static int check_ca_method(void *base, const struct toml *value, struct err *err)
{
    static const char *const words[] = {"self_signed", "est", "local_ca", NULL};
    int word = 0;
    (void)base;
    if (take_word(value, words, &word, err) < 0)
        return -1;
    if (word == 0)
        return 0;
    err_set(err, ERR_UNSUPPORTED, "\"%s\" is not supported by the built-in runtime", words[word]);
    return err_hint(err, "give the authority's cert and pk as file:///..., or leave [edge_ca] out");
}

#define CA(field) CONFIG_FIELD(struct config_edge_ca, field)

static const struct config_key given_ca_keys[] = {
    {"cert", CONFIG_FILE, true, CA(cert)},
    {"pk", CONFIG_FILE, true, CA(key)},
};

static const struct config_key made_ca_keys[] = {
    {"method", CONFIG_OTHER, .take = check_ca_method},
    {"common_name", CONFIG_TEXT, false, CA(common_name)},
    {"subject.CN", CONFIG_TEXT, false, CA(common_name)},
    {"expiry_days", CONFIG_NUMBER, false, CA(days), .min = 1, .max = DAYS_MAX},
    {"auto_generated_edge_ca_expiry_days", CONFIG_NUMBER, false, CA(days), .min = 1,
     .max = DAYS_MAX},
    {"auto_renew.rotate_key", CONFIG_OTHER, .take = check_rotate},
    {"auto_renew.threshold", CONFIG_OTHER, .take = take_threshold},
    {"auto_renew.retry", CONFIG_OTHER, .take = take_retry},
};

static int take_edge_ca(struct config *c, const struct toml *table, struct err *err)
{
    bool made = toml_get(table, "method");
    bool given = toml_get(table, "cert") || toml_get(table, "pk");
    if (!made && given)
        return config_take(&c->edge_ca, given_ca_keys, ARRAY_LEN(given_ca_keys), table, "edge_ca",
                           err);
    c->edge_ca.renew = !made || toml_get(table, "auto_renew");
    return config_take(&c->edge_ca, made_ca_keys, ARRAY_LEN(made_ca_keys), table, "edge_ca", err);
}

/* ------------------------------------------------------------------------------- engine */

/* One of ipam.config: the engine spells the names otherwise. */
static int add_subnet(cJSON *to, const struct toml *table, struct err *err)
{
    static const struct {
        const char *ours, *engine;
    } names[] = {{"gateway", "Gateway"}, {"subnet", "Subnet"}, {"ip_range", "IPRange"}};
    if (config_need(table, TOML_TABLE, err) < 0)
        return -1;
    cJSON *subnet = cJSON_CreateObject();
    json_push(to, subnet);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char text[64];
        const struct toml *value = toml_get(table, names[i].ours);
        if (value && config_copy_text(text, sizeof(text), value, err) < 0)
            return err_wrap(err, "%s", names[i].ours);
        if (value)
            json_add_str(subnet, names[i].engine, text);
    }
    return 0;
}

static int take_network_ipv6(void *base, const struct toml *value, struct err *err)
{
    if (config_need(value, TOML_BOOL, err) < 0)
        return -1;
    json_add_bool(base, "EnableIPv6", value->integer);
    return 0;
}

static int take_network_subnets(void *base, const struct toml *value, struct err *err)
{
    if (config_need(value, TOML_ARRAY, err) < 0)
        return -1;
    cJSON *list = json_add_array(json_add_obj(base, "IPAM"), "Config");
    for (size_t i = 0; i < value->n_children; i++)
        if (add_subnet(list, value->children[i], err) < 0)
            return -1;
    return 0;
}

/* Of a table only its shape is looked at here: see take_network_table(). */
static int take_network(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    if (value->type == TOML_TABLE)
        return 0;
    return config_copy_text(c->network, sizeof(c->network), value, err);
}

/* { name, ipv6, ipam = { config = [ ... ] } } */
static int take_network_table(struct config *c, const struct toml *value, struct err *err)
{
    static const struct config_key table_keys[] = {
        {"name", CONFIG_TEXT, true, FIELD(network)},
    };
    static const struct config_key option_keys[] = {
        {"ipv6", CONFIG_OTHER, .take = take_network_ipv6},
        {"ipam.config", CONFIG_OTHER, .take = take_network_subnets},
    };
    static const char prefix[] = "moby_runtime.network";
    auto_json cJSON *options = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    if (config_take(c, table_keys, ARRAY_LEN(table_keys), value, prefix, err) < 0 ||
        config_take(options, option_keys, ARRAY_LEN(option_keys), value, prefix, err) < 0)
        return -1;
    json_print(&text, options);
    c->network_options = buf_steal(&text);
    return 0;
}

/* "fd://...": the socket that the service manager hands over, which is the usual one. */
static int take_listen(char *to, const struct toml *value, struct err *err)
{
    static const char scheme[] = "unix://";
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (str_starts(value->text, "fd://"))
        return 0;
    if (!str_starts(value->text, scheme) || value->text[strlen(scheme)] != '/')
        return err_set(err, ERR_INVALID, "must begin with unix:/// or fd://");
    return str_copy(to, CONFIG_SOCKET_MAX, value->text + strlen(scheme))
               ? 0
               : err_set(err, ERR_INVALID, "is too long");
}

static int take_listen_management(void *base, const struct toml *value, struct err *err)
{
    return take_listen(((struct config *)base)->management_socket, value, err);
}

static int take_listen_workload(void *base, const struct toml *value, struct err *err)
{
    return take_listen(((struct config *)base)->workload_socket, value, err);
}

/* ------------------------------------------------------------------------------- images */

static int take_recurrence(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (!duration_parse(value->text, &c->images.every_s) || c->images.every_s < DAY_S ||
        c->images.every_s % DAY_S)
        return err_set(err, ERR_INVALID, "must be whole days, such as \"1d\"");
    return 0;
}

static int take_age(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (!duration_parse(value->text, &c->images.age_s))
        return err_set(err, ERR_INVALID, "must be a time such as \"7d\"");
    return 0;
}

static int take_cleanup_time(void *base, const struct toml *value, struct err *err)
{
    struct config *c = base;
    char text[6] = "";
    uint64_t hours = 0, minutes = 0;
    if (config_need(value, TOML_STRING, err) < 0)
        return -1;
    if (value->len == 5 && value->text[2] == ':') {
        STR_SET(text, value->text);
        text[2] = '\0';
    }
    if (!str_to_u64(text, 23, &hours) || !str_to_u64(text + 3, 59, &minutes))
        return err_set(err, ERR_INVALID, "must be HH:MM, such as \"00:00\"");
    c->images.minute = (uint32_t)(hours * 60 + minutes);
    return 0;
}

/* ------------------------------------------------------------------------------- tables */

static const struct config_key top_keys[] = {
    {"hostname", CONFIG_TEXT, false, FIELD(hostname)},
    {"trust_bundle_cert", CONFIG_FILE, false, FIELD(trust_bundle)},
    {"allow_elevated_docker_permissions", CONFIG_BOOL, false, FIELD(elevated)},
    {"auto_reprovisioning_mode", CONFIG_OTHER, .take = take_reprovisioning},
    {"cloud_timeout_sec", CONFIG_NUMBER, false, FIELD(cloud_timeout_s), .min = 70, .max = 86400},
    {"cloud_retries", CONFIG_NUMBER, false, FIELD(cloud_retries), .max = UINT32_MAX},
    {"prefer_module_identity_cache", CONFIG_BOOL, false, FIELD(prefer_cache)},
    {"iotedge_max_requests.management", CONFIG_NUMBER, false, FIELD(management_requests), .min = 1,
     .max = 10000},
    {"iotedge_max_requests.workload", CONFIG_NUMBER, false, FIELD(workload_requests), .min = 1,
     .max = 10000},
    {"imported_master_encryption_key", CONFIG_OTHER, .take = take_master_key},
    {"preloaded_keys", CONFIG_OTHER, .take = take_preloaded_keys},
    {"aziot_keys", CONFIG_OTHER, .take = check_aziot_keys},
    {"preloaded_certs", CONFIG_OTHER, .take = check_table},
    {"cert_issuance", CONFIG_OTHER, .take = check_table},
    {"localid", CONFIG_OTHER, .take = check_table},
    {"agent", CONFIG_OTHER, .take = check_table},
    {"edge_ca", CONFIG_OTHER, .take = check_table},
    {"tpm", CONFIG_OTHER, .take = check_table},
    {"watchdog.max_retries", CONFIG_OTHER, .take = check_max_retries},
    {"connect.workload_uri", CONFIG_SOCKET, .required = false},
    {"connect.management_uri", CONFIG_SOCKET, .required = false},
    {"listen.workload_uri", CONFIG_OTHER, .take = take_listen_workload},
    {"listen.management_uri", CONFIG_OTHER, .take = take_listen_management},
    {"moby_runtime.uri", CONFIG_SOCKET, false, FIELD(engine_socket)},
    {"moby_runtime.network", CONFIG_OTHER, .take = take_network},
    {"moby_runtime.content_trust", CONFIG_OTHER,
     .take = check_table}, /* without effect, as there */
    {"image_garbage_collection.enabled", CONFIG_BOOL, false, FIELD(images.enabled)},
    {"image_garbage_collection.cleanup_recurrence", CONFIG_OTHER, .take = take_recurrence},
    {"image_garbage_collection.image_age_cleanup_threshold", CONFIG_OTHER, .take = take_age},
    {"image_garbage_collection.cleanup_time", CONFIG_OTHER, .take = take_cleanup_time},
};

/* A section that is there at all must be whole. */
static const struct config_key agent_keys[] = {
    {"name", CONFIG_TEXT, .required = true},
    {"type", CONFIG_OTHER, true, .take = check_agent_type},
    {"imagePullPolicy", CONFIG_OTHER, .take = check_pull_policy},
    {"config.image", CONFIG_TEXT, true, FIELD(agent_image)},
    {"config.createOptions", CONFIG_OTHER, .take = check_table},
    {"config.auth.serveraddress", CONFIG_TEXT, .required = false},
    {"config.auth.username", CONFIG_TEXT, .required = false},
    {"config.auth.password", CONFIG_TEXT, .required = false},
    {"env", CONFIG_OTHER, .take = take_env},
};

static const struct config_key tpm_keys[] = {
    {"tcti", CONFIG_TEXT, false, CONFIG_FIELD(struct config_tpm, tcti)},
    {"auth_key_index", CONFIG_NUMBER, false, CONFIG_FIELD(struct config_tpm, key_index),
     .max = 0x7fffff},
    {"hierarchy_authorization.endorsement", CONFIG_OTHER, .take = take_endorsement},
    {"hierarchy_authorization.owner", CONFIG_OTHER, .take = take_owner},
};

static int take_agent(struct config *c, const struct toml *table, struct err *err)
{
    return config_take(c, agent_keys, ARRAY_LEN(agent_keys), table, "agent", err);
}

static int take_tpm(struct config *c, const struct toml *table, struct err *err)
{
    return config_take(&c->tpm, tpm_keys, ARRAY_LEN(tpm_keys), table, "tpm", err);
}

int config_take_edge(struct config *c, const struct toml *root, struct err *err)
{
    static const struct {
        const char *path;
        int (*take)(struct config *c, const struct toml *table, struct err *err);
    } sections[] = {
        {"agent", take_agent},
        {"edge_ca", take_edge_ca},
        {"moby_runtime.network", take_network_table},
        {"tpm", take_tpm},
    };
    if (config_take(c, top_keys, ARRAY_LEN(top_keys), root, "", err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        const struct toml *table = config_find(root, sections[i].path);
        if (table && table->type == TOML_TABLE && sections[i].take(c, table, err) < 0)
            return -1;
    }
    return 0;
}
