/* See create_options.h. */
#include "vm/guest/edged/create_options.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/api.h"
#include "vm/guest/edged/deployment.h"
#include "vm/guest/edged/workload.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define KEY "createOptions"

/* ------------------------------------------------------------------------------- chunks */

/* 0 for "createOptions", 1..99 for "createOptions01"...; -1: another key, -2: a chunk's name that
 * is none. */
static int chunk_number(const char *key)
{
    size_t n = strlen(KEY);
    if (strncasecmp(key, KEY, n) != 0)
        return -1;
    if (!key[n])
        return 0;
    if (!isdigit((unsigned char)key[n]) || !isdigit((unsigned char)key[n + 1]) || key[n + 2])
        return -2;
    int number = (key[n] - '0') * 10 + key[n + 1] - '0';
    return number ? number : -2;
}

static int collect(const cJSON *settings, const cJSON *chunks[DEPLOYMENT_CHUNKS_MAX],
                   struct err *err)
{
    const cJSON *item = NULL;
    int top = -1, n = 0;
    cJSON_ArrayForEach(item, settings)
    {
        int number = chunk_number(item->string);
        if (number == -1)
            continue;
        if (number == -2 || chunks[number])
            return err_set(err, ERR_INVALID, "settings.%s is not a valid chunk of createOptions",
                           item->string);
        chunks[number] = item;
        top = number > top ? number : top;
        n++;
    }
    if (n == top + 1)
        return n;
    for (int i = 0; i <= top; i++)
        if (!chunks[i])
            return err_set(err, ERR_INVALID,
                           i ? "settings.createOptions%02d is missing"
                             : "settings.createOptions is missing",
                           i);
    return n;
}

int create_options_join(const cJSON *settings, char **ret_text, struct err *err)
{
    const cJSON *chunks[DEPLOYMENT_CHUNKS_MAX] = {0};
    auto_buf struct buf text = {0};
    int n = collect(settings, chunks, err);
    if (n < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        const cJSON *chunk = chunks[i];
        if (chunk && cJSON_IsString(chunk))
            buf_puts(&text, chunk->valuestring);
        else if (cJSON_IsObject(chunk))
            json_print(&text, chunk);
        else if (!cJSON_IsNull(chunk))
            return err_set(err, ERR_INVALID, "settings.createOptions must be a string");
    }
    auto_free char *copy = xstrdup(buf_str(&text));
    const char *trimmed = str_trim(copy);
    if (!*trimmed || str_eq(trimmed, "null")) {
        *ret_text = xstrdup("{}");
        return 0;
    }
    auto_json cJSON *object = json_parse(trimmed, strlen(trimmed), err);
    if (!object || !cJSON_IsObject(object)) {
        if (object)
            err_set(err, ERR_INVALID, "not a JSON object");
        if (err)
            err->kind = ERR_INVALID;
        return err_wrap(err, "settings.createOptions");
    }
    buf_clear(&text);
    json_print(&text, object);
    *ret_text = buf_steal(&text);
    return 0;
}

void create_options_add_chunks(cJSON *settings, const char *text)
{
    size_t left = strlen(text);
    for (int i = 0; i < DEPLOYMENT_CHUNKS_MAX && (left || i == 0); i++) {
        char key[32], part[DEPLOYMENT_CHUNK_MAX + 1];
        (void)str_format(key, sizeof(key), i ? KEY "%02d" : KEY, i);
        size_t n = str_copy(part, sizeof(part), text) ? left : strlen(part);
        json_add_str(settings, key, part);
        text += n;
        left -= n;
    }
}

/* ------------------------------------------------------------------------------- body */

static cJSON *object_of(cJSON *parent, const char *key)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(parent, key);
    if (cJSON_IsObject(item))
        return item;
    cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
    return json_add_obj(parent, key);
}

static cJSON *array_of(cJSON *parent, const char *key)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(parent, key);
    if (cJSON_IsArray(item))
        return item;
    cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
    return json_add_array(parent, key);
}

static bool has_env(const cJSON *env, const char *name)
{
    const cJSON *item = NULL;
    size_t len = strlen(name);
    cJSON_ArrayForEach(
        item, env) if (cJSON_IsString(item) && strncmp(item->valuestring, name, len) == 0 &&
                       (item->valuestring[len] == '=' || !item->valuestring[len])) return true;
    return false;
}

/* createOptions.Env wins over the deployment's env, which wins over ours. */
static void add_env(cJSON *env, const char *name, const char *value)
{
    if (has_env(env, name))
        return;
    char *line = xasprintf("%s=%s", name, value);
    json_push(env, cJSON_CreateString(line));
    secret_free(line);
}

static void add_all_env(cJSON *body, const struct module_spec *spec, const struct create_context *c)
{
    cJSON *env = array_of(body, "Env");
    for (size_t i = 0; i < spec->n_env; i++)
        add_env(env, spec->env[i].name, spec->env[i].value);
    add_env(env, "IOTEDGE_MODULEID", spec->name);
    add_env(env, "IOTEDGE_DEVICEID", c->device_id);
    add_env(env, "IOTEDGE_IOTHUBHOSTNAME", c->hub);
    add_env(env, "IOTEDGE_GATEWAYHOSTNAME", c->hostname);
    add_env(env, "IOTEDGE_APIVERSION", API_VERSION_TEXT);
    add_env(env, "IOTEDGE_AUTHSCHEME", "sasToken");
    add_env(env, "IOTEDGE_WORKLOADURI", WORKLOAD_URI);
}

static void set_str(cJSON *object, const char *key, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    json_add_str(object, key, value);
}

static void add_labels(cJSON *body, const struct module_spec *spec)
{
    cJSON *labels = object_of(body, "Labels");
    set_str(labels, CREATE_LABEL_OWNER, CREATE_OWNER);
    set_str(labels, CREATE_LABEL_IMAGE, spec->image);
    set_str(labels, CREATE_LABEL_HASH, spec->hash);
}

/* On the edge's network, unless createOptions chose another one. */
static void add_network(cJSON *body, const cJSON *host, const char *network)
{
    const char *mode = json_str(host, "NetworkMode", "");
    const cJSON *endpoints = json_get(json_get(body, "NetworkingConfig"), "EndpointsConfig");
    if (cJSON_GetArraySize(endpoints) > 0 ||
        (*mode && !str_eq(mode, "default") && !str_eq(mode, network)))
        return;
    (void)json_add_obj(object_of(object_of(body, "NetworkingConfig"), "EndpointsConfig"), network);
}

/* A log that nobody limited would fill the disk: the limit is added to what createOptions or else
 * the deployment chose, where that writes files and names none. */
static void add_log_limit(cJSON *host, const char *log_options)
{
    static const char files[] = " json-file k8s-file local ";
    char type[64];
    if (!cJSON_IsObject(json_get(host, "LogConfig"))) {
        cJSON *wanted = *log_options ? json_parse(log_options, strlen(log_options), NULL) : NULL;
        cJSON_DeleteItemFromObjectCaseSensitive(host, "LogConfig");
        json_add(host, "LogConfig", cJSON_IsObject(wanted) ? wanted : cJSON_CreateObject());
        if (!cJSON_IsObject(wanted))
            cJSON_Delete(wanted);
    }
    cJSON *config = object_of(host, "LogConfig");
    if (!*json_str(config, "Type", ""))
        set_str(config, "Type", "json-file");
    (void)str_format(type, sizeof(type), " %s ", json_str(config, "Type", ""));
    if (strstr(files, type) && !json_get(json_get(config, "Config"), "max-size"))
        set_str(object_of(config, "Config"), "max-size", "30m");
}

/* Read-only: it is enough to connect, and nothing can be left in it. */
static void add_workload(cJSON *host, const char *folder)
{
    cJSON *mount = cJSON_CreateObject();
    json_add_str(mount, "Type", "bind");
    json_add_str(mount, "Source", folder);
    json_add_str(mount, "Target", WORKLOAD_FOLDER);
    json_add_bool(mount, "ReadOnly", true);
    json_push(array_of(host, "Mounts"), mount);
}

static void strip_privileges(cJSON *host)
{
    cJSON_DeleteItemFromObjectCaseSensitive(host, "Privileged");
    cJSON_DeleteItemFromObjectCaseSensitive(host, "CapAdd");
    json_add_bool(host, "Privileged", false);
    cJSON *drop = array_of(host, "CapDrop");
    json_push(drop, cJSON_CreateString("CHOWN"));
    json_push(drop, cJSON_CreateString("SETUID"));
}

cJSON *create_options_body(const struct module_spec *spec, const struct create_context *context)
{
    cJSON *body = json_parse(spec->create_options, strlen(spec->create_options), NULL);
    if (!cJSON_IsObject(body)) { /* create_options_join() made it: it is one */
        cJSON_Delete(body);
        body = cJSON_CreateObject();
    }
    set_str(body, "Image", spec->image);
    cJSON *host = object_of(body, "HostConfig");
    cJSON_DeleteItemFromObjectCaseSensitive(host, "RestartPolicy"); /* restarts are ours */
    if (!context->elevated)
        strip_privileges(host);
    add_all_env(body, spec, context);
    add_labels(body, spec);
    add_network(body, host, context->network);
    add_log_limit(host, context->log_options);
    if (context->workload_folder)
        add_workload(host, context->workload_folder);
    return body;
}

void create_options_add_generation(cJSON *body, const char *generation)
{
    add_env(array_of(body, "Env"), "IOTEDGE_MODULEGENERATIONID", generation);
}

/* ------------------------------------------------------------------------------- hosts */

static bool has_host(const cJSON *hosts, const char *name)
{
    const cJSON *item = NULL;
    size_t len = strlen(name);
    cJSON_ArrayForEach(item, hosts)
    {
        const char *text = cJSON_IsString(item) ? item->valuestring : "";
        if (strncasecmp(text, name, len) == 0 && text[len] == ':')
            return true;
    }
    return false;
}

static bool is_address(const char *name)
{
    unsigned char room[16];
    return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

void create_options_add_hosts(cJSON *body, const char *hostname, const char *address)
{
    const char *const names[] = {hostname, "edgeHub", "edgeAgent"};
    cJSON *host = object_of(body, "HostConfig");
    const char *mode = json_str(host, "NetworkMode", "");
    if (str_eq(mode, "none") || str_starts(mode, "container:"))
        return; /* it has no names of its own */
    if (str_eq(mode, "host"))
        address = "127.0.0.1";
    cJSON *hosts = array_of(host, "ExtraHosts");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!*names[i] || is_address(names[i]) || has_host(hosts, names[i]))
            continue;
        auto_free char *line = xasprintf("%s:%s", names[i], address);
        json_push(hosts, cJSON_CreateString(line));
    }
}
