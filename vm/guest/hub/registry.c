/* See registry.h. */
#include "vm/guest/hub/registry.h"

#include "core/azure/base64.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/manifest.h"
#include "vm/guest/hub/twin_json.h"
#include "vm/guest/hub/twins.h"

#include <inttypes.h>
#include <string.h>

static const char *const system_modules[] = {"$edgeAgent", "$edgeHub"};
static const char no_time[] = "0001-01-01T00:00:00Z";

static const char *const auth_words[] = {
    [IDENTITY_SAS] = "sas",
    [IDENTITY_SELF_SIGNED] = "selfSigned",
    [IDENTITY_CA] = "certificateAuthority",
    [IDENTITY_NONE] = "none",
};

const char *registry_auth_word(enum identity_auth auth)
{
    return (unsigned)auth < ARRAY_LEN(auth_words) ? auth_words[auth] : "none";
}

bool registry_auth_parse(const char *word, enum identity_auth *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(auth_words); i++)
        if (str_eq(word, auth_words[i])) {
            *ret = (enum identity_auth)i;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------------------------------
 * showing */

static void show_authentication(const struct identity *id, cJSON *to)
{
    cJSON *auth = json_add_obj(to, "authentication");
    cJSON *key = json_add_obj(auth, "symmetricKey");
    cJSON *thumbs;

    json_add_str_or_null(key, "primaryKey", id->primary_key);
    json_add_str_or_null(key, "secondaryKey", id->secondary_key);
    thumbs = json_add_obj(auth, "x509Thumbprint");
    json_add_str_or_null(thumbs, "primaryThumbprint", NULL);
    json_add_str_or_null(thumbs, "secondaryThumbprint", NULL);
    json_add_str(auth, "type", registry_auth_word(id->auth));
}

static void show_device(const struct identity *id, cJSON *to)
{
    char text[400];

    json_add_str(to, "status", id->disabled ? "disabled" : "enabled");
    json_add_str_or_null(to, "statusReason", id->status_reason);
    clock_format(text, sizeof(text), id->status_ms);
    json_add_str(to, "statusUpdatedTime", id->status_ms ? text : no_time);
    json_add_bool(json_add_obj(to, "capabilities"), "iotEdge", id->iot_edge);
    if (id->iot_edge) {
        (void)str_format(text, sizeof(text), "ms-azure-iot-edge://%s-%s", id->device,
                         id->generation);
        json_add_str(to, "deviceScope", text);
    }
    (void)json_add_array(to, "parentScopes");
}

cJSON *registry_show(struct hub *hub, const struct identity *id)
{
    cJSON *out = cJSON_CreateObject();
    char etag[16];

    json_add_str(out, "deviceId", id->device);
    if (id->module[0]) {
        json_add_str(out, "moduleId", id->module);
        json_add_str_or_null(out, "managedBy", id->managed_by);
    }
    json_add_str(out, "generationId", id->generation);
    twins_etag(id->version, etag, sizeof(etag));
    json_add_str(out, "etag", etag);
    json_add_str(out, "connectionState",
                 clients_connected(hub->clients, id->device, id->module) ? "Connected"
                                                                         : "Disconnected");
    json_add_str(out, "connectionStateUpdatedTime", no_time);
    json_add_str(out, "lastActivityTime", no_time);
    json_add_u64(out, "cloudToDeviceMessageCount", 0);
    show_authentication(id, out);
    if (!id->module[0])
        show_device(id, out);
    return out;
}

/* ------------------------------------------------------------------------------------------
 * reading */

static int read_key(const cJSON *keys, const char *name, char *to, size_t size, struct err *err)
{
    const char *text = keys ? json_str(keys, name, "") : "";
    auto_wiped_buf struct buf bytes = {0};

    if (!text[0])
        return 0; /* keeps what is there; a new identity gets a random one */
    if (base64_decode(text, strlen(text), &bytes, NULL) < 0 || bytes.len < 16 || bytes.len > 64 ||
        !str_copy(to, size, text))
        return err_set(err, ERR_INVALID,
                       "authentication.symmetricKey.%s: must be base64 of 16 to 64 bytes", name);
    return 0;
}

static int read_authentication(const cJSON *body, struct identity *id, struct err *err)
{
    const cJSON *auth = json_get(body, "authentication");
    const cJSON *keys = auth ? json_get(auth, "symmetricKey") : NULL;
    const char *type = auth ? json_str(auth, "type", "sas") : NULL;

    if (type && !registry_auth_parse(type, &id->auth))
        return err_set(err, ERR_INVALID,
                       "authentication.type: must be sas, selfSigned, "
                       "certificateAuthority or none");
    if (read_key(keys, "primaryKey", id->primary_key, sizeof(id->primary_key), err) < 0 ||
        read_key(keys, "secondaryKey", id->secondary_key, sizeof(id->secondary_key), err) < 0)
        return -1;
    if (!id->primary_key[0])
        auth_make_key(id->primary_key, sizeof(id->primary_key));
    if (!id->secondary_key[0])
        auth_make_key(id->secondary_key, sizeof(id->secondary_key));
    return 0;
}

/* A member that repeats what the path says must agree with it. */
static int check_repeated(const cJSON *body, const char *name, const char *value, struct err *err)
{
    const char *text = json_str(body, name, value);

    if (!str_eq(text, value))
        return err_set(err, ERR_INVALID, "%s: is not the one of the path", name);
    return 0;
}

static int read_identity(const cJSON *body, struct identity *id, struct err *err)
{
    const cJSON *capabilities = json_get(body, "capabilities");
    const char *status = json_str(body, "status", id->disabled ? "disabled" : "enabled");
    bool disabled = str_eq(status, "disabled");

    if (check_repeated(body, "deviceId", id->device, err) < 0 ||
        (id->module[0] && check_repeated(body, "moduleId", id->module, err) < 0) ||
        read_authentication(body, id, err) < 0)
        return -1;
    if (id->module[0]) {
        STR_SET(id->managed_by, json_str(body, "managedBy", id->managed_by));
        return 0;
    }
    if (!disabled && !str_eq(status, "enabled"))
        return err_set(err, ERR_INVALID, "status: must be enabled or disabled");
    if (disabled != id->disabled)
        id->status_ms = clock_wall_ms();
    id->disabled = disabled;
    STR_SET(id->status_reason, json_str(body, "statusReason", id->status_reason));
    if (capabilities)
        id->iot_edge = json_bool(capabilities, "iotEdge", id->iot_edge);
    return 0;
}

/* ------------------------------------------------------------------------------------------
 * changing */

static void identity_new(struct identity *id, const char *device, const char *module)
{
    static uint64_t last;
    uint64_t ticks =
        UINT64_C(621355968000000000) + clock_wall_ms() * 10000; /* as .NET counts time */

    last = ticks > last ? ticks : last + 1;
    *id = (struct identity){.created_ms = clock_wall_ms()};
    STR_SET(id->device, device);
    STR_SET(id->module, module);
    (void)str_format(id->generation, sizeof(id->generation), "%" PRIu64, last);
}

static int check_room(struct hub *hub, const char *device, const char *module, struct err *err)
{
    uint64_t n = 0;

    if (store_identity_count(hub->store, module[0] ? device : NULL, false, &n, err) < 0)
        return -1;
    if (n >= (module[0] ? HUB_MODULES_MAX : HUB_DEVICES_MAX))
        return err_set(err, ERR_NO_SPACE, "no more than %d %s",
                       module[0] ? HUB_MODULES_MAX : HUB_DEVICES_MAX,
                       module[0] ? "modules a device" : "devices");
    return 0;
}

static int check_etag(const struct identity *id, const char *if_match, struct err *err)
{
    char etag[16];

    twins_etag(id->version, etag, sizeof(etag));
    if (if_match && !str_eq(if_match, "*") && !str_eq(if_match, etag))
        return err_set(err, ERR_BUSY, "%s was changed meanwhile",
                       id->module[0] ? id->module : id->device);
    return 0;
}

/* Those that an IoT Edge device needs before it can do anything. */
static int add_system_modules(struct hub *hub, const char *device, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(system_modules); i++) {
        auto_identity struct identity id = {0};

        if (store_identity_get(hub->store, device, system_modules[i], &id, NULL) == 0)
            continue;
        identity_new(&id, device, system_modules[i]);
        STR_SET(id.managed_by, "iotEdge");
        auth_make_key(id.primary_key, sizeof(id.primary_key));
        auth_make_key(id.secondary_key, sizeof(id.secondary_key));
        id.version = 1;
        if (store_identity_put(hub->store, &id, err) < 0)
            return -1;
    }
    return 0;
}

static bool lost_right(const struct identity *before, const struct identity *now)
{
    return (now->disabled && !before->disabled) || now->auth != before->auth ||
           !str_eq(before->primary_key, now->primary_key) ||
           !str_eq(before->secondary_key, now->secondary_key);
}

int registry_put(struct hub *hub, const char *device, const char *module, const cJSON *body,
                 const char *if_match, struct identity *ret, struct err *err)
{
    auto_identity struct identity before = {0};
    auto_identity struct identity now = {0};
    struct err why = {0};
    bool exists = store_identity_get(hub->store, device, module, &before, &why) == 0;

    if (!exists && why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    if (exists && !if_match)
        return err_set(err, ERR_EXISTS, "%s is there already", module[0] ? module : device);
    if (!exists && if_match)
        return err_set(err, ERR_NOT_FOUND, "%s", why.msg);
    if (module[0] && store_identity_get(hub->store, device, "", &now, err) < 0)
        return -1;
    if (exists ? check_etag(&before, if_match, err) < 0 : check_room(hub, device, module, err) < 0)
        return -1;
    if (exists)
        now = before;
    else
        identity_new(&now, device, module);
    if (read_identity(body, &now, err) < 0)
        return -1;
    now.version++;
    if (store_identity_put(hub->store, &now, err) < 0 ||
        (!module[0] && now.iot_edge && add_system_modules(hub, device, err) < 0))
        return -1;
    if (exists && lost_right(&before, &now))
        clients_drop(hub->clients, device, module[0] ? module : NULL);
    log_info("registry", "%s %s%s%s", exists ? "changed" : "created", device, module[0] ? "/" : "",
             module);
    *ret = now;
    return 0;
}

int registry_delete(struct hub *hub, const char *device, const char *module, const char *if_match,
                    struct err *err)
{
    auto_identity struct identity id = {0};

    if (store_identity_get(hub->store, device, module, &id, err) < 0 ||
        check_etag(&id, if_match, err) < 0 ||
        store_identity_delete(hub->store, device, module, err) < 0)
        return -1;
    clients_drop(hub->clients, device, module[0] ? module : NULL);
    log_info("registry", "deleted %s%s%s", device, module[0] ? "/" : "", module);
    return 0;
}

int registry_move(struct hub *hub, const char *device, const char *hub_name, struct err *err)
{
    auto_identity struct identity id = {0};
    const char *name = str_eq(hub_name, hub->hubs[0]) ? "" : hub_name;

    if (store_identity_get(hub->store, device, "", &id, err) < 0)
        return -1;
    if (str_eq(id.hub, name))
        return 0;
    STR_SET(id.hub, name);
    id.version++;
    if (store_identity_put(hub->store, &id, err) < 0)
        return -1;
    clients_drop(hub->clients, device, NULL);
    return 0;
}

/* An entry of modulesContent may name a module that has no identity yet: the hub makes it. */
static int need_module(struct hub *hub, const char *device, const char *module, struct err *err)
{
    auto_identity struct identity id = {0};
    auto_json cJSON *body = NULL;
    struct err why = {0};

    if (store_identity_get(hub->store, device, module, &id, &why) == 0)
        return 0;
    if (why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    if (module[0] == '$')
        return err_set(err, ERR_INVALID, "device %s is not an IoT Edge device", device);
    body = cJSON_CreateObject();
    return registry_put(hub, device, module, body, NULL, &id, err);
}

/* All of them before any is applied: a deployment happens as a whole or not at all. */
static int check_sections(const cJSON *modules, struct err *err)
{
    for (const cJSON *entry = modules->child; entry; entry = entry->next) {
        auto_buf struct buf text = {0};
        char path[200];

        (void)str_format(path, sizeof(path), "modulesContent.%s.properties.desired", entry->string);
        if (twin_json_check(manifest_desired(entry), path, err) < 0)
            return -1;
        json_print(&text, manifest_desired(entry));
        if (text.len > TWIN_SECTION_MAX)
            return err_set(err, ERR_INVALID,
                           "%s: %zu bytes are more than the %u KB that a twin may have", path,
                           text.len, TWIN_SECTION_MAX / 1024);
    }
    return 0;
}

int registry_deploy(struct hub *hub, const char *device, const cJSON *manifest, struct err *err)
{
    auto_identity struct identity id = {0};
    const cJSON *modules = NULL;

    if (store_identity_get(hub->store, device, "", &id, err) < 0 ||
        manifest_check(manifest, &modules, err) < 0 || check_sections(modules, err) < 0)
        return -1;
    for (const cJSON *entry = modules->child; entry; entry = entry->next)
        if (need_module(hub, device, entry->string, err) < 0)
            return -1;
    for (const cJSON *entry = modules->child; entry; entry = entry->next)
        if (twins_deploy(hub, device, entry->string, manifest_desired(entry), err) < 0)
            return err_wrap(err, "modulesContent.%s", entry->string);
    log_info("registry", "deployed to %s", device);
    return 0;
}
