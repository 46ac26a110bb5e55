/* See registry.h. A call that fails has changed nothing: what belongs together is between
 * store_begin() and store_end(). */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/configuration.h"
#include "vm/guest/hub/manifest.h"
#include "vm/guest/hub/registry_private.h"
#include "vm/guest/hub/twins.h"

#include <inttypes.h>
#include <string.h>

static const char *const system_modules[] = {"$edgeAgent", "$edgeHub"};

static bool is_system_module(const char *module)
{
    return str_eq(module, "$edgeAgent") || str_eq(module, "$edgeHub");
}

/* ---- hubs ---- */

const char *registry_hub_key(const struct hub *hub, const char *name)
{
    return str_eq(name, hub->hubs[0]) ? "" : name;
}

int registry_device(struct hub *hub, const char *hub_name, const char *device, struct identity *ret,
                    struct err *err)
{
    auto_identity struct identity id = {0};

    if (store_identity_get(hub->store, device, "", &id, err) < 0)
        return -1;
    if (!str_eq(id.hub, registry_hub_key(hub, hub_name)))
        return err_set(err, ERR_NOT_FOUND, "no device %s", device);
    *ret = id;
    return 0;
}

/* ---- changing ---- */

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

static int remove_system_modules(struct hub *hub, const char *device, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(system_modules); i++) {
        if (store_identity_delete(hub->store, device, system_modules[i], err) < 0)
            return -1;
        clients_drop(hub->clients, device, system_modules[i]);
    }
    return 0;
}

/* Its own, or that of the edge hub which may speak for it. */
static bool lost_right(const struct identity *before, const struct identity *now)
{
    return (before->parents[0] && !str_eq(before->parents, now->parents)) ||
           (now->disabled && !before->disabled) || now->auth != before->auth ||
           !str_eq(before->primary_key, now->primary_key) ||
           !str_eq(before->secondary_key, now->secondary_key) ||
           !str_eq(before->primary_thumbprint, now->primary_thumbprint) ||
           !str_eq(before->secondary_thumbprint, now->secondary_thumbprint);
}

static void drop_sessions(struct hub *hub, const struct identity *id)
{
    clients_drop(hub->clients, id->device, id->module[0] ? id->module : NULL);
    if (id->module[0] ? str_eq(id->module, "$edgeHub") : id->iot_edge)
        clients_drop_behalf(hub->clients, id->device);
}

/* A name that may become an identity's. */
static int check_name(const struct registry_write *w, struct err *err)
{
    if (!identity_id_valid(w->module[0] ? w->module : w->device))
        return err_set(err, ERR_INVALID,
                       "the name has a character that ids do not allow, or is too long");
    if (is_system_module(w->module))
        return err_set(err, ERR_AUTH, "the hub itself makes %s, for IoT Edge devices", w->module);
    if (w->module[0] == '$')
        return err_set(err, ERR_INVALID, "a module's name does not begin with $");
    return 0;
}

/* What W writes to: BEFORE is what there is, or a new identity. RET_EXISTS. */
static int find_identity(struct hub *hub, const struct registry_write *w, struct identity *before,
                         bool *ret_exists, struct err *err)
{
    const char *name = w->module[0] ? w->module : w->device;
    auto_identity struct identity device = {0};
    struct err why = {0};

    *ret_exists = store_identity_get(hub->store, w->device, w->module, before, &why) == 0;
    if (!*ret_exists && why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    if (w->module[0] && store_identity_get(hub->store, w->device, "", &device, err) < 0)
        return -1;
    if (*ret_exists && !w->module[0] && w->hub_name &&
        !str_eq(before->hub, registry_hub_key(hub, w->hub_name)))
        return err_set(err, ERR_EXISTS, "%s is the name of a device on another hub", name);
    if (*ret_exists && !w->if_match)
        return err_set(err, ERR_EXISTS, "%s is there already", name);
    if (*ret_exists)
        return check_etag(before, w->if_match, err);
    if (w->if_match)
        return err_set(err, ERR_NOT_FOUND, "%s", why.msg);
    if (check_name(w, err) < 0 || check_room(hub, w->device, w->module, err) < 0)
        return -1;
    identity_new(before, w->device, w->module);
    if (!w->module[0] && w->hub_name)
        STR_SET(before->hub, registry_hub_key(hub, w->hub_name));
    return 0;
}

/* What follows from a device that is an IoT Edge device now, or is one no more. */
static int change_edge(struct hub *hub, const struct identity *before, const struct identity *now,
                       struct err *err)
{
    if (now->module[0] || now->iot_edge == before->iot_edge)
        return 0;
    if (now->iot_edge)
        return add_system_modules(hub, now->device, err);
    if (registry_check_childless(hub, before, err) < 0)
        return -1;
    return remove_system_modules(hub, now->device, err);
}

static int write_identity(struct hub *hub, const struct registry_write *w, struct identity *ret,
                          struct err *err)
{
    auto_identity struct identity before = {0};
    auto_identity struct identity now = {0};
    bool exists = false;

    if (find_identity(hub, w, &before, &exists, err) < 0)
        return -1;
    now = before;
    if (registry_read(w->body, &now, err) < 0 ||
        (!w->module[0] && registry_read_parent(hub, w->body, &before, &now, err) < 0))
        return -1;
    now.version++;
    if (store_identity_put(hub->store, &now, err) < 0 || change_edge(hub, &before, &now, err) < 0 ||
        configuration_follow(hub, w->device, w->module, err) < 0)
        return -1;
    if (exists && lost_right(&before, &now))
        drop_sessions(hub, &before);
    log_info("registry", "%s %s%s%s", exists ? "changed" : "created", w->device,
             w->module[0] ? "/" : "", w->module);
    *ret = now;
    return 0;
}

int registry_write(struct hub *hub, const struct registry_write *w, struct identity *ret,
                   struct err *err)
{
    int status;

    if (store_begin(hub->store, err) < 0)
        return -1;
    status = write_identity(hub, w, ret, err);
    return store_end(hub->store, status, err);
}

int registry_put(struct hub *hub, const char *device, const char *module, const cJSON *body,
                 const char *if_match, struct identity *ret, struct err *err)
{
    struct registry_write w = {
        .device = device, .module = module, .body = body, .if_match = if_match};

    return registry_write(hub, &w, ret, err);
}

/* ---- deleting ---- */

static int release_children(struct hub *hub, const struct identity *id, struct err *err)
{
    char scope[REGISTRY_SCOPE_MAX];

    if (!id->iot_edge)
        return 0;
    registry_scope(id, scope, sizeof(scope));
    return store_children_release(hub->store, scope, err);
}

static int delete_identity(struct hub *hub, const struct identity *id, struct err *err)
{
    return store_identity_delete(hub->store, id->device, id->module, err) < 0
               ? -1
               : release_children(hub, id, err);
}

int registry_delete(struct hub *hub, const char *device, const char *module, const char *if_match,
                    struct err *err)
{
    auto_identity struct identity id = {0};
    int status;

    if (store_identity_get(hub->store, device, module, &id, err) < 0 ||
        check_etag(&id, if_match, err) < 0)
        return -1;
    if (is_system_module(module))
        return err_set(err, ERR_AUTH, "%s goes only with its device", module);
    if (store_begin(hub->store, err) < 0)
        return -1;
    status = delete_identity(hub, &id, err);
    if (store_end(hub->store, status, err) < 0)
        return -1;
    drop_sessions(hub, &id);
    log_info("registry", "deleted %s%s%s", device, module[0] ? "/" : "", module);
    return 0;
}

/* ---- moving ---- */

struct names {
    char of[HUB_MODULES_MAX + ARRAY_LEN(system_modules)][IDENTITY_ID_MAX];
    size_t n;
};

static void add_name(void *arg, const struct identity *id)
{
    struct names *names = arg;

    STR_SET(names->of[names->n], id->module);
    names->n++;
}

/* The configurations of its hub, for the device and each of its modules. */
static int follow_all(struct hub *hub, const char *device, struct err *err)
{
    struct names names = {.n = 0};

    if (store_identity_each(hub->store, device, "", ARRAY_LEN(names.of), add_name, &names, err) <
            0 ||
        configuration_follow(hub, device, "", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (configuration_follow(hub, device, names.of[i], err) < 0)
            return -1;
    return 0;
}

int registry_move(struct hub *hub, const char *device, const char *hub_name, struct err *err)
{
    auto_identity struct identity id = {0};
    const char *name = registry_hub_key(hub, hub_name);

    if (store_identity_get(hub->store, device, "", &id, err) < 0)
        return -1;
    if (str_eq(id.hub, name))
        return 0;
    STR_SET(id.hub, name);
    id.parents[0] = '\0'; /* parents and children are on one hub */
    id.version++;
    if (release_children(hub, &id, err) < 0 || store_identity_put(hub->store, &id, err) < 0)
        return -1;
    drop_sessions(hub, &id);
    return follow_all(hub, device, err);
}

/* ---- deployments ---- */

int registry_need_module(struct hub *hub, const char *device, const char *module, struct err *err)
{
    auto_identity struct identity id = {0};
    auto_json cJSON *body = NULL;
    struct err why = {0};

    if (store_identity_get(hub->store, device, module, &id, &why) == 0)
        return 0;
    if (why.kind != ERR_NOT_FOUND)
        return err_set(err, why.kind, "%s", why.msg);
    if (is_system_module(module))
        return err_set(err, ERR_INVALID, "device %s is not an IoT Edge device", device);
    body = cJSON_CreateObject();
    return registry_put(hub, device, module, body, NULL, &id, err);
}

static int deploy(struct hub *hub, const char *device, const cJSON *modules, struct err *err)
{
    for (const cJSON *entry = modules->child; entry; entry = entry->next)
        if (registry_need_module(hub, device, entry->string, err) < 0)
            return -1;
    for (const cJSON *entry = modules->child; entry; entry = entry->next)
        if (twins_deploy(hub, device, entry->string, manifest_desired(entry), err) < 0)
            return err_wrap(err, "modulesContent.%s", entry->string);
    return 0;
}

int registry_deploy(struct hub *hub, const char *device, const cJSON *manifest, struct err *err)
{
    auto_identity struct identity id = {0};
    const cJSON *modules = NULL;
    int status;

    if (store_identity_get(hub->store, device, "", &id, err) < 0 ||
        manifest_check(manifest, &modules, err) < 0 || store_begin(hub->store, err) < 0)
        return -1;
    status = deploy(hub, device, modules, err);
    if (store_end(hub->store, status, err) < 0)
        return -1;
    log_info("registry", "deployed to %s", device);
    return 0;
}
