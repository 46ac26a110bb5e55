/* What the service does to identities: create, change, delete, with everything that follows for
 * twins and connections. Loop thread only. */
#ifndef BERTH_HUB_REGISTRY_H
#define BERTH_HUB_REGISTRY_H

#include "core/base/json.h"
#include "vm/guest/hub/hub.h"

/* "sas", "selfSigned", "certificateAuthority", "none". */
const char *registry_auth_word(enum identity_auth auth);
bool registry_auth_parse(const char *word, enum identity_auth *ret);

/* Device or module JSON as the REST API shows it, for the caller. */
cJSON *registry_show(struct hub *hub, const struct identity *id);

/* Creates (IF_MATCH NULL) or updates the identity that the path names, from BODY. IF_MATCH "*" or
 * an etag, without quotes. ERR_EXISTS: there is one already; ERR_BUSY: another etag; ERR_INVALID;
 * ERR_NO_SPACE: too many. */
int registry_put(struct hub *hub, const char *device, const char *module, const cJSON *body,
                 const char *if_match, struct identity *ret, struct err *err);

/* ERR_NOT_FOUND, ERR_BUSY (another etag). Its connection ends. */
int registry_delete(struct hub *hub, const char *device, const char *module, const char *if_match,
                    struct err *err);

/* Puts a device on the hub HUB_NAME with all that it has. Where it was on another one, its
 * connection ends. */
int registry_move(struct hub *hub, const char *device, const char *hub_name, struct err *err);

/* Checks and applies a deployment manifest to a device. */
int registry_deploy(struct hub *hub, const char *device, const cJSON *manifest, struct err *err);

#endif
