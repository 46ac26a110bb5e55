/* What the files of the registry share. */
#ifndef BERTH_HUB_REGISTRY_PRIVATE_H
#define BERTH_HUB_REGISTRY_PRIVATE_H

#include "vm/guest/hub/registry.h"

/* Reads what BODY says into ID, which holds what there is: registry_json.c. */
int registry_read(const cJSON *body, struct identity *id, struct err *err);
/* The same for the parent of a device: registry_scope.c. BEFORE: as it was, also for a new one. */
int registry_read_parent(struct hub *hub, const cJSON *body, const struct identity *before,
                         struct identity *id, struct err *err);
/* ERR_INVALID where devices have EDGE as their parent. */
int registry_check_childless(struct hub *hub, const struct identity *edge, struct err *err);

#endif
