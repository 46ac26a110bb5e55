/* See edge_settings.h. */
#include "vm/guest/hub/edge_settings.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/secret.h"
#include "core/base/str.h"
#include "vm/guest/hub/topic.h"

#include <inttypes.h>
#include <string.h>
#include <sys/un.h>
#include <uv.h>

#define SETTINGS_MAX 65536
#define TEXT_MAX     4096
#define CLIENTS      100 /* where nothing is said */
#define CLIENTS_MAX  10000
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

/* ---- what a member may be ---- */

static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < 254 && strspn(text, NAME_CHARS) == len;
}

static bool is_hub(const char *text)
{
    return is_name(text) && strlen(text) < HUB_NAME_MAX;
}

static bool is_address(const char *text)
{
    unsigned char address[16];

    return uv_inet_pton(AF_INET, text, address) == 0 || uv_inet_pton(AF_INET6, text, address) == 0;
}

static bool is_path(const char *text)
{
    return text[0] == '/';
}

static bool is_path_or_none(const char *text)
{
    return !text[0] || is_path(text);
}

static bool is_socket(const char *text)
{
    return is_path(text) && strlen(text) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

static bool is_any(const char *text)
{
    return strlen(text) <= TEXT_MAX;
}

/* ---- reading ---- */

static const struct text_member {
    const char *name;
    size_t at; /* of a char * in struct edge_settings */
    bool (*fits)(const char *text);
    const char *what;
    bool optional; /* then "" where it is absent */
} texts[] = {
    {"hub", offsetof(struct edge_settings, hub), is_hub, "the hub's host name", false},
    {"device", offsetof(struct edge_settings, device), identity_id_valid, "a device id", false},
    {"hostname", offsetof(struct edge_settings, hostname), is_name, "a host name", false},
    {"proxy", offsetof(struct edge_settings, proxy), is_any, "a text", true},
    {"caFile", offsetof(struct edge_settings, ca_file), is_path_or_none, "a path", true},
    {"workload", offsetof(struct edge_settings, workload), is_socket, "a socket's path", false},
    {"socket", offsetof(struct edge_settings, socket), is_socket, "a socket's path", false},
};

/* The error says nothing of the value: it may be a secret. */
static int read_text(const cJSON *obj, const struct text_member *m, struct edge_settings *s,
                     struct err *err)
{
    const cJSON *member = json_get(obj, m->name);
    const char *text = cJSON_IsString(member) ? member->valuestring : NULL;

    if (!member && m->optional)
        text = "";
    if (!text || !m->fits(text))
        return err_set(err, ERR_INVALID, "%s: must be %s", m->name, m->what);
    *(char **)((char *)s + m->at) = xstrdup(text);
    return 0;
}

static int read_number(const cJSON *obj, const char *name, uint64_t min, uint64_t max,
                       uint64_t *value, struct err *err)
{
    if (json_get(obj, name) && (json_need_u64(obj, name, max, value, NULL) < 0 || *value < min))
        return err_set(err, ERR_INVALID, "%s: must be %" PRIu64 " to %" PRIu64, name, min, max);
    return 0;
}

static int read_port(const cJSON *obj, const char *name, uint64_t min, uint16_t fallback,
                     uint16_t *ret, struct err *err)
{
    uint64_t port = fallback;

    if (read_number(obj, name, min, UINT16_MAX, &port, err) < 0)
        return -1;
    *ret = (uint16_t)port;
    return 0;
}

static int read_protocol(const cJSON *obj, struct edge_settings *s, struct err *err)
{
    const cJSON *member = json_get(obj, "upstreamProtocol");
    const char *text = cJSON_IsString(member) ? member->valuestring : member ? "" : "Mqtt";

    s->websocket = str_eq(text, "MqttWs");
    if (!s->websocket && !str_eq(text, "Mqtt"))
        return err_set(err, ERR_INVALID, "upstreamProtocol: must be Mqtt or MqttWs");
    return 0;
}

static int read_addresses(const cJSON *obj, struct edge_settings *s, struct err *err)
{
    const cJSON *list, *at;
    size_t n = 0;

    if (json_need_array(obj, "listen", &list, err) < 0)
        return -1;
    cJSON_ArrayForEach(at, list)
    {
        if (n == EDGE_LISTEN_MAX || !cJSON_IsString(at) || !is_address(at->valuestring))
            break;
        s->listen[n++] = xstrdup(at->valuestring);
    }
    if (at || n == 0)
        return err_set(err, ERR_INVALID, "listen: must be 1 to %d numeric addresses",
                       EDGE_LISTEN_MAX);
    return 0;
}

static int read_all(const cJSON *obj, struct edge_settings *s, struct err *err)
{
    uint64_t clients = CLIENTS;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (read_text(obj, &texts[i], s, err) < 0)
            return -1;
    if (read_port(obj, "mqttPort", 1, 8883, &s->mqtt_port, err) < 0 ||
        read_port(obj, "httpsPort", 1, 443, &s->https_port, err) < 0 ||
        read_port(obj, "mqttListenPort", 0, 8883, &s->mqtt_listen_port, err) < 0 ||
        read_port(obj, "httpsListenPort", 0, 443, &s->https_listen_port, err) < 0 ||
        read_number(obj, "maxClients", 1, CLIENTS_MAX, &clients, err) < 0 ||
        read_protocol(obj, s, err) < 0 || read_addresses(obj, s, err) < 0)
        return -1;
    s->max_clients = (unsigned)clients;
    return 0;
}

int edge_settings_parse(const char *text, size_t len, const char *dir, struct edge_settings **ret,
                        struct err *err)
{
    auto_json cJSON *obj = json_parse(text, len, err);
    struct edge_settings *s;

    if (!obj)
        return -1;
    if (!cJSON_IsObject(obj))
        return err_set(err, ERR_INVALID, "the settings must be a JSON object");
    s = xcalloc(1, sizeof(*s));
    s->dir = xstrdup(dir);
    if (read_all(obj, s, err) < 0) {
        edge_settings_free(s);
        return -1;
    }
    *ret = s;
    return 0;
}

int edge_settings_read(const char *path, const char *dir, struct edge_settings **ret,
                       struct err *err)
{
    auto_wiped_buf struct buf text = {0};

    if (file_read(path, SETTINGS_MAX, &text, err) < 0)
        return -1;
    if (edge_settings_parse(buf_str(&text), text.len, dir, ret, err) < 0)
        return err_wrap(err, "%s", path);
    return 0;
}

void edge_settings_free(struct edge_settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->listen[i]; i++)
        free(s->listen[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        secret_free(*(char **)((char *)s + texts[i].at));
    free(s->dir);
    free(s);
}
