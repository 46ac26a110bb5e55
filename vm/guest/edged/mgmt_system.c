/* GET /systeminfo, GET /systeminfo/resources. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"

/* ------------------------------------------------------------------------------- systeminfo */

static void add_cloud(const struct mgmt *m, cJSON *json)
{
    char since[CLOCK_TEXT_MAX];
    struct cloud_state state = {
        .word = CLOUD_DISCONNECTED, .since_ms = m->c.started_ms, .error = ""};
    if (m->c.cloud)
        state = cloud_state(m->c.cloud);
    clock_format(since, sizeof(since), state.since_ms);
    json_add_str(json, "device_id", m->c.device->id);
    json_add_str(json, "hub_name", m->c.device->hub);
    json_add_str(json, "cloud_state", cloud_word_name(state.word));
    json_add_str(json, "cloud_since", since);
    json_add_str(json, "cloud_error", state.error);
}

static void add_provisioning(const struct config *config, cJSON *json)
{
    enum config_method method = config->provisioning.method;
    cJSON *provisioning = json_add_obj(json, "provisioning");
    json_add_str(provisioning, "type", config_method_name(method));
    json_add_bool(provisioning, "dynamicReprovisioning",
                  config_method_dps(method) && config->reprovisioning == CONFIG_DYNAMIC);
    json_add_bool(provisioning, "alwaysReprovisionOnStartup",
                  config_method_dps(method) && config->reprovisioning == CONFIG_ALWAYS_ON_STARTUP);
}

static void reply_info(struct mgmt *m, struct http_exchange *x)
{
    auto_json cJSON *json = cJSON_CreateObject();
    sysinfo_describe(json);
    json_add_str(json, "version", BERTH_VERSION);
    json_add_str(json, "server_version", m->server_version);
    add_provisioning(m->c.config, json);
    add_cloud(m, json);
    certs_calendar(m->c.certs, json_add_array(json_add_obj(json, "berth"), "certificates"));
    for (size_t i = 0; i < m->c.config->additional_info.n; i++) {
        const struct config_pair *pair = &m->c.config->additional_info.at[i];
        if (!json_get(json, pair->name))
            json_add_str(json, pair->name, pair->value);
    }
    api_reply(x, 200, json);
}

/* A request that waits for the engine's version, asked for once. */
struct info_wait {
    struct mgmt *m;
    struct http_exchange *x;
};

static void on_info_client_gone(void *arg)
{
    struct info_wait *wait = arg;
    wait->x = NULL;
}

static void on_version(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status;
    struct info_wait *wait = arg;
    if (!err)
        JSON_COPY(wait->m->server_version, json, "Version");
    if (wait->x)
        reply_info(wait->m, wait->x);
    free(wait);
}

void mgmt_system_info(struct mgmt *m, struct http_exchange *x, const char *name)
{
    (void)name;
    /* An engine that does not answer must not keep this from being answered. */
    if (m->server_version[0] || !containers_ready(agent_containers(m->c.agent))) {
        reply_info(m, x);
        return;
    }
    struct info_wait *wait = xcalloc(1, sizeof(*wait));
    wait->m = m;
    wait->x = x;
    http_exchange_on_close(x, on_info_client_gone, wait);
    (void)docker_get(m->c.docker, "/version", on_version, wait);
}

/* ------------------------------------------------------------------------------- resources */

/* A request that waits for the statistics of every running container. */
struct stats_wait {
    struct mgmt *m;
    struct http_exchange *x;
    cJSON *stats; /* array */
    size_t left;
};

static void reply_resources(struct stats_wait *wait)
{
    struct mgmt *m = wait->m;
    struct sysinfo_cpu now;
    auto_buf struct buf stats = {0};
    auto_json cJSON *json = cJSON_CreateObject();
    sysinfo_cpu_read(&now);
    sysinfo_resources(json);
    json_add_u64(json, "process_uptime", (clock_wall_ms() - m->c.started_ms) / 1000);
    json_add_num(json, "used_cpu", sysinfo_cpu_percent(&m->cpu, &now));
    json_print(&stats, wait->stats);
    json_add_str(json, "docker_stats", buf_str(&stats));
    m->cpu = now;
    if (wait->x)
        api_reply(wait->x, 200, json);
    cJSON_Delete(wait->stats);
    free(wait);
}

static void on_stats(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status;
    struct stats_wait *wait = arg;
    if (!err && cJSON_IsObject(json))
        json_push(wait->stats, cJSON_Duplicate(json, true));
    if (--wait->left == 0)
        reply_resources(wait);
}

static void on_stats_client_gone(void *arg)
{
    struct stats_wait *wait = arg;
    wait->x = NULL;
}

void mgmt_system_resources(struct mgmt *m, struct http_exchange *x, const char *name)
{
    (void)name;
    size_t n = 0;
    const struct container *list = containers_list(agent_containers(m->c.agent), &n);
    struct stats_wait *wait = xcalloc(1, sizeof(*wait));
    wait->m = m;
    wait->x = x;
    wait->stats = cJSON_CreateArray();
    http_exchange_on_close(x, on_stats_client_gone, wait);
    for (size_t i = 0; i < n; i++) {
        if (list[i].state != CONTAINER_RUNNING)
            continue;
        auto_free char *target = xasprintf("/containers/%s/stats?stream=false", list[i].name);
        wait->left++;
        (void)docker_get(m->c.docker, target, on_stats, wait);
    }
    if (wait->left == 0)
        reply_resources(wait);
}
