/* What the files about configurations share. */
#ifndef BERTH_HUB_CONFIGURATION_PRIVATE_H
#define BERTH_HUB_CONFIGURATION_PRIVATE_H

#include "vm/guest/hub/configuration.h"
#include "vm/guest/hub/query.h"

/* ---- configuration_json.c ---- */

/* Reads BODY into RET, whose id is set; OLD (may be NULL) is what there is. */
int configuration_read(const cJSON *body, const struct configuration *old,
                       struct configuration *ret, struct err *err);
/* Without results, for the caller. */
cJSON *configuration_to_json(const struct configuration *c);
/* What CONTENT, as it is stored, sets: by module id and path for IoT Edge devices, else by path.
 * Borrowed from it. */
const cJSON *configuration_settings(enum configuration_kind kind, const cJSON *content);

/* ---- configuration_apply.c ---- */

/* All configurations of a hub, read once. */
struct rule {
    struct configuration c;
    struct query *condition;
    cJSON *content; /* {module id: {path: value}}; NULL until it is needed */
};
struct rules {
    const char *hub_key; /* borrowed */
    struct rule *list;
    size_t n;
};
int rules_load(struct hub *hub, const char *hub_key, struct rules *ret, struct err *err);
void rules_done(struct rules *r);
#define auto_rules ATTR_CLEANUP(rules_done)

/* Evaluates one twin: writes down who targets it, and what they say into it. */
int rules_apply(struct hub *hub, struct rules *r, const char *device, const char *module,
                struct err *err);

/* ---- configuration_metrics.c ---- */

/* Adds the results to what configuration_to_json() made. */
int configuration_add_results(struct hub *hub, const char *hub_key, const struct configuration *c,
                              cJSON *to, struct err *err);

#endif
