/* See registry.h: parents and children. An IoT Edge device makes a scope; its children name it, a
 * leaf as deviceScope, another IoT Edge device in parentScopes. */
#include "core/base/str.h"
#include "vm/guest/hub/registry_private.h"

#include <string.h>

#define PREFIX     "ms-azure-iot-edge://"
#define LEVELS_MAX 5 /* of IoT Edge devices, one above the other */

void registry_scope(const struct identity *edge, char *to, size_t size)
{
    (void)str_format(to, size, PREFIX "%s-%s", edge->device, edge->generation);
}

bool registry_is_child(const struct identity *child, const struct identity *edge)
{
    char scope[REGISTRY_SCOPE_MAX];

    if (!edge->iot_edge)
        return false;
    registry_scope(edge, scope, sizeof(scope));
    return str_eq(child->parents, scope);
}

/* The IoT Edge device that makes SCOPE. */
static int find_edge(struct hub *hub, const char *scope, struct identity *ret, struct err *err)
{
    const char *from = scope + strlen(PREFIX);
    const char *end = strrchr(scope, '-');
    char device[IDENTITY_ID_MAX], own[REGISTRY_SCOPE_MAX];

    if (str_starts(scope, PREFIX) && end > from && (size_t)(end - from) < sizeof(device)) {
        (void)str_format(device, sizeof(device), "%.*s", (int)(end - from), from);
        if (store_identity_get(hub->store, device, "", ret, NULL) == 0 && ret->iot_edge) {
            registry_scope(ret, own, sizeof(own));
            if (str_eq(own, scope))
                return 0;
        }
    }
    (void)err_set(err, ERR_INVALID, "deviceScope: names no IoT Edge device of this hub");
    return err_hint(err, "Copy deviceScope of the parent as the hub shows it");
}

static int check_parent(struct hub *hub, const struct identity *id, struct err *err)
{
    auto_identity struct identity up = {0};
    char scope[REGISTRY_SCOPE_MAX];

    STR_SET(scope, id->parents);
    for (int level = 1; scope[0]; level++) {
        if (find_edge(hub, scope, &up, err) < 0)
            return -1;
        if (!str_eq(up.hub, id->hub))
            return err_set(err, ERR_INVALID, "deviceScope: the parent is on another hub");
        if (str_eq(up.device, id->device))
            return err_set(err, ERR_INVALID, "deviceScope: %s would be above itself", id->device);
        if (level + (id->iot_edge ? 1 : 0) > LEVELS_MAX)
            return err_set(err, ERR_INVALID,
                           "deviceScope: more than %d IoT Edge devices above "
                           "each other",
                           LEVELS_MAX);
        STR_SET(scope, up.parents);
    }
    return 0;
}

/* "parentScopes": [] or one of them. */
static int read_parent_scopes(const cJSON *body, struct identity *id, struct err *err)
{
    const cJSON *list = json_get(body, "parentScopes");
    const char *scope = "";

    if (!list || cJSON_IsNull(list))
        return 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > 1 ||
        (list->child && !cJSON_IsString(list->child)))
        return err_set(err, ERR_INVALID, "parentScopes: must be a list of one scope, or empty");
    if (list->child)
        scope = list->child->valuestring;
    return str_copy(id->parents, sizeof(id->parents), scope)
               ? 0
               : err_set(err, ERR_INVALID, "parentScopes: is too long for a scope");
}

/* Clients send back what they read, also where the device becomes an IoT Edge device or is one no
 * more: then deviceScope is what it was. */
static int read_edge(const cJSON *body, const struct identity *before, struct identity *id,
                     struct err *err)
{
    const char *scope = json_str(body, "deviceScope", "");
    char own[REGISTRY_SCOPE_MAX];

    registry_scope(id, own, sizeof(own));
    if (scope[0] && !str_eq(scope, own) && !(!before->iot_edge && str_eq(scope, before->parents)))
        return err_set(err, ERR_INVALID,
                       "deviceScope: the hub makes the one of an IoT Edge device; its parent "
                       "stands in parentScopes");
    return read_parent_scopes(body, id, err);
}

static int read_leaf(const cJSON *body, struct identity *id, struct err *err)
{
    const cJSON *scope = json_get(body, "deviceScope");
    char own[REGISTRY_SCOPE_MAX];

    registry_scope(id, own, sizeof(own));
    if (!cJSON_IsString(scope) || str_eq(scope->valuestring, own))
        return read_parent_scopes(body, id, err);
    return str_copy(id->parents, sizeof(id->parents), scope->valuestring)
               ? 0
               : err_set(err, ERR_INVALID, "deviceScope: is too long for a scope");
}

int registry_read_parent(struct hub *hub, const cJSON *body, const struct identity *before,
                         struct identity *id, struct err *err)
{
    if ((id->iot_edge ? read_edge(body, before, id, err) : read_leaf(body, id, err)) < 0)
        return -1;
    return str_eq(id->parents, before->parents) && id->iot_edge == before->iot_edge
               ? 0
               : check_parent(hub, id, err);
}

static void on_child(void *arg, const struct identity *id)
{
    STR_SET(((struct identity *)arg)->device, id->device);
}

int registry_check_childless(struct hub *hub, const struct identity *edge, struct err *err)
{
    auto_identity struct identity child = {0};
    char scope[REGISTRY_SCOPE_MAX];

    registry_scope(edge, scope, sizeof(scope));
    if (store_children_each(hub->store, scope, "", 1, on_child, &child, err) < 0)
        return -1;
    if (child.device[0])
        return err_set(err, ERR_INVALID, "capabilities.iotEdge: %s is the parent of %s",
                       edge->device, child.device);
    return 0;
}
