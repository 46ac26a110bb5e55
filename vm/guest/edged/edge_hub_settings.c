/* See edge_hub_settings.h. The deployment's env of the hub comes first, as Microsoft's hub has it;
 * what that does not say is as for this process. */
#include "vm/guest/edged/edge_hub_settings.h"

#include "core/base/json.h"
#include "core/base/str.h"

#include <strings.h>

#define MQTT_PORT   8883
#define HTTPS_PORT  443
#define CLIENTS     100
#define CLIENTS_MAX 10000

/* NULL where the deployment does not have it. Names are in any case, as there. */
static const char *env_of(const struct module_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_env; i++)
        if (strcasecmp(spec->env[i].name, name) == 0)
            return spec->env[i].value;
    return NULL;
}

static bool websocket(const struct edge_hub_facts *f)
{
    const char *word = env_of(f->spec, "UpstreamProtocol");
    return word ? config_wants_websocket(word) : f->config->websocket;
}

static uint64_t max_clients(const struct module_spec *spec)
{
    const char *text = env_of(spec, "MaxConnectedClients");
    uint64_t number = 0;
    return text && str_to_u64(text, CLIENTS_MAX, &number) && number ? number : CLIENTS;
}

/* 0 where the deployment switched the listener off. */
static uint64_t listen_port(const struct module_spec *spec, const char *enabled, uint64_t port)
{
    const char *word = env_of(spec, enabled);
    return word && strcasecmp(word, "false") == 0 ? 0 : port;
}

static void add_path(cJSON *json, const char *key, const char *dir, const char *name)
{
    char path[CONFIG_PATH_MAX];
    (void)str_format(path, sizeof(path), "%s/%s", dir, name);
    json_add_str(json, key, path);
}

void edge_hub_settings(const struct edge_hub_facts *f, struct buf *out)
{
    const char *proxy = env_of(f->spec, "https_proxy");
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_str(json, "hub", f->device->hub);
    json_add_u64(json, "mqttPort", f->device->port ? f->device->port : MQTT_PORT);
    json_add_u64(json, "httpsPort", f->https_port);
    json_add_str(json, "device", f->device->id);
    json_add_str(json, "hostname", f->config->hostname);
    json_add_str(json, "upstreamProtocol", websocket(f) ? "MqttWs" : "Mqtt");
    json_add_str(json, "proxy", proxy ? proxy : f->config->proxy);
    json_add_str(json, "caFile", f->config->trust_bundle);
    add_path(json, "workload", f->dir, EDGE_HUB_RUNTIME_SOCKET);
    json_push(json_add_array(json, "listen"), cJSON_CreateString("0.0.0.0"));
    json_add_u64(json, "mqttListenPort", listen_port(f->spec, "MqttSettings__Enabled", MQTT_PORT));
    json_add_u64(json, "httpsListenPort",
                 listen_port(f->spec, "HttpSettings__Enabled", HTTPS_PORT));
    add_path(json, "socket", f->dir, EDGE_HUB_STATE_SOCKET);
    json_add_u64(json, "maxClients", max_clients(f->spec));
    json_print(out, json);
}
