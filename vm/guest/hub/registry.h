/* What the service does to identities: create, change, delete, with everything that follows for
 * twins, connections and configurations. Loop thread only. */
#ifndef BERTH_HUB_REGISTRY_H
#define BERTH_HUB_REGISTRY_H

#include "core/base/json.h"
#include "vm/guest/hub/hub.h"

/* "sas", "selfSigned", "certificateAuthority", "none". */
const char *registry_auth_word(enum identity_auth auth);
bool registry_auth_parse(const char *word, enum identity_auth *ret);

/* A hub's name as identities carry it: "" for the first. */
const char *registry_hub_key(const struct hub *hub, const char *name);
/* The device where it is on the hub of that name; ERR_NOT_FOUND also where another hub has it. */
int registry_device(struct hub *hub, const char *hub_name, const char *device, struct identity *ret,
                    struct err *err);

/* Device or module JSON as the REST API shows it, for the caller. */
cJSON *registry_show(struct hub *hub, const struct identity *id);
/* Parts of it that twins show, too. */
void registry_add_time(cJSON *to, const char *name, uint64_t wall_ms); /* 0001-01-01 for 0 */
struct client_state;
void registry_add_activity(const struct client_state *state, cJSON *to);
void registry_add_thumbprints(const struct identity *id, cJSON *to);
void registry_add_scopes(const struct identity *id, cJSON *to);

struct registry_write {
    const char *hub_name; /* of a new device; NULL: the first, and an old one is wherever it is */
    const char *device, *module;
    const cJSON *body;
    const char *if_match; /* NULL: create; "*" or an etag, without quotes: update */
};
/* Creates or updates the identity that the path names. ERR_EXISTS: there is one already; ERR_BUSY:
 * another etag; ERR_NOT_FOUND; ERR_INVALID; ERR_AUTH: a system module; ERR_NO_SPACE: too many. */
int registry_write(struct hub *hub, const struct registry_write *w, struct identity *ret,
                   struct err *err);
/* The same without a choice of hub. */
int registry_put(struct hub *hub, const char *device, const char *module, const cJSON *body,
                 const char *if_match, struct identity *ret, struct err *err);

/* ERR_NOT_FOUND, ERR_BUSY (another etag), ERR_AUTH. Its connection ends; the children of an IoT
 * Edge device have no parent any more. */
int registry_delete(struct hub *hub, const char *device, const char *module, const char *if_match,
                    struct err *err);

/* Puts a device on the hub HUB_NAME with all that it has. Where it was on another one, its
 * connection ends. */
int registry_move(struct hub *hub, const char *device, const char *hub_name, struct err *err);

/* Checks and applies a deployment manifest to a device. Where an automatic deployment targets the
 * device, that one is back at its next evaluation. */
int registry_deploy(struct hub *hub, const char *device, const cJSON *manifest, struct err *err);
/* A module that a deployment names and that has no identity yet gets one. */
int registry_need_module(struct hub *hub, const char *device, const char *module, struct err *err);

/* ARRAY of entries with importMode, each done or not by itself. The answer for the caller:
 * {"isSuccessful","errors","warnings"}. ERR_INVALID: not such an array. */
int registry_bulk(struct hub *hub, const char *hub_name, const cJSON *array, cJSON **ret,
                  struct err *err);

/* "ms-azure-iot-edge://{id}-{generation}" of an IoT Edge device. */
#define REGISTRY_SCOPE_MAX 256
void registry_scope(const struct identity *edge, char *to, size_t size);
bool registry_is_child(const struct identity *child, const struct identity *edge);

#endif
