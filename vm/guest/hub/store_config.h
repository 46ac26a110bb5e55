/* Automatic configurations in the store, which twins they target, and the walk over twins that
 * queries and target conditions need. As store.h: loop thread only, one transaction a turn. */
#ifndef BERTH_HUB_STORE_CONFIG_H
#define BERTH_HUB_STORE_CONFIG_H

#include "vm/guest/hub/store.h"

/* What a configuration sets. The numbers are in the database. */
enum configuration_kind {
    CONFIGURATION_BASE = 0,    /* a whole IoT Edge deployment */
    CONFIGURATION_LAYERED = 1, /* parts on top of one */
    CONFIGURATION_DEVICE = 2,  /* desired properties of devices */
    CONFIGURATION_MODULE = 3,  /* desired properties of modules */
};

struct configuration {
    char id[IDENTITY_ID_MAX];
    char schema[16]; /* schemaVersion, as given */
    enum configuration_kind kind;
    bool follows_reports; /* its condition looks at reported properties */
    uint64_t priority;
    uint64_t version; /* counts changes; the etag is made of it */
    uint64_t created_ms, updated_ms;
    char *condition;
    char *content, *labels, *metrics; /* JSON texts: {"modulesContent":...}, {}, queries by name */
};
void configuration_done(struct configuration *c);
#define auto_configuration ATTR_CLEANUP(configuration_done)

/* ERR_NOT_FOUND where there is none. HUB as in struct identity. */
int store_configuration_get(struct store *s, const char *hub, const char *id,
                            struct configuration *ret, struct err *err);
int store_configuration_put(struct store *s, const char *hub, const struct configuration *c,
                            struct err *err);
/* With the record of whom it targeted. */
int store_configuration_delete(struct store *s, const char *hub, const char *id, struct err *err);
/* In order of their ids. FN may take over what C holds, and may not write. */
int store_configuration_each(struct store *s, const char *hub, size_t max,
                             void (*fn)(void *arg, struct configuration *c), void *arg,
                             struct err *err);
/* How many there are, on all hubs where HUB is NULL; FOLLOWS_REPORTS: only those. */
int store_configuration_count(struct store *s, const char *hub, bool follows_reports, uint64_t *ret,
                              struct err *err);

/* Which configurations target a twin, and whether what they say is in it. */
int store_target_put(struct store *s, const char *hub, const char *device, const char *module,
                     const char *id, bool applied, struct err *err);
int store_target_clear(struct store *s, const char *device, const char *module, struct err *err);
int store_target_each(struct store *s, const char *device, const char *module,
                      void (*fn)(void *arg, const char *id, bool applied), void *arg,
                      struct err *err);
/* The twins that a configuration targets. */
int store_targeted_each(struct store *s, const char *hub, const char *id,
                        void (*fn)(void *arg, const char *device, const char *module, bool applied),
                        void *arg, struct err *err);

/* What configurations have set in the twins of DEVICE; EDGE: an IoT Edge deployment has, else
 * configurations of the twin itself. PATHS: a JSON object with the paths as names; NULL forgets. */
int store_settings_put(struct store *s, const char *device, const char *module, bool edge,
                       const char *paths, struct err *err);
int store_settings_each(struct store *s, const char *device,
                        void (*fn)(void *arg, const char *module, bool edge, const char *paths),
                        void *arg, struct err *err);

/* Where a walk over the twins of a hub begins: behind AFTER. */
struct twin_walk {
    const char *hub;
    bool modules; /* the modules' twins, else the devices' */
    const char *after_device, *after_module;
};
/* In order of device and module, until FN returns false. FN may not write. */
int store_twin_each(struct store *s, const struct twin_walk *walk,
                    bool (*fn)(void *arg, const struct identity *id, const struct twin_row *t),
                    void *arg, struct err *err);

#endif
